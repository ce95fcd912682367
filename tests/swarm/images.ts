/**
 * The images of a world: families of which each is a little different from the one before, and
 * compresses as software does. The first line is what `sim_runner.ts` obeys.
 *
 * @module
 */
import type { Behaviour } from "../sim/sim_runner.ts";
import type { Dice } from "./dice.ts";

/** Behind the first line. */
const BODY_AT = 64;

/**
 * The first image of a family.
 *
 * @param dice Chance.
 * @param lengthBytes Its length.
 */
export function firstImage(dice: Dice, lengthBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthBytes);
  for (let at = BODY_AT; at < lengthBytes;) {
    const run = Math.min(dice.between(16, 2000), lengthBytes - at);
    const kind = dice.between(0, 2);
    if (kind === 0) { for (let i = 0; i < run; i++) bytes[at + i] = dice.between(0, 255); }
    if (kind === 1) { for (let i = 0; i < run; i++) bytes[at + i] = 97 + i % 23; }
    at += run;
  }
  return bytes;
}

/** The next image of a family. */
export function nextImage(
  dice: Dice,
  before: Uint8Array,
  does: Behaviour,
): Uint8Array<ArrayBuffer> {
  const grown = dice.between(-200, 200);
  const bytes = new Uint8Array(Math.max(1024, before.length + grown));
  bytes.set(before.subarray(0, bytes.length));
  for (let edits = dice.between(1, 12); edits > 0; edits--) {
    bytes[dice.between(BODY_AT, bytes.length - 1)]! ^= dice.between(1, 255);
  }
  bytes.fill(0, 0, BODY_AT);
  bytes.set(new TextEncoder().encode(`${does}\n`));
  return bytes;
}
