/**
 * Notices that a supervised program hangs: a byte goes down its standard input every few seconds,
 * and its event loop answers each with a line of its own on standard error.
 *
 * @module
 */
import type { Millis } from "shared/clock.ts";
import { SIGN_OF_LIFE_MS } from "shared/limits.ts";

/** ACK of ASCII: nothing that a program would say to people. */
const SIGN = "\u0006";
/** ENQ of ASCII. */
const QUESTION = Uint8Array.of(5);

/**
 * Answers a question of the supervisor. Written at once, and never queued: it says that the event
 * loop turns now.
 */
export function answerSupervisor(): void {
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(`${SIGN}\n`));
  } catch { /* Nobody listens any more: the lifeline will end it. */ }
}

/**
 * Whether a line of a program is its answer.
 *
 * @param line A line of its standard error.
 */
export function isSignOfLife(line: string): boolean {
  return line === SIGN;
}

/** Watches one program. */
export class Watchdog {
  readonly #questions: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #timer: ReturnType<typeof setInterval>;
  /**
   * Questions without an answer. Counted, and not measured: when this process itself was stopped
   * or asleep, the program was most likely too.
   */
  #unanswered = 0;

  /**
   * @param stdin The program's standard input.
   * @param silenceMs Silence after which it has hung.
   * @param onHang Told once that it has; the program is to be ended then.
   */
  constructor(
    stdin: WritableStream<Uint8Array<ArrayBuffer>>,
    silenceMs: Millis,
    onHang: () => void,
  ) {
    this.#questions = stdin.getWriter();
    const everyMs = Math.min(SIGN_OF_LIFE_MS, silenceMs / 4);
    this.#timer = setInterval(() => {
      if (this.#unanswered * everyMs >= silenceMs) {
        clearInterval(this.#timer);
        return onHang();
      }
      this.#unanswered++;
      this.#questions.write(QUESTION).catch(() => {}); // It has ended: its status tells more.
    }, everyMs);
  }

  /** It answered. */
  alive(): void {
    this.#unanswered = 0;
  }

  /** Stops watching a program that has ended. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#questions.close().catch(() => {}); // Its other end is gone already.
  }
}
