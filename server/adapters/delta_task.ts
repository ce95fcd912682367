/**
 * What the server and the process that makes carriers say to each other: a task as the only
 * argument, then a line of JSON for each piece of news.
 *
 * @module
 */
import { z } from "zod";
import { FAILURE_NAMES } from "shared/failure.ts";
import { Sha256Hex } from "shared/protocol/common.ts";

/** The argument that makes the program a maker. */
export const DELTA_CHILD = "--delta-child";

const Bytes = z.number().int().min(0);
const Image = z.object({ path: z.string(), sha256: Sha256Hex, lengthBytes: Bytes });

/** What to make. */
export const ChildTask = z.object({
  image: Image.extend({ root: Sha256Hex }),
  base: Image.nullable(),
  effort: z.enum(["fast", "best"]),
  /** Where the carrier goes. */
  out: z.string(),
  maxBytes: Bytes,
});
/** What to make. */
export type ChildTask = z.infer<typeof ChildTask>;

/** What it says. All but the first are its last word. */
export const ChildWord = z.union([
  z.object({ doneBytes: Bytes }),
  z.object({ carrierSha256: Sha256Hex, lengthBytes: Bytes }),
  z.object({ tooLong: z.literal(true) }),
  z.object({ failure: z.enum(FAILURE_NAMES), subject: z.string(), message: z.string() }),
]);
/** What it says. */
export type ChildWord = z.infer<typeof ChildWord>;
