import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert/mod.js";
import { DatabaseSync } from "node:sqlite";
import { UpdateFailure } from "shared/failure.ts";
import { MIGRATIONS } from "./adapters/migrations.ts";
import { startServer } from "./compose.ts";
import { type Invocation, readArgs, type Usage } from "./config.ts";
import { TestServer } from "./fixture_test.ts";

const ENV = { adminPassword: undefined, board: "/b" };

function read(...args: string[]): Invocation | Usage {
  return readArgs(["--data", "/d", ...args], ENV);
}

Deno.test("readArgs() knows the defaults of system.md, and IPv6", () => {
  const { config, json, lifeline } = read() as Invocation;
  assertEquals(config, {
    data: "/d",
    http: { host: "127.0.0.1", port: 8080 },
    device: { host: "127.0.0.1", port: 8081 },
    broker: { embedded: { host: "127.0.0.1", port: 1883 } },
    qos: 1,
    behindProxy: false,
    board: "/b",
  });
  assertEquals([json, lifeline], [false, false]);
  const six = read("--http", "[::1]:0", "--qos", "2", "--json") as Invocation;
  assertEquals([six.config.http, six.config.qos, six.json], [{ host: "::1", port: 0 }, 2, true]);
});

Deno.test("readArgs() answers wrong usage with 2 and the reason, and --help with 0", () => {
  const wrong: [string[], RegExp][] = [
    [["--http", "8080"], /HOST:PORT/],
    [["--http", "127.0.0.1:99999"], /HOST:PORT/],
    [["--qos", "0"], /must be 1 or 2/],
    [["--broker", "http://x"], /mqtts:\/\//],
    [["--broker", "mqtt://x", "--mqtt", "127.0.0.1:1"], /exclude each other/],
    [["--tls-cert", "x"], /go together/],
    [["--bogus"], /unknown option/],
    [["extra"], /unexpected argument "extra"/],
  ];
  for (const [args, reason] of wrong) {
    const usage = read(...args) as Usage;
    assertEquals(usage.exitCode, 2, args.join(" "));
    assertMatch(usage.text, reason);
  }
  const missing = readArgs([], ENV) as Usage;
  assertEquals([missing.exitCode, /--data/.test(missing.text)], [2, true]);
  const help = readArgs(["--help"], ENV) as Usage;
  assertEquals([help.exitCode, /--behind-proxy/.test(help.text)], [0, true]);
});

Deno.test("readArgs() takes the broker's user from the environment, and prints no password", () => {
  const env = { ...ENV, brokerUser: "ota-server", brokerPassword: "hidden" };
  const more = ["--broker-passwords", "p", "--broker-pid", "q"];
  const args = ["--data", "/d", "--broker", "mqtt://127.0.0.1:1884"];
  const { config } = readArgs([...args, ...more], env) as Invocation;
  assertEquals(config.broker, {
    url: "mqtt://127.0.0.1:1884",
    login: { user: "ota-server", password: "hidden" },
    ...{ passwords: "p", pidFile: "q" },
  });
  const usage = read("--broker", "mqtt:/hidden@x:y") as Usage;
  assertEquals([usage.exitCode, usage.text.includes("hidden")], [2, false]);
  for (const wrong of [more, [...args.slice(2), "--broker-pid", "q"]]) {
    assertEquals((read(...wrong) as Usage).exitCode, 2);
  }
  const refused: [string, string[]][] = [
    ["mqtt://broker.example:1883", []], // Not loopback.
    ["mqtt://127.0.0.1", more], // No user.
    ["mqtt://WVWZZZ1JZXW000001:hidden@127.0.0.1", []],
    ["mqtt://a%2Fb:hidden@127.0.0.1", []],
    ["mqtt://ota-server@127.0.0.1", []],
  ];
  for (const [url, rest] of refused) {
    try {
      read("--broker", url, ...rest);
    } catch (error) {
      assert(error instanceof UpdateFailure && !error.message.includes("hidden"));
      assertEquals(error.failure, "preconditionFailed");
      continue;
    }
    throw new Error(`Cannot pass: ${url} was taken`);
  }
  const remote = read("--broker", "mqtts://broker.example:8883") as Invocation;
  assertEquals(remote.config.broker, { url: "mqtts://broker.example:8883" });
});

Deno.test("readArgs() refuses to expose passwords or vehicles on an open line", async () => {
  for (
    const args of [
      ["--http", "0.0.0.0:8080"],
      ["--device", "0.0.0.0:8081"],
      ["--mqtt", "192.168.0.1:1883"],
      ["--device", "[::]:8081"],
    ]
  ) {
    const error = await assertRejects(
      () => Promise.resolve().then(() => read(...args)),
      UpdateFailure,
    );
    assertEquals([error.failure, error.subject], ["preconditionFailed", args[0]!]);
  }
  assert("config" in read("--http", "0.0.0.0:8080", "--behind-proxy"));
  assert("config" in read("--http", "0.0.0.0:8080", "--tls-cert", "c", "--tls-key", "k"));
});

/** What a start is refused with; nothing may be left open. */
async function refusal(test: TestServer, more: Partial<TestServer["config"]>): Promise<string> {
  const start = () => startServer({ ...test.config, ...more }, () => {});
  const error = await assertRejects(start, UpdateFailure);
  assertEquals(error.failure, "preconditionFailed");
  return error.message;
}

Deno.test("startServer() refuses a folder in use, taken ports, and says what to do", async () => {
  await using test = await TestServer.start();
  assertMatch(await refusal(test, {}), /another process does; stop it/);
  const data = await Deno.makeTempDir();
  const portOf = (url: string) => ({ host: "127.0.0.1", port: Number(new URL(url).port) });
  const { http, device, mqtt } = test.server.urls;
  const taken = /another program has this port; end it, or choose another port/;
  assertMatch(await refusal(test, { data, http: portOf(http) }), taken);
  assertMatch(await refusal(test, { data, device: portOf(device) }), taken);
  assertMatch(await refusal(test, { data, broker: { embedded: portOf(mqtt) } }), taken);
  await Deno.remove(data, { recursive: true });
  const file = await Deno.makeTempFile();
  assertMatch(await refusal(test, { data: file }), /Cannot use data folder/);
  await Deno.remove(file);
});

Deno.test("startServer() refuses damaged and newer records, and touches neither", async () => {
  await using test = await TestServer.start();
  await test.server.stop();
  const file = `${test.config.data}/records.sqlite`;
  const good = await Deno.readFile(file);
  const bad = good.slice();
  bad.fill(0xAA, 4096, 4096 * 6);
  await Deno.writeFile(file, bad);
  assertMatch(await refusal(test, {}), /restore them from a backup/);
  await Deno.writeFile(file, new TextEncoder().encode("this is no database at all".repeat(99)));
  assertMatch(await refusal(test, {}), /restore them from a backup/);
  await Deno.writeFile(file, good);
  const db = new DatabaseSync(file);
  db.exec("PRAGMA user_version = 99");
  db.close();
  const known = `schema version 99, this program knows ${MIGRATIONS.length}`;
  assertStringIncludes(await refusal(test, {}), known);
  const again = new DatabaseSync(file);
  again.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  again.close();
  test.server = await startServer(test.config, () => {});
});

Deno.test("the first start prints a password it made up, once, and it works", async () => {
  const { adminPassword: _, ...config } = (await bare()).config;
  const lines: string[] = [];
  for (let round = 0; round < 2; round++) {
    const server = await startServer(config, (line) => lines.push(line));
    const password = /password "([\w-]{20})"/.exec(lines[0]!)![1];
    const answer = await fetch(`${server.urls.http}/api/v1/login`, {
      method: "POST",
      body: JSON.stringify({ user: "admin", password }),
    });
    assertEquals((await answer.json()).user, "admin");
    await server.stop();
  }
  assertEquals(lines.length, 1);
  await Deno.remove(config.data, { recursive: true });
});

async function bare(): Promise<TestServer> {
  const test = await TestServer.start();
  await test.server.stop();
  await Deno.remove(test.config.data, { recursive: true });
  return test;
}

Deno.test("readyz, metrics, OpenAPI and a board that was not built", async () => {
  await using test = await TestServer.start();
  assertEquals(await (await fetch(`${test.http}/readyz`)).json(), { ok: true });
  assertMatch(await (await test.ask("/metrics")).text(), /^ota_vehicles 0$/m);
  const api = await (await fetch(`${test.http}/api/v1/openapi.json`)).json();
  assertEquals(api.openapi, "3.1.0");
  assertEquals(api.paths["/api/v1/releases"].post["x-role"], "publisher");
  assertEquals(api.paths["/enrol"].post.security, []);
  const page = await fetch(test.http);
  assertEquals(page.status, 503);
  assertMatch((await page.json()).detail, /deno task build/);
});

Deno.test("the board's files come with a strict policy, and only they come", async () => {
  const board = await Deno.makeTempDir();
  await Deno.mkdir(`${board}/assets`);
  await Deno.writeTextFile(`${board}/index.html`, "<!doctype html>");
  await Deno.writeTextFile(`${board}/assets/app-1.js`, "1");
  await Deno.writeTextFile(`${board}/secret.txt`, "no");
  await using test = await TestServer.start({ board });
  const page = await fetch(`${test.http}/`);
  assertEquals([page.status, await page.text()], [200, "<!doctype html>"]);
  assertMatch(
    page.headers.get("content-security-policy")!,
    /default-src 'self'.*object-src 'none'/,
  );
  assertEquals(page.headers.get("cache-control"), "no-cache");
  const script = await fetch(`${test.http}/assets/app-1.js`);
  assertMatch(script.headers.get("content-type")!, /javascript/);
  assertMatch(script.headers.get("cache-control")!, /immutable/);
  await script.body?.cancel();
  for (const path of ["/assets/..%2fsecret.txt", "/secret.txt", "/assets/none.js", "/assets/"]) {
    const answer = await fetch(test.http + path);
    assert([400, 404].includes(answer.status), `${path}: ${answer.status}`);
    await answer.body?.cancel();
  }
  await Deno.remove(board, { recursive: true });
});

/** The program itself, as a child. */
function run(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("main.ts", import.meta.url).pathname, ...args],
    env: { OTA_ADMIN_PASSWORD: "pw" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function firstLine(child: Deno.ChildProcess): Promise<string> {
  let text = "";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  await reader.cancel();
  return text.trim();
}

async function codeOf(...args: string[]): Promise<number> {
  const child = run(...args);
  await child.stdin.close();
  return (await child.output()).code;
}

Deno.test("the program prints one ready line, and ends with 0 on a signal or at the lifeline's end", async () => {
  const data = await Deno.makeTempDir();
  const free = ["--http", "127.0.0.1:0", "--device", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"];
  const plain = run("--data", data, ...free);
  const ready = await firstLine(plain);
  assertMatch(ready, /^listening http=http:\/\/\S+ device=http:\/\/\S+ mqtt=mqtt:\/\/\S+$/);
  plain.kill("SIGTERM");
  plain.kill("SIGINT"); // The same one, forwarded.
  await plain.stderr.cancel();
  await plain.stdin.close();
  assertEquals((await plain.status).code, 0);
  const json = run("--data", data, ...free, "--json", "--lifeline");
  const urls = JSON.parse(await firstLine(json));
  assertEquals(`listening http=${urls.http} device=${urls.device} mqtt=${urls.mqtt}`, ready);
  assertEquals(await codeOf("--data", data, ...free), 5);
  await json.stdin.close();
  await json.stderr.cancel();
  assertEquals((await json.status).code, 0);
  assertEquals(await codeOf("--bogus"), 2);
  await Deno.remove(data, { recursive: true });
});
