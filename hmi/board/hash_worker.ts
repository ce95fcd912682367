/**
 * A worker that hashes a file piece by piece, so that the page stays live and no more
 * than a piece is in memory.
 *
 * In: a `File`. Out: `{ doneBytes }` after each piece, then `{ sha256 }`, or `{ error }`.
 *
 * @module
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { MIB } from "shared/limits.ts";
import { toHex } from "shared/bytes.ts";

const PIECE_BYTES = 4 * MIB;

/** What the worker says. */
export type HashMessage =
  | { readonly doneBytes: number }
  | { readonly sha256: string }
  | { readonly error: string };

const say = (message: HashMessage) => (self as unknown as Worker).postMessage(message);

async function hash(file: Blob): Promise<string> {
  const digest = sha256.create();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    const piece = await file.slice(at, at + PIECE_BYTES).arrayBuffer();
    digest.update(new Uint8Array(piece));
    say({ doneBytes: Math.min(file.size, at + PIECE_BYTES) });
  }
  return toHex(digest.digest());
}

self.addEventListener("message", (event) => {
  hash((event as MessageEvent<Blob>).data).then(
    (hex) => say({ sha256: hex }),
    // Such as a file that was changed or taken away while it was read.
    (cause: Error) => say({ error: cause.message }),
  );
});
