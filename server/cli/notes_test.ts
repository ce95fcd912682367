import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert/mod.js";
import fc from "fast-check";
import { UpdateFailure } from "shared/failure.ts";
import { NOTE_DEFAULTS, NOTE_NAMES } from "./help.ts";
import { notesFromFile, notesFromText } from "./notes.ts";

const WHOLE = {
  purpose: "Fixes the radio; not critical",
  changes: "Radio keeps its station",
  minutes: 7,
  unavailable: "Radio and navigation",
  instructions: "Park and wait",
};

function asLines(notes: Record<string, unknown>): string {
  return Object.entries(notes).map(([key, value]) => `${key}: ${value}\n`).join("");
}

Deno.test("notesFromText() fills the purpose and takes the stated defaults for the others", () => {
  assertEquals(notesFromText("  New maps "), { ...NOTE_DEFAULTS, purpose: "New maps" });
});

Deno.test("notesFromText() refuses blank text as an empty purpose", () => {
  for (const blank of ["", "  ", "\n\t"]) {
    const error = assertThrows(() => notesFromText(blank), UpdateFailure, "purpose");
    assertEquals(error.failure, "noteEmpty");
  }
});

Deno.test("notesFromFile() reads JSON and lines alike", () => {
  assertEquals(notesFromFile(JSON.stringify(WHOLE), "n.json"), WHOLE);
  assertEquals(notesFromFile(`\uFEFF${JSON.stringify(WHOLE)}`, "n.json"), WHOLE);
  assertEquals(notesFromFile(asLines(WHOLE), "n.txt"), WHOLE);
  assertEquals(notesFromFile(asLines(WHOLE).replaceAll("\n", "\r\n"), "n.txt"), WHOLE);
});

Deno.test("notesFromFile() joins indented lines, drops comments, quotes and block marks", () => {
  const text = `# For the fleet
purpose: "Fixes the radio: not critical"
changes: |
  Radio keeps its station

  Louder horn
minutes: '7'
unavailable:
  Radio
instructions: Park
  and wait
`;
  assertEquals(notesFromFile(text, "n.yaml"), {
    purpose: "Fixes the radio: not critical",
    changes: "Radio keeps its station\nLouder horn",
    minutes: 7,
    unavailable: "Radio",
    instructions: "Park\nand wait",
  });
});

Deno.test("notesFromFile() refuses each note that is missing, empty or blank, by its name", () => {
  for (const name of NOTE_NAMES) {
    const missing: Record<string, unknown> = { ...WHOLE };
    delete missing[name];
    const broken = [missing, { ...WHOLE, [name]: "" }, { ...WHOLE, [name]: "   " }];
    for (const notes of broken) {
      for (const text of [JSON.stringify(notes), asLines(notes)]) {
        const error = assertThrows(() => notesFromFile(text, "n"), UpdateFailure, `"${name}"`);
        assertEquals([error.failure, error.subject], ["noteEmpty", name]);
      }
    }
  }
});

Deno.test("notesFromFile() refuses what it cannot read, saying what it found", () => {
  const refused: [string, string][] = [
    ["{", "JSON"],
    ["[1]", 'is not like "purpose: text"'],
    ["just words", "line 1 is not like"],
    [asLines(WHOLE) + "purpose: again\n", 'gives "purpose" again'],
    [asLines({ ...WHOLE, extra: "x" }), "extra"],
    [asLines({ ...WHOLE, minutes: "soon" }), "minutes"],
    [JSON.stringify({ ...WHOLE, minutes: 0 }), "minutes"],
    [JSON.stringify({ ...WHOLE, purpose: "x".repeat(2001) }), "purpose"],
  ];
  for (const [text, says] of refused) {
    const error = assertThrows(() => notesFromFile(text, "n.txt"), UpdateFailure);
    assertEquals(error.failure, "badRequest", text);
    assertStringIncludes(error.message, says);
  }
});

Deno.test("notesFromFile() ends in notes or in a failure on any text", () => {
  const line = fc.oneof(fc.string(), fc.constantFrom(...asLines(WHOLE).split("\n")));
  fc.assert(fc.property(fc.array(line), (lines) => {
    try {
      const notes = notesFromFile(lines.join("\n"), "n");
      assertEquals(Object.keys(notes).sort(), [...NOTE_NAMES].sort());
    } catch (error) {
      assert(error instanceof UpdateFailure, String(error));
    }
  }));
});
