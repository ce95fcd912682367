/**
 * The five notes of UN R156 7.2.2.2, as a publisher gives them: a line of text or a file.
 *
 * @module
 */
import { MAX_JSON_BYTES } from "shared/limits.ts";
import { Notes } from "shared/protocol/common.ts";
import { parseAs, parseJsonAs } from "shared/parse.ts";
import { UpdateFailure } from "shared/failure.ts";
import { z } from "zod";
import { NOTE_DEFAULTS, NOTE_NAMES } from "./help.ts";

/**
 * Notes from one line.
 *
 * @param purpose The purpose, with its criticality.
 * @returns All five: the other four are {@linkcode NOTE_DEFAULTS}.
 * @throws {UpdateFailure} `noteEmpty` if the line is blank.
 */
export function notesFromText(purpose: string): Notes {
  return checkNotes({ ...NOTE_DEFAULTS, purpose }, "--notes");
}

/**
 * Notes from a file: JSON, or lines of `key: value` where indented lines go on with
 * the value above, an empty value or `|` is followed by indented lines, and `#` begins a comment.
 *
 * @example Usage
 * ```ts
 * import { notesFromFile } from "server/cli/notes.ts";
 * import { assertEquals } from "@std/assert/mod.js";
 *
 * const text = "purpose: Maps\nchanges: New roads\nminutes: 5\nunavailable: Navigation\n" +
 *   "instructions: Park\n  and wait\n";
 * assertEquals(notesFromFile(text, "notes.txt").instructions, "Park\nand wait");
 * ```
 *
 * @param text What the file holds.
 * @param name Its name, for messages.
 * @returns All five.
 * @throws {UpdateFailure} `noteEmpty` if one is missing or blank, `badRequest` if the file
 * cannot be read, has another key, or `minutes` is no number of 1 to 1440.
 */
export function notesFromFile(text: string, name: string): Notes {
  const plain = text.startsWith("\uFEFF") ? text.slice(1) : text;
  if (plain.trimStart().startsWith("{")) {
    const options = { what: `notes of ${name}`, maxBytes: MAX_JSON_BYTES };
    return checkNotes(parseJsonAs(z.record(z.string(), z.unknown()), plain, options), name);
  }
  return checkNotes(parseLines(plain, name), name);
}

function checkNotes(found: Record<string, unknown>, name: string): Notes {
  for (const key of NOTE_NAMES) {
    const value = found[key];
    if (value === undefined || value === null || String(value).trim() === "") {
      const state = value === undefined ? "missing" : "empty";
      throw new UpdateFailure(
        "noteEmpty",
        key,
        `Cannot use the notes of ${name}: note "${key}" is ${state}`,
      );
    }
  }
  const minutes = typeof found.minutes === "string" && /^\s*\d{1,6}\s*$/.test(found.minutes)
    ? Number(found.minutes)
    : found.minutes;
  return parseAs(Notes, { ...found, minutes }, { what: `notes of ${name}` });
}

function parseLines(text: string, name: string): Record<string, string> {
  const found: Record<string, string> = {};
  let key: string | undefined;
  for (const [i, line] of text.split(/\r\n|\n|\r/).entries()) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    if (/^\s/.test(line) && key !== undefined) {
      found[key] += found[key] === "" ? line.trim() : `\n${line.trim()}`;
      continue;
    }
    const [, word, value] = /^([A-Za-z]+)\s*:(?:\s+(.*))?$/.exec(line.trimEnd()) ?? [];
    if (word === undefined) {
      throw refusal(name, `line ${i + 1} is not like "purpose: text"`);
    }
    if (word in found) throw refusal(name, `line ${i + 1} gives "${word}" again`);
    key = word;
    found[key] = unquote(value ?? "");
  }
  return found;
}

/** YAML's marks for text over several lines, and quotes around a value, mean nothing here. */
function unquote(value: string): string {
  const trimmed = value.trim();
  if (/^[|>][+-]?$/.test(trimmed)) return "";
  const [, , inside] = /^(["'])(.*)\1$/.exec(trimmed) ?? [];
  return inside ?? trimmed;
}

function refusal(name: string, found: string): UpdateFailure {
  return new UpdateFailure("badRequest", "notes", `Cannot read the notes of ${name}: ${found}`);
}
