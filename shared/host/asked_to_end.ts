/**
 * When a program is to stop: signals of a person or a service manager, and the end of whoever
 * started it.
 *
 * @module
 */
import { answerSupervisor } from "./watchdog.ts";

/** A second signal within this is the same one: a terminal and `deno task` both send it. */
const SAME_SIGNAL_MS = 1000;
/** What shells give a program that Ctrl-C ended. */
const IMPATIENT_CODE = 130;

/** Why a program may be asked to stop. */
export interface EndOptions {
  /**
   * Whether the end of its standard input stops it: its supervisor is gone. What comes there
   * before is answered.
   */
  readonly lifeline: boolean;
}

/**
 * Waits for the program to be asked to stop. A second, later signal ends the process at once:
 * somebody has no patience.
 *
 * @param options What asks it, beside SIGINT and SIGTERM.
 * @returns Resolves when it is to stop.
 */
export function askedToEnd({ lifeline }: EndOptions): Promise<void> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => {
        const now = performance.now();
        if (firstAt !== undefined && now - firstAt > SAME_SIGNAL_MS) Deno.exit(IMPATIENT_CODE);
        firstAt ??= now;
        resolve();
      });
    }
    if (!lifeline) return;
    const line = new WritableStream({ write: () => answerSupervisor() });
    void Deno.stdin.readable.pipeTo(line).finally(resolve);
  });
}
