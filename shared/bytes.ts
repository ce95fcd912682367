/**
 * Bytes: hex, comparison, joining.
 *
 * @module
 */

/**
 * Lower-case hex.
 *
 * @param bytes The bytes.
 * @returns Two characters a byte.
 */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/**
 * Bytes from hex.
 *
 * @param text An even number of hex digits.
 * @returns The bytes.
 * @throws {SyntaxError} If it is not hex.
 */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^([0-9a-f]{2})*$/i.test(text)) {
    throw new SyntaxError(`Cannot read hex: found "${text.slice(0, 80)}"`);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/**
 * Whether two byte strings are the same; not constant in time.
 *
 * @param a One.
 * @param b The other.
 * @returns Whether they are equal.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * Joins byte strings.
 *
 * @param parts The parts, in order.
 * @returns One array with all of them.
 */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = (n >>> 1) ^ (0xEDB88320 & -(n & 1));
  return n >>> 0;
});

/**
 * CRC-32 as in IEEE 802.3 and zlib.
 *
 * @param bytes The bytes.
 * @returns The checksum, unsigned.
 */
export function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]!;
  return ~crc >>> 0;
}
