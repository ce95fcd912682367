import { assert, assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { BYTES, HALFWORDS, TRANSFORMS, WORDS } from "shared/delta/transforms.ts";
import { randomBytes } from "./encode_harness.ts";
import { PieceList } from "./pieces.ts";
import { writeSparse } from "./sparse.ts";

const SHAPES = [WORDS, HALFWORDS, BYTES];
const CHANGES = [1, 4, 255, 0x10];

Deno.test("writeSparse writes what the transforms read, for any pieces", () => {
  const piece = fc.record({
    gap: fc.nat(9),
    length: fc.integer({ min: 1, max: 90 }),
    shift: fc.nat(9),
  });
  const pieces = fc.array(fc.tuple(piece, fc.boolean()), { maxLength: 12 });
  fc.assert(
    fc.property(pieces, fc.nat(999), fc.integer({ min: 1, max: 30 }), (drawn, seed, every) => {
      const list = new PieceList(drawn.length);
      const differs = new Uint8Array(drawn.length);
      const from = randomBytes(1200, seed);
      const segment = from.slice();
      let at = 0;
      for (const [{ gap, length, shift }, changed] of drawn) {
        at += gap + 1; // Apart, so that none is joined to the last one.
        list.push(at, length, 4096 + at + shift);
        differs[list.count - 1] = changed ? 1 : 0;
        for (let i = at; changed && i < at + length; i++) {
          if (i % every === 0) segment[i] = segment[i]! + CHANGES[i % CHANGES.length]!;
        }
        at += length;
      }
      for (const shape of SHAPES) {
        const stream = writeSparse(segment, from, list, { shape, imageOffset: 0, differs });
        const adder = TRANSFORMS[shape.transform]!(stream);
        const result = from.slice();
        for (let i = 0; i < list.count; i++) {
          if (differs[i] === 0) continue;
          const aligned = (list.base[i]! - list.at[i]!) % 4 === 0;
          adder.add(result, list.at[i]!, list.length[i]!, aligned);
        }
        adder.end();
        assertEquals([...result], [...segment]);
      }
    }),
  );
});

Deno.test("writeSparse spells frequent words by one byte each", () => {
  const from = randomBytes(4096, 3);
  const [segment, view] = [from.slice(), new DataView(new ArrayBuffer(4))];
  for (let at = 0; at < from.length; at += 4) {
    view.setUint32(0, new DataView(from.buffer).getUint32(at, true) + 0x01020304, true);
    segment.set(new Uint8Array(view.buffer), at);
  }
  const list = new PieceList(1);
  list.push(0, 4096, 2); // Not aligned: every word is of one kind.
  const options = { shape: WORDS, imageOffset: 0, differs: Uint8Array.of(1) };
  const stream = writeSparse(segment, from, list, options);
  assert(stream.length < 1024 * 2 + 50, `${stream.length} bytes`); // A gap and an index each.
});
