/**
 * What the end of a runner's process says about its image.
 *
 * @module
 */
import type { ImageEnd } from "vehicle/ports.ts";

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number;
  /** The signal's name, if one ended it. */
  readonly signal: string | null;
}

/** What V8, Rust and the C library say when memory is exhausted. */
const MEMORY_WORDS = /out of memory|memory allocation of \d+ bytes failed|Cannot allocate memory/i;
/** What V8 says of a fault of its own, which it ends by the same trap. */
const FAULT_WORDS = /Check failed|Debug check failed|unreachable code/i;
/** Characters of stderr that go into a record. */
const MAX_DETAIL_CHARS = 1000;

/**
 * Judges a runner that ended without a last word.
 *
 * @param end How its process ended; nobody asked it to.
 * @param stderr The end of what it wrote there.
 * @returns How the image ended.
 */
export function judgeProcessEnd(end: ProcessEnd, stderr: string): ImageEnd {
  const said = firstWords(stderr);
  const detail = (what: string) => (said === "" ? what : `${what}: ${said}`);
  if (MEMORY_WORDS.test(stderr)) return { kind: "memory", detail: detail("Memory exhausted") };
  switch (end.signal) {
    case "SIGTRAP": // V8 ends itself so when its heap is full.
      return FAULT_WORDS.test(stderr)
        ? { kind: "crash", detail: detail("Ended by SIGTRAP") }
        : { kind: "memory", detail: detail("Heap exhausted, ended by SIGTRAP") };
    case "SIGKILL":
      return {
        kind: "exit",
        detail: detail("Ended by SIGKILL, by itself or by a machine that is out of memory"),
      };
    case "SIGSEGV":
    case "SIGBUS":
    case "SIGILL":
    case "SIGABRT":
    case "SIGFPE":
      return { kind: "crash", detail: detail(`Ended by ${end.signal}`) };
    case null:
      return { kind: "exit", detail: detail(`Its process ended with code ${end.code}`) };
    default:
      return { kind: "exit", detail: detail(`Its process was ended by ${end.signal}`) };
  }
}

/** The telling lines of stderr, without colours, frames and addresses. */
function firstWords(stderr: string): string {
  // deno-lint-ignore no-control-regex -- colours of the terminal, which have no place in a record
  const lines = stderr.replaceAll(/\x1b\[[0-9;]*m/g, "").split("\n").map((line) => line.trim());
  const telling = lines.filter((line) =>
    /[a-z]{3}/i.test(line) && !/^(at |\/|==== C stack trace|\[\d+:|<---)/.test(line)
  );
  return telling.map((line) => line.replace(/^#\s*/, "")).join("; ").slice(0, MAX_DETAIL_CHARS);
}
