/** @module */
import { assertEquals } from "@std/assert/mod.js";
import { MAX_METADATA_DEPTH, MAX_ROLE_KEYS } from "../limits.ts";
import { readDocument } from "./document.ts";
import { bytesOf, type Loose } from "../../tests/trust/repository.ts";
import { outcome } from "../../tests/trust/world.ts";

const GOOD = {
  signatures: [{ keyid: "k", sig: "00" }],
  signed: {
    _type: "targets",
    spec_version: "1.0.34",
    version: 1,
    expires: "2030-01-01T00:00:00Z",
    targets: {},
  },
};

function read(bytes: Uint8Array): Promise<string> {
  return outcome(() => readDocument(bytes, { name: "targets", type: "targets", maxBytes: 10_000 }));
}

function signed(change: Loose): Promise<string> {
  return read(bytesOf({ ...GOOD, signed: { ...GOOD.signed, ...change } }));
}

/** With text put in where `"PUT"` stands: for what JSON.stringify() would not write. */
function text(change: Loose, put: string): Promise<string> {
  const whole = JSON.stringify({ ...GOOD, signed: { ...GOOD.signed, ...change } });
  return read(new TextEncoder().encode(whole.replaceAll('"PUT"', put)));
}

Deno.test("readDocument() reads what the specification allows", async () => {
  assertEquals(await signed({}), "trusted");
  assertEquals(
    await signed({ "x-unknown": [{ a: null, b: true }], version: 2 ** 53 - 1 }),
    "trusted",
  );
  assertEquals(await signed({ spec_version: "1.1" }), "trusted");
});

Deno.test("readDocument() refuses numbers that JSON rounds, and versions that are none", async () => {
  for (const number of ["1.5", "1e999", "9007199254740993", "-1e20"]) {
    assertEquals(await text({ custom: "PUT" }, number), "metadataInvalid", number);
  }
  for (const version of ["0", "-1", "1.5", '"1"', "null", "true", "[1]", "9007199254740992"]) {
    assertEquals(await text({ version: "PUT" }, version), "metadataInvalid", version);
  }
});

Deno.test("readDocument() refuses what two readers could take differently", async () => {
  assertEquals(await text({ custom: "PUT" }, '"\\ud800"'), "metadataInvalid");
  assertEquals(await text({ custom: "PUT" }, '{"\\udfff":1}'), "metadataInvalid");
  assertEquals(await text({ custom: "PUT" }, '{"__proto__":{"length":1}}'), "metadataInvalid");
  assertEquals(await read(new Uint8Array([0xEF, 0xBB, 0xBF, ...bytesOf(GOOD)])), "metadataInvalid");
  const bytes = bytesOf({ ...GOOD, signed: { ...GOOD.signed, custom: "\u00e9" } });
  bytes[bytes.indexOf(0xC3)] = 0xFF; // No UTF-8 any more.
  assertEquals(await read(bytes), "metadataInvalid");
});

Deno.test("readDocument() refuses times that are none, and those that are written otherwise", async () => {
  const times = ["2030-02-30T00:00:00Z", "2030-01-01T24:00:00Z", "2030-01-01T00:00:00+00:00"]
    .concat("2030-01-01", "2030-01-01T00:00:00.000Z", "tomorrow", "2030-13-01T00:00:00Z", "");
  for (const expires of times) assertEquals(await signed({ expires }), "metadataInvalid", expires);
  assertEquals(await signed({ expires: 1_900_000_000 }), "metadataInvalid");
});

Deno.test("readDocument() refuses another specification, and another role's metadata", async () => {
  for (const spec of ["2.0.0", "1", "01.0.0", "1.0.0.0", "", 1]) {
    assertEquals(await signed({ spec_version: spec }), "schemaUnknown", String(spec));
  }
  for (const _type of ["snapshot", "Targets", null]) {
    assertEquals(await signed({ _type }), "metadataInvalid");
  }
});

Deno.test("readDocument() refuses signatures that come twice, are too many or are none", async () => {
  const one = { keyid: "k", sig: "00" };
  const many = Array.from({ length: MAX_ROLE_KEYS + 1 }, (_, i) => ({ keyid: `k${i}`, sig: "" }));
  const lists = [[one, one], many, {}, null, [null], [{ keyid: 1, sig: "" }], [{ keyid: "k" }]];
  for (const signatures of lists) {
    assertEquals(await read(bytesOf({ ...GOOD, signatures })), "metadataInvalid");
  }
  assertEquals(await read(bytesOf({ ...GOOD, signatures: many.slice(1) })), "trusted");
  assertEquals(
    await read(bytesOf({ ...GOOD, signatures: [{ ...one, keyid: "constructor" }] })),
    "trusted",
  );
});

Deno.test("readDocument() refuses a tower of brackets, and anything that is no metadata", async () => {
  const tower = (height: number) => "[".repeat(height) + "]".repeat(height);
  assertEquals(await text({ custom: "PUT" }, tower(MAX_METADATA_DEPTH - 2)), "trusted");
  assertEquals(await text({ custom: "PUT" }, tower(MAX_METADATA_DEPTH - 1)), "metadataInvalid");
  assertEquals(await read(new TextEncoder().encode(tower(4000))), "metadataInvalid");
  for (const value of ["", "{", "null", "[]", '"x"', "{}", '{"signed":[]}', '{"signed":null}']) {
    assertEquals(await read(new TextEncoder().encode(value)), "metadataInvalid", value);
  }
  assertEquals(await read(new Uint8Array(10_001)), "metadataTooLarge");
});
