/**
 * Sends a part of a file through `node:http` with two buffers in turn: one goes out while the
 * other is filled. A fresh buffer for every piece would keep some 30 MB of garbage alive while a
 * 400 MB image leaves (measured); this keeps none.
 *
 * @module
 */
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import { KIB } from "shared/limits.ts";
import type { FilePart } from "../routes/carrier_route.ts";

/**
 * Before 2.9, Deno's `node:http` calls back before the bytes have left: a buffer used again then
 * sends later bytes in the place of earlier ones, which the slot's digest refuses.
 */
const CALLS_BACK_EARLY = /^2\.[0-8]\./.test(Deno.version.deno);

/** A slow vehicle holds two of these and no more. */
const BUFFER_BYTES = 128 * KIB;

/**
 * Begins to send.
 *
 * @param outgoing The answer, to which nothing was written yet.
 * @param line The connection. An answer that still waits for earlier ones on its connection never
 * hears that it broke, and its file would stay open for ever.
 * @param part What to send; its file is closed in the end.
 * @param status The status.
 * @param headers The header fields.
 * @returns What tells the framework that the answer is taken care of.
 */
export function sendPart(
  outgoing: ServerResponse | Http2ServerResponse,
  line: Socket,
  part: FilePart,
  status: number,
  headers: Headers,
): Response {
  const target = outgoing as ServerResponse;
  target.writeHead(status, Object.fromEntries(headers));
  pump(target, line, part).then(() => target.end(), () => target.destroy()); // The vehicle resumes.
  return RESPONSE_ALREADY_SENT;
}

async function pump(target: ServerResponse, line: Socket, part: FilePart): Promise<void> {
  const { file, start, end, sent } = part;
  try {
    const size = Math.min(BUFFER_BYTES, end - start);
    const buffers = [new Uint8Array(size), new Uint8Array(size)] as const;
    let written: Promise<void> = Promise.resolve();
    for (let at = start, turn = 0; at < end; turn++) {
      const buffer = buffers[turn % 2]!.subarray(0, end - at);
      const count = await file.readInto(at, buffer);
      if (count < buffer.length) throw new Error(`Cannot send carrier: it ends at ${at + count}`);
      at += count;
      await written; // Until then the other buffer is not ours.
      written = write(target, line, buffer);
      written.catch(() => undefined); // Heard at the next await.
      sent(count);
    }
    await written;
  } finally {
    file.close();
  }
}

/** Resolves when the bytes have left; rejects when the line is gone. */
function write(target: ServerResponse, line: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (target.destroyed || line.destroyed) return reject(new Error("the line is gone"));
    const gone = () => reject(new Error("the line is gone"));
    target.once("close", gone);
    line.once("close", gone);
    target.write(CALLS_BACK_EARLY ? bytes.slice() : bytes, (error) => {
      target.off("close", gone);
      line.off("close", gone);
      error ? reject(error) : resolve();
    });
  });
}
