/**
 * What the gateway remembers across a power cut, on its own disk. Written before
 * each step is done; every step can be done again.
 *
 * @module
 */
import { z } from "zod";
import { MIB } from "shared/limits.ts";
import { UpdateFailure } from "shared/failure.ts";
import { parseJsonAs } from "shared/parse.ts";
import {
  CampaignId,
  Counter,
  EcuSerial,
  EcuState,
  FailureReport,
  Instant,
  LengthBytes,
  ReleaseId,
  Sha256Hex,
  V1,
  Version,
} from "shared/protocol/common.ts";
import { DirectorTargets } from "shared/protocol/director.ts";
import type { Disk } from "vehicle/ports.ts";
import { DurableArea } from "vehicle/storage/durable_area.ts";
import type { RecordHealth } from "vehicle/storage/sector_record.ts";
import type { GatewayRecord, GatewayRecords } from "./scrub.ts";
import { type Phase, UPDATE } from "./update_table.ts";

/** One ECU in the journal. */
export const JournalEcu = z.object({
  state: EcuState,
  failure: FailureReport.nullable(),
  /** The version that ran when the update began. */
  from: Version.nullable(),
});
/** One ECU in the journal. */
export type JournalEcu = z.infer<typeof JournalEcu>;

/** The last result, until a person acknowledges it. */
export const JournalResult = z.object({
  outcome: z.enum(["confirmed", "rolledBack", "failed"]),
  at: Instant,
  secondsTaken: z.number(),
  changes: z.array(
    z.object({ serial: EcuSerial, from: Version.nullable(), to: Version, changes: z.string() }),
  ),
  failure: FailureReport.extend({ serial: z.string(), remedy: z.string() }).nullable(),
});
/** The last result. */
export type JournalResult = z.infer<typeof JournalResult>;

/** What an ECU confirmed last, as its boot record names it. */
export const JournalImage = z.object({
  sha256: Sha256Hex,
  lengthBytes: LengthBytes,
  counter: Counter,
  version: Version,
  merkleRoot: Sha256Hex.optional(),
});

/** The whole journal. */
export const JournalState = z.object({
  v: V1,
  phase: z.enum(Object.keys(UPDATE) as [Phase, ...Phase[]]),
  /** The campaign under way, or the last one. */
  campaign: CampaignId.nullable(),
  /** Version of the newest Director targets seen; an older one is a replay. */
  directorVersion: z.number().int(),
  /** The last campaign that came to an end here: it is not begun again. */
  concluded: CampaignId.nullable(),
  /** Every ECU's last assignment; it stands until the next one. */
  ecus: z.record(EcuSerial, JournalEcu),
  /** The ECUs that the campaign under way changes. */
  members: z.array(EcuSerial),
  /** Trials of this campaign that the power cut. */
  interruptedTrials: z.number().int(),
  /** Set when the way back began because of a cut, so that it is tried again. */
  tryAgain: z.boolean(),
  postponedUntil: Instant.nullable(),
  startedAt: Instant.nullable(),
  result: JournalResult.nullable(),
  /** Starts of this gateway; the upper part of every sequence number it sends. */
  starts: z.number().int(),
  /** What each ECU is to run: its boot record is made of this when both copies are lost. */
  settled: z.record(EcuSerial, JournalImage).optional(),
  /** What the release that each ECU confirmed needs beside it. */
  needs: z.record(
    EcuSerial,
    z.object({
      counter: Counter,
      needs: z.array(z.object({ release: ReleaseId, counter: Counter.nullable() })),
    }),
  ).optional(),
  /** ECUs that go back together, since rot took a part that cannot be healed (decision 0011). */
  retreat: z.array(EcuSerial).optional(),
});
/** The whole journal. */
export type JournalState = z.infer<typeof JournalState>;

/** A vehicle that has never heard of an update. */
export const NEW_JOURNAL: JournalState = {
  v: 1,
  phase: "idle",
  campaign: null,
  directorVersion: 0,
  concluded: null,
  ecus: {},
  members: [],
  interruptedTrials: 0,
  tryAgain: false,
  postponedUntil: null,
  startedAt: null,
  result: null,
  starts: 0,
};

// The gateway's disk, in sectors of 512 bytes. Each head has a page of its own (PAGE_BYTES), and so
// has each area: what is torn takes nothing but itself.
const JOURNAL_SECTORS = (256 * 1024) / 512;
const TARGETS_SECTORS = (3 * MIB) / 512; // Director targets have 2 MiB at most.
const AREAS_AT = 64;
/** Sectors of the two heads of the journal. */
export const JOURNAL_HEADS = [0, 32] as const;
/** Sectors of the two heads of the targets. */
export const TARGETS_HEADS = [8, 40] as const;
const SECTORS = AREAS_AT + 2 * JOURNAL_SECTORS + 2 * TARGETS_SECTORS;

/** The gateway's disk, in bytes. Earlier versions had room for a patch behind it. */
export const GATEWAY_DISK_BYTES: number = SECTORS * 512;

/** The same without the words that only people read. */
function terse(state: JournalState): JournalState {
  const ecus = Object.entries(state.ecus).map(([serial, { failure, ...ecu }]) =>
    [serial, { ...ecu, failure: failure && { ...failure, message: "" } }] as const
  );
  const { result } = state;
  const changes = result?.changes.map((change) => ({ ...change, changes: "" })) ?? [];
  return {
    ...state,
    ecus: Object.fromEntries(ecus),
    result: result && { ...result, changes },
  };
}

/** The gateway's durable memory. */
export class Journal implements GatewayRecords {
  /** How the journal was at power-on, until it was looked at: by then it has been written. */
  #atFirst: RecordHealth | undefined;
  readonly #journal: DurableArea;
  readonly #targets: DurableArea;

  /** @param disk The gateway's disk. */
  constructor(disk: Disk) {
    const targetsAt = AREAS_AT + 2 * JOURNAL_SECTORS;
    this.#journal = new DurableArea(disk, {
      magic: "JRNL",
      heads: JOURNAL_HEADS,
      areas: [AREAS_AT, AREAS_AT + JOURNAL_SECTORS],
      areaSectors: JOURNAL_SECTORS,
    });
    this.#targets = new DurableArea(disk, {
      magic: "TRGT",
      heads: TARGETS_HEADS,
      areas: [targetsAt, targetsAt + TARGETS_SECTORS],
      areaSectors: TARGETS_SECTORS,
    });
  }

  /**
   * What was remembered.
   *
   * @returns The journal, or a new one on an empty disk.
   * @throws {UpdateFailure} `journalUnknown` if it is whole but this version cannot read it,
   * `recordLost` if it was written and nothing of it is whole.
   */
  read(): JournalState {
    const bytes = this.#journal.read();
    const health = this.#journal.health();
    if (health === "rotten" || health === "lost") this.#atFirst ??= health;
    if (bytes === undefined) {
      if (health !== "lost") return NEW_JOURNAL;
      const message = "Cannot read the journal: neither of its two copies is whole";
      throw new UpdateFailure("recordLost", "journal", message);
    }
    try {
      const options = { what: "journal", maxBytes: JOURNAL_SECTORS * 512 };
      return parseJsonAs(JournalState, bytes, options);
    } catch (cause) {
      throw new UpdateFailure("journalUnknown", "journal", (cause as Error).message, { cause });
    }
  }

  /** Remembers; durable when this returns. */
  write(state: JournalState): void {
    const whole = new TextEncoder().encode(JSON.stringify(state));
    const fits = whole.length <= JOURNAL_SECTORS * 512;
    // Sixty-four notes and verdicts may be longer than all else, and no update may end by them.
    this.#journal.write(fits ? whole : new TextEncoder().encode(JSON.stringify(terse(state))));
  }

  /** The Director targets under way, or `undefined` before the first. */
  readTargets(): DirectorTargets | undefined {
    const bytes = this.#targets.read();
    if (bytes === undefined || bytes.length === 0) return undefined;
    const options = { what: "stored targets", maxBytes: TARGETS_SECTORS * 512 };
    return parseJsonAs(DirectorTargets, bytes, options);
  }

  /**
   * Remembers the targets, in both copies: the journal is about to name their campaign, and damage
   * to one copy must not bring back the campaign before.
   */
  writeTargets(targets: DirectorTargets): void {
    this.#targets.write(new TextEncoder().encode(JSON.stringify(targets)));
    this.#targets.even();
  }

  look(repair: boolean): GatewayRecord[] {
    const areas = [["journal", this.#journal], ["targets", this.#targets]] as const;
    return areas.map(([record, area]) => {
      const found = area.health();
      if (repair || found === "rotten") area.even();
      if (record === "targets" && found === "lost") area.write(new Uint8Array(0)); // Kept whole again.
      const now = area.health();
      const whole = now !== "rotten" && now !== "lost";
      const health = record === "journal" ? this.#atFirst ?? found : found;
      if (record === "journal") this.#atFirst = undefined; // Told once.
      return { record, health, whole };
    });
  }
}
