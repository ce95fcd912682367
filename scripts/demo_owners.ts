/**
 * The owners of the offline keys, as the demo plays them: whatever is published, on the notice board
 * or by command, they sign with `ota keys setup`. Elsewhere these are people with keys of their own,
 * who look at what they sign.
 *
 * @module
 */
import { ApiClient } from "server/cli/client.ts";

/** How often they look. */
const LOOK_MS = 500;
/** After something went wrong: the server restarts, say. */
const PAUSE_MS = 3000;

/** What the owners need. */
export interface OwnersOptions {
  readonly server: string;
  readonly password: string;
  /** Signs all that waits. */
  readonly sign: () => Promise<unknown>;
  readonly note: (text: string) => void;
  /** Ends them. */
  readonly signal: AbortSignal;
}

/**
 * Signs until the signal comes.
 *
 * @param options The server, and how to sign.
 */
export async function playOwners(options: OwnersOptions): Promise<void> {
  const { server, password, sign, note, signal } = options;
  let client: ApiClient | undefined;
  let troubled = false;
  while (!signal.aborted) {
    try {
      client ??= await logIn(server, password);
      const { awaiting } = await client.signingState();
      if (awaiting.length > 0) await sign();
      troubled = false;
      await pause(LOOK_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!troubled) note(`The owners cannot sign: ${(error as Error).message}`);
      [client, troubled] = [undefined, true];
      await pause(PAUSE_MS, signal);
    }
  }
}

async function logIn(server: string, password: string): Promise<ApiClient> {
  const { token } = await new ApiClient(server).login({ user: "admin", password });
  return new ApiClient(server, token);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
