import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert/mod.js";
import fc from "fast-check";
import { z } from "zod";
import vectors from "../../tests/vectors/protocol.json" with { type: "json" };
import { UpdateFailure } from "../failure.ts";
import { parseAs, parseJsonAs } from "../parse.ts";
import * as api from "./api.ts";
import * as director from "./director.ts";
import * as ecu from "./ecu.ts";
import * as hmi from "./hmi.ts";
import * as messages from "./messages.ts";
import * as signedTargets from "./signed_targets.ts";
import * as signing from "./signing.ts";
import { announceTopic, mayPublish, maySubscribe, parseTopic, vehicleTopic } from "./topics.ts";

const SCHEMAS: Record<string, unknown> = {
  ...{ ...api, ...director, ...ecu, ...hmi, ...messages, ...signedTargets, ...signing },
};

function schemaOf(name: string): z.ZodType {
  const schema = SCHEMAS[name];
  assert(schema instanceof z.ZodType, name);
  return schema;
}

for (const [name, value] of Object.entries(vectors.valid)) {
  Deno.test(`${name} reads its frozen vector and writes it back unchanged`, () => {
    const read = parseAs(schemaOf(name), value, { what: name }) as Record<string, unknown>;
    for (const [key, field] of Object.entries(value)) assertEquals(read[key], field, key);
  });
}

for (const { schema, path, value, says } of vectors.refused) {
  Deno.test(`${schema} refuses ${path.join(".")} = ${JSON.stringify(value)?.slice(0, 40)}`, () => {
    const body = structuredClone(vectors.valid[schema as keyof typeof vectors.valid]) as never;
    let at: Record<string, unknown> = body;
    for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
    at[path.at(-1)!] = value ?? undefined;
    const error = assertThrows(
      () => parseAs(schemaOf(schema), body, { what: schema }),
      UpdateFailure,
    );
    assertStringIncludes(error.message, says);
    assertEquals(error.failure, path[0] === "v" ? "schemaUnknown" : "badRequest");
  });
}

Deno.test("parseJsonAs() ends in a failure on any bytes, never in another error", () => {
  const options = { what: "fuzz", maxBytes: 4096 };
  fc.assert(fc.property(fc.oneof(fc.uint8Array(), fc.json(), fc.string()), (input) => {
    try {
      parseJsonAs(messages.VehicleReport, input, options);
    } catch (error) {
      assert(error instanceof UpdateFailure);
    }
  }));
});

Deno.test("parseJsonAs() refuses towers of brackets and long input before parsing it", () => {
  const deep = "[".repeat(100) + "]".repeat(100);
  const options = { what: "message", maxBytes: 1000 };
  assertThrows(() => parseJsonAs(z.unknown(), deep, options), UpdateFailure, "nested deeper");
  assertThrows(() => parseJsonAs(z.unknown(), " ".repeat(1001), options), UpdateFailure, "1001");
  assertEquals(parseJsonAs(z.unknown(), JSON.stringify("[".repeat(99)), options), "[".repeat(99));
});

const OWN = "WVWZZZ1JZXW000001";
const OTHER = "WVWZZZ1JZXW000002";

Deno.test("mayPublish() lets a vehicle write its own reports and nothing else", () => {
  assert(mayPublish(OWN, vehicleTopic(OWN, "status")));
  assert(mayPublish(OWN, vehicleTopic(OWN, "event")));
  assert(mayPublish(OWN, vehicleTopic(OWN, "conn")));
  const refused = [
    vehicleTopic(OWN, "desired"),
    vehicleTopic(OTHER, "status"),
    announceTopic("ivi-rpi4"),
    "ota/v1/server/status",
    `ota/v1/vehicle/${OWN}/status/more`,
    `ota/v1/vehicle/${OWN}/`,
    "$SYS/x",
    "",
  ];
  for (const topic of refused) assert(!mayPublish(OWN, topic), topic);
});

Deno.test("maySubscribe() keeps a vehicle to its own topics, announcements and chunks", () => {
  const allowed = [`ota/v1/vehicle/${OWN}/#`, "ota/v1/announce/+", "ota/v1/server/status"];
  for (const filter of allowed.concat("ota/v1/chunk/#")) assert(maySubscribe(OWN, filter), filter);
  const refused = ["#", "ota/#", "ota/v1/vehicle/+/status", `ota/v1/vehicle/${OTHER}/#`]
    .concat("ota/v1/+/status", "ota/v1/vehicle/#", "$SYS/#", "ota/v1/server/+", "");
  for (const filter of refused) assert(!maySubscribe(OWN, filter), filter);
});

Deno.test("parseTopic() takes its own topics apart and nothing else", () => {
  assertEquals(parseTopic(announceTopic("ivi-rpi4")), { kind: "announce", hardware: "ivi-rpi4" });
  assertEquals(parseTopic(vehicleTopic(OWN, "conn")), { kind: "conn", vin: OWN });
  for (const topic of ["ota/v1/announce/a/b", "ota/v2/announce/a", "ota/v1/vehicle/x/conn"]) {
    assertEquals(parseTopic(topic), undefined, topic);
  }
  assertThrows(() => announceTopic("a/../b"));
  assertThrows(() => vehicleTopic("+", "conn"));
});
