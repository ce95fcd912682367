/**
 * Writes the sparse difference streams that shared/delta/transforms.ts reads.
 *
 * @module
 */
import { VarintWriter } from "shared/delta/segment_varint.ts";
import { ESCAPE, type SparseShape, WORD_KINDS, wordChange } from "shared/delta/transforms.ts";
import type { PieceList } from "./pieces.ts";

/** The changes of one kind of units. */
class ChangeList {
  /** Unchanged units since the last change. */
  run = 0;
  readonly gaps = new VarintWriter();
  readonly values: number[] = [];

  constructor(readonly unitBytes: number) {}

  change(value: number): void {
    this.gaps.unsigned(this.run);
    this.values.push(value);
    this.run = 0;
  }
}

/**
 * Writes the difference of a segment in one of the sparse shapes.
 *
 * @param segment Its bytes.
 * @param from The base bytes of every piece, at the place of the image bytes.
 * @param pieces The pieces; those without a difference are passed over.
 * @param options The shape, where the segment begins in the image, and which pieces differ.
 * @returns The stream, not compressed.
 */
export function writeSparse(
  segment: Uint8Array,
  from: Uint8Array,
  pieces: PieceList,
  options: {
    readonly shape: SparseShape;
    readonly imageOffset: number;
    readonly differs: Uint8Array;
  },
): Uint8Array {
  const { shape, imageOffset, differs } = options;
  const { unitBytes } = shape;
  const lists: ChangeList[] = [];
  for (let i = 0; i < shape.kinds; i++) lists.push(new ChangeList(unitBytes));
  if (unitBytes > 1) lists.push(new ChangeList(1));
  const odd = lists.at(-1)!;
  for (let i = 0; i < pieces.count; i++) {
    if (differs[i] === 0) continue;
    const [at, end] = [pieces.at[i]!, pieces.at[i]! + pieces.length[i]!];
    const first = Math.min((at + unitBytes - 1) & -unitBytes, end);
    const last = Math.max(end & -unitBytes, first);
    const aligned = (pieces.base[i]! - imageOffset - at) % 4 === 0;
    byteChanges(segment, from, at, first, odd);
    if (unitBytes === 4) wordChanges(segment, from, first, last, aligned ? lists : [lists[0]!]);
    else if (unitBytes === 2) halfwordChanges(segment, from, first, last, lists[0]!);
    else byteChanges(segment, from, first, last, lists[0]!);
    byteChanges(segment, from, last, end, odd);
  }
  return serialize(lists);
}

function byteChanges(
  segment: Uint8Array,
  from: Uint8Array,
  start: number,
  end: number,
  list: ChangeList,
): void {
  for (let at = start; at < end; at++) {
    if (segment[at] === from[at]) list.run++;
    else list.change((segment[at]! - from[at]!) & 0xFF);
  }
}

function halfwordChanges(
  segment: Uint8Array,
  from: Uint8Array,
  start: number,
  end: number,
  list: ChangeList,
): void {
  for (let at = start; at < end; at += 2) {
    if (segment[at] === from[at] && segment[at + 1] === from[at + 1]) list.run++;
    else {
      const [to, old] = [segment[at]! | segment[at + 1]! << 8, from[at]! | from[at + 1]! << 8];
      list.change((to - old) & 0xFFFF);
    }
  }
}

function wordChanges(
  segment: Uint8Array,
  from: Uint8Array,
  start: number,
  end: number,
  lists: readonly ChangeList[],
): void {
  const byKind = lists.length > 1;
  for (let at = start; at < end; at += 4) {
    const kind = byKind ? WORD_KINDS[from[at + 3]!]! : 0;
    const [old, to] = [wordAt(from, at), wordAt(segment, at)];
    const list = lists[kind]!;
    if (old === to) list.run++;
    else list.change(wordChange(kind, old, to));
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
}

/** The values of a list as they are written. */
interface Values {
  readonly dictionary: readonly number[];
  readonly indices: Uint8Array;
  readonly escapes: readonly number[];
}

function serialize(lists: readonly ChangeList[]): Uint8Array {
  const head = new VarintWriter();
  const values = lists.map(chooseValues);
  let length = 0;
  for (const [i, list] of lists.entries()) {
    const { dictionary, indices, escapes } = values[i]!;
    head.unsigned(list.gaps.bytes.length);
    head.unsigned(list.values.length);
    head.unsigned(dictionary.length);
    head.unsigned(escapes.length);
    length += list.gaps.bytes.length + indices.length +
      (dictionary.length + escapes.length) * list.unitBytes;
  }
  const stream = new Uint8Array(head.bytes.length + length);
  stream.set(head.bytes);
  let at = head.bytes.length;
  for (const { gaps } of lists) {
    stream.set(gaps.bytes, at);
    at += gaps.bytes.length;
  }
  for (const [i, { unitBytes }] of lists.entries()) {
    const { dictionary, indices, escapes } = values[i]!;
    at = writeValues(stream, at, dictionary, unitBytes);
    stream.set(indices, at);
    at = writeValues(stream, at + indices.length, escapes, unitBytes);
  }
  return stream;
}

function writeValues(
  stream: Uint8Array,
  start: number,
  values: readonly number[],
  unitBytes: number,
): number {
  let at = start;
  for (const value of values) {
    for (let i = 0; i < unitBytes; i++) stream[at++] = value >>> (8 * i);
  }
  return at;
}

/** Frequent values get an index of one byte, where that is shorter. */
function chooseValues({ values, unitBytes }: ChangeList): Values {
  const plain = { dictionary: [], indices: new Uint8Array(0), escapes: values };
  if (unitBytes === 1 || values.length < 2) return plain;
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const dictionary = [...counts].filter(([, count]) => count > 1)
    .sort(([a, countA], [b, countB]) => countB - countA || a - b)
    .slice(0, ESCAPE).map(([value]) => value);
  const places = new Map(dictionary.map((value, i) => [value, i]));
  const indices = new Uint8Array(values.length);
  const escapes: number[] = [];
  for (const [i, value] of values.entries()) {
    const place = places.get(value);
    indices[i] = place ?? ESCAPE;
    if (place === undefined) escapes.push(value);
  }
  const bytes = (dictionary.length + escapes.length) * unitBytes + indices.length;
  return dictionary.length > 0 && bytes < values.length * unitBytes
    ? { dictionary, indices, escapes }
    : plain;
}
