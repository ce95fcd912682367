/**
 * Records as an older program left them: its schema, made by its migrations, with the rows of
 * today as far as it had a place for them.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { MIGRATIONS } from "./adapters/migrations.ts";

/**
 * Puts the database of a stopped server back to an older schema.
 *
 * @param file The database.
 * @param version How many migrations the older program knew.
 */
export async function backToVersion(file: string, version: number): Promise<void> {
  const old = `${file}.old`;
  const db = new DatabaseSync(old);
  for (const step of MIGRATIONS.slice(0, version)) db.exec(step);
  db.exec("ATTACH DATABASE '" + file.replaceAll("'", "''") + "' AS today");
  const names = (sql: string) => db.prepare(sql).all().map(({ name }) => String(name));
  const tables = names("SELECT name FROM main.sqlite_schema WHERE type = 'table'")
    .filter((name) => !name.startsWith("sqlite_"));
  for (const table of tables) {
    const there = new Set(names(`SELECT name FROM pragma_table_info('${table}', 'today')`));
    const columns = names(`SELECT name FROM pragma_table_info('${table}', 'main')`)
      .filter((name) => there.has(name)).join(", ");
    db.exec(`INSERT OR REPLACE INTO main.${table} (${columns})
      SELECT ${columns} FROM today.${table}`);
  }
  db.exec(`DETACH DATABASE today; PRAGMA user_version = ${version}`);
  db.close();
  for (const side of ["-wal", "-shm"]) await Deno.remove(file + side).catch(() => undefined);
  await Deno.rename(old, file);
}
