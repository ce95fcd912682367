/**
 * What the sample firmware shares: start, heartbeat, self-test, and its data table.
 *
 * Firmware of the `worker` runner is one ES module without imports. It gets one message,
 * `{type:"boot", serial, slot, version}`, and answers by messages only.
 *
 * @module
 */
import { crc32 } from "shared/bytes.ts";
import type { BootMessage, ImageMessage } from "shared/protocol/ecu.ts";

/** What the build bakes into an image. */
export interface Build {
  /** The version it was built as. */
  readonly version: string;
  /** Its data table, base64: little-endian int16. */
  readonly table: string;
  /** CRC-32 of the table's bytes. */
  readonly tableCrc: number;
}

/** Columns of one record of the data table. */
export const COLUMNS = 4;
/** The contract: one heartbeat a second. */
const HEARTBEAT_MS = 1000;

/** The data table of an image. */
export class DataTable {
  readonly #view: DataView;

  /** @param build What the build baked in. */
  constructor(build: Build) {
    const bytes = Uint8Array.from(atob(build.table), (char) => char.charCodeAt(0));
    const found = crc32(bytes);
    if (found !== build.tableCrc) {
      throw new Error(`Cannot use the data table: CRC ${found}, built with ${build.tableCrc}`);
    }
    this.#view = new DataView(bytes.buffer);
  }

  /** How many records it has. */
  get records(): number {
    return this.#view.byteLength / 2 / COLUMNS;
  }

  /**
   * One cell.
   *
   * @param record Any whole number; it wraps around.
   * @param column 0 to 3.
   * @returns A value of -32768 to 32767.
   */
  cell(record: number, column: number): number {
    const row = ((record % this.records) + this.records) % this.records;
    return this.#view.getInt16((row * COLUMNS + column) * 2, true);
  }
}

/** What one kind of firmware does. */
export interface Firmware {
  /** Checks itself; the reason if something is wrong. */
  check(table: DataTable): string | undefined;
  /** What it shows, second by second since its start. */
  display(table: DataTable, second: number): Omit<Display, "type">;
}

type Display = Extract<ImageMessage, { type: "display" }>;

/** The worker's side of the channel, as far as firmware uses it. */
interface Channel {
  onmessage: ((event: MessageEvent<BootMessage>) => void) | null;
  postMessage(message: ImageMessage): void;
}

const channel = globalThis as unknown as Channel;

/**
 * Sends a message to the ECU.
 *
 * @param message Any message of the contract.
 */
export function say(message: ImageMessage): void {
  channel.postMessage(message);
}

/**
 * Waits for the boot message.
 *
 * @param booted Called once, with the message.
 */
export function onBoot(booted: (boot: BootMessage) => void): void {
  channel.onmessage = ({ data }) => {
    if (data.type !== "boot") return;
    channel.onmessage = null;
    booted(data);
  };
}

/**
 * Runs a firmware: heartbeat each second, the self-test once, then its display.
 *
 * @param build What the build baked in.
 * @param firmware What this kind does.
 */
export function runFirmware(build: Build, firmware: Firmware): void {
  onBoot(() => {
    say({ type: "heartbeat" });
    const table = new DataTable(build);
    const fault = permissionFault() ?? firmware.check(table);
    say({
      type: "selfTest",
      ok: fault === undefined,
      detail: fault ??
        `Version ${build.version}: ${table.records} records hold, no permission held`,
    });
    let second = 0;
    const show = () => say({ type: "display", ...firmware.display(table, second) });
    show();
    setInterval(() => {
      second++;
      say({ type: "heartbeat" });
      show();
    }, HEARTBEAT_MS);
  });
}

/** An image that holds a permission runs on a broken boot loader, and says so. */
function permissionFault(): string | undefined {
  const names = ["read", "write", "net", "env", "run", "sys", "ffi"] as const;
  const held = names.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
  return held.length === 0 ? undefined : `Cannot trust the loader: it granted ${held.join(", ")}`;
}

/**
 * The colour of a version, so that an update is seen at a glance.
 *
 * @param version The version it was built as.
 * @param colors One for each minor version, repeated.
 */
export function colorOf(version: string, colors: readonly [string, ...string[]]): string {
  const minor = Number(version.split(".")[1] ?? 0);
  return colors[minor % colors.length] ?? colors[0];
}

/**
 * Whether a column never falls, as tables that are searched by halving must not.
 *
 * @param table The table.
 * @param column Which column.
 * @returns The first record that breaks the order, or `undefined`.
 */
export function firstFall(table: DataTable, column: number): number | undefined {
  for (let record = 1; record < table.records; record++) {
    if (table.cell(record, column) < table.cell(record - 1, column)) return record;
  }
  return undefined;
}
