/**
 * Types of the functions that we use from `npm:deno-std`, which ships JavaScript only.
 *
 * @module
 */
declare module "@std/assert/mod.js" {
  export class AssertionError extends Error {}
  export function assert(holds: unknown, message?: string): asserts holds;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertGreater<T>(actual: T, expected: T, message?: string): void;
  export function assertLess<T>(actual: T, expected: T, message?: string): void;
  export function assertInstanceOf<T>(
    actual: unknown,
    // deno-lint-ignore no-explicit-any -- any constructor will do
    expected: abstract new (...args: any[]) => T,
    message?: string,
  ): asserts actual is T;
  export function assertThrows<E extends Error = Error>(
    run: () => unknown,
    // deno-lint-ignore no-explicit-any -- any constructor will do
    type?: abstract new (...args: any[]) => E,
    includes?: string,
    message?: string,
  ): E;
  export function assertRejects<E extends Error = Error>(
    run: () => PromiseLike<unknown>,
    // deno-lint-ignore no-explicit-any -- any constructor will do
    type?: abstract new (...args: any[]) => E,
    includes?: string,
    message?: string,
  ): Promise<E>;
  export function fail(message?: string): never;
}
declare module "@std/async/deadline.js" {
  export class DeadlineError extends Error {}
  export function deadline<T>(
    promise: Promise<T>,
    ms: number,
    options?: { signal?: AbortSignal },
  ): Promise<T>;
}
declare module "@std/fmt/bytes.js" {
  export function format(
    bytes: number,
    options?: { binary?: boolean; maximumFractionDigits?: number },
  ): string;
}
declare module "@std/fmt/duration.js" {
  export function format(
    ms: number,
    options?: { style?: "narrow" | "full" | "digital"; ignoreZero?: boolean },
  ): string;
}
declare module "@std/http/etag.js" {
  export function ifNoneMatch(value: string | null, etag: string | undefined): boolean;
  export function ifMatch(value: string | null, etag: string | undefined): boolean;
}
declare module "@std/cli/prompt_secret.js" {
  export function promptSecret(
    message?: string,
    options?: { mask?: string; clear?: boolean },
  ): string | null;
}
declare module "@std/path/posix/basename.js" {
  export function basename(path: string): string;
}

/** The part of `npm:seek-bzip` that `shared/node/bunzip2.ts` uses; the package has no types. */
declare module "seek-bzip" {
  class Stream {
    readByte: () => number;
    writeByte: (byte: number) => void;
  }
  export default class Bunzip {
    static readonly Stream: typeof Stream;
    static decode(stream: Uint8Array): Uint8Array;
    readonly reader: { read(bits: number): number };
    readonly streamCRC: number;
    /** The decoded block before the inverse transform, and where reading it begins. */
    readonly dbuf: Uint32Array;
    readonly writePos: number;
    readonly writeCurrent: number;
    readonly writeCount: number;
    readonly writeRun: number;
    readonly blockCRC: { getCRC(): number; updateCRCRun(byte: number, count: number): void };
    readonly targetBlockCRC: number;
    constructor(input: Stream, output: Stream);
    _init_block(): boolean;
  }
}
