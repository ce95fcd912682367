import { assert, assertEquals } from "@std/assert/mod.js";
import type { User } from "shared/protocol/api.ts";
import { assertRefused, PASSWORD, TestServer } from "../fixture_test.ts";

const BEA = { user: "bea", role: "publisher", password: "eight888" } as const;

/** What a token lets its owner see: the status of the list of releases. */
async function mayRead(test: TestServer, token: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await test.ask("/api/v1/releases", { headers });
  await answer.body?.cancel();
  return answer.status === 200;
}

function setPassword(test: TestServer, user: string, body: unknown, token = test.token) {
  const headers = { authorization: `Bearer ${token}` };
  const init = { method: "PUT", headers, body: JSON.stringify(body) };
  return test.ask(`/api/v1/users/${user}/password`, init);
}

async function remove(test: TestServer, user: string): Promise<Response> {
  return await test.ask(`/api/v1/users/${user}`, { method: "DELETE" });
}

Deno.test("an operator adds people with each role, who can do what it allows, and lists them", async () => {
  await using test = await TestServer.start();
  for (const role of ["viewer", "publisher", "operator"] as const) {
    const answer = await test.post("/api/v1/users", { ...BEA, user: `a-${role}`, role });
    assertEquals([answer.status, await answer.json()], [201, { user: `a-${role}`, role }]);
    const token = await test.login(`a-${role}`, BEA.password);
    const headers = { authorization: `Bearer ${token}` };
    const session = await (await test.ask("/api/v1/session", { headers })).json();
    assertEquals([session.user, session.role], [`a-${role}`, role]);
    const users = await test.ask("/api/v1/users", { headers });
    assertEquals(users.status, role === "operator" ? 200 : 403);
    await users.body?.cancel();
  }
  const users = await test.get<User[]>("/api/v1/users");
  assertEquals(users, [
    { user: "a-operator", role: "operator" },
    { user: "a-publisher", role: "publisher" },
    { user: "a-viewer", role: "viewer" },
    { user: "admin", role: "operator" },
  ]);
  assert(test.log.includes('audit: "admin" added user "a-viewer" as viewer'));
  await test.restart();
  assert(await mayRead(test, await test.login("a-viewer", BEA.password)), "kept");
});

Deno.test("users with taken names, strange names, short passwords or unknown roles are refused", async () => {
  await using test = await TestServer.start();
  const add = (more: object) => test.post("/api/v1/users", { ...BEA, ...more });
  for (const user of ["admin", "ADMIN"]) {
    await assertRefused(await add({ user }), 409, "userTaken");
  }
  for (const user of ["", "a b", "a\nb", ".", 'a"', "ä", "a".repeat(65)]) {
    await assertRefused(await add({ user }), 400, "badRequest");
  }
  for (const password of ["", "seven77", "x".repeat(257)]) {
    await assertRefused(await add({ password }), 400, "badRequest");
  }
  await assertRefused(await add({ role: "root" }), 400, "badRequest");
  assertEquals((await test.get<User[]>("/api/v1/users")).length, 1);
});

Deno.test("the logins of a removed user end at once: tokens, the live feed, and a login under way", async () => {
  await using test = await TestServer.start();
  await (await test.post("/api/v1/users", BEA)).body?.cancel();
  const token = await test.login(BEA.user, BEA.password);
  const headers = { authorization: `Bearer ${token}` };
  const feed = await test.ask("/events", { headers });
  const own = await test.ask("/events");
  const reader = feed.body!.getReader();
  assertEquals((await reader.read()).done, false, "the snapshot");
  // The removal comes while the password is being checked.
  const { secrets } = test.server.core.ports;
  const checking = Promise.withResolvers<void>();
  const removed = Promise.withResolvers<void>();
  const check = secrets.checkPassword;
  Object.assign(secrets, {
    async checkPassword(password: string, hash: string) {
      const right = await check(password, hash);
      checking.resolve();
      await removed.promise;
      return right;
    },
  });
  const late = fetch(`${test.http}/api/v1/login`, {
    method: "POST",
    body: JSON.stringify({ user: BEA.user, password: BEA.password }),
  });
  await checking.promise;
  assertEquals((await remove(test, BEA.user)).status, 204);
  Object.assign(secrets, { checkPassword: check });
  removed.resolve();
  while (!(await reader.read()).done);
  assertEquals(test.server.core.feed.watchers, 1, "that of the operator goes on");
  await own.body?.cancel();
  assertEquals(await mayRead(test, token), false);
  await assertRefused(await late, 401, "unauthenticated");
  await assertRefused(await remove(test, BEA.user), 404, "userUnknown");
  assert(test.log.includes('audit: "admin" removed user "bea"'));
  // Whoever is added under that name later does not inherit a login.
  await (await test.post("/api/v1/users", BEA)).body?.cancel();
  assertEquals(await mayRead(test, token), false);
});

Deno.test("the last operator stays", async () => {
  await using test = await TestServer.start();
  await (await test.post("/api/v1/users", BEA)).body?.cancel();
  await assertRefused(await remove(test, "admin"), 409, "wrongState");
  await (await test.post("/api/v1/users", { ...BEA, user: "ops", role: "operator" })).body
    ?.cancel();
  assertEquals((await remove(test, "admin")).status, 204);
  assertEquals(await mayRead(test, test.token), false);
  test.token = await test.login("ops", BEA.password);
  await assertRefused(await remove(test, "ops"), 409, "wrongState");
  // The next start does not make an admin again.
  await test.restart();
  assertEquals((await test.get<User[]>("/api/v1/users")).map(({ user }) => user), ["bea", "ops"]);
});

Deno.test("a password: one's own with the present one, another's as operator; other logins end", async () => {
  await using test = await TestServer.start();
  await (await test.post("/api/v1/users", BEA)).body?.cancel();
  const [here, there] = [
    await test.login("bea", BEA.password),
    await test.login("bea", "eight888"),
  ];
  const password = "nine99999";
  await assertRefused(await setPassword(test, "admin", { password }, here), 403, "forbidden");
  await assertRefused(await setPassword(test, "bea", { password }, here), 403, "forbidden");
  const wrong = { password, current: "eight889" };
  await assertRefused(await setPassword(test, "bea", wrong, here), 403, "forbidden");
  assertEquals([await mayRead(test, here), await mayRead(test, there)], [true, true]);
  const right = { password, current: BEA.password };
  assertEquals((await setPassword(test, "bea", right, here)).status, 204);
  assertEquals([await mayRead(test, here), await mayRead(test, there)], [true, false]);
  assertEquals(await test.login("bea", BEA.password), undefined);
  assert(await mayRead(test, await test.login("bea", password)));

  assertEquals((await setPassword(test, "bea", { password: "ten1010101" })).status, 204);
  assertEquals(await mayRead(test, here), false);
  await assertRefused(await setPassword(test, "nobody", { password }), 404, "userUnknown");
  await assertRefused(await setPassword(test, "admin", { password }), 403, "forbidden");
  const own = { password, current: PASSWORD };
  assertEquals((await setPassword(test, "admin", own)).status, 204);
  assertEquals(await mayRead(test, test.token), true);
  assert(test.log.includes('audit: "bea" set the password of user "bea"'));
  assert(test.log.every((line) => !line.includes(password)), "no password in the log");
});

Deno.test("guessing one's present password is slowed down like a login", async () => {
  await using test = await TestServer.start();
  const guess = () => setPassword(test, "admin", { password: "nine99999", current: "wrong" });
  // The clock stands still: on a busy machine one check may outlast the wait after a failure.
  const { clock } = test.server.core.ports;
  const { monotonic } = clock;
  const at = monotonic();
  Object.assign(clock, { monotonic: () => at });
  const answers: Response[] = [];
  try {
    for (let i = 0; i < 7; i++) answers.push(await guess());
  } finally {
    Object.assign(clock, { monotonic });
  }
  assertEquals(answers.map(({ status }) => status), [403, 403, 403, 403, 403, 429, 429]);
  for (const answer of answers) await answer.body?.cancel();
});
