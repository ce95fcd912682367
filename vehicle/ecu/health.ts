/**
 * Judges a running image by its heartbeats and its self-test. Times are monotonic
 * milliseconds, handed in.
 *
 * What counts is the time in which this process listened. One that is held up, by a disk that
 * takes seconds for a sync, hears nothing meanwhile: that silence is its own and no sign of a hang,
 * and a heartbeat that waited all that time is no sign that the image lives now.
 *
 * @module
 */
import { failureKind, type FailureName } from "shared/failure.ts";
import { BOOT_TIMEOUT_MS, HEARTBEAT_TIMEOUT_MS } from "shared/limits.ts";
import type { ImageEnd } from "vehicle/ports.ts";

/** Why an image may not stay. */
export interface Verdict {
  readonly failure: FailureName;
  readonly detail: string;
}

/** How often a running image is judged. */
export const JUDGE_EVERY_MS = 250;
/** Looks that lie further apart mean that this process was held up in between. */
const DEAF_MS = 2 * JUDGE_EVERY_MS;
/** What is heard so soon after that may have waited in a pipe. */
const DRAIN_MS = 2 * JUDGE_EVERY_MS;

/** The failure that an end of the image stands for. */
const ENDS: Readonly<Record<Exclude<ImageEnd["kind"], "unloaded">, FailureName>> = {
  crash: "imageCrashed",
  exit: "imageCrashed",
  syntax: "imageSyntax",
  import: "imageImports",
  memory: "memoryExhausted",
};

/**
 * What an end means.
 *
 * @param end How the image ended.
 * @returns The verdict.
 */
export function verdictOfEnd(end: ImageEnd): Verdict {
  const failure = end.kind === "unloaded" ? end.failure : ENDS[end.kind];
  return { failure, detail: end.detail };
}

/**
 * Whether a verdict is about the vehicle and not about the image: a full disk, a disk that fails,
 * no process to be had. The same image may do well the next time.
 *
 * @param failure The verdict's failure.
 * @returns Whether the image is not to blame.
 */
export function isExcused(failure: FailureName): boolean {
  return failureKind(failure).retry !== "never";
}

/** The health of one boot. */
export class Health {
  readonly #trialMs: number;
  #lookedAtMs: number;
  /** Time listened since the image runs. */
  #listenedMs = 0;
  /** Time listened since the last sign of life. */
  #quietMs = 0;
  #beatAtMs: number | undefined;
  /** What is heard before this may be old. */
  #drainedAtMs = -Infinity;
  /** Time listened at the last sign of life that is certainly no old one. */
  #aliveAtMs = -Infinity;
  /** Time listened when the first sign of life came: the trial begins, since loading proves nothing. */
  #trialFromMs: number | undefined;
  #selfTest: { readonly ok: boolean; readonly detail: string } | undefined;

  /**
   * @param bootedAtMs When the image was started.
   * @param trialMs How long a trial must stay healthy.
   */
  constructor(bootedAtMs: number, trialMs: number) {
    this.#lookedAtMs = bootedAtMs;
    this.#trialMs = trialMs;
  }

  /**
   * This process listened until now. To be called every {@linkcode JUDGE_EVERY_MS}.
   *
   * @param nowMs Now.
   * @param loading The image is still on its way into memory: nothing is owed yet.
   */
  listen(nowMs: number, loading = false): void {
    const passedMs = nowMs - this.#lookedAtMs;
    if (passedMs > DEAF_MS) this.#drainedAtMs = nowMs + DRAIN_MS;
    if (!loading) {
      const listenedMs = Math.min(passedMs, DEAF_MS);
      this.#listenedMs += listenedMs;
      this.#quietMs += Math.min(listenedMs, nowMs - (this.#beatAtMs ?? -Infinity));
    }
    this.#lookedAtMs = nowMs;
  }

  /** A sign of life. */
  beat(nowMs: number): void {
    this.#beatAtMs = nowMs;
    this.#quietMs = 0;
    const sinceMs = nowMs - this.#lookedAtMs;
    this.#trialFromMs ??= this.#listenedMs + Math.min(sinceMs, DEAF_MS);
    if (sinceMs <= DEAF_MS && nowMs >= this.#drainedAtMs) {
      this.#aliveAtMs = this.#listenedMs + sinceMs;
    }
  }

  /** The self-test; the first report counts, a failure overrides success. */
  selfTest(ok: boolean, detail: string): void {
    if (this.#selfTest === undefined || !ok) this.#selfTest = { ok, detail };
  }

  /** It told that its own checks passed. */
  get selfTested(): boolean {
    return this.#selfTest?.ok === true;
  }

  /** Milliseconds of trial left at best. */
  trialLeftMs(nowMs: number): number {
    const sinceMs = Math.min(nowMs - this.#lookedAtMs, DEAF_MS);
    const fromMs = this.#trialFromMs;
    if (fromMs === undefined) return this.#trialMs;
    return Math.max(0, this.#trialMs - (this.#listenedMs - fromMs) - sinceMs);
  }

  /** Whether the trial has been stood: alive at its end or later, not merely not yet missed. */
  get passed(): boolean {
    const stoodMs = this.#aliveAtMs - (this.#trialFromMs ?? Infinity);
    return this.selfTested && stoodMs >= this.#trialMs && this.verdict() === null;
  }

  /**
   * The judgement as of the last {@linkcode Health.listen}.
   *
   * @returns Why the image may not stay, or `null`.
   */
  verdict(): Verdict | null {
    if (this.#selfTest && !this.#selfTest.ok) {
      return { failure: "selfTestFailed", detail: this.#selfTest.detail };
    }
    if (this.#beatAtMs === undefined) {
      return this.#listenedMs <= BOOT_TIMEOUT_MS
        ? null
        : { failure: "imageHung", detail: `no sign of life in ${BOOT_TIMEOUT_MS} ms` };
    }
    if (this.#quietMs > HEARTBEAT_TIMEOUT_MS) {
      return { failure: "imageHung", detail: `no heartbeat for ${HEARTBEAT_TIMEOUT_MS} ms` };
    }
    if (
      this.#selfTest === undefined && this.#listenedMs > Math.max(BOOT_TIMEOUT_MS, this.#trialMs)
    ) {
      const afterMs = Math.round(this.#listenedMs);
      return { failure: "selfTestMissing", detail: `no self-test in ${afterMs} ms` };
    }
    return null;
  }
}
