/**
 * The supervisor of one program: starts it, and starts it again when it crashes, by the
 * policy of `restart_policy.ts`. Processes and signals are the adapters' affair.
 *
 * @module
 */
import { type Clock, isoTime, type Millis } from "./clock.ts";
import type { LastError } from "./protocol/messages.ts";
import {
  afterEnd,
  type Ending,
  endingInWords,
  type Life,
  RESTART_POLICY,
  type RestartPolicy,
} from "./restart_policy.ts";

/** A program that was started. */
export interface SupervisedChild {
  /** Its process, for people and tests. */
  readonly pid: number;
  readonly ended: Promise<Ending>;
  /** Asks it to stop; ends it if it does not. */
  stop(): void;
}

/** What a supervisor works with. */
export interface SuperviseParts {
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** Starts the program; it is told why the one before it ended. */
  readonly spawn: (lastError: LastError | undefined) => SupervisedChild;
  /** Somebody wants all of it to end. */
  readonly stop: AbortSignal;
  readonly policy?: RestartPolicy;
}

/**
 * Runs a program until it ends as it should, is to stop, or cannot live.
 *
 * @param parts The program, and what it takes to run it.
 * @returns The exit code: the program's own, or 1 when it is given up.
 */
export async function supervise(parts: SuperviseParts): Promise<number> {
  const { clock, log, spawn, stop, policy = RESTART_POLICY } = parts;
  let lives: Life[] = [];
  let lastError: LastError | undefined;
  for (let restarts = 1;; restarts++) {
    const startedAtMs = clock.monotonic();
    const child = spawn(lastError);
    log(`started process ${child.pid}`);
    const ending = await lifeOf(child, stop);
    if (stop.aborted) return ending.signal === null ? ending.code : 1;
    const endedAtMs = clock.monotonic();
    // The window and the row of short lives both fit into the last few.
    lives = [...lives, { startedAtMs, endedAtMs }].slice(-2 * policy.maxStarts);
    const verdict = afterEnd(lives, ending, policy);
    if (verdict.next === "end") return verdict.code;
    const message = endingInWords(ending);
    if (verdict.next === "giveUp") {
      log(`Cannot keep the program alive: ${verdict.why}, the last one: ${message}`);
      return 1;
    }
    lastError = { at: isoTime(clock.now()), message, restarts };
    log(`the program crashed (${message}) and starts again in ${verdict.pauseMs / 1000} s`);
    await clock.sleep(verdict.pauseMs, stop).catch(() => {});
    if (stop.aborted) return 0; // Nothing runs: there is nothing to be stopped.
  }
}

async function lifeOf(child: SupervisedChild, stop: AbortSignal): Promise<Ending> {
  const end = () => child.stop();
  stop.addEventListener("abort", end, { once: true });
  if (stop.aborted) end();
  try {
    return await child.ended;
  } finally {
    stop.removeEventListener("abort", end);
  }
}

/** An error is shown for a day, or until a person stops and starts the program. */
export const SHOWN_MS: Millis = 24 * 3600_000;

/**
 * Whether a crash is still worth telling.
 *
 * @param lastError The crash.
 * @param nowMs The time now. A clock that was set back keeps it: better told too long than never.
 * @returns The crash, or `undefined`.
 */
export function stillShown(
  lastError: LastError | undefined,
  nowMs: number,
): LastError | undefined {
  return lastError !== undefined && nowMs - Date.parse(lastError.at) < SHOWN_MS
    ? lastError
    : undefined;
}
