/**
 * The gateway's end of the bus to one ECU. A request is sent again, with its number, while the ECU
 * is silent; doubled and late answers find nobody who waits for them. Requests that change
 * something go one after the other; the roll call passes by them.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { FAILURE_NAMES, type FailureName, UpdateFailure } from "shared/failure.ts";
import { BUS_SENDS, BUS_SILENCE_MS, BUS_WORK_MS } from "shared/limits.ts";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import type { BusAnswer, BusRequest, BusValue, Wire } from "./bus_messages.ts";
import type { EcuImage, EcuInventory, EcuPort } from "./ecu_port.ts";
import type { SlotCare } from "./slot_care.ts";

/** What the gateway's end is made of. */
export interface BusClientParts {
  readonly profile: EcuProfile;
  readonly wire: Wire;
  readonly clock: Clock;
  /** The way to the slots that is no bus. */
  readonly files: {
    written(): RandomRead;
    activeFile(): RandomRead | null;
    readonly care: SlotCare;
    proveFallback(signal?: AbortSignal): Promise<void>;
  };
}

/** Answers to one request, in order of arrival. */
class Inbox {
  readonly #answers: BusAnswer[] = [];
  #ring: (() => void) | undefined;
  #broken: { readonly error: unknown } | undefined;

  take(answer: BusAnswer): void {
    this.#answers.push(answer);
    this.#ring?.();
  }

  break(error: unknown): void {
    this.#broken = { error };
    this.#ring?.();
  }

  /** The next answer; `undefined` after a silence. */
  async next(clock: Clock, signal: AbortSignal | undefined): Promise<BusAnswer | undefined> {
    signal?.throwIfAborted();
    if (!this.#there) await this.#wait(clock, signal);
    // This process may itself have been busy: let waiting answers in before it counts as silence.
    if (!this.#there) await clock.sleep(0, signal);
    if (this.#broken !== undefined) throw this.#broken.error;
    return this.#answers.shift();
  }

  get #there(): boolean {
    return this.#answers.length > 0 || this.#broken !== undefined;
  }

  async #wait(clock: Clock, signal: AbortSignal | undefined): Promise<void> {
    const timer = new AbortController();
    this.#ring = () => timer.abort(this);
    const cut = () => timer.abort(signal!.reason);
    signal?.addEventListener("abort", cut, { once: true });
    try {
      await clock.sleep(BUS_SILENCE_MS, timer.signal);
    } catch (reason) {
      if (reason !== this) throw reason;
    } finally {
      this.#ring = undefined;
      signal?.removeEventListener("abort", cut);
    }
  }
}

/** One ECU, over a wire. */
export class BusClient implements EcuPort {
  readonly #parts: BusClientParts;
  readonly #inboxes = new Map<number, Inbox>();
  #id: number;
  #session: number | undefined;
  #tail: Promise<void> = Promise.resolve();
  #writtenBytes = 0;

  /** @param parts What it is made of. */
  constructor(parts: BusClientParts) {
    this.#parts = parts;
    this.#id = parts.clock.now(); // No answer to an earlier process may pass for one to this.
    parts.wire.listen(
      ({ id, answer }) => this.#inboxes.get(id)?.take(answer),
      (error) => this.#inboxes.forEach((inbox) => inbox.break(error)),
    );
  }

  get profile(): EcuProfile {
    return this.#parts.profile;
  }

  get serial(): string {
    return this.#parts.profile.serial;
  }

  async inventory(): Promise<EcuInventory> {
    return await this.#exchange({ kind: "inventory" }, 0) as EcuInventory;
  }

  async begin(image: EcuImage, options: { readonly keepBytes?: number } = {}): Promise<number> {
    this.#writtenBytes = await this.#ask({ kind: "begin", image, ...options }) as number;
    return this.#writtenBytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#ask({ kind: "write", offset: this.#writtenBytes, bytes });
    this.#writtenBytes += bytes.length;
  }

  async verify(image: EcuImage, signal?: AbortSignal): Promise<void> {
    await this.#ask({ kind: "verify", image }, signal);
  }

  async arm(image: EcuImage, bundle?: string): Promise<void> {
    await this.#ask({ kind: "arm", image, ...(bundle === undefined ? {} : { bundle }) });
  }

  async restart(): Promise<void> {
    await this.#ask({ kind: "restart" });
  }

  async confirm(image: EcuImage): Promise<void> {
    await this.#ask({ kind: "confirm", image });
  }

  async revert(image: EcuImage, verdict: FailureName | null): Promise<void> {
    await this.#ask({ kind: "revert", image, verdict });
  }

  written(): RandomRead {
    return this.#parts.files.written();
  }

  activeFile(): RandomRead | null {
    return this.#parts.files.activeFile();
  }

  get care(): SlotCare {
    return this.#parts.files.care;
  }

  proveFallback(signal?: AbortSignal): Promise<void> {
    return this.#parts.files.proveFallback(signal);
  }

  /** One request after the other, in a session. */
  #ask(request: BusRequest, signal?: AbortSignal): Promise<BusValue> {
    const turn = this.#tail.then(async () => {
      signal?.throwIfAborted();
      this.#session ??= await this.#exchange({ kind: "open" }, 0) as number;
      return await this.#exchange(request, this.#session, signal);
    });
    this.#tail = turn.then(() => {}, () => {}); // Whoever asked hears of it; the next still goes.
    return turn;
  }

  async #exchange(
    request: BusRequest,
    session: number,
    signal?: AbortSignal,
  ): Promise<BusValue> {
    const { clock, wire } = this.#parts;
    const frame = { serial: this.serial, id: ++this.#id, session, request };
    const inbox = new Inbox();
    this.#inboxes.set(frame.id, inbox);
    const startMs = clock.monotonic();
    try {
      for (let silences = 0; silences < BUS_SENDS; silences++) {
        wire.send(frame);
        for (;;) {
          const answer = await inbox.next(clock, signal);
          if (answer === undefined) break;
          if (answer.kind === "done") return answer.value;
          if (answer.kind !== "working") throw this.#refusal(request, answer);
          if (clock.monotonic() - startMs > BUS_WORK_MS) throw this.#slow(request);
          silences = 0;
        }
      }
      throw this.#lost(request, `no answer to ${BUS_SENDS} requests`);
    } finally {
      this.#inboxes.delete(frame.id);
    }
  }

  #refusal(
    request: BusRequest,
    answer: Extract<BusAnswer, { kind: "closed" | "refused" }>,
  ): UpdateFailure {
    if (answer.kind === "closed") {
      this.#session = undefined;
      return this.#lost(request, "it started anew meanwhile");
    }
    const { failure, subject, message } = answer;
    const known = FAILURE_NAMES.find((name) => name === failure);
    if (known !== undefined) return new UpdateFailure(known, subject, message);
    const text = `Cannot ${request.kind} on ${this.serial}: it says "${failure}", ${message}`;
    return new UpdateFailure("ecuRefused", this.serial, text);
  }

  #lost({ kind }: BusRequest, found: string): UpdateFailure {
    return new UpdateFailure("ecuLost", this.serial, `Cannot ${kind} on ${this.serial}: ${found}`);
  }

  #slow({ kind }: BusRequest): UpdateFailure {
    const message = `Cannot ${kind} on ${this.serial}: it works for ${BUS_WORK_MS} ms already`;
    return new UpdateFailure("ecuSlow", this.serial, message);
  }
}
