/**
 * A real server in this process, on free ports and a temporary folder, and the few things that
 * tests do with it again and again.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import type { Problem, Published } from "shared/protocol/api.ts";
import type { VehicleReport } from "shared/protocol/messages.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { type RunningServer, startServer } from "./compose.ts";
import type { Config } from "./config.ts";
import type { Role } from "./ports.ts";
import type { DeltaMaker } from "./ports_delta.ts";
import { NOTES, VIN } from "./samples_test.ts";

/** The admin's password in tests. */
export const PASSWORD = "correct horse battery staple";
/** Any free port on loopback. */
export const FREE = { host: "127.0.0.1", port: 0 };

/** Makes carriers in the place of the real one. */
type Maker = (folder: string) => DeltaMaker;

/** A server under test. */
export class TestServer {
  server: RunningServer;
  token = "";
  readonly log: string[];

  private constructor(
    server: RunningServer,
    readonly config: Config,
    log: string[],
    readonly maker: Maker | undefined,
  ) {
    this.server = server;
    this.log = log;
  }

  static async start(more: Partial<Config> = {}, maker?: Maker): Promise<TestServer> {
    const config: Config = {
      data: await Deno.makeTempDir({ prefix: "ota-server-" }),
      http: FREE,
      device: FREE,
      broker: { embedded: FREE },
      qos: 1,
      behindProxy: false,
      board: "/nonexistent",
      adminPassword: PASSWORD,
      ...more,
    };
    const log: string[] = [];
    const server = await startServer(config, (line) => log.push(line), maker);
    const test = new TestServer(server, config, log, maker);
    test.token = await test.login();
    return test;
  }

  get http(): string {
    return this.server.urls.http;
  }

  get device(): string {
    return this.server.urls.device;
  }

  async login(user = "admin", password = PASSWORD): Promise<string> {
    const answer = await fetch(`${this.http}/api/v1/login`, {
      method: "POST",
      body: JSON.stringify({ user, password }),
    });
    return (await answer.json()).token;
  }

  /** Adds a person with a role, and logs them in. */
  async person(role: Role): Promise<string> {
    const { records, secrets } = this.server.core.ports;
    const passwordHash = await secrets.hashPassword(PASSWORD);
    await records.write((tables) => tables.putOperator({ user: role, role, passwordHash }));
    return await this.login(role);
  }

  /** A request as the operator. */
  ask(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${this.token}`);
    return fetch(`${this.http}${path}`, { ...init, headers });
  }

  async get<T>(path: string): Promise<T> {
    const answer = await this.ask(path);
    assertEquals(answer.status, 200, path);
    return await answer.json();
  }

  post(path: string, body: unknown = {}): Promise<Response> {
    return this.ask(path, { method: "POST", body: JSON.stringify(body) });
  }

  /** Uploads bytes whole; answers their digest. */
  async upload(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const sha256 = sha256Hex(bytes);
    const answer = await this.ask(`/api/v1/uploads/${sha256}`, { method: "PUT", body: bytes });
    assertEquals((await answer.json()).complete, true);
    return sha256;
  }

  /** Publishes what must succeed. */
  async publish(
    hardware: string,
    version: string,
    more: Record<string, unknown>,
  ): Promise<Published> {
    const answer = await this.post("/api/v1/releases", {
      hardware,
      version,
      notes: NOTES,
      ...more,
    });
    const body = await answer.json();
    assertEquals(answer.ok, true, JSON.stringify(body));
    return body;
  }

  /** Enrols a vehicle; answers its secret. */
  async enrol(vin = VIN): Promise<string> {
    const { token } = await (await this.post("/api/v1/enrolments", { vin })).json();
    const answer = await fetch(`${this.http}/enrol`, {
      method: "POST",
      body: JSON.stringify({ v: 1, vin, token }),
    });
    return (await answer.json()).secret;
  }

  /** A request as a vehicle. */
  asVehicle(secret: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${secret}`);
    return fetch(`${this.device}${path}`, { ...init, headers });
  }

  async report(secret: string, report: VehicleReport): Promise<Response> {
    const body = JSON.stringify(report);
    const answer = await this.asVehicle(secret, "/manifest", { method: "PUT", body });
    // A copy, so that tests that only want it sent need not read it.
    return new Response(await answer.text(), { status: answer.status, headers: answer.headers });
  }

  /** Stops and starts again on the same data folder, with the same configuration. */
  async restart(): Promise<void> {
    await this.server.stop();
    this.server = await startServer(this.config, (line) => this.log.push(line), this.maker);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    await Deno.remove(this.config.data, { recursive: true });
  }
}

/**
 * Asserts a refusal: status and catalogue name.
 *
 * @returns The problem, for a look at its words.
 */
export async function assertRefused(
  answer: Response,
  status: number,
  name: string,
): Promise<Problem> {
  const problem: Problem = await answer.json();
  assertEquals([answer.status, problem.name], [status, name], problem.detail);
  assertEquals(answer.headers.get("content-type"), "application/problem+json");
  return problem;
}

/** Waits until something holds; fails after five seconds. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 250; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Cannot go on with the test: waited in vain for ${what}`);
}
