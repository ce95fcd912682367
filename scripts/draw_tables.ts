/**
 * Draws every machine and decision of the product into `docs/tables.md`, from the tables that run.
 *
 * Usage: deno task draw [--check]     (--check: fail when the file is not up to date)
 *
 * @module
 */
// deno-lint-ignore-file no-console
import type { Table } from "shared/machine.ts";
import { RULES } from "vehicle/bootloader/boot_choice.ts";
import { COMMITTED, RESUME, UPDATE, WAITS } from "vehicle/gateway/update_table.ts";

/** A machine, with one more word on each of its phases in every column. */
export interface Drawing {
  readonly title: string;
  readonly text: string;
  readonly file: string;
  readonly first: string;
  readonly table: Table<string, string>;
  readonly columns: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const MACHINES: readonly Drawing[] = [
  {
    title: "The update of a whole vehicle",
    text: "What the gateway's journal remembers. From `installing` to the end of `confirmAll` or " +
      "`rollBackAll` the vehicle is locked. An event is written down before what follows from it " +
      "is done; after a power cut each phase goes on as the third column says, and everything in " +
      "it can be done again.",
    file: "vehicle/gateway/update_table.ts",
    first: "idle",
    table: UPDATE,
    columns: {
      "after a power cut": RESUME,
      "waits for a lost ECU": mapped(WAITS, waitWords),
      "drive": mapped(UPDATE, (_, phase) => COMMITTED.some((one) => one === phase) ? "locked" : ""),
    },
  },
];

function mapped<T>(
  rows: Readonly<Record<string, T>>,
  word: (value: T, phase: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(rows).map(([phase, row]) => [phase, word(row, phase)]));
}

function waitWords(ms: number): string {
  if (ms === Infinity) return "as long as it takes";
  return ms === 0 ? "" : `${ms / 60_000} min, then \`failed\``;
}

/**
 * Draws one machine.
 *
 * @param drawing The machine.
 * @returns A Mermaid diagram and a table, as Markdown.
 */
export function drawMachine({ title, text, file, first, table, columns }: Drawing): string {
  const phases = Object.keys(table);
  const edges = phases.flatMap((phase) =>
    Object.entries(table[phase]!).map(([event, next]) => `    ${phase} --> ${next}: ${event}`)
  );
  const names = ["phase", "events", ...Object.keys(columns)];
  const rows = phases.map((phase) => {
    const events = Object.entries(table[phase]!).map(([event, next]) => `${event} → \`${next}\``);
    return [
      `\`${phase}\``,
      events.join("<br>"),
      ...Object.values(columns).map((one) => one[phase]!),
    ];
  });
  return [
    `## ${title}`,
    `${text} From \`${file}\`.`,
    ["```mermaid", "stateDiagram-v2", `    [*] --> ${first}`, ...edges, "```"].join("\n"),
    markdown(names, rows),
  ].join("\n\n");
}

/** The loader's rows: the first that fits decides. */
function drawBootChoice(): string {
  const words = (pattern: Readonly<Record<string, unknown>>) =>
    Object.entries(pattern).map(([key, value]) => value ? key : `not ${key}`).join(", ") || "any";
  const rows = RULES.map(([preferred, other, choice], i) => [
    String(i + 1),
    words({ ...preferred }),
    words({ ...other }),
    choice,
  ]);
  return [
    "## Which slot boots",
    "The slot of the higher priority is the preferred one. The first row that fits decides; the " +
    "last fits all. What it names is read back and proved before it runs; a slot that does not " +
    "hold is marked, and the rows are asked again. From `vehicle/bootloader/boot_choice.ts`.",
    markdown(["", "preferred slot", "other slot", "boots"], rows),
  ].join("\n\n");
}

/** A table whose columns stand under each other, as the formatter leaves it. */
function markdown(names: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = names.map((name, i) =>
    Math.max(3, name.length, ...rows.map((row) => row[i]!.length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(names), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join(
    "\n",
  );
}

/** The whole document. */
export function drawAll(): string {
  return [
    "# Tables",
    "Drawn from the tables that run by `deno task draw`; `deno task check` compares.",
    ...MACHINES.map(drawMachine),
    drawBootChoice(),
  ].join("\n\n") + "\n";
}

if (import.meta.main) {
  const file = new URL("../docs/tables.md", import.meta.url);
  const text = drawAll();
  const present = await Deno.readTextFile(file).catch(() => "");
  if (present === text) console.log("tables: ok");
  else if (Deno.args.includes("--check")) {
    console.error("docs/tables.md: not what the tables say; run deno task draw");
    Deno.exit(1);
  } else {
    await Deno.writeTextFile(file, text);
    console.log("tables: drawn");
  }
}
