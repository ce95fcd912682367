/**
 * Unknown bytes and values to typed ones, naming the path that was wrong.
 *
 * @module
 */
import type { z } from "zod";
import { type FailureName, UpdateFailure } from "./failure.ts";

/**
 * Checks a value against a schema. An object whose `v` is another number fails as
 * `schemaUnknown`, whatever else is wrong with it: it was made by another version.
 *
 * @param schema What it must be.
 * @param value What came.
 * @param options What it is called in the message, and the failure to use.
 * @returns The typed value.
 * @throws {UpdateFailure} If it does not fit.
 */
export function parseAs<T>(
  schema: z.ZodType<T>,
  value: unknown,
  options: { readonly what: string; readonly failure?: FailureName },
): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const v = value !== null && typeof value === "object" ? (value as { v?: unknown }).v : undefined;
  if (typeof v === "number" && v !== 1) {
    throw new UpdateFailure(
      "schemaUnknown",
      options.what,
      `Cannot read ${options.what}: schema version ${v} is unknown, this version reads 1`,
    );
  }
  const issues = result.error.issues.slice(0, 4).map((issue) =>
    `${issue.path.map(String).join(".") || "value"}: ${issue.message}`
  );
  const first = result.error.issues[0]?.path.map(String).join(".") ?? "";
  throw new UpdateFailure(
    options.failure ?? "badRequest",
    first || options.what,
    `Cannot read ${options.what}: ${issues.join("; ")}`,
  );
}

/** Nesting that no message of ours needs; deeper input is refused before it is parsed. */
const MAX_DEPTH = 32;

/**
 * Parses JSON text and checks it.
 *
 * @param schema What it must be.
 * @param text The text.
 * @param options What it is called, the failure to use, and the most bytes it may have.
 * @returns The typed value.
 * @throws {UpdateFailure} If it is too long, too deep, no JSON or does not fit.
 */
export function parseJsonAs<T>(
  schema: z.ZodType<T>,
  text: string | Uint8Array,
  options: { readonly what: string; readonly failure?: FailureName; readonly maxBytes: number },
): T {
  const { what, failure = "badRequest", maxBytes } = options;
  if (text.length > maxBytes) {
    throw new UpdateFailure(
      failure,
      what,
      `Cannot read ${what}: ${text.length} bytes, at most ${maxBytes}`,
    );
  }
  let value: unknown;
  try {
    const plain = typeof text === "string"
      ? text
      : new TextDecoder("utf-8", { fatal: true }).decode(text);
    refuseDepth(plain, MAX_DEPTH);
    value = JSON.parse(plain);
  } catch (cause) {
    throw new UpdateFailure(failure, what, `Cannot read ${what}: ${(cause as Error).message}`, {
      cause,
    });
  }
  return parseAs(schema, value, { what, failure });
}

/**
 * Counts brackets outside strings: cheap, and the parser never sees a tower of them.
 *
 * @param text JSON, or what claims to be.
 * @param maxDepth Objects and lists within each other.
 * @throws {SyntaxError} If it is deeper.
 */
export function refuseDepth(text: string, maxDepth: number): void {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (quoted) {
      if (char === 0x5C) i++;
      else if (char === 0x22) quoted = false;
    } else if (char === 0x22) quoted = true;
    else if (char === 0x5B || char === 0x7B) {
      if (++depth > maxDepth) throw new SyntaxError(`nested deeper than ${maxDepth}`);
    } else if (char === 0x5D || char === 0x7D) depth--;
  }
}
