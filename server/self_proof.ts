/**
 * `--self-test`: whether this program, as it was built, can do its work on this machine. A whole
 * server starts on a temporary data folder and free ports; its probes, its notice board, a
 * login, an enrolment and a vehicle's way to the broker are tried. Not the checks at start.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { fileURLToPath } from "node:url";
import mqtt from "mqtt";
import { z } from "zod";
import { fetchFile, provePage } from "shared/host/page_proof.ts";
import { EnrolAnswer, Enrolment, Session } from "shared/protocol/api.ts";
import { SERVER_STATUS_TOPIC } from "shared/protocol/topics.ts";
import { type RunningServer, startServer } from "./compose.ts";

/** Given up after this: it takes three seconds, under an emulator a minute. */
const PATIENCE_MS = 240_000;
const VIN = "SELFTEST000000001";
const FREE = { host: "127.0.0.1", port: 0 };

/** What a self-test that went well prints. */
export interface ServerAnswer {
  readonly v: 1;
  readonly selfTest: "ota-server";
  readonly ok: true;
  readonly deno: string;
  readonly arch: string;
  /** Digest of the notice board's page, and of each file it names, in order. */
  readonly page: string;
  readonly assets: readonly string[];
  /** The role of the operator that logged in. */
  readonly role: string;
  /** What a vehicle read from the broker about the server. */
  readonly status: string;
}

/**
 * Runs it, and prints its answer as one line of JSON, or the reason.
 *
 * @returns The exit code.
 */
export async function selfTest(): Promise<0 | 1> {
  let folder: string | undefined;
  try {
    folder = Deno.makeTempDirSync({ prefix: "ota-server-self-test-" });
    console.log(JSON.stringify(await tryAll(folder, AbortSignal.timeout(PATIENCE_MS))));
    return 0;
  } catch (error) {
    console.error(`self-test of the server failed: ${(error as Error).message ?? error}`);
    return 1;
  } finally {
    if (folder !== undefined) Deno.removeSync(folder, { recursive: true });
  }
}

async function tryAll(data: string, signal: AbortSignal): Promise<ServerAnswer> {
  const adminPassword = crypto.randomUUID();
  const server = await startServer({
    ...{ data, adminPassword, http: FREE, device: FREE, broker: { embedded: FREE } },
    ...{ qos: 1, behindProxy: false },
    board: fileURLToPath(new URL("../dist/board", import.meta.url)),
  }, () => {});
  const { http, device } = server.urls;
  try {
    for (const probe of ["/healthz", "/readyz"]) {
      await fetchFile(`${http}${probe}`, "application", signal);
    }
    const shown = await provePage(http, signal);
    const { role, token } = await post(`${http}/api/v1/login`, Session, signal, {
      user: "admin",
      password: adminPassword,
    });
    const invited = await post(`${http}/api/v1/enrolments`, Enrolment, signal, { vin: VIN }, token);
    const body = { v: 1, vin: VIN, token: invited.token };
    const { secret } = await post(`${http}/enrol`, EnrolAnswer, signal, body);
    const manifest = await fetch(`${device}/metadata/director/${VIN}/targets.json`, {
      headers: { authorization: `Bearer ${secret}` },
      signal,
    });
    await manifest.body?.cancel();
    if (!manifest.ok) throw new Error(`Cannot ask the Director: it answers ${manifest.status}`);
    return {
      ...{ v: 1, selfTest: "ota-server", ok: true, deno: Deno.version.deno },
      ...{ arch: Deno.build.arch, ...shown, role },
      status: await statusByMqtt(server, secret, signal),
    };
  } finally {
    await server.stop();
  }
}

async function post<T>(
  url: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
  body: unknown,
  token?: string,
): Promise<T> {
  const answer = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
    signal,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Cannot post to ${url}: it answers ${answer.status} ${text}`);
  return schema.parse(JSON.parse(text));
}

/** Connects as the vehicle does, and reads what the server says of itself. */
async function statusByMqtt(
  { urls }: RunningServer,
  password: string,
  signal: AbortSignal,
): Promise<string> {
  const client = mqtt.connect(urls.mqtt, {
    ...{ protocolVersion: 4, clientId: VIN, username: VIN, password, reconnectPeriod: 0 },
  });
  try {
    return await new Promise<string>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`Cannot use the broker: ${why}`));
      signal.addEventListener("abort", () => fail("no answer in time"), { once: true });
      client.on("error", (error) => fail(error.message));
      client.on("close", () => fail("it closed the connection"));
      client.on("message", (_topic, payload) => {
        resolve(z.object({ state: z.string() }).parse(JSON.parse(payload.toString())).state);
      });
      client.on("connect", () => void client.subscribeAsync(SERVER_STATUS_TOPIC, { qos: 1 }));
    });
  } finally {
    await client.endAsync(true);
  }
}
