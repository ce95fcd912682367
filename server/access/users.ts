/**
 * The people who can log in: added, removed and given passwords by operators. Each change is a
 * line in the log that begins with `audit:`, and ends the logins it concerns at once.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import type { User } from "shared/protocol/api.ts";
import type { Feed } from "../board/feed.ts";
import type { Log, Records, RecordStore, Role, Secrets, SessionRow } from "../ports.ts";
import type { Sessions } from "./sessions.ts";

/** What is needed to keep people. */
export interface UserPorts {
  readonly records: RecordStore;
  readonly secrets: Secrets;
  readonly sessions: Sessions;
  readonly feed: Feed;
  readonly log: Log;
}

/** A new password, and who sets it. */
export interface PasswordChange {
  readonly user: string;
  readonly password: string;
  /** Their present one; only who changes their own must prove it. */
  readonly current: string | undefined;
  readonly by: SessionRow;
  /** Where the request comes from. */
  readonly address: string;
}

/** The people of one server. */
export class Users {
  constructor(readonly ports: UserPorts) {}

  /** All of them, by name. */
  async list(): Promise<User[]> {
    const rows = await this.ports.records.read((tables) => tables.operators());
    return rows.map(({ user, role }) => ({ user, role }));
  }

  /**
   * Adds somebody.
   *
   * @param person Name, role and first password.
   * @param by Who adds them.
   * @returns The new person.
   * @throws {UpdateFailure} `userTaken`, also for a name that differs in capitals only.
   */
  async add(
    person: { readonly user: string; readonly role: Role; readonly password: string },
    by: SessionRow,
  ): Promise<User> {
    const { user, role } = person;
    const { records, secrets, log } = this.ports;
    const passwordHash = await secrets.hashPassword(person.password);
    await records.write(async (tables) => {
      const same = (await tables.operators())
        .find((row) => row.user.toLowerCase() === user.toLowerCase());
      if (same !== undefined) {
        throw new UpdateFailure(
          "userTaken",
          "user",
          `Cannot add user "${user}": there is a user "${same.user}"`,
        );
      }
      await tables.putOperator({ user, role, passwordHash });
    });
    log(`audit: "${by.user}" added user "${user}" as ${role}`);
    return { user, role };
  }

  /**
   * Removes somebody, and ends their logins.
   *
   * @param user Who.
   * @param by Who removes them.
   * @throws {UpdateFailure} `userUnknown`, or `wrongState` for the last operator.
   */
  async remove(user: string, by: SessionRow): Promise<void> {
    const { records, feed, log } = this.ports;
    await records.write(async (tables) => {
      const row = await known(tables, user, "remove");
      const operators = (await tables.operators()).filter(({ role }) => role === "operator");
      if (row.role === "operator" && operators.length === 1) {
        throw new UpdateFailure(
          "wrongState",
          "user",
          `Cannot remove user "${user}": nobody else is operator`,
        );
      }
      await tables.dropOperator(user);
    });
    feed.end((login) => login.user === user);
    log(`audit: "${by.user}" removed user "${user}"`);
  }

  /**
   * Sets a password, and ends every login of that person but the one that asks.
   *
   * @param change Whose, which, and by whom.
   * @throws {UpdateFailure} `userUnknown`; `forbidden` if it is another's and the asker no
   * operator, or if it is their own and the present one is wrong; `tooManyAttempts`.
   */
  async setPassword({ user, password, current, by, address }: PasswordChange): Promise<void> {
    const { records, secrets, feed, log } = this.ports;
    if (by.user === user) await this.#proveOwn(user, current, address);
    else if (by.role !== "operator") {
      throw new UpdateFailure(
        "forbidden",
        "user",
        `Cannot let "${by.user}" set the password of "${user}": it needs the role operator`,
      );
    }
    const passwordHash = await secrets.hashPassword(password);
    await records.write(async (tables) => {
      const row = await known(tables, user, "set the password of");
      await tables.putOperator({ ...row, passwordHash });
      await tables.dropSessionsOf(user, by.tokenHash);
    });
    feed.end((login) => login.user === user && login.tokenHash !== by.tokenHash);
    log(`audit: "${by.user}" set the password of user "${user}"`);
  }

  /** A page left open must not be enough to lock its owner out. */
  async #proveOwn(user: string, current: string | undefined, address: string): Promise<void> {
    const what = `Cannot change the password of "${user}"`;
    if (current === undefined) {
      throw new UpdateFailure("forbidden", "current", `${what}: the present one was not given`);
    }
    try {
      await this.ports.sessions.prove(user, current, address);
    } catch (cause) {
      if (!(cause instanceof UpdateFailure) || cause.failure !== "unauthenticated") throw cause;
      const message = `${what}: the present one is another`;
      throw new UpdateFailure("forbidden", "current", message, { cause });
    }
  }
}

async function known(tables: Records, user: string, verb: string) {
  const row = await tables.operator(user);
  if (row !== undefined) return row;
  throw new UpdateFailure("userUnknown", "user", `Cannot ${verb} user "${user}": no such user`);
}
