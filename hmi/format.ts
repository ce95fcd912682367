/**
 * Numbers in words a person reads at a glance: sizes, times, percentages.
 *
 * @module
 */
import { MIB } from "shared/limits.ts";

/**
 * A size as people know it from their files: `512 B`, `38 kB`, `412 MB`, `1.2 GB`.
 *
 * @param bytes Bytes, 0 or more.
 * @returns Text with a decimal unit; one decimal below ten of it.
 */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  // 999.5 would be rounded to 1000 of the smaller unit.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/**
 * A rate of transfer.
 *
 * @param bytesPerSecond Bytes a second.
 * @returns Such as `4.2 MB/s`.
 */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/**
 * A span, rounded to what helps: seconds below two minutes, minutes below two hours.
 *
 * @param seconds Seconds, 0 or more.
 * @returns Such as `40 s`, `6 min`, `3 h`.
 */
export function formatSpan(seconds: number): string {
  if (seconds < 119.5) return `${Math.round(seconds)} s`;
  if (seconds < 7170) return `${Math.round(seconds / 60)} min`;
  if (seconds < 47.5 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/**
 * How long ago something was.
 *
 * @param at ISO 8601.
 * @param nowMs Milliseconds since the Unix epoch.
 * @returns Such as `just now`, `2 h ago`.
 */
export function formatAgo(at: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(at)) / 1000;
  return seconds < 10 ? "just now" : `${formatSpan(seconds)} ago`;
}

/**
 * A share in whole percent. Never 100 before all is done, never 0 once begun:
 * both would be read as something that is not so.
 *
 * @param done How much is done.
 * @param total Of how much.
 * @returns 0 to 100.
 */
export function percent(done: number, total: number): number {
  if (total <= 0 || done <= 0) return 0;
  if (done >= total) return 100;
  return Math.min(99, Math.max(1, Math.round(100 * done / total)));
}

/**
 * The chunk to send next, so that one takes about two seconds on any line: progress
 * stays visible on a slow one, and a fast one is not held up by round trips.
 *
 * @param bytes Length of the last chunk.
 * @param tookMs How long it took.
 * @returns Length of the next one, between 256 KiB and 8 MiB.
 */
export function nextChunkBytes(bytes: number, tookMs: number): number {
  const wanted = tookMs <= 0 ? 8 * MIB : bytes * 2000 / tookMs;
  return Math.round(Math.min(8 * MIB, Math.max(MIB / 4, Math.min(wanted, bytes * 4))));
}
