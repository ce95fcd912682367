import { assert, assertEquals } from "@std/assert/mod.js";
import { MAX_ECUS, MAX_NOTE_CHARS } from "shared/limits.ts";
import { SimDisk } from "../../tests/sim/sim_disk.ts";
import { GATEWAY_DISK_BYTES, Journal, type JournalState, NEW_JOURNAL } from "./journal.ts";
import { failureReport } from "./report.ts";

/** The longest that the schemas allow: every word of people is as long as can be, and not ASCII. */
function longest(): JournalState {
  const serials = Array.from({ length: MAX_ECUS }, (_, i) => String(i).padStart(63, "s"));
  const version = `1.0.0-${"r".repeat(42)}`;
  const each = <T>(one: T) => Object.fromEntries(serials.map((serial) => [serial, one]));
  const needs = Array.from({ length: 16 }, (_, i) => ({
    release: `${String(i).padStart(63, "h")}/${version}`,
    counter: 2 ** 31,
  }));
  const failure = failureReport("selfTestFailed", "\u6f22".repeat(2000));
  const changes = "\u6f22".repeat(MAX_NOTE_CHARS);
  const image = { sha256: "ab".repeat(32), lengthBytes: 2 ** 33, counter: 2 ** 31, version };
  return {
    ...NEW_JOURNAL,
    phase: "reporting",
    campaign: "c123456789",
    concluded: "c123456789",
    ecus: each({ state: "rolledBack", failure, from: version }),
    members: serials,
    result: {
      outcome: "rolledBack",
      at: "2026-01-01T00:00:00.000Z",
      secondsTaken: 1,
      changes: serials.map((serial) => ({ serial, from: version, to: version, changes })),
      failure: { ...failure, serial: serials[0]!, remedy: "None" },
    },
    settled: each({ ...image, merkleRoot: "cd".repeat(32) }),
    retreat: serials,
    needs: each({ counter: 2 ** 31, needs }),
  };
}

Deno.test("Journal.write() takes the longest words of the largest vehicle, and keeps what counts", () => {
  const disk = new SimDisk(GATEWAY_DISK_BYTES / 512);
  const state = longest();
  assert(new TextEncoder().encode(JSON.stringify(state)).length > 256 * 1024);
  new Journal(disk).write(state);
  const read = new Journal(disk).read();
  const { ecus, result, ...rest } = state;
  assertEquals({ ...read, ecus, result }, { ...rest, ecus, result });
  for (const ecu of Object.values(read.ecus)) assertEquals(ecu.failure?.name, "selfTestFailed");
  assertEquals(read.result?.failure, result?.failure);
  assertEquals(read.result?.changes.length, MAX_ECUS);
});

Deno.test("Journal.write() shortens nothing that fits", () => {
  const disk = new SimDisk(GATEWAY_DISK_BYTES / 512);
  const failure = failureReport("selfTestFailed", "The words");
  const ecus = { body: { state: "failed", failure, from: null } } as const;
  new Journal(disk).write({ ...NEW_JOURNAL, ecus });
  assertEquals(new Journal(disk).read(), { ...NEW_JOURNAL, ecus });
});
