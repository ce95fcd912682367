/**
 * BSDIFF40 patches that are built to cost time and memory: a few bytes that stand for millions of
 * steps, or for blocks that expand a millionfold.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert/mod.js";
import { concatBytes, fromHex } from "shared/bytes.ts";
import { applyBsdiff40 } from "shared/delta/bsdiff40.ts";
import { readArray } from "shared/delta/random_read.ts";
import { UpdateFailure } from "shared/failure.ts";
import { PATCH_PROOF_MS } from "shared/limits.ts";
import { bunzip2 } from "shared/node/bunzip2.ts";
import { assertRefused, TestServer } from "../server/fixture_test.ts";
import { Prover } from "../server/release/prover.ts";
import { NOTES, sampleBytes } from "../server/samples_test.ts";

/** By bzip2 1.0.8: 20,000 control triples that make nothing and move the base by one byte. */
const IDLE_STEPS = fromHex(
  "425a68393141592653599d44584d000000e0006804080020005066804d5134cdc0550ad2a292381542bb" +
    "554a857c5dc914e1424275116134",
);
/** 20,000 triples that copy one extra byte each. */
const TINY_STEPS = fromHex(
  "425a683931415926535963330ac200000060006408080020004052a6983341fc042a32851256d54151b9" +
    "042a385dc914e142418ccc2b08",
);
/** 20,000 zeros. */
const ZEROS = fromHex(
  "425a683931415926535940caf4e90000274100c00000100008200030cc09aa69a15b50578bb9229c2848" +
    "20657a7480",
);
/** One block that expands to 40,000,000 zeros. */
const DEEP = fromHex(
  "425a6839314159265359d8ecddfe01325f4008c00000100008200030cc09aa69a04a515b501294578bb9" +
    "229c28486c766eff00",
);

/** A patch of these compressed blocks. */
function patchOf(
  control: Uint8Array,
  diff: Uint8Array,
  extra: Uint8Array,
  imageBytes: number,
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(32);
  header.set(new TextEncoder().encode("BSDIFF40"));
  const view = new DataView(header.buffer);
  for (const [at, value] of [[8, control.length], [16, diff.length], [24, imageBytes]] as const) {
    view.setBigUint64(at, BigInt(value), true);
  }
  return concatBytes(header, control, diff, extra);
}

const NOTHING = fromHex("425a683917724538509000000000");

function apply(patch: Uint8Array): Generator<Uint8Array, void> {
  const base = readArray(new Uint8Array(100));
  return applyBsdiff40(readArray(patch), base, { bunzip2, maxImageBytes: 2 ** 30 });
}

Deno.test("steps that make nothing are refused after a few, however many there are", () => {
  const steps = apply(patchOf(IDLE_STEPS, NOTHING, ZEROS, 20_000));
  assertThrows(() => [...steps], UpdateFailure, "too many steps that make nothing");
});

Deno.test("steps of single bytes are joined to pieces, with a piece every few hundred steps", () => {
  const pieces = [...apply(patchOf(TINY_STEPS, NOTHING, ZEROS, 20_000))];
  assertEquals(concatBytes(...pieces), new Uint8Array(20_000));
  assert(pieces.length <= 64, `${pieces.length} pieces`);
  assert(pieces.every((piece) => piece.length <= 512), "the steps between two pieces are bounded");
});

Deno.test("a patch with more in its blocks than its image takes is refused", () => {
  const tooLong = (name: string, patch: Uint8Array<ArrayBuffer>) => {
    assertThrows(() => [...apply(patch)], UpdateFailure, `its ${name} block is too long`);
  };
  tooLong("control", patchOf(TINY_STEPS, NOTHING, ZEROS, 19_999));
  tooLong("difference", patchOf(TINY_STEPS, ZEROS, ZEROS, 20_000));
  tooLong("extra", patchOf(NOTHING, NOTHING, ZEROS, 0));
});

Deno.test("a deep block is expanded a piece at a time", () => {
  const damaged = DEEP.slice();
  damaged[10]! ^= 1; // The checksum of the block, which is known only at its end.
  const pieces = bunzip2(readArray(damaged), 0, damaged.length);
  const first = pieces.next();
  assertEquals(
    first.done === false && first.value.length,
    64 * 1024,
    "before the end was looked at",
  );
  assertThrows(() => [...pieces], UpdateFailure, "checksum of a block");
});

Deno.test("a patch whose image has no room is refused before a byte of it is made", async () => {
  await using test = await TestServer.start();
  const base = await test.upload(sampleBytes(1000));
  await test.publish("ivi-rpi4", "1.0.0", { sha256: base });
  const patchSha256 = await test.upload(patchOf(TINY_STEPS, NOTHING, ZEROS, 15 * 1024 ** 3));
  const { blobs } = test.server.core.ports;
  blobs.freeBytes = () => Promise.resolve(14 * 1024 ** 3);
  const answer = await test.post("/api/v1/releases", {
    ...{ hardware: "ivi-rpi4", version: "1.1.0", deltaFrom: "1.0.0" },
    ...{ patchSha256, notes: NOTES },
  });
  await assertRefused(answer, 507, "storeFull");
});

Deno.test("a patch that takes for ever is given up, and the next one has its turn", async () => {
  await using test = await TestServer.start();
  const baseSha256 = await test.upload(sampleBytes(1000));
  const patchSha256 = await test.upload(patchOf(TINY_STEPS, NOTHING, ZEROS, 20_000));
  let [nowMs, stepMs] = [0, PATCH_PROOF_MS / 10]; // Of each look at the clock.
  const monotonic = () => nowMs += stepMs;
  const clock = { now: monotonic, monotonic, sleep: () => Promise.resolve() };
  const { blobs } = test.server.core.ports;
  const prover = new Prover(blobs, clock);
  const claim = { patchSha256, baseSha256, sha256: undefined };
  const error = await assertRejects(() => prover.prove(claim), UpdateFailure, "not done after");
  assertEquals(error.failure, "patchDamaged");
  assertEquals([...Deno.readDirSync(`${test.config.data}/uploads`)], [], "nothing is left");
  [nowMs, stepMs] = [0, 1000];
  assertEquals((await prover.prove(claim)).blob.lengthBytes, 20_000);
});
