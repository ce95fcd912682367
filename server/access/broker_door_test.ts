import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { pbkdf2Sync } from "node:crypto";
import { Buffer } from "node:buffer";
import type { BrokerAccess } from "shared/protocol/api.ts";
import { mosquittoPasswordFile } from "../adapters/broker_passwords.ts";
import { assertRefused, TestServer } from "../fixture_test.ts";
import { backToVersion } from "../old_records_test.ts";
import { OTHER_VIN, VIN } from "../samples_test.ts";

/** Nobody listens there: what is told about users does not need the broker. */
const NOWHERE = "mqtt://127.0.0.1:1";

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "ota-door-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function startAt(passwords: string): Promise<TestServer> {
  const login = { user: "ota-server", password: "hidden-word" };
  return TestServer.start({ broker: { url: NOWHERE, login, passwords } });
}

/** Whom the file lets in with this password. */
async function userOf(file: string, password: string): Promise<string[]> {
  const lines = (await Deno.readTextFile(file)).trim().split("\n");
  return lines.filter((line) => {
    const [, , iterations, salt, hash] = line.slice(line.indexOf(":")).split("$");
    const bytes = Buffer.from(salt!, "base64");
    return pbkdf2Sync(password, bytes, Number(iterations), 64, "sha512").toString("base64") ===
      hash;
  }).map((line) => line.split(":")[0]!);
}

Deno.test("the password file follows enrolment: the old secret counts until the new one is used", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/passwords`;
    await using test = await startAt(file);
    assertEquals(await userOf(file, "hidden-word"), ["ota-server"]);
    const ask = async (secret: string) => {
      const path = `/metadata/director/${VIN}/targets.json`;
      const answer = await test.asVehicle(secret, path);
      await answer.body?.cancel();
      return answer.status;
    };
    const unused = await test.enrol();
    assertEquals(await userOf(file, unused), [VIN]);
    const first = await test.enrol();
    assertEquals([await userOf(file, unused), await userOf(file, first)], [[], [VIN]]);
    assertEquals(await ask(first), 200);
    const second = await test.enrol();
    assertEquals([await userOf(file, first), await userOf(file, second)], [[VIN], []]);
    await Promise.all([ask(second), test.enrol(OTHER_VIN)]);
    assertEquals([await userOf(file, first), await userOf(file, second)], [[], [VIN]]);
    assertEquals((await Deno.readTextFile(file)).trim().split("\n").length, 3);
    assertEquals(test.log.filter((line) => line.includes("hidden-word")), []);

    const access = await test.get<BrokerAccess>("/api/v1/broker");
    assertEquals([access.user, access.url], ["ota-server", NOWHERE]);
    assertEquals(
      access.passwords.map(({ user }) => user),
      ["ota-server", VIN, OTHER_VIN].sort()
        .sort((a, b) => Number(b === "ota-server") - Number(a === "ota-server")),
    );
    const headers = { authorization: `Bearer ${await test.person("publisher")}` };
    await assertRefused(await test.ask("/api/v1/broker", { headers }), 403, "forbidden");
  });
});

Deno.test("a vehicle from before there were entries gets one when it shows its secret", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/passwords`;
    await using test = await startAt(file);
    const secret = await test.enrol();
    const path = `/metadata/director/${VIN}/targets.json`;
    await (await test.asVehicle(secret, path)).body?.cancel();
    await test.server.stop();
    await backToVersion(`${test.config.data}/records.sqlite`, 1);
    await test.restart();
    assertEquals(await userOf(file, secret), []);
    await (await test.asVehicle(secret, path)).body?.cancel();
    assertEquals(await userOf(file, secret), [VIN]);
  });
});

Deno.test("a server with its own broker tells nobody's password", async () => {
  await using test = await TestServer.start();
  const problem = await assertRefused(await test.ask("/api/v1/broker"), 503, "preconditionFailed");
  assertMatch(problem.detail, /--broker URL/);
});

Deno.test("the signal goes to a Mosquitto only, and a file that cannot be written is refused", async () => {
  await withFolder(async (folder) => {
    const log: string[] = [];
    const pidFile = `${folder}/pid`;
    const file = mosquittoPasswordFile(`${folder}/p`, { pidFile, log: (line) => log.push(line) });
    await file.write("a:b\n");
    assertEquals((await Deno.stat(`${folder}/p`)).mode! & 0o777, 0o640);
    assertEquals(log, [], "without a pid file nobody runs");
    const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
    await Deno.writeTextFile(pidFile, `${child.pid}\n`);
    await file.write("a:c\n");
    await Deno.writeTextFile(pidFile, "-1");
    await file.reload();
    if (Deno.build.os === "linux") assertMatch(log[0]!, /is sleep, not mosquitto$/);
    assertMatch(log.at(-1)!, /holds no process id$/);
    child.kill("SIGTERM");
    const { signal } = await child.status;
    if (Deno.build.os === "linux") assertEquals(signal, "SIGTERM", "it was not hung up");
    const nowhere = mosquittoPasswordFile(`${folder}/no/p`, { log: () => {} });
    const error = await assertRejects(() => nowhere.write("x"), Error, "make its folder");
    assert(!error.message.includes("x:"));
  });
});
