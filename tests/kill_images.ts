/**
 * The images of the kill test: two families of good ones, whose members differ by a little from
 * each other and in all from the other family, and bad ones that resemble them.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { sha256Hex } from "shared/node/digest.ts";
import type { FailureName } from "shared/failure.ts";
import { firmware } from "./journey_world.ts";

/** An image. */
export interface KillImage {
  readonly sha256: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What its trial comes to, if that is nothing good. */
  readonly failure: FailureName | null;
}

/** A step of a vehicle: to what image, and whether the one before it is a good base. */
export interface KillStep {
  readonly image: KillImage;
  readonly way: "full" | "delta";
}

/** Filling in bytes: two segments and a part of a third, so that cuts fall between them too. */
const FILLING_BYTES = 2_200_000;
/** What the second of a family has instead of the first: the payload of its delta. */
const EDIT_BYTES = 180_000;

/** Makes all images, and the steps that go round and round. */
export class KillImages {
  /** Round and round: a delta within a family, a full image to the other one. */
  readonly round: readonly KillStep[];
  /** Bad ones by the image that runs before, if there is one: each a delta from it. */
  readonly bad: ReadonlyMap<string, KillStep>;

  constructor() {
    const [a, b] = [filling(FILLING_BYTES), filling(FILLING_BYTES)];
    const [a2, b2] = [edited(a), edited(b)];
    const good = [a, a2, b, b2].map((text) => image("body-1.0.0", text, null));
    this.round = good.map((one, i) => ({ image: one, way: i % 2 === 0 ? "full" : "delta" }));
    // All fail before they could pass a trial, however slow the machine is: the late one before its
    // second heartbeat, and only one at the end of a trial proves that it was stood.
    this.bad = new Map([
      [good[0]!.sha256, bad("faulty-lateThrow", a, "imageCrashed")],
      [good[1]!.sha256, bad("faulty-throw", a2, "imageCrashed")],
      [good[3]!.sha256, bad("faulty-selfTest", b2, "selfTestFailed")],
    ]);
  }

  /** All of them. */
  get all(): KillImage[] {
    return [...this.round, ...this.bad.values()].map((step) => step.image);
  }
}

function bad(name: string, base: string, failure: FailureName): KillStep {
  return { image: image(name, edited(base), failure), way: "delta" };
}

/** Lines of a comment that nothing compresses by more than a quarter. */
function filling(sizeBytes: number): string {
  return randomBytes(sizeBytes * 3 / 4).toString("base64");
}

function edited(text: string): string {
  const at = Math.floor(text.length / 3);
  return text.slice(0, at) + filling(EDIT_BYTES) + text.slice(at + EDIT_BYTES);
}

function image(name: string, text: string, failure: FailureName | null): KillImage {
  const code = Deno.readTextFileSync(firmware(name));
  const bytes = new TextEncoder().encode(`${code}\n//${text}\n`);
  return { sha256: sha256Hex(bytes), bytes, failure };
}
