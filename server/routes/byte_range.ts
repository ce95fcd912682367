/**
 * One byte range of RFC 9110 section 14. Pure.
 *
 * @module
 */

/** What to send: everything, a part (both ends inside), or a refusal. */
export type RangeAnswer =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly first: number; readonly last: number }
  | { readonly kind: "unsatisfiable" };

const WHOLE: RangeAnswer = { kind: "whole" };

/**
 * Reads a Range header field. A unit we do not know, a malformed field and several ranges at once
 * are ignored, as 14.2 allows: the answer is then the whole, and a client that resumes loses
 * nothing but time.
 *
 * @param range The field, or `null`.
 * @param lengthBytes Length of what is there; above zero.
 * @returns What to send.
 */
export function chooseRange(range: string | null, lengthBytes: number): RangeAnswer {
  const match = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(range ?? "");
  if (match === null) return WHOLE;
  const [from, to] = [match[1]!, match[2]!];
  if (from === "") {
    if (to === "") return WHOLE;
    const suffix = Math.min(Number(to), lengthBytes); // 14.1.2: a longer suffix is the whole.
    if (suffix === 0) return { kind: "unsatisfiable" };
    return { kind: "part", first: lengthBytes - suffix, last: lengthBytes - 1 };
  }
  const first = Number(from);
  const last = to === "" ? lengthBytes - 1 : Number(to);
  if (to !== "" && last < first) return WHOLE; // 14.1.1: such a range is invalid.
  if (first >= lengthBytes) return { kind: "unsatisfiable" };
  return { kind: "part", first, last: Math.min(last, lengthBytes - 1) };
}
