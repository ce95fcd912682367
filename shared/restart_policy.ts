/**
 * When a program that ended by itself is started again, and when nobody should try any
 * longer. Pure.
 *
 * @module
 */
import type { Millis } from "./clock.ts";
import { VEHICLE_SILENCE_MS } from "./limits.ts";

/** How patient a supervisor is. */
export interface RestartPolicy {
  /** Pause after the first crash; it doubles with each short life that follows. */
  readonly firstPauseMs: Millis;
  readonly maxPauseMs: Millis;
  /** A life this long was a good one: the next crash counts as the first. */
  readonly steadyMs: Millis;
  /** So many starts within {@linkcode RestartPolicy.windowMs}, and it is given up. */
  readonly maxStarts: number;
  readonly windowMs: Millis;
  /** Silence after which the program has hung, and is ended. */
  readonly silenceMs: Millis;
}

/**
 * Half a second hides a lone crash from people; thirty seconds leave a machine in trouble alone.
 * Ten starts in ten minutes is a program that cannot live: a person must look.
 */
export const RESTART_POLICY: RestartPolicy = {
  firstPauseMs: 500,
  maxPauseMs: 30_000,
  steadyMs: 60_000,
  maxStarts: 10,
  windowMs: 600_000,
  silenceMs: VEHICLE_SILENCE_MS,
};

/** From one start to its end, by a clock that never goes back. */
export interface Life {
  readonly startedAtMs: Millis;
  readonly endedAtMs: Millis;
}

/** How a program ended. */
export interface Ending {
  readonly code: number;
  /** The signal that ended it, such as `SIGKILL`. */
  readonly signal: string | null;
  /** What it said of its own end: the first line of the error. */
  readonly error: string | null;
}

/** What follows an end. */
export type Verdict =
  | { readonly next: "restart"; readonly pauseMs: Millis }
  /** It ended as it should, or as no restart would change: with the same code. */
  | { readonly next: "end"; readonly code: number }
  /** It crashes again and again. */
  | { readonly next: "giveUp"; readonly why: string };

/**
 * Exit codes (system.md) that a restart does not change: a clean stop, wrong usage, a refused
 * identity, a precondition that does not hold.
 */
const FINAL_CODES: readonly number[] = [0, 2, 4, 5];

/**
 * Decides what follows the end of a program.
 *
 * @param lives All its lives so far, the oldest first; the last one has just ended.
 * @param ending How it ended.
 * @param policy How patient to be.
 * @returns What to do.
 */
export function afterEnd(
  lives: readonly Life[],
  ending: Ending,
  policy: RestartPolicy = RESTART_POLICY,
): Verdict {
  if (ending.signal === null && FINAL_CODES.includes(ending.code)) {
    return { next: "end", code: ending.code };
  }
  const nowMs = lives.at(-1)?.endedAtMs ?? 0;
  const recent = lives.filter(({ startedAtMs }) => nowMs - startedAtMs < policy.windowMs).length;
  if (recent >= policy.maxStarts) {
    const minutes = policy.windowMs / 60_000;
    return { next: "giveUp", why: `${recent} starts in ${minutes} minutes` };
  }
  let short = 0; // Short lives in a row, up to now.
  for (const { startedAtMs, endedAtMs } of lives.toReversed()) {
    if (endedAtMs - startedAtMs >= policy.steadyMs) break;
    short++;
  }
  const doubled = policy.firstPauseMs * 2 ** Math.max(0, short - 1);
  return { next: "restart", pauseMs: Math.min(doubled, policy.maxPauseMs) };
}

/** What a program says of its end begins so; supervisors look for it in what it prints. */
export const FATAL_PREFIX = "fatal: ";

/**
 * The reason that a line of a program's error stream gives for its end.
 *
 * @param line The line.
 * @returns The reason, or `undefined` if the line is about something else.
 */
export function fatalLine(line: string): string | undefined {
  if (line.startsWith(FATAL_PREFIX)) return line.slice(FATAL_PREFIX.length);
  // deno-lint-ignore no-control-regex -- colours of the terminal, which the runtime may print
  const plain = line.replaceAll(/\x1b\[[0-9;]*m/g, "");
  // What the runtime itself says: an error before ours could catch it, or no memory left.
  return /^error: (Uncaught .*)/.exec(plain)?.[1] ??
    /(Fatal JavaScript out of memory.*)/.exec(plain)?.[1];
}

/**
 * An end in words, for people.
 *
 * @param ending How it ended.
 * @returns One line, at most 500 characters.
 */
export function endingInWords({ code, signal, error }: Ending): string {
  const words = error ?? (signal === null ? `ended with code ${code}` : `ended by ${signal}`);
  return words.slice(0, 500);
}
