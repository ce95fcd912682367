/**
 * The password file of Mosquitto, replaced whole, and the signal that has it read again.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import type { Log, PasswordFile } from "../ports.ts";

/** Owner and group: the broker may run as another user of the same group. */
const MODE = 0o640;

/**
 * The password file of a Mosquitto on this machine.
 *
 * @param path Where it is.
 * @param options Mosquitto's pid file, if it is to be signalled, and the log.
 * @returns The file.
 */
export function mosquittoPasswordFile(
  path: string,
  options: { readonly pidFile?: string | undefined; readonly log: Log },
): PasswordFile {
  const { pidFile, log } = options;
  const reload = async () => {
    if (pidFile !== undefined) await signal(pidFile, log);
  };
  return {
    reload,
    async write(text) {
      if (await Deno.readTextFile(path).catch(() => undefined) === text) return;
      try {
        await replace(path, text);
      } catch (cause) {
        throw new UpdateFailure(
          "preconditionFailed",
          "--broker-passwords",
          `Cannot write "${path}": ${(cause as Error).message}; make its folder, and let this ` +
            `user write there`,
          { cause },
        );
      }
      await reload();
    },
  };
}

async function replace(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  await Deno.remove(fresh).catch(() => {}); // Its mode would be kept.
  {
    using file = await Deno.open(fresh, { write: true, createNew: true, mode: MODE });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  }
  await Deno.rename(fresh, path);
}

/** SIGHUP ends a program that does not expect it, so it goes to a Mosquitto only. */
async function signal(pidFile: string, log: Log): Promise<void> {
  const text = await Deno.readTextFile(pidFile).catch(() => undefined);
  if (text === undefined) return; // It does not run, and reads the file when it starts.
  const pid = Number(text.trim());
  try {
    if (!Number.isSafeInteger(pid) || pid < 2) throw new Error(`"${pidFile}" holds no process id`);
    if (Deno.build.os === "linux") {
      const name = await Deno.readTextFile(`/proc/${pid}/comm`).catch((error) => {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      });
      if (name === undefined) return; // It was killed and left its pid file.
      if (!name.startsWith("mosquitto")) {
        throw new Error(`process ${pid} of "${pidFile}" is ${name.trim()}, not mosquitto`);
      }
    }
    Deno.kill(pid, "SIGHUP");
  } catch (error) {
    log(`Cannot have the broker read its passwords again: ${(error as Error).message}`);
  }
}
