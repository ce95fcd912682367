/**
 * Reads a request's body into one buffer that is used again and again, so that a large upload
 * leaves no garbage, and notices when nothing comes any more.
 *
 * @module
 */
import type { Clock, Millis } from "shared/clock.ts";
import { KIB } from "shared/limits.ts";

const BUFFER_BYTES = 64 * KIB;

/** Nothing came for too long. */
export class StallError extends Error {
  override readonly name = "StallError";
}

/** A body, piece by piece. */
export class BodyReader {
  readonly #read: () => Promise<Uint8Array | undefined>;
  readonly #cancel: () => Promise<void>;
  readonly #ended = new AbortController();
  #buffer = new Uint8Array(BUFFER_BYTES);
  #watch: Promise<void> | undefined;
  #alive = false;
  #stalled = false;

  /**
   * @param body The body; it becomes locked.
   * @param clock Timers.
   * @param stallMs Silence after which reading fails.
   */
  constructor(body: ReadableStream<Uint8Array>, readonly clock: Clock, readonly stallMs: Millis) {
    const reader = byobReader(body);
    if (reader === undefined) {
      const plain = body.getReader();
      this.#read = async () => (await plain.read()).value;
      this.#cancel = () => plain.cancel();
      return;
    }
    this.#cancel = () => reader.cancel();
    this.#read = async () => {
      const { value, done } = await reader.read(this.#buffer);
      if (done || value === undefined) return undefined;
      this.#buffer = new Uint8Array(value.buffer); // The memory comes back with the bytes in it.
      return value;
    };
  }

  /**
   * The next bytes.
   *
   * @returns Valid until the next call; `undefined` at the end.
   * @throws {StallError} If nothing came for too long; any other error means the line broke.
   */
  async next(): Promise<Uint8Array | undefined> {
    this.#watch ??= this.#watchdog();
    const bytes = await this.#read();
    if (this.#stalled) throw new StallError(`nothing came for ${this.stallMs} ms`);
    this.#alive = true;
    return bytes;
  }

  /** One timer for the whole body, not one for each piece: a silent one is canceled. */
  async #watchdog(): Promise<void> {
    try {
      do {
        this.#alive = false;
        await this.clock.sleep(this.stallMs, this.#ended.signal);
      } while (this.#alive);
    } catch {
      return; // It ended before the timer did.
    }
    this.#stalled = true;
    await this.#cancel().catch(() => undefined); // Wakes the pending read.
  }

  /** Tells the sender that no more is wanted. */
  async cancel(): Promise<void> {
    this.#ended.abort();
    await this.#cancel().catch(() => undefined); // A broken line cannot be canceled again.
  }
}

/** The streams of real requests lend buffers; those of tests may not. */
function byobReader(
  body: ReadableStream<Uint8Array>,
): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
