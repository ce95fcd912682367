/**
 * What a command prints: results on stdout, everything else on stderr.
 *
 * @module
 */
import { causesOf, type CommandError } from "./exit.ts";
import { Progress } from "./progress.ts";

/** Where text goes; a file or a terminal. */
export interface Sink {
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

/** How a command prints. */
export interface OutputOptions {
  /** One JSON object a line on stdout. */
  readonly json: boolean;
  /** No progress and no notes. */
  readonly quiet: boolean;
}

/** The two streams of a command. */
export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly #stdout: Sink;
  readonly #stderr: Sink;

  /**
   * @param options How to print.
   * @param sinks Other streams than the process has, for tests.
   */
  constructor(options: OutputOptions, sinks: { stdout?: Sink; stderr?: Sink } = {}) {
    this.json = options.json;
    this.quiet = options.quiet;
    this.#stdout = sinks.stdout ?? Deno.stdout;
    this.#stderr = sinks.stderr ?? Deno.stderr;
  }

  /**
   * One result.
   *
   * @param value The JSON object that `--json` prints.
   * @param text What a person reads; may have several lines.
   */
  result(value: unknown, text: string): void {
    write(this.#stdout, this.json ? `${JSON.stringify(value)}\n` : `${printable(text)}\n`);
  }

  /**
   * Results with many columns: a JSON line each, or one table for a person.
   *
   * @param rows The JSON objects.
   * @param table The heads of the columns, and a row of cells for each object.
   * @param empty What a person reads when there is none.
   */
  table<T>(
    rows: readonly T[],
    table: { readonly heads: readonly string[]; readonly cells: (row: T) => readonly string[][] },
    empty: string,
  ): void {
    if (this.json) {
      for (const row of rows) this.result(row, "");
      return;
    }
    if (rows.length === 0) return this.result(null, empty);
    this.result(null, layOut([table.heads, ...rows.flatMap(table.cells)]));
  }

  /**
   * Something a person may want to know while waiting.
   *
   * @param text One line.
   */
  note(text: string): void {
    if (!this.quiet) write(this.#stderr, `${printable(text)}\n`);
  }

  /**
   * Progress of long work: a bar on a terminal, plain lines elsewhere.
   *
   * @param label What is being done.
   * @param totalBytes How much there is.
   * @returns Told of every step.
   */
  progress(label: string, totalBytes: number): Progress {
    return new Progress({
      label,
      totalBytes,
      terminal: this.#stderr.isTerminal(),
      write: (text) => this.quiet || write(this.#stderr, text),
      now: () => performance.now(),
    });
  }

  /**
   * Why a command ended without success: what, why, and what to do.
   *
   * @param error The error.
   */
  error(error: CommandError): void {
    const { code, name, remedy } = error.facts;
    const text = [`error: ${error.message} [${code} ${name}]`];
    for (const cause of causesOf(error)) text.push(`  because: ${cause}`);
    text.push(`  remedy: ${remedy}`);
    write(this.#stderr, `${text.map(printable).join("\n")}\n`);
    if (!this.json) return;
    const line = { error: { code, name, message: error.message, remedy } };
    write(this.#stderr, `${JSON.stringify(line)}\n`);
  }
}

const encoder = new TextEncoder();

/** Pipes take what they can: the rest is written until all is gone. */
function write(sink: Sink, text: string): void {
  let bytes = encoder.encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(sink.writeSync(bytes));
  } catch (error) {
    // The reader has seen enough, as `head` does: nobody is left to tell.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/**
 * Text of others, made safe for a terminal: control characters could move its cursor.
 *
 * @param text Any text.
 * @returns The same with control characters but newline replaced.
 */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what this is about
  return text.replace(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/g, "\uFFFD");
}

/**
 * Columns.
 *
 * @param rows Cells; the first row are the heads.
 * @returns The rows as lines, cells padded to the widest of their column.
 */
export function layOut(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  }
  return rows
    .map((row) => row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd())
    .join("\n");
}
