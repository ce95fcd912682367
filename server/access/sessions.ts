/**
 * Logins of people. A token is 256 random bits; only its SHA-256 is stored. The same token is
 * good for 12 hours as a cookie and for 90 days as a bearer token.
 *
 * @module
 */
import { type Clock, isoTime, type Millis } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import type { Session } from "shared/protocol/api.ts";
import type { Metrics } from "../metrics.ts";
import {
  type OperatorRow,
  type RecordStore,
  type Role,
  ROLES,
  type Secrets,
  type SessionRow,
} from "../ports.ts";
import { Throttle } from "./throttle.ts";

/** A working day with its evening: a page left open is locked over night. */
export const COOKIE_MS: Millis = 12 * 3600_000;
/** A token in a pipeline's secrets lives a quarter. */
export const BEARER_MS: Millis = 90 * 24 * 3600_000;

/** How a token was shown. */
export type Via = "cookie" | "bearer";

/** What logins need. */
export interface SessionPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly secrets: Secrets;
  readonly metrics: Metrics;
}

/** The logins of one server. */
export class Sessions {
  readonly #throttle: Throttle;

  constructor(readonly ports: SessionPorts) {
    this.#throttle = new Throttle(ports.clock);
  }

  /**
   * Logs in.
   *
   * @param user Who.
   * @param password Their password.
   * @param address Where the request comes from.
   * @returns The session with its token.
   * @throws {UpdateFailure} `unauthenticated`, or `tooManyAttempts`.
   */
  async login(user: string, password: string, address: string): Promise<Session> {
    const { records, clock, secrets } = this.ports;
    const row = await this.prove(user, password, address);
    const token = secrets.random();
    const now = clock.now();
    await records.write(async (tables) => {
      // While the password was checked, the person may have been removed, or their password changed.
      const still = await tables.operator(user);
      if (still?.passwordHash !== row.passwordHash) throw wrong();
      await tables.dropSessionsBefore(now - BEARER_MS);
      await tables.putSession({
        tokenHash: secrets.hash(token),
        user,
        role: still.role,
        createdAtMs: now,
      });
    });
    return { v: 1, user, role: row.role, token, expiresAt: isoTime(now + BEARER_MS) };
  }

  /**
   * Checks a password.
   *
   * @param user Whose it is said to be.
   * @param password The password.
   * @param address Where the request comes from.
   * @returns The person.
   * @throws {UpdateFailure} `unauthenticated`, or `tooManyAttempts`.
   */
  async prove(user: string, password: string, address: string): Promise<OperatorRow> {
    this.#throttle.admit(user, address);
    const leave = this.#throttle.enter(address);
    this.#throttle.failed(user, address); // Before the slow check: attempts in parallel count too.
    const { row, right } = await this.#check(user, password).finally(leave);
    if (row === undefined || !right) {
      this.ports.metrics.add("ota_login_failures_total");
      throw wrong();
    }
    this.#throttle.succeeded(user, address);
    return row;
  }

  /** Whether the password is right; as slow for an unknown user. */
  async #check(user: string, password: string): Promise<{ row?: OperatorRow; right: boolean }> {
    const { records, secrets } = this.ports;
    const row = await records.read((tables) => tables.operator(user));
    const right = await secrets.checkPassword(password, row?.passwordHash ?? secrets.decoy);
    return row === undefined ? { right } : { row, right };
  }

  /**
   * Who shows a token.
   *
   * @param token The token.
   * @param via How it was shown.
   * @returns The login, or `undefined` if there is none or it has expired.
   */
  async find(token: string, via: Via): Promise<SessionRow | undefined> {
    const { records, clock, secrets } = this.ports;
    const { row, person } = await records.read(async (tables) => {
      const row = await tables.session(secrets.hash(token));
      return { row, person: row && await tables.operator(row.user) };
    });
    if (row === undefined || person === undefined || clock.now() >= expiryOf(row, via)) return;
    return { ...row, role: person.role }; // What they may do now, not when they logged in.
  }

  /** Ends a login. */
  async logout(row: SessionRow): Promise<void> {
    await this.ports.records.write((tables) => tables.dropSession(row.tokenHash));
  }
}

function wrong(): UpdateFailure {
  return new UpdateFailure(
    "unauthenticated",
    "password",
    "Cannot log in: the user or the password is wrong",
  );
}

/**
 * When a login ends.
 *
 * @param row The login.
 * @param via How its token is shown.
 * @returns Milliseconds since the epoch.
 */
export function expiryOf(row: SessionRow, via: Via): Millis {
  return row.createdAtMs + (via === "cookie" ? COOKIE_MS : BEARER_MS);
}

/**
 * Whether a role may do what another one may.
 *
 * @param has The role somebody has.
 * @param needs The role that is needed.
 * @returns Whether it is enough.
 */
export function mayAct(has: Role, needs: Role): boolean {
  return ROLES.indexOf(has) >= ROLES.indexOf(needs);
}
