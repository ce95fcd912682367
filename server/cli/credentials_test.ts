import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert/mod.js";
import { CredentialStore, homeFolder, serverAddress } from "./credentials.ts";
import { CommandError, EXIT } from "./exit.ts";

const LOGIN = { user: "admin", token: "secret", expiresAt: "2027-01-01T00:00:00.000Z" };

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(`${folder}/home`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("homeFolder() takes OTA_HOME before XDG_CONFIG_HOME before HOME", () => {
  const env = { OTA_HOME: "/a", XDG_CONFIG_HOME: "/b", HOME: "/c" } as Record<string, string>;
  const folder = () => homeFolder((name) => env[name]);
  assertEquals(folder(), "/a");
  delete env.OTA_HOME;
  assertEquals(folder(), "/b/headunit-ota");
  delete env.XDG_CONFIG_HOME;
  assertEquals(folder(), "/c/.config/headunit-ota");
  delete env.HOME;
  assertEquals(assertThrows(folder, CommandError, "OTA_HOME").exit, EXIT.precondition);
});

Deno.test("serverAddress() gives one form to one server and refuses what is none", () => {
  assertEquals(serverAddress("HTTP://Localhost:8080/"), "http://localhost:8080");
  assertEquals(serverAddress("https://ota.example:443"), "https://ota.example");
  const refused = ["localhost:8080", "ftp://a", "http://a/b", "http://u:p@a", "http://a?b", ""];
  for (const text of refused) {
    assertEquals(assertThrows(() => serverAddress(text), CommandError).exit, EXIT.usage, text);
  }
});

Deno.test("CredentialStore keeps a token for each server, readable by its owner only", async () => {
  await withFolder(async (folder) => {
    const store = new CredentialStore(folder);
    assertEquals([await store.lastServer(), await store.login("http://a")], [undefined, undefined]);
    await store.keep("http://a", LOGIN);
    await store.keep("http://b", { ...LOGIN, token: "other" });
    const again = new CredentialStore(folder);
    assertEquals(await again.lastServer(), "http://b");
    assertEquals((await again.login("http://a"))?.token, "secret");
    assertEquals((await Deno.stat(again.path)).mode! & 0o777, 0o600);
    assertEquals((await Deno.stat(folder)).mode! & 0o777, 0o700);
    assertEquals([...Deno.readDirSync(folder)].length, 1);
  });
});

Deno.test("CredentialStore refuses a file that others may read, and one that is damaged", async () => {
  await withFolder(async (folder) => {
    const store = new CredentialStore(folder);
    await store.keep("http://a", LOGIN);
    for (const mode of [0o640, 0o604, 0o660]) {
      await Deno.chmod(store.path, mode);
      const error = await assertRejects(() => store.login("http://a"), CommandError, "others");
      assertEquals(error.exit, EXIT.precondition);
      assert(error.facts.remedy.includes("chmod 600"));
    }
    await Deno.chmod(store.path, 0o600);
    for (const text of ["", "{", '{"v":2,"server":"http://a","logins":{}}']) {
      await Deno.writeTextFile(store.path, text);
      const error = await assertRejects(() => store.lastServer(), CommandError, "Cannot read");
      assertEquals(error.exit, EXIT.precondition);
    }
  });
});
