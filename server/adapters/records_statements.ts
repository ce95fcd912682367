/**
 * Prepared statements on one connection, and JSON columns read through their schemas.
 *
 * @module
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { z } from "zod";

/** A row as SQLite gives it. */
export type Row = Record<string, unknown>;

/** Made once: making a schema costs more than most rows cost to read. */
const Json = z.string();

/**
 * Reads a JSON column.
 *
 * @param schema What it must be.
 * @param text The column.
 * @returns Its value.
 * @throws {z.ZodError} If it is something else.
 */
export function json<T>(schema: z.ZodType<T>, text: unknown): T {
  return schema.parse(JSON.parse(Json.parse(text)));
}

/** The same of a column that may be NULL. */
export function jsonOrNull<T>(schema: z.ZodType<T>, text: unknown): T | null {
  return text === null ? null : json(schema, text);
}

/** JSON for a column that may be NULL. */
export function textOrNull(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

/** Each statement is prepared once. */
export class Statements {
  readonly #statements = new Map<string, StatementSync>();

  constructor(readonly db: DatabaseSync) {}

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, statement = this.db.prepare(sql));
    return statement;
  }

  /** The first row, if there is one. */
  protected one<T>(
    sql: string,
    read: (row: Row) => T,
    ...values: SQLInputValue[]
  ): Promise<T | undefined> {
    const row = this.#prepare(sql).get(...values);
    return Promise.resolve(row === undefined ? undefined : read(row));
  }

  /** Every row. */
  protected all<T>(sql: string, read: (row: Row) => T, ...values: SQLInputValue[]): Promise<T[]> {
    return Promise.resolve(this.#prepare(sql).all(...values).map(read));
  }

  /** @returns Whether a row was changed. */
  protected run(sql: string, ...values: SQLInputValue[]): Promise<boolean> {
    return Promise.resolve(Number(this.#prepare(sql).run(...values).changes) > 0);
  }
}
