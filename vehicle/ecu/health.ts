/**
 * Judges a running image by its heartbeats and its self-test. Times are monotonic
 * milliseconds, handed in.
 *
 * @module
 */
import type { FailureName } from "shared/failure.ts";
import { BOOT_TIMEOUT_MS, HEARTBEAT_TIMEOUT_MS } from "shared/limits.ts";
import type { ImageEnd } from "vehicle/ports.ts";

/** Why an image may not stay. */
export interface Verdict {
  readonly failure: FailureName;
  readonly detail: string;
}

/** The failure that an end of the image stands for. */
const ENDS: Readonly<Record<ImageEnd["kind"], FailureName>> = {
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
  return { failure: ENDS[end.kind], detail: end.detail };
}

/** The health of one boot. */
export class Health {
  readonly #bootedAtMs: number;
  readonly #trialMs: number;
  #lastBeatMs: number | undefined;
  #selfTest: { readonly ok: boolean; readonly detail: string } | undefined;

  /**
   * @param bootedAtMs When the image was started.
   * @param trialMs How long a trial must stay healthy.
   */
  constructor(bootedAtMs: number, trialMs: number) {
    this.#bootedAtMs = bootedAtMs;
    this.#trialMs = trialMs;
  }

  /** A sign of life. */
  beat(nowMs: number): void {
    this.#lastBeatMs = nowMs;
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
    return Math.max(0, this.#bootedAtMs + this.#trialMs - nowMs);
  }

  /** Whether the trial has been stood: alive at its end or later, not merely not yet missed. */
  passed(nowMs: number): boolean {
    const endMs = this.#bootedAtMs + this.#trialMs;
    return this.selfTested && (this.#lastBeatMs ?? -Infinity) >= endMs &&
      this.verdict(nowMs) === null;
  }

  /**
   * The judgement at a moment.
   *
   * @param nowMs Monotonic; messages that wait must have been handed in before.
   * @returns Why it may not stay, or `null`.
   */
  verdict(nowMs: number): Verdict | null {
    if (this.#selfTest && !this.#selfTest.ok) {
      return { failure: "selfTestFailed", detail: this.#selfTest.detail };
    }
    const aliveMs = nowMs - this.#bootedAtMs;
    if (this.#lastBeatMs === undefined) {
      return aliveMs <= BOOT_TIMEOUT_MS
        ? null
        : { failure: "imageHung", detail: `no sign of life in ${BOOT_TIMEOUT_MS} ms` };
    }
    if (nowMs - this.#lastBeatMs > HEARTBEAT_TIMEOUT_MS) {
      return { failure: "imageHung", detail: `no heartbeat for ${HEARTBEAT_TIMEOUT_MS} ms` };
    }
    if (this.#selfTest === undefined && aliveMs > Math.max(BOOT_TIMEOUT_MS, this.#trialMs)) {
      return { failure: "selfTestMissing", detail: `no self-test in ${Math.round(aliveMs)} ms` };
    }
    return null;
  }
}
