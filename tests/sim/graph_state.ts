/**
 * When two media are the same node of the power-cut graph. The vehicle writes numbers that never
 * come again (sequences, starts, instants), so raw bytes would make the graph endless. What is
 * taken out here must be something that nothing but order, or nothing at all, depends on:
 *
 * - The sequence of a record: the higher whole copy wins, and the next one is one more. Only the
 *   order of the two copies counts, so copies are listed newest first, without their number.
 * - The place of a copy: the product treats the two alike. It writes over the older, or over the
 *   one that is not whole. So which of two sectors, or areas, holds a copy is left out.
 * - A sector of a record that is not whole: no bit of it is looked at after its check fails.
 * - Content that a head names but whose check fails; and content that no head names: the next
 *   write replaces it whole before a head names it.
 * - Instants and durations in the journal: shown and reported, nothing is decided by them. Likewise
 *   the words of a failed trial in its log, its instant, and the log's id, which is made of it.
 * - Starts: they only make sequence numbers of reports, which the server wants to rise. So what
 *   counts is whether the server knows a higher one: that would be a vehicle nobody hears.
 * - A sector of a slot that is none of any image: every check of a leaf or a slot fails alike.
 *
 * @module
 */
import { concatBytes, crc32, toHex } from "shared/bytes.ts";
import { PAGE_BYTES } from "shared/limits.ts";
import { nodeHash } from "shared/node/digest.ts";
import { type BootLayout, bootLayout } from "vehicle/bootloader/boot_layout.ts";
import { JOURNAL_HEADS, TARGETS_HEADS } from "vehicle/gateway/journal.ts";

const PAGE_SECTORS = PAGE_BYTES / 512;

/** Reads one sector of a medium; what it gives is never changed, so that it can be remembered. */
export type Sectors = (sector: number) => Uint8Array;

interface Copy {
  readonly magic: string;
  readonly sequence: bigint;
  readonly payload: Uint8Array;
  readonly text: string;
}

const copies = new WeakMap<Uint8Array, Copy | null>();

/** The record that a sector holds; `null` if it holds no whole one (sector_record.ts). */
function copyOf(sector: Uint8Array): Copy | null {
  const known = copies.get(sector);
  if (known !== undefined) return known;
  const view = new DataView(sector.buffer, sector.byteOffset, 512);
  const whole = view.getUint32(508, true) === crc32(sector.subarray(0, 508));
  const magic = String.fromCharCode(...sector.subarray(0, 4));
  const payload = sector.subarray(18, 18 + view.getUint16(16, true));
  const copy = !whole ? null : {
    magic,
    sequence: view.getBigUint64(8, true),
    payload,
    text: `${magic}${sector[4]}:${toHex(payload)}`,
  };
  copies.set(sector, copy);
  return copy;
}

function newestFirst(a: Copy, b: Copy): number {
  return a.sequence === b.sequence ? 0 : a.sequence < b.sequence ? 1 : -1;
}

/**
 * What lies on a disk of one-sector records.
 *
 * @param sectors The medium.
 * @param count How many sectors it has.
 * @returns The same text for media that no program can tell apart.
 */
export function recordsKey(sectors: Sectors, count: number): string {
  const { trialLogHeads: heads, trialLogAreas: areas } = layoutOf(count);
  const whole: Copy[] = [];
  for (let i = 0; i < count; i += PAGE_SECTORS) { // A record begins a page: boot_layout.ts.
    const copy = heads.includes(i) ? null : copyOf(sectors(i));
    if (copy !== null) whole.push(copy);
  }
  const logs = contents(sectors, { heads, areas });
  return whole.toSorted((a, b) =>
    a.magic < b.magic ? -1 : a.magic > b.magic ? 1 : newestFirst(a, b)
  )
    .map(({ text }) => text).concat(logs.map((text) => `L${trialOf(text)}`)).join("\n");
}

const layouts = new Map<number, BootLayout>();

function layoutOf(sectors: number): BootLayout {
  const known = layouts.get(sectors) ?? bootLayout({ sectors, sectorBytes: 512 });
  layouts.set(sectors, known);
  return known;
}

/** Which trial a log is of; its words and its instant are only passed on. Reported, it is empty. */
function trialOf(log: string | undefined): string {
  if (log === undefined || log === "") return log ?? "-";
  const { sha256, failure } = JSON.parse(log);
  return `${sha256} ${failure}`;
}

/** Where the gateway keeps its records (journal.ts); a test holds this against the product. */
const AREAS_AT = 64;
const JOURNAL_SECTORS = 512;
const TARGETS_SECTORS = 6144;
const TARGETS_AT = AREAS_AT + 2 * JOURNAL_SECTORS;
const RECORDS = [
  { heads: JOURNAL_HEADS, areas: [AREAS_AT, AREAS_AT + JOURNAL_SECTORS] },
  { heads: TARGETS_HEADS, areas: [TARGETS_AT, TARGETS_AT + TARGETS_SECTORS] },
] as const;

/** What a head was last found to name, and the sectors it lay in. */
const named = new WeakMap<Copy, { sectors: Uint8Array[]; text: string | undefined }>();

/** Where a record's two heads lie, and the areas that they name. */
interface Heads {
  readonly heads: readonly number[];
  readonly areas: readonly [number, number];
}

/** Whole contents of a record in two areas, newest first; `undefined` where a check fails. */
function contents(sectors: Sectors, record: Heads): (string | undefined)[] {
  return record.heads.map((at) => copyOf(sectors(at))).filter((copy) => copy !== null)
    .toSorted(newestFirst).map((head) => {
      const { payload } = head;
      const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
      const length = view.getUint32(1, true);
      const area = record.areas[view.getUint8(0) === 0 ? 0 : 1]!;
      const lies = Array.from({ length: Math.ceil(length / 512) }, (_, i) => sectors(area + i));
      const known = named.get(head);
      if (known?.sectors.every((one, i) => one === lies[i])) return known.text;
      const content = concatBytes(...lies).subarray(0, length);
      const whole = crc32(content) === view.getUint32(5, true);
      const text = whole ? new TextDecoder().decode(content) : undefined;
      named.set(head, { sectors: lies, text });
      return text;
    });
}

/** The journal as JSON, as it lies there; `undefined` if no content is whole. */
export function journalText(sectors: Sectors): string | undefined {
  return contents(sectors, RECORDS[0]).find((text) => text !== undefined);
}

/**
 * What lies on the gateway's disk.
 *
 * @param sectors The medium.
 * @param knownStarts The highest number of a start that the server has heard of.
 * @returns The same text for media that no program can tell apart.
 */
export function gatewayKey(sectors: Sectors, knownStarts: number): string {
  const [journals, targets] = RECORDS.map((record) => contents(sectors, record));
  return [
    ...journals!.map((text) => text === undefined ? "J-" : `J${timeless(text, knownStarts)}`),
    ...targets!.map((text) => text === undefined ? "T-" : `T${text}`),
  ].join("\n");
}

const timelessTexts = new Map<string, string>();

function timeless(journal: string, knownStarts: number): string {
  const key = `${knownStarts} ${journal}`;
  const known = timelessTexts.get(key);
  if (known !== undefined) return known;
  if (timelessTexts.size > 10_000) timelessTexts.clear(); // A cache: nothing is lost but time.
  const text = withoutTime(journal, knownStarts);
  timelessTexts.set(key, text);
  return text;
}

function withoutTime(journal: string, knownStarts: number): string {
  return JSON.stringify(JSON.parse(journal), (key, value) => {
    if (key === "starts") return value >= knownStarts ? "rises" : "falls";
    if (key === "at" || key === "startedAt" || key === "postponedUntil") return value && "instant";
    return key === "secondsTaken" ? 0 : value;
  });
}

/** The sectors of all images of a scenario, and what else a slot may hold. */
export class SlotKeys {
  readonly #known = new Map<string, string>();
  readonly #labels = new WeakMap<Uint8Array, string>();

  /** @param images Their bytes. */
  constructor(images: readonly Uint8Array[]) {
    this.#learn(new Uint8Array(512));
    for (const image of images) {
      for (let at = 0; at < image.length; at += 512) {
        const sector = new Uint8Array(512);
        sector.set(image.subarray(at, at + 512));
        this.#learn(sector);
      }
    }
  }

  #learn(sector: Uint8Array): void {
    const digest = toHex(nodeHash(sector));
    if (!this.#known.has(digest)) this.#known.set(digest, this.#known.size.toString(36));
  }

  /** What lies in a slot: a word a sector. */
  key(sectors: Sectors, count: number): string {
    const labels = [];
    for (let i = 0; i < count; i++) labels.push(this.#label(sectors(i)));
    return labels.join(" ");
  }

  #label(sector: Uint8Array): string {
    const known = this.#labels.get(sector);
    if (known !== undefined) return known;
    const label = this.#known.get(toHex(nodeHash(sector))) ?? "?";
    this.#labels.set(sector, label);
    return label;
  }
}
