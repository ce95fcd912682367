/**
 * The scrub: at idle, at a low rate, it reads what must not rot, heals records from their other
 * copy, and says which slots have rotted. Healing slots is the business of `upkeep.ts`.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { SCRUB_BYTES_PER_SECOND, SCRUB_REST_MS, SCRUB_STEP_BYTES } from "shared/limits.ts";
import type { EcuPort } from "vehicle/bus/ecu_port.ts";
import type { WatchedSlot } from "vehicle/bus/slot_care.ts";
import type { RecordHealth } from "vehicle/storage/sector_record.ts";
import type { Findings, RotPlace } from "./findings.ts";

/** Pause after each step, so that the rate holds. */
const STEP_PAUSE_MS = (SCRUB_STEP_BYTES / SCRUB_BYTES_PER_SECOND) * 1000;

/** One record of the gateway. */
export interface GatewayRecord {
  readonly record: string;
  readonly health: RecordHealth;
  readonly whole: boolean;
}

/** The records of the gateway itself. */
export interface GatewayRecords {
  /** How they were; `repair` makes both copies the same. And whether they are whole now. */
  look(repair: boolean): GatewayRecord[];
}

/** What the scrub needs. */
export interface ScrubParts {
  readonly clock: Clock;
  readonly ecus: readonly EcuPort[];
  readonly records: GatewayRecords;
  readonly findings: Findings;
  readonly leafBytes: number;
  /** A slot has rotted. */
  readonly rotten: (ecu: EcuPort, watched: WatchedSlot) => void;
}

/** Reads everything again and again. */
export class Scrub {
  readonly #parts: ScrubParts;
  #round: Generator<number> | undefined;
  #dueMs = 0;

  /** @param parts What it works with. */
  constructor(parts: ScrubParts) {
    this.#parts = parts;
  }

  /** What was read is about to change: the next step begins a new round. */
  interrupt(): void {
    this.#round = undefined;
    this.#dueMs = 0;
  }

  /**
   * Reads a little, if it is time.
   *
   * @returns Milliseconds until the next step is due.
   * @throws {UpdateFailure} `storageFailed` if something cannot be read; the rest follows in the
   * next round.
   */
  step(): number {
    const { clock } = this.#parts;
    const leftMs = this.#dueMs - clock.monotonic();
    if (leftMs > 0) return leftMs;
    this.#round ??= this.#readAll();
    let pauseMs = SCRUB_REST_MS;
    try {
      const step = this.#round.next();
      if (step.done) this.#round = undefined;
      else pauseMs = Math.max(1, step.value / SCRUB_STEP_BYTES * STEP_PAUSE_MS);
    } catch (error) {
      this.#round = undefined;
      this.#dueMs = clock.monotonic() + SCRUB_REST_MS;
      throw error;
    }
    this.#dueMs = clock.monotonic() + pauseMs;
    return pauseMs;
  }

  /**
   * Looks at all records, and heals those that have a good copy.
   *
   * @param options `even` also brings copies up to date that are merely older.
   */
  records({ even }: { readonly even: boolean }): void {
    const { ecus, records } = this.#parts;
    for (const { record, health, whole } of records.look(even)) {
      this.#judge({ ecu: "gateway", what: record }, health, whole);
    }
    for (const ecu of ecus) {
      const before = ecu.care.records();
      if (even || before.some(({ health }) => health === "rotten" || health === "lost")) {
        ecu.care.evenRecords();
      }
      const after = ecu.care.records();
      before.forEach(({ record, health }, i) => {
        const whole = after[i]!.health !== "lost" && after[i]!.health !== "rotten";
        this.#judge({ ecu: ecu.serial, what: record }, health, whole);
      });
    }
  }

  #judge(place: RotPlace, health: RecordHealth, healed: boolean): void {
    if (health !== "rotten" && health !== "lost") {
      this.#parts.findings.healed(place, `the ${place.what} is whole again`);
      return;
    }
    const name: FailureName = health === "rotten" ? "recordRotten" : "recordLost";
    const why = health === "rotten"
      ? "one of its two copies has rotted, or a power cut tore it"
      : "neither of its two copies is whole";
    const message = `Cannot trust the ${place.what} of ${place.ecu}: ${why}`;
    this.#parts.findings.found(place, new UpdateFailure(name, place.ecu, message));
    if (healed) this.#parts.findings.healed(place, `the ${place.what} is whole again`);
  }

  /** One round. Yields the bytes that each step read. */
  *#readAll(): Generator<number> {
    this.records({ even: true });
    yield 0;
    for (const ecu of this.#parts.ecus) {
      for (const watched of ecu.care.watched()) {
        if (watched.condemned) continue; // Known already, and being healed.
        const sound = yield* ecu.care.scan(watched.slot, this.#parts.leafBytes);
        if (!sound) this.#parts.rotten(ecu, watched);
      }
    }
  }
}
