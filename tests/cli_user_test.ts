/**
 * `ota user` against a real server.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import { ota } from "../scripts/process.ts";
import { assertRefused, ok, withServer } from "./cli_world.ts";

Deno.test("ota user adds, lists, sets passwords and removes, and the removed cannot act", async () => {
  await withServer(async ({ folder, server }, run) => {
    const home = `${folder}/home`;
    const secret = "bea's first word";
    const add = (...args: string[]) =>
      ota(["user", "add", ...args], { home, env: { OTA_NEW_PASSWORD: secret } });
    const added = await add("bea", "--role", "viewer", "--json");
    assertEquals(ok(added), { user: "bea", role: "viewer" });
    assertRefused(await add("bea", "--role", "publisher"), 4, "userTaken");
    assertEquals((await add("x", "--role", "root")).code, 2);
    assertEquals((await add("a b", "--role", "viewer")).code, 2);
    assertRefused(await run("user", "add", "x", "--role", "viewer"), 2, "badRequest", "OTA_NEW");
    const short = { home, env: { OTA_NEW_PASSWORD: "short" } };
    const refused = await ota(["user", "add", "x", "--role", "viewer"], short);
    assertRefused(refused, 2, "badRequest", "8 characters");
    const rows = (await run("user", "list", "--json")).stdout.trim().split("\n");
    assertEquals(rows.map((row) => JSON.parse(row)), [
      { user: "admin", role: "operator" },
      { user: "bea", role: "viewer" },
    ]);
    assertStringIncludes((await run("user", "list")).stdout, "bea    viewer");

    const hers = { home: `${folder}/bea`, env: { OTA_PASSWORD: secret } };
    const login = ["login", "--user", "bea", "--server", server.urls.http];
    assertEquals((await ota(login, hers)).code, 0);
    assertRefused(await ota(["user", "list"], hers), 4, "forbidden");
    const next = { ...hers, env: { ...hers.env, OTA_NEW_PASSWORD: "bea's second word" } };
    assertEquals(ok(await ota(["user", "password", "--json"], next)), { user: "bea" });
    assertEquals((await ota(["releases"], hers)).code, 0, "this login goes on");
    assertRefused(await ota(login, hers), 4, "unauthenticated");
    assertRefused(await ota(["user", "password", "admin"], next), 4, "forbidden");

    assertEquals((await run("user", "remove", "bea")).code, 0);
    assertRefused(await ota(["releases"], hers), 4, "unauthenticated");
    assertRefused(await run("user", "remove", "bea"), 4, "userUnknown");
    assertRefused(await run("user", "remove", "admin"), 4, "wrongState", "nobody else");
  });
});
