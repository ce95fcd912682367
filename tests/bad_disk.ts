/**
 * Disks that are slow or fail, for real programs: a preload into their runtime holds up, or
 * refuses, the calls by which they reach their disks, as a file tells it from moment to moment.
 *
 * @module
 */
import { JourneyWorld } from "./journey_world.ts";

/** What a program meets at its disk. */
export interface DiskOrders {
  /** Only files whose path contains this; all without it. A database's commits are `ota.db`. */
  readonly path?: string;
  /** What every sync takes, in milliseconds; the program waits in it as in the real one. */
  readonly syncMs?: number;
  /** What every write of a Deno file takes. */
  readonly writeMs?: number;
  /** These calls fail with EIO. */
  readonly fail?: readonly ("sync" | "write" | "read")[];
  /** One sync takes this long: the first, after so many that do not. */
  readonly stall?: { readonly id: string; readonly ms: number; readonly after?: number };
}

/** The programs whose disk it is. */
export type DiskOwner = "server" | "vehicle";

const PRELOAD = (folder: string) => `
import fs from "node:fs";
import { DatabaseSync } from "node:sqlite";

const owner = Deno.mainModule.includes("/server/") ? "server" : "vehicle";
const passed = new Map();
const paths = new Map();
const files = new WeakMap();
const hold = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** Milliseconds that a call is to take; throws if it is to fail. */
function order(call, path) {
  let orders;
  try {
    orders = JSON.parse(Deno.readTextFileSync("${folder}/disk-" + owner + ".json"));
  } catch { return 0; }
  if (path === undefined || !path.includes(orders.path ?? "")) return 0;
  if (orders.fail?.includes(call)) {
    throw Object.assign(new Error("Input/output error (os error 5)"), { code: "EIO" });
  }
  if (call === "write") return orders.writeMs ?? 0;
  if (call !== "sync") return 0;
  const { stall } = orders;
  if (stall !== undefined) {
    const count = passed.get(stall.id) ?? 0;
    passed.set(stall.id, count + 1);
    if (count === (stall.after ?? 0)) {
      Deno.writeTextFileSync("${folder}/stalled-" + stall.id, path);
      return stall.ms;
    }
  }
  return orders.syncMs ?? 0;
}

const { openSync, fdatasyncSync, fsyncSync, writeSync, readSync } = fs;
fs.openSync = (path, ...rest) => {
  const fd = openSync(path, ...rest);
  paths.set(fd, String(path));
  return fd;
};
const wrap = (call, real) => (fd, ...rest) => {
  const ms = order(call, paths.get(fd));
  if (ms > 0) hold(ms);
  return real(fd, ...rest);
};
fs.fdatasyncSync = wrap("sync", fdatasyncSync);
fs.fsyncSync = wrap("sync", fsyncSync);
fs.writeSync = (fd, ...rest) => (order("write", paths.get(fd)), writeSync(fd, ...rest));
fs.readSync = wrap("read", readSync);

const open = Deno.open;
Deno.open = async (path, ...rest) => {
  const file = await open(path, ...rest);
  files.set(file, String(path));
  return file;
};
for (const [name, call] of [["sync", "sync"], ["syncData", "sync"], ["write", "write"], ["read", "read"]]) {
  const real = Deno.FsFile.prototype[name];
  Deno.FsFile.prototype[name] = async function (...args) { // On a thread of its own.
    const ms = order(call, files.get(this));
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    return await real.apply(this, args);
  };
}
const exec = DatabaseSync.prototype.exec;
DatabaseSync.prototype.exec = function (sql) {
  if (sql !== "COMMIT") return exec.call(this, sql);
  const ms = order("sync", "ota.db");
  if (ms > 0) hold(ms);
  return exec.call(this, sql);
};
`;

/** Real processes whose disks can be made slow, or fail. */
export class BadDiskWorld extends JourneyWorld {
  /** Starts all of it, with good disks. */
  async withDisks(): Promise<this> {
    const script = `${this.folder}/bad_disk.ts`;
    await Deno.writeTextFile(script, PRELOAD(this.folder));
    this.runtime = ["--preload", script];
    return await this.start();
  }

  /** From now on a program meets this at its disk. */
  disk(owner: DiskOwner, orders: DiskOrders = {}): void {
    const file = `${this.folder}/disk-${owner}.json`;
    Deno.writeTextFileSync(`${file}.new`, JSON.stringify(orders));
    Deno.renameSync(`${file}.new`, file);
  }

  /** The file at whose sync a program was held up, if it was. */
  stalledAt(id: string): string | undefined {
    try {
      return Deno.readTextFileSync(`${this.folder}/stalled-${id}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  /** Waits until the vehicle has said something since this was asked. */
  async vehicleSays(what: RegExp): Promise<void> {
    const from = this.vehicle.logs.length;
    for (const end = performance.now() + 60_000; performance.now() < end;) {
      if (this.vehicle.logs.slice(from).some((line) => what.test(line))) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`The vehicle never said ${what}:\n${this.vehicle.logs.join("\n")}`);
  }
}
