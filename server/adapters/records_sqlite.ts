/**
 * The records in SQLite: WAL and synchronous=FULL, so that what was answered survives a
 * power cut. One connection writes, one transaction at a time; another one reads.
 *
 * @module
 */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { UpdateFailure } from "shared/failure.ts";
import type { Records, RecordStore } from "../ports.ts";
import { isRecordsFull, orStoreFailure, storeFull } from "./medium_full.ts";
import { MIGRATIONS } from "./migrations.ts";
import { Rows } from "./records_rows.ts";

/** How long a statement waits for a lock of another process, such as a backup. */
const BUSY_MS = 3000;

/**
 * Opens the records, checks them and brings them to the present schema.
 *
 * @param file Path of the database; made if it is not there.
 * @returns The store.
 * @throws {UpdateFailure} `preconditionFailed` If it is damaged, or newer than this program.
 */
export function openRecords(file: string): RecordStore {
  let writer: DatabaseSync | undefined;
  try {
    writer = new DatabaseSync(file, { timeout: BUSY_MS });
    writer.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    const check = writer.prepare("PRAGMA quick_check(1)").get() as { quick_check: string };
    if (check.quick_check !== "ok") throw new Error(check.quick_check);
    migrate(writer, file);
    const reader = new DatabaseSync(file, { timeout: BUSY_MS, readOnly: true });
    return new SqliteStore(writer, reader, file);
  } catch (cause) {
    writer?.close();
    if (cause instanceof UpdateFailure) throw cause;
    const message = `Cannot open the records "${file}": the medium is full; free space on it`;
    if (isRecordsFull(cause, dirname(file))) {
      throw new UpdateFailure("preconditionFailed", "database", message, { cause });
    }
    throw new UpdateFailure(
      "preconditionFailed",
      "database",
      `Cannot open the records "${file}": ${
        (cause as Error).message
      }; restore them from a backup, ` +
        `or move the file away to begin anew`,
      { cause },
    );
  }
}

function migrate(db: DatabaseSync, file: string): void {
  const { user_version: found } = db.prepare("PRAGMA user_version").get() as {
    user_version: number;
  };
  if (found > MIGRATIONS.length) {
    throw new UpdateFailure(
      "preconditionFailed",
      "database",
      `Cannot open the records "${file}": they have schema version ${found}, this program knows ` +
        `${MIGRATIONS.length}; start the newer program that wrote them`,
    );
  }
  for (let version = found; version < MIGRATIONS.length; version++) {
    db.exec(
      `BEGIN IMMEDIATE; ${MIGRATIONS[version]!}; PRAGMA user_version = ${version + 1}; COMMIT`,
    );
  }
}

class SqliteStore implements RecordStore {
  readonly #writing: Rows;
  readonly #reading: Rows;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly writer: DatabaseSync,
    readonly reader: DatabaseSync,
    readonly file: string,
  ) {
    this.#writing = new Rows(writer);
    this.#reading = new Rows(reader);
  }

  async read<T>(work: (records: Records) => Promise<T>): Promise<T> {
    try {
      return await work(this.#reading);
    } catch (error) {
      throw orStoreFailure("read the records", error);
    }
  }

  write<T>(work: (records: Records) => Promise<T>): Promise<T> {
    const mine = this.#last.then(() => this.#transaction(work));
    this.#last = mine.catch(() => undefined); // Only its caller hears of a failure.
    return mine;
  }

  async #transaction<T>(work: (records: Records) => Promise<T>): Promise<T> {
    try {
      this.writer.exec("BEGIN IMMEDIATE");
      const result = await work(this.#writing);
      this.writer.exec("COMMIT");
      return result;
    } catch (error) {
      // On a full medium SQLite may have rolled back by itself (lang_transaction.html).
      if (this.writer.isTransaction) this.writer.exec("ROLLBACK");
      if (isRecordsFull(error, dirname(this.file))) throw storeFull("keep the records", error);
      throw orStoreFailure("keep the records", error);
    }
  }

  close(): void {
    this.reader.close();
    this.writer.close();
  }
}
