/**
 * What a server stores, and what it gave back.
 *
 * @module
 */
import { z } from "zod";

const Count = z.number().int().min(0);

/** `GET /api/v1/storage`. */
export const Storage = z.object({
  v: z.literal(1),
  /** When files were last looked at; `null`: not yet. */
  at: z.iso.datetime().nullable(),
  /** Whole files, and their bytes. */
  files: Count,
  storedBytes: Count,
  /** Those of them that nothing refers to, and that go when their time is over. */
  retiredFiles: Count,
  retiredBytes: Count,
  /** All that was ever given back to the medium. */
  freedFiles: Count,
  freedBytes: Count,
});
/** What a server stores, and what it gave back. */
export type Storage = z.infer<typeof Storage>;
