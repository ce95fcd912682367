/**
 * Which ECUs are there, and how they stand: the last answer of each, and which are lost. Views are drawn from it; whoever decides asks anew.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, POLL_MS } from "shared/limits.ts";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import { EMPTY_SLOT } from "vehicle/bootloader/boot_record.ts";
import type { EcuInventory, EcuPort } from "vehicle/bus/ecu_port.ts";
import { Wake } from "./wake.ts";

/** Calls the ECUs. */
export class RollCall {
  readonly #clock: Clock;
  readonly #ecus: ReadonlyMap<string, EcuPort>;
  readonly #known = new Map<string, EcuInventory>();
  readonly #absent = new Map<string, UpdateFailure>();
  readonly #wakes: ReadonlyMap<string, Wake>;
  /** Number of the newest question that was answered, by ECU: answers may overtake each other. */
  readonly #answered = new Map<string, number>();
  #asked = 0;
  /** Told when an ECU changed, got lost or came back. */
  onNews: (serial: string) => void = () => {};
  /** Told when a lost one came back. */
  onReturn: (serial: string) => void = () => {};

  /**
   * @param ecus The ECUs of the vehicle.
   * @param clock For the pauses.
   */
  constructor(ecus: readonly EcuPort[], clock: Clock) {
    this.#clock = clock;
    this.#ecus = new Map(ecus.map((ecu) => [ecu.serial, ecu]));
    this.#wakes = new Map(ecus.map((ecu) => [ecu.serial, new Wake(clock)]));
  }

  /** The last answer of every ECU; of one that never answered, what the gateway knows of it. */
  all(): EcuInventory[] {
    return [...this.#ecus.keys()].map((serial) => this.of(serial));
  }

  /** The last answer of one ECU, with its absence as its trouble. */
  of(serial: string): EcuInventory {
    const known = this.#known.get(serial) ?? blank(this.#ecus.get(serial)!.profile);
    const failure = this.#absent.get(serial);
    if (failure === undefined) return known;
    return { ...known, trouble: { failure: failure.failure, detail: failure.message } };
  }

  /** ECUs that do not answer, or have not yet been asked. */
  get absent(): ReadonlySet<string> {
    const serials = [...this.#ecus.keys()];
    return new Set(serials.filter((one) => !this.#known.has(one) || this.#absent.has(one)));
  }

  /** Why an ECU counts as lost. */
  absence(serial: string): UpdateFailure | undefined {
    return this.#absent.get(serial);
  }

  /**
   * Asks one ECU.
   *
   * @returns Its answer, now.
   * @throws {UpdateFailure} `ecuLost` if it does not answer, or what keeps it from answering.
   */
  async ask(serial: string): Promise<EcuInventory> {
    const number = ++this.#asked;
    try {
      const inventory = await this.#ecus.get(serial)!.inventory();
      if (number > (this.#answered.get(serial) ?? 0)) {
        this.#answered.set(serial, number);
        this.#known.set(serial, inventory);
        this.#present(serial);
      }
      return inventory;
    } catch (error) {
      if (error instanceof UpdateFailure) this.#missed(serial, error);
      throw error;
    }
  }

  /** Asks every ECU; those that are lost count as such afterwards. */
  async call(): Promise<void> {
    await Promise.all([...this.#ecus.keys()].map(async (serial) => {
      try {
        await this.ask(serial);
      } catch (error) {
        if (!(error instanceof UpdateFailure)) throw error;
      }
    }));
  }

  #missed(serial: string, failure: UpdateFailure): void {
    if (this.#absent.has(serial)) return;
    this.#absent.set(serial, failure);
    this.#wakes.get(serial)?.ring(); // It is looked for at once, and then with growing pauses.
    this.onNews(serial);
  }

  /** An ECU told that something changed. */
  changed(serial: string): void {
    this.#wakes.get(serial)?.ring();
  }

  /**
   * Asks whoever told of a change, whoever is lost with growing pauses, and the others once in a
   * while, since a word of theirs may be lost.
   *
   * @param signal Ends it.
   */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#wakes].map(([serial, wake]) => this.#follow(serial, wake, signal)));
  }

  async #follow(serial: string, wake: Wake, signal: AbortSignal): Promise<void> {
    let pauseMs = BACKOFF_MIN_MS;
    for (;;) {
      const lost = this.#absent.has(serial);
      if (lost) await this.#clock.sleep(pauseMs, signal);
      const rung = lost || await wake.wait(POLL_MS, signal);
      try {
        await this.ask(serial);
        if (rung) this.onNews(serial);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof UpdateFailure)) throw error;
      }
      pauseMs = this.#absent.has(serial) ? Math.min(pauseMs * 2, BACKOFF_MAX_MS) : BACKOFF_MIN_MS;
    }
  }

  #present(serial: string): void {
    if (!this.#absent.delete(serial)) return;
    this.onNews(serial);
    this.onReturn(serial);
  }
}

/** What is known of an ECU before it answers. */
function blank({ serial, hardware, slotBytes, restartRank }: EcuProfile): EcuInventory {
  const record = { A: EMPTY_SLOT, B: EMPTY_SLOT };
  const rest = { trialMs: 0, running: null, record, verdictDetail: null };
  return { serial, hardware, slotBytes, restartRank, ...rest };
}
