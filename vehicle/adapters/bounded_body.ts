/**
 * Reads answers of a server, which may lie about their length, never end, or expand a few bytes
 * to many.
 *
 * @module
 */
import { concatBytes } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";

/**
 * Reads the body of an answer.
 *
 * @param answer The answer.
 * @param maxBytes The most it may have, after decompression.
 * @returns All of it.
 * @throws {UpdateFailure} `metadataInvalid` If it is longer; the rest is not read. Other errors
 * mean that the line broke.
 */
export async function boundedBody(
  answer: Response,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body ?? []) {
    length += part.length;
    if (length > maxBytes) {
      throw new UpdateFailure(
        "metadataInvalid",
        answer.url,
        `Cannot read answer: more than ${maxBytes} bytes`,
      );
    }
    parts.push(part);
  }
  return concatBytes(...parts);
}
