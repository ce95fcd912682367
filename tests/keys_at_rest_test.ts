/**
 * Private keys stay where they are: everything that server and tool write, print or answer is
 * searched for them, in every spelling that bytes have.
 */
import { Buffer } from "node:buffer";
import { assert, assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import { fromHex } from "shared/bytes.ts";
import { ota, startServerProcess } from "../scripts/process.ts";
import { withFolder } from "./cli_world.ts";

/** Every file below a folder. */
async function* filesOf(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* filesOf(path);
    else yield path;
  }
}

function isKey(path: string): boolean {
  return /\.key(\.revoked)?$/.test(path);
}

/** The private keys of all key files below a folder. */
async function seedsIn(folder: string): Promise<Uint8Array[]> {
  const seeds: Uint8Array[] = [];
  for await (const path of filesOf(folder)) {
    if (!isKey(path)) continue;
    const { private: hex } = JSON.parse(await Deno.readTextFile(path));
    seeds.push(fromHex(hex));
  }
  return seeds;
}

/** The spellings of a key in text, and its bytes. */
function spellings(seed: Uint8Array): Buffer[] {
  const bytes = Buffer.from(seed);
  const base64 = [0, 1, 2].map((shift) =>
    // Base64 of a key inside other bytes looks otherwise for each place modulo three.
    Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64").slice(4, 38)
  );
  const texts = [bytes.toString("hex"), bytes.toString("hex").toUpperCase(), ...base64];
  const url = base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_"));
  return [bytes, ...[...texts, ...url].map((text) => Buffer.from(text, "latin1"))];
}

function assertAbsent(seeds: readonly Uint8Array[], where: string, bytes: Uint8Array): void {
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const seed of seeds) {
    for (const needle of spellings(seed)) {
      assert(!haystack.includes(needle), `a key is in ${where}`);
    }
  }
}

Deno.test("the search for keys finds one in every spelling", () => {
  const seed = crypto.getRandomValues(new Uint8Array(32));
  const [head, key] = [Buffer.from("xy"), Buffer.from(seed)];
  const hidden = [
    ...[key.toString("hex"), key.toString("base64"), key.toString("base64url")],
    ...[1, 2].map((count) => Buffer.concat([head.subarray(0, count), key]).toString("base64")),
  ];
  for (const text of [...hidden.map((each) => Buffer.from(`a ${each} b`)), key]) {
    let found = false;
    try {
      assertAbsent([seed], "text", text);
    } catch {
      found = true;
    }
    assert(found, text.toString());
  }
});

Deno.test("no private key is in a log, an answer, an error, the records or any other file", async () => {
  await withFolder(async (folder, run) => {
    const said: string[] = [];
    const server = await startServerProcess({ data: `${folder}/server` });
    const { http } = server.urls;
    const env = { OTA_PASSWORD: server.password };
    const home = `${folder}/home`;
    const say = async (...args: string[]) => {
      const { code, stdout, stderr } = await run(...args);
      said.push(stdout, stderr);
      return code;
    };
    assertEquals((await ota(["login", "--server", http], { home, env })).code, 0);
    const [keys, file, image] = [`${folder}/keys`, `${folder}/request.json`, `${folder}/i.bin`];
    await Deno.writeFile(image, new Uint8Array(70_000).fill(1));
    const publish = ["publish", image, "--hardware", "body-sim", "--notes", "Fixes a fault"];
    assertEquals(await say("keys", "setup", keys, "--json"), 0);
    assertEquals(await say(...publish, "--version", "1.0.0", "--keys", keys), 0);
    assertEquals(await say(...publish, "--version", "1.1.0"), 5);
    assertEquals(await say("keys", "renew", "image/timestamp", "director/targets"), 0);
    assertEquals(await say("keys", "fetch", file), 0);
    const id = JSON.parse((await run("keys", "list", keys, "--json")).stdout.split("\n")[0]!).keyid;
    assertEquals(await say("keys", "revoke", keys, file, id), 0);
    assertEquals(await say("keys", "upload", file, "--json"), 0);
    assertEquals(await say("keys", "list", keys), 0);
    assertEquals(await say("keys", "list", "--json"), 0);
    const { token } = await (await fetch(`${http}/api/v1/login`, {
      method: "POST",
      body: JSON.stringify({ user: "admin", password: server.password }),
    })).json();
    for (const path of ["/metrics", "/api/v1/signing", "/api/v1/signing/state", "/api/v1/none"]) {
      const headers = { authorization: `Bearer ${token}` };
      said.push(await (await fetch(`${http}${path}`, { headers })).text());
    }
    const broken = await fetch(`${http}/api/v1/signing`, {
      method: "PUT",
      headers: { authorization: `Bearer ${token}` },
      body: '{"v":1,"next":{"roots":{"image":{"signatures":[],"signed":{}}}}}',
    });
    said.push(await broken.text());
    assertEquals(await server.stop(), 0);

    const seeds = await seedsIn(folder);
    assertEquals(seeds.length >= 9 + 1 + 6, true, `${seeds.length} keys`);
    said.push(...server.logs);
    assertAbsent(seeds, "what was said", new TextEncoder().encode(said.join("\n")));
    let looked = 0;
    for await (const path of filesOf(folder)) {
      const { mode } = await Deno.stat(path);
      if (isKey(path)) assertEquals(mode! & 0o777, 0o600, path);
      else {
        looked++;
        assertAbsent(seeds, path, await Deno.readFile(path));
      }
    }
    assert(looked > 5);
    assertEquals((await Deno.stat(`${folder}/server/keys`)).mode! & 0o777, 0o700);
  });
});

Deno.test("a server whose keys others can read, or that are damaged, refuses to start and says the remedy", async () => {
  await withFolder(async (folder) => {
    const data = `${folder}/server`;
    assertEquals(await (await startServerProcess({ data })).stop(), 0);
    const seeds = await seedsIn(data);
    const [name] = await Array.fromAsync(Deno.readDir(`${data}/keys`), (entry) => entry.name);
    const file = `${data}/keys/${name}`;
    const refusal = async () => {
      const args = ["--data", data, "--http", "127.0.0.1:0", "--device", "127.0.0.1:0"];
      const { code, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "server/main.ts", ...args, "--mqtt", "127.0.0.1:0"],
        cwd: new URL("../", import.meta.url).pathname,
      }).output();
      assertEquals(code, 5);
      assertAbsent(seeds, "the refusal", stderr);
      assertAbsent(seeds, "the refusal", stdout);
      return new TextDecoder().decode(stderr);
    };
    await Deno.chmod(file, 0o640);
    assertStringIncludes(await refusal(), "others can read it (mode 640); chmod 600 it");
    await Deno.chmod(file, 0o600);
    await Deno.chmod(`${data}/keys`, 0o750);
    assertStringIncludes(await refusal(), "others can read it (mode 750); chmod 700 it");
    await Deno.chmod(`${data}/keys`, 0o700);
    const text = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, text.slice(0, -20));
    assertStringIncludes(await refusal(), "it is damaged; put back a copy");
    await Deno.writeTextFile(file, text);
    assertEquals(await (await startServerProcess({ data })).stop(), 0);
  });
});
