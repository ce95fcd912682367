/**
 * Writes the JSON Schema of every wire structure to `docs/schemas`, made from the
 * zod definitions, so that other languages can check what they send.
 *
 * Usage: deno task schemas [--check]     (--check: fail when a file is not up to date)
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { z } from "zod";
import * as api from "shared/protocol/api.ts";
import * as common from "shared/protocol/common.ts";
import * as director from "shared/protocol/director.ts";
import * as ecu from "shared/protocol/ecu.ts";
import * as hmi from "shared/protocol/hmi.ts";
import * as messages from "shared/protocol/messages.ts";
import * as signedTargets from "shared/protocol/signed_targets.ts";
import * as signing from "shared/protocol/signing.ts";
import * as storage from "shared/protocol/storage.ts";

const FOLDER = new URL("../docs/schemas/", import.meta.url);
const check = Deno.args.includes("--check");
const wanted = new Map<string, string>();
for (const module of [api, common, director, ecu, hmi, messages, signedTargets, signing, storage]) {
  for (const [name, schema] of Object.entries(module)) {
    if (!(schema instanceof z.ZodType)) continue;
    const body = z.toJSONSchema(schema, { unrepresentable: "any", io: "input" });
    wanted.set(`${name}.json`, JSON.stringify({ title: name, ...body }, null, 2) + "\n");
  }
}

let stale = 0;
if (!check) await Deno.mkdir(FOLDER, { recursive: true });
for (const [name, text] of wanted) {
  const file = new URL(name, FOLDER);
  const present = await Deno.readTextFile(file).catch(() => "");
  if (present === text) continue;
  stale++;
  if (check) console.error(`docs/schemas/${name}: not what shared/protocol says`);
  else await Deno.writeTextFile(file, text);
}
for await (const entry of Deno.readDir(FOLDER)) {
  if (wanted.has(entry.name)) continue;
  stale++;
  if (check) console.error(`docs/schemas/${entry.name}: nothing in shared/protocol has this name`);
  else await Deno.remove(new URL(entry.name, FOLDER));
}
console.log(check && stale > 0 ? `schemas: ${stale} stale` : `schemas: ${wanted.size} ok`);
Deno.exit(check && stale > 0 ? 1 : 0);
