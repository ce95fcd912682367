/**
 * Containers as properties: what the writer makes is applied, however it arrives; what is
 * damaged or hostile ends in a failure of the catalogue, and not one wrong byte is handed out.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { equalBytes } from "shared/bytes.ts";
import { ContainerApplier } from "shared/delta/apply.ts";
import { parseContainerHead } from "shared/delta/container.ts";
import { containerHeadBytes } from "shared/delta/container.ts";
import { readArray } from "shared/delta/random_read.ts";
import { UpdateFailure } from "shared/failure.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash } from "shared/node/digest.ts";
import { anyContainer, build, noise, type Sample } from "./container_arbitrary.ts";
import { add, applyAll, brotli, copy, makeContainer } from "./container_writer.ts";
import { leafHashesOf, raw, reseal, zero, zstd } from "./container_writer.ts";
import { rootOfLeaves } from "shared/delta/container_root.ts";

/** What a container may end in; everything else is a bug. */
const NAMES: readonly string[] = [
  ...["containerDamaged", "containerTooNew", "deltaBaseDiffers", "deltaResultDiffers"],
  ...["leafDiffers", "imageTooLarge"],
];

/** One segment for each operation, one for each codec of ADD; 512-byte leaves and segments. */
function smallSample(): Sample {
  const base = noise(2000, 1);
  const image = noise(512 * 8 - 100, 2);
  image.fill(0, 0, 512);
  image.set(base.subarray(700, 700 + 512), 512);
  for (const at of [5, 6]) image.set(base.subarray(300, 700).map((b, i) => b + +(i < 9)), at * 512);
  const file = makeContainer({
    ...{ image, base, leafBytes: 512, segmentBytes: 512 },
    plan(view) {
      const pieces = [
        { at: 0, length: 200, baseOffset: 300, hasDifference: true },
        { at: 210, length: 190, baseOffset: 510, hasDifference: false },
      ];
      switch (view.index) {
        case 0:
          return zero();
        case 1:
          return copy(700);
        case 3:
          return zstd(view.bytes);
        case 4:
          return brotli(view.bytes);
        case 5:
          return add(view, base, { pieces, codecs: [0, 1, 2] });
        case 6:
          return add(view, base, { pieces, codecs: [2, 2, 0] });
        default:
          return raw(view.bytes);
      }
    },
  });
  const root = rootOfLeaves(leafHashesOf(image, 512), nodeHash);
  return { file, base, image, root, segmentBytes: 512 };
}

const SMALL = smallSample();

/** Applies; true if the image came out, false if a failure of the catalogue did. */
function survives(file: Uint8Array, { base, image, root }: Sample): boolean {
  try {
    assert(equalBytes(applyAll(file, { base, image, root }), image), "another image came out");
    return true;
  } catch (error) {
    assert(error instanceof UpdateFailure, `${error}\n${(error as Error).stack}`);
    assert(NAMES.includes(error.failure), error.failure);
    return false;
  }
}

Deno.test("a container with every operation and codec is applied", () => {
  assert(survives(SMALL.file, SMALL));
});

Deno.test("any container that the writer makes is applied, in chunks of any size", () => {
  fc.assert(
    fc.property(anyContainer, fc.integer({ min: 1, max: 5000 }), (drawn, chunkBytes) => {
      const sample = build(drawn);
      assertEquals(applyAll(sample.file, { ...sample, chunkBytes }), sample.image);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a container goes on from any segment, with the head known or sent again", () => {
  fc.assert(
    fc.property(anyContainer, fc.nat(6), fc.nat(3000), (drawn, from, chunk) => {
      const { file, base, image, root, segmentBytes } = build(drawn);
      const head = parseContainerHead(file.subarray(0, containerHeadBytes(file)), {
        ...{ hash: nodeHash, maxImageBytes: image.length },
      });
      const startSegment = Math.min(from, head.segments.count);
      const rest = image.subarray(startSegment * segmentBytes);
      assertEquals(
        applyAll(file, { base, image, root, startSegment, chunkBytes: chunk + 1 }),
        rest.slice(),
      );
      const applier = new ContainerApplier({
        ...{ head, startSegment, trusted: { root, imageBytes: image.length } },
        base: readArray(base),
        tools: { codecs: nodeCodecs, hash: nodeHash },
      });
      const made: number[] = [];
      const payloads = file.subarray(head.segments.payloadOffset(startSegment));
      for (let at = 0; at === 0 || at < payloads.length; at += chunk + 1) {
        for (const { bytes } of applier.push(payloads.subarray(at, at + chunk + 1))) {
          made.push(...bytes);
        }
      }
      applier.end();
      assertEquals(Uint8Array.from(made), rest.slice());
    }),
    { numRuns: 150 },
  );
});

Deno.test("every single flipped bit of a container is noticed", () => {
  for (let bit = 0; bit < SMALL.file.length * 8; bit++) {
    const file = SMALL.file.slice();
    file[bit >> 3]! ^= 1 << (bit & 7);
    assert(!survives(file, SMALL), `bit ${bit}`);
  }
});

Deno.test("every cut of a container, and every byte behind it, is noticed", () => {
  for (let length = 0; length < SMALL.file.length; length++) {
    assert(!survives(SMALL.file.subarray(0, length), SMALL), `cut to ${length}`);
  }
  const longer = new Uint8Array(SMALL.file.length + 1);
  longer.set(SMALL.file);
  assert(!survives(longer, SMALL));
});

Deno.test("flipped bits of a container whose digests an attacker made right end well", () => {
  let [tried, through] = [0, 0];
  // Every third bit: each place in a byte is met, in a third of the time.
  for (let bit = 0; bit < SMALL.file.length * 8; bit += 3, tried++) {
    const file = SMALL.file.slice();
    file[bit >> 3]! ^= 1 << (bit & 7);
    if (survives(reseal(file), SMALL)) through++;
  }
  // Bits of digests are made right again, and some of the bits of the base's description and of
  // compressed streams mean nothing. Were nothing refused, it would be all of them.
  assert(through < tried / 2, `${through} of ${tried}`);
});

Deno.test("random damage to containers with right digests ends in the image or a failure", () => {
  for (const seed of [1, 2, 3, crypto.getRandomValues(new Int32Array(1))[0]!]) {
    fc.assert(
      fc.property(anyContainer, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }), (
        drawn,
        changes,
      ) => {
        const sample = build(drawn);
        const file = sample.file.slice();
        for (const [at, value] of changes) file[at % file.length] = value;
        survives(reseal(file), sample);
      }),
      { numRuns: 150, seed }, // A failure prints its seed and path.
    );
  }
});

Deno.test("random bytes behind the magic end in a failure", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.boolean(), (bytes, sealed) => {
      const file = SMALL.file.slice(0, 12 + bytes.length);
      file.set(bytes.subarray(0, file.length - 12), 12);
      assert(!survives(sealed ? reseal(file) : file, SMALL));
    }),
    { numRuns: 500 },
  );
});
