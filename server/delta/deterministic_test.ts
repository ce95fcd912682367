/**
 * The same pair gives the same bytes: in one process, in another one, with other hash seeds and
 * another memory layout. Carriers are named by their digest, so a job that is begun anew after a
 * restart makes the same file again.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import { sha256Hex } from "shared/node/digest.ts";
import { sampleBytes } from "../samples_test.ts";
import { encode } from "./encode_harness.ts";

/** Code-like bytes with moved, changed and new parts, over several segments. */
function pair(): { readonly old: Uint8Array; readonly fresh: Uint8Array } {
  const old = sampleBytes(170_000, 5).map((byte, i) => i % 4 === 3 ? 0x94 : byte >> 3);
  const fresh = new Uint8Array(175_000);
  fresh.set(old.subarray(30_000), 0);
  fresh.set(old.subarray(0, 30_000), 140_000);
  fresh.set(sampleBytes(5_000, 6), 170_000);
  for (let at = 0; at < fresh.length; at += 997) fresh[at]! += 4;
  return { old, fresh };
}

/** Several segments in a small image. */
const SMALL = { leafBytes: 4096, segmentBytes: 65_536 } as const;

/** Digests of what every way of encoding makes. */
export function digests(): string[] {
  const { old, fresh } = pair();
  return (["fast", "best"] as const).flatMap((effort) => [
    sha256Hex(encode(old, fresh, { effort, ...SMALL }).file),
    sha256Hex(encode(null, fresh, { effort, ...SMALL }).file),
    sha256Hex(encode(old, fresh, { effort, ...SMALL, residentBytes: 64 * 1024 }).file),
  ]);
}

Deno.test("the same pair and options give the same bytes, again and in other processes", async () => {
  const here = digests();
  assertEquals(digests(), here);
  assertEquals(here[2], here[0], "how much of the base lies in memory makes no difference");
  assertEquals(new Set(here).size, 4, "the options do");
  const program = `const { digests } = await import(${JSON.stringify(import.meta.url)});` +
    `console.log(JSON.stringify(digests()))`;
  for (const seed of [1, 99]) {
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["eval", "--quiet", `--v8-flags=--hash-seed=${seed},--random-seed=${seed}`],
        program,
      ],
      stderr: "inherit",
    }).output();
    assertEquals(code, 0);
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)), here);
  }
});
