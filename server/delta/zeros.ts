/**
 * Zeros, which large images are full of.
 *
 * @module
 */

/**
 * Whether all bytes are zero.
 *
 * @param bytes Any bytes.
 * @returns True for none as well.
 */
export function isZero(bytes: Uint8Array): boolean {
  let at = 0;
  for (; at < bytes.length && (bytes.byteOffset + at) % 4 !== 0; at++) {
    if (bytes[at] !== 0) return false;
  }
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (bytes.length - at) >> 2);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  for (at += words.length * 4; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}
