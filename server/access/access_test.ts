import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert/mod.js";
import type { Clock } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import type { Session } from "shared/protocol/api.ts";
import { ROUTES } from "../app.ts";
import { startServer } from "../compose.ts";
import { assertRefused, FREE, PASSWORD, TestServer } from "../fixture_test.ts";
import { OTHER_VIN, VIN } from "../samples_test.ts";
import { checkHost, checkOrigin } from "./origin.ts";
import { Throttle } from "./throttle.ts";

const noOpenssl = hasOpenssl() ? "" : " (skipped: no openssl)";

/** What the anonymous may do: everything else must be refused, also routes that come later. */
const OPEN = new Set([
  "POST /api/v1/login",
  "POST /enrol",
  "GET /api/v1/endpoints",
  "GET /api/v1/whoami",
  "GET /api/v1/openapi.json",
  "GET /healthz",
  "GET /readyz",
  "GET /",
  "GET /assets/:name",
]);

function concrete(path: string): string {
  return path.replace(":sha256", "a".repeat(64)).replace(":hardware", "ivi-rpi4")
    .replace(":version", "1.0").replace(":campaign", "c1").replace(":vin", VIN)
    .replace(":name", "x.js").replace(":user", "nobody");
}

Deno.test("every route but the open ones refuses the anonymous, and a token that is no token", async () => {
  await using test = await TestServer.start();
  for (const { method, path, access } of ROUTES) {
    assertEquals(access === "open", OPEN.has(`${method} ${path}`), `${method} ${path}`);
    if (access === "open") continue;
    for (const authorization of ["", "Bearer x", `Bearer ${"a".repeat(43)}`, "Basic YTpi"]) {
      const init = { method, headers: authorization ? { authorization } : {} };
      const answer = await fetch(`${test.http}${concrete(path)}`, init);
      assertEquals(answer.headers.get("www-authenticate"), 'Bearer realm="headunit-ota"');
      await assertRefused(answer, 401, "unauthenticated");
    }
  }
});

Deno.test("each role may do what is its own, and is refused the rest with forbidden", async () => {
  await using test = await TestServer.start();
  const order = ["viewer", "publisher", "operator"];
  for (const role of ["viewer", "publisher"] as const) {
    const token = await test.person(role);
    for (const { method, path, access } of ROUTES) {
      if (access === "open" || path === "/events" || path === "/api/v1/logout") continue;
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${test.http}${concrete(path)}`, { method, headers });
      const problem = await answer.text();
      const allowed = order.indexOf(role) >= order.indexOf(access);
      assertEquals(answer.status === 403, !allowed, `${role} ${method} ${path}: ${problem}`);
      if (!allowed) assertEquals(JSON.parse(problem).name, "forbidden");
    }
  }
});

Deno.test("login answers a token and a cookie, session tells who, logout ends both", async () => {
  await using test = await TestServer.start();
  const answer = await fetch(`${test.http}/api/v1/login`, {
    method: "POST",
    body: JSON.stringify({ user: "admin", password: PASSWORD }),
  });
  const session: Session = await answer.json();
  assertEquals([session.user, session.role], ["admin", "operator"]);
  const cookie = answer.headers.get("set-cookie")!;
  assertMatch(
    cookie,
    /^ota_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
  );
  const headers = { cookie: cookie.split(";")[0]! };
  const who = await fetch(`${test.http}/api/v1/session`, { headers });
  assertEquals([(await who.json()).user, who.status], ["admin", 200]);
  const logout = await fetch(`${test.http}/api/v1/logout`, {
    method: "POST",
    headers: { ...headers, origin: test.http },
  });
  assertEquals(logout.status, 204);
  const after = await fetch(`${test.http}/api/v1/session`, { headers });
  await assertRefused(after, 401, "unauthenticated");
  const bearer = await test.ask("/api/v1/session", {
    headers: { authorization: `Bearer ${session.token}` },
  });
  await assertRefused(bearer, 401, "unauthenticated");
  await assertRefused(
    await test.post("/api/v1/login", { user: "admin", password: "" }),
    400,
    "badRequest",
  );
});

Deno.test("a login outlives a restart, and its token is nowhere in the data folder", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  await test.restart();
  await test.get("/api/v1/session");
  for (const { name } of Deno.readDirSync(test.config.data)) {
    const path = `${test.config.data}/${name}`;
    if (!Deno.statSync(path).isFile) continue;
    const text = new TextDecoder("latin1").decode(Deno.readFileSync(path));
    for (const hidden of [test.token, secret, PASSWORD]) assert(!text.includes(hidden), name);
  }
});

Deno.test("a page of another site cannot act with the cookie, and cannot reach loopback by name", async () => {
  await using test = await TestServer.start();
  const cookie = `ota_session=${test.token}`;
  const act = (headers: Record<string, string>) =>
    fetch(`${test.http}/api/v1/hardware`, {
      method: "POST",
      headers: { cookie, ...headers },
      body: JSON.stringify({ hardware: "x1" }),
    });
  const foreign: Record<string, string>[] = [
    {},
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: test.http.replace(/\d+$/, "1") },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ];
  for (const headers of foreign) await assertRefused(await act(headers), 403, "originForeign");
  const own = await act({ origin: test.http });
  assertEquals(own.status, 201);
  await own.body?.cancel();
  const login = await fetch(`${test.http}/api/v1/login`, {
    method: "POST",
    headers: { origin: "https://evil.example" },
    body: JSON.stringify({ user: "admin", password: PASSWORD }),
  });
  await assertRefused(login, 403, "originForeign");
  await assertRefused(await rebound(test, "evil.example"), 403, "originForeign");
});

Deno.test({
  name: `over TLS and HTTP/2 the cookie is Secure, and the page's own origin may act${noOpenssl}`,
  ignore: noOpenssl !== "",
  fn: overTls,
});

async function overTls(): Promise<void> {
  const folder = await Deno.makeTempDir();
  const files = { certFile: `${folder}/cert.pem`, keyFile: `${folder}/key.pem` };
  const made = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
      ...["-keyout", files.keyFile, "-out", files.certFile],
    ],
    stdin: "null",
  }).output();
  assertEquals(made.code, 0, new TextDecoder().decode(made.stderr));
  await Deno.chmod(files.keyFile, 0o600);
  const config = {
    ...{ data: folder, http: FREE, device: FREE, broker: { embedded: FREE }, qos: 1 as const },
    ...{ behindProxy: false, board: "", adminPassword: PASSWORD, tls: files },
  };
  const server = await startServer(config, () => {});
  const client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(files.certFile)] });
  const http = server.urls.http.replace("127.0.0.1", "localhost");
  const ask = (path: string, headers: Record<string, string>, body: unknown) =>
    fetch(http + path, { method: "POST", client, headers, body: JSON.stringify(body) });
  const login = await ask("/api/v1/login", { origin: http }, { user: "admin", password: PASSWORD });
  assertEquals(login.status, 200);
  const cookie = login.headers.get("set-cookie")!;
  assertMatch(cookie, /; Secure$/);
  await login.body?.cancel();
  const headers = { cookie: cookie.split(";")[0]!, origin: http };
  const own = await ask("/api/v1/hardware", headers, { hardware: "x1" });
  assertEquals(own.status, 201);
  await own.body?.cancel();
  const foreign = { ...headers, origin: "https://evil.example" };
  await assertRefused(await ask("/api/v1/hardware", foreign, {}), 403, "originForeign");
  client.close();
  await server.stop();
  await Deno.chmod(files.keyFile, 0o644);
  const error = await assertRejects(() => startServer(config, () => {}), UpdateFailure);
  assertMatch(error.message, /others can read it; chmod 600 it/);
  await Deno.remove(folder, { recursive: true });
}

/** `fetch` does not let one choose the Host: speak HTTP by hand. */
async function rebound(test: TestServer, host: string): Promise<Response> {
  const { hostname, port } = new URL(test.http);
  using socket = await Deno.connect({ hostname, port: Number(port) });
  const request = `GET /healthz HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: close\r\n\r\n`;
  await socket.write(new TextEncoder().encode(request));
  let text = "";
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  for (;;) {
    const count = await socket.read(buffer);
    if (count === null) break;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  const [head, body] = text.split("\r\n\r\n");
  return new Response(body, {
    status: Number(head!.slice(9, 12)),
    headers: { "content-type": /content-type: (\S+)/.exec(head!)![1]! },
  });
}

Deno.test("checkOrigin() compares with the default port written out or not", () => {
  const check = (origin: string, host: string) =>
    checkOrigin({ origin, site: null, host }, { absentPasses: false });
  check("https://ota.example", "ota.example:443");
  check("https://ota.example", "ota.example");
  check("http://[::1]:8080", "[::1]:8080");
  for (const host of ["ota.example:8443", "ota.example.evil"]) {
    assertThrows(() => check("https://ota.example", host), UpdateFailure);
  }
  for (const host of ["localhost:1", "127.0.0.1", "[::1]:9", "LOCALHOST"]) checkHost(host);
  for (const host of ["", "localhost.evil", "127.0.0.1.evil:80", "10.0.0.1"]) {
    assertThrows(() => checkHost(host), UpdateFailure);
  }
});

Deno.test("Throttle slows a pair down, lets it in again after a minute, and no other pair", () => {
  let nowMs = 0;
  const clock = { monotonic: () => nowMs } as Clock;
  const throttle = new Throttle(clock);
  for (let i = 0; i < 5; i++) {
    throttle.admit("admin", "a");
    throttle.failed("admin", "a");
  }
  const error = assertThrows(() => throttle.admit("admin", "a"), UpdateFailure);
  assertEquals(error.failure, "tooManyAttempts");
  throttle.admit("admin", "b");
  throttle.admit("other", "a");
  for (let i = 0; i < 100; i++) throttle.failed("admin", "a");
  nowMs += 59_000;
  assertThrows(() => throttle.admit("admin", "a"), UpdateFailure);
  nowMs += 1001;
  throttle.admit("admin", "a");
  throttle.succeeded("admin", "a");
  throttle.failed("admin", "a");
  throttle.admit("admin", "a");
});

Deno.test("wrong passwords are refused alike for known and unknown users, then slowed down", async () => {
  await using test = await TestServer.start();
  const login = (user: string) =>
    fetch(`${test.http}/api/v1/login`, {
      method: "POST",
      body: JSON.stringify({ user, password: "wrong" }),
    });
  const known = await assertRefused(await login("admin"), 401, "unauthenticated");
  const unknown = await assertRefused(await login("nobody"), 401, "unauthenticated");
  assertEquals(known.detail, unknown.detail);
  const answers = await Promise.all(Array.from({ length: 8 }, () => login("admin")));
  const slowed = answers.filter(({ status }) => status === 429);
  assertEquals(slowed.length, 4, "five attempts are free");
  assertMatch(slowed[0]!.headers.get("retry-after")!, /^\d+$/);
  for (const answer of answers) await answer.body?.cancel();
});

Deno.test("enrolment: repeatable with one token until the secret is used, then spent", async () => {
  await using test = await TestServer.start();
  const invite = async () =>
    (await (await test.post("/api/v1/enrolments", { vin: VIN })).json()).token;
  const token: string = await invite();
  const enrol = (used = token, vin = VIN) =>
    fetch(`${test.http}/enrol`, {
      method: "POST",
      body: JSON.stringify({ v: 1, vin, token: used }),
    });
  await assertRefused(await enrol("x"), 403, "tokenInvalid");
  await assertRefused(await enrol(token, OTHER_VIN), 403, "tokenInvalid");
  await assertRefused(await enrol(token, "../../etc"), 400, "badRequest");
  const first = await (await enrol()).json();
  assertEquals([first.v, first.vin, first.device], [1, VIN, test.device]);
  const second = await (await enrol()).json();
  const director = `/metadata/director/${VIN}/targets.json`;
  await assertRefused(await test.asVehicle(first.secret, director), 401, "unauthenticated");
  const used = await test.asVehicle(second.secret, director);
  assertEquals(used.status, 200);
  await used.body?.cancel();
  await assertRefused(await enrol(), 403, "tokenInvalid");

  // Enrolled again, the old secret is good until the new one is used.
  const again: string = await invite();
  const newer: string = await invite();
  await assertRefused(await enrol(again), 403, "tokenInvalid");
  const third = await (await enrol(newer)).json();
  for (
    const [secret, status] of [[second.secret, 200], [third.secret, 200], [second.secret, 401]]
  ) {
    const answer = await test.asVehicle(String(secret), director);
    await answer.body?.cancel();
    assertEquals(answer.status, status);
  }
});

Deno.test("people's tokens do not open the devices' door, nor vehicles' secrets the people's", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const director = `/metadata/director/${VIN}/targets.json`;
  await assertRefused(await test.asVehicle(test.token, director), 401, "unauthenticated");
  const headers = { authorization: `Bearer ${secret}` };
  await assertRefused(await test.ask("/api/v1/releases", { headers }), 401, "unauthenticated");
});

Deno.test("path tricks in every parameter are refused, and unknown routes are problems too", async () => {
  await using test = await TestServer.start();
  const tricks = ["..%2f..%2fx", "%2e%2e%2f", "a%00b", "%20", "a%2fb", "%ff", "a;b", "*"];
  for (const { method, path } of ROUTES) {
    if (!path.includes(":")) continue;
    for (const trick of tricks) {
      const body = method === "PUT" ? "x" : null;
      const answer = await test.ask(path.replace(/:\w+/g, trick), { method, body });
      assert([400, 404].includes(answer.status), `${method} ${path} ${trick}: ${answer.status}`);
      assertEquals(answer.headers.get("content-type"), "application/problem+json");
      await answer.body?.cancel();
    }
  }
  await assertRefused(await test.ask("/api/v1/nothing"), 404, "notFound");
  await assertRefused(await test.ask("/api/v1/releases", { method: "PATCH" }), 404, "notFound");
  await assertRefused(await test.ask("/api/v1/campaigns/c99"), 404, "campaignUnknown");
  await assertRefused(await test.ask(`/api/v1/vehicles/${OTHER_VIN}`), 404, "vehicleUnknown");
});

function hasOpenssl(): boolean {
  try {
    return new Deno.Command("openssl", { args: ["version"] }).outputSync().code === 0;
  } catch {
    return false;
  }
}
