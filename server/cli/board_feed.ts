/**
 * Campaigns and vehicles as they change: by the server's event stream, and by
 * asking again and again where the stream does not get through.
 *
 * @module
 */
import { parseJsonAs } from "shared/parse.ts";
import { MIB, REQUEST_TIMEOUT_MS } from "shared/limits.ts";
import { BoardSnapshot, Campaign, Vehicle } from "shared/protocol/api.ts";
import { type ApiClient, problemOf, unreachable } from "./client.ts";
import { CommandError, EXIT } from "./exit.ts";
import { readEvents } from "./sse.ts";

/** What changed; each carries the whole entity. */
export interface BoardUpdate {
  readonly campaigns: readonly Campaign[];
  readonly vehicles: readonly Vehicle[];
}

/** Options of {@linkcode boardFeed}. */
export interface FeedOptions {
  /** Ends the feed. */
  readonly signal: AbortSignal;
  /** Told why the stream broke. */
  readonly note: (text: string) => void;
  /** How long the server may be away; a minute by default, since a restart takes less. */
  readonly unreachableMs?: number;
}

/** The server pings every 15 s: after three of them the line is cut. */
const SILENCE_MS = 45_000;
const UNREACHABLE_MS = 60_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
const MAX_EVENT_BYTES = 64 * MIB;

/**
 * Follows the board until the signal ends it. The first update holds everything.
 *
 * @param client The server.
 * @param options Signal and notes.
 * @returns The changes, in order; after a break everything once more.
 * @throws {CommandError} Refused at once; unreachable at first contact or after a minute of it.
 */
export async function* boardFeed(
  client: ApiClient,
  { signal, note, unreachableMs = UNREACHABLE_MS }: FeedOptions,
): AsyncGenerator<BoardUpdate> {
  let lastContactMs = -Infinity;
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      for await (const update of stream(client, signal)) {
        lastContactMs = performance.now();
        pauseMs = FIRST_PAUSE_MS;
        yield update;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof CommandError) || error.exit === EXIT.refused) throw error;
      note(`${error.message}; trying again in ${pauseMs / 1000} s`);
    }
    if (signal.aborted) return;
    // Also the answer to a stream that a proxy holds back: what changed is asked for instead.
    try {
      yield { campaigns: await client.campaigns(), vehicles: await client.vehicles() };
      lastContactMs = performance.now();
    } catch (error) {
      if (!(error instanceof CommandError) || error.exit === EXIT.refused) throw error;
      if (performance.now() - lastContactMs > unreachableMs) throw error;
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

async function* stream(client: ApiClient, signal: AbortSignal): AsyncGenerator<BoardUpdate> {
  const abort = new AbortController();
  const stop = () => abort.abort(signal.reason);
  signal.addEventListener("abort", stop);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = (ms: number) => {
    clearTimeout(timer);
    const reason = new DOMException("The event stream is silent", "TimeoutError");
    timer = setTimeout(() => abort.abort(reason), ms);
  };
  try {
    wait(REQUEST_TIMEOUT_MS);
    const response = await client.send("/events", {
      method: "GET",
      headers: { accept: "text/event-stream" },
      signal: abort.signal,
    });
    if (!response.ok) throw await problemOf(response, client.server);
    const onBytes = () => wait(SILENCE_MS);
    for await (const { event, data } of readEvents(response.body!, { onBytes })) {
      const update = readUpdate(event, data);
      if (update !== undefined) yield update;
    }
  } catch (error) {
    // A body that breaks rejects with whatever the runtime says of the line.
    throw error instanceof TypeError || abort.signal.aborted
      ? unreachable(client.server, abort.signal.reason ?? error)
      : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    abort.abort();
  }
}

function readUpdate(event: string, data: string): BoardUpdate | undefined {
  const options = { what: `event ${event}`, maxBytes: MAX_EVENT_BYTES };
  switch (event) {
    case "snapshot": {
      const { campaigns, vehicles } = parseJsonAs(BoardSnapshot, data, options);
      return { campaigns, vehicles };
    }
    case "campaign":
      return { campaigns: [parseJsonAs(Campaign, data, options)], vehicles: [] };
    case "vehicle":
      return { campaigns: [], vehicles: [parseJsonAs(Vehicle, data, options)] };
    default:
      return undefined; // Of a newer server, or not asked for.
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
