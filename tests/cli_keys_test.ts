/** The `ota keys` commands as people use them: real processes, real files. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert/mod.js";
import type { SigningRequest, SigningState } from "shared/protocol/signing.ts";
import { ota } from "../scripts/process.ts";
import { assertRefused, ok, withFolder, withServer } from "./cli_world.ts";

const PUBLISH = ["--hardware", "body-sim", "--notes", "Fixes a fault"];

async function image(folder: string, fill: number): Promise<string> {
  const path = `${folder}/image-${fill}.bin`;
  await Deno.writeFile(path, new Uint8Array(70_000).fill(fill));
  return path;
}

async function keyFiles(dir: string, role = ""): Promise<string[]> {
  const files = await Array.fromAsync(Deno.readDir(dir), ({ name }) => name);
  return files.filter((name) => name.endsWith(".key") && name.startsWith(role)).toSorted();
}

Deno.test("ota keys setup, then ota publish --keys: signed in passing", async () => {
  await withServer(async ({ folder, server }, run) => {
    const keys = `${folder}/keys`;
    const before = ok(
      await run("publish", await image(folder, 1), "--version", "1.0.0", ...PUBLISH, "--json"),
    );
    assertEquals(before.campaign, "c1"); // A server that nobody set up signs nothing.
    assertRefused(
      await run(
        "publish",
        await image(folder, 1),
        "--version",
        "1.0.1",
        ...PUBLISH,
        "--keys",
        keys,
      ),
      2,
      "badRequest",
    );
    const state = ok(await run("keys", "setup", keys, "--json")) as unknown as SigningState;
    assertEquals(state.awaiting, []);
    assertEquals(state.image.map(({ role, version }) => [role, version !== null]), [
      ["root", true],
      ["targets", true],
      ["snapshot", true],
      ["timestamp", true],
      ["carriers", true],
    ]);
    assertEquals((await keyFiles(keys)).length, 9);
    for (const file of await keyFiles(keys)) {
      assertEquals((await Deno.stat(`${keys}/${file}`)).mode! & 0o777, 0o600);
    }

    const made = await run(
      "publish",
      await image(folder, 2),
      "--version",
      "1.1.0",
      ...PUBLISH,
      "--keys",
      keys,
      "--json",
    );
    assertEquals(ok(made).campaign, "c2");
    const listed = await run("keys", "list");
    assertEquals(listed.code, 0);
    assertMatch(listed.stdout, /image\/targets +2 +2 /);

    const unsigned = await run(
      "publish",
      await image(folder, 3),
      "--version",
      "1.2.0",
      ...PUBLISH,
      "--json",
    );
    assertEquals(unsigned.code, 5);
    assertEquals(JSON.parse(unsigned.stdout).release, "body-sim/1.2.0");
    assertStringIncludes(unsigned.stderr, "[1702 releaseUnsigned]");
    // Another release is published with keys: nothing but that one is signed.
    const env = { OTA_KEYS: keys };
    const args = [
      "publish",
      await image(folder, 4),
      "--version",
      "1.3.0",
      ...PUBLISH,
      "--server",
      server.urls.http,
    ];
    assertEquals((await ota(args, { home: `${folder}/home`, env })).code, 0);
    assertStringIncludes((await run("keys", "list")).stderr, "body-sim/1.2.0 waits");
  });
});

Deno.test("two holders sign one after the other, away from the server, and see what they sign", async () => {
  await withServer(async ({ folder }, run) => {
    const [all, first, second] = ["all", "first", "second"].map((name) => `${folder}/${name}`) as [
      string,
      string,
      string,
    ];
    const file = `${folder}/request.json`;
    ok(await run("keys", "init", all, "--count", "2", "--json"));
    for (const [index, dir] of [first, second].entries()) {
      await Deno.mkdir(dir, { mode: 0o700 });
      for (const role of ["image-root", "image-targets", "director-root"]) {
        const name = (await keyFiles(all, role))[index]!;
        await Deno.copyFile(`${all}/${name}`, `${dir}/${name}`);
      }
    }
    const path = await image(folder, 1);
    ok(await run("publish", path, "--version", "1.0.0", ...PUBLISH, "--json"));
    ok(await run("keys", "fetch", file, "--json"));
    // The first roots list every key; then each holder signs with their own.
    ok(await run("keys", "root", all, file, "--json"));
    const request: SigningRequest = JSON.parse(await Deno.readTextFile(file));
    for (const root of Object.values(request.next.roots)) root!.signatures = [];
    await Deno.writeTextFile(file, JSON.stringify(request));

    const one = await run("keys", "sign", first, file, "--image", path, "--json");
    assertEquals(ok(one).complete, false);
    assertStringIncludes(one.stderr, "new  body-sim/1.0.0  counter 1");
    assertRefused(await run("keys", "upload", file), 4, "signatureMissing");
    const two = ok(await run("keys", "sign", second, file, "--json"));
    assertEquals(two.complete, true);
    const state = ok(await run("keys", "upload", file, "--json")) as unknown as SigningState;
    assertEquals([state.awaiting, state.image[1]!.threshold], [[], 2]);
    assertRefused(await run("keys", "upload", file), 4, "signingOutdated");
  });
});

Deno.test("ota keys sign refuses an image that is not at hand, and roots it does not know", async () => {
  await withServer(async ({ folder }, run) => {
    const [keys, file] = [`${folder}/keys`, `${folder}/request.json`];
    ok(await run("keys", "setup", keys, "--json"));
    ok(await run("keys", "setup", keys, "--json")); // Again: all is signed already.
    const path = await image(folder, 1);
    assertEquals((await run("publish", path, "--version", "1.0.0", ...PUBLISH)).code, 5);
    ok(await run("keys", "fetch", file, "--json"));
    const other = await image(folder, 2);
    assertRefused(await run("keys", "sign", keys, file, "--image", other), 4, "signingDiffers");
    const fetched = await Deno.readTextFile(file);
    const forged: SigningRequest = JSON.parse(fetched);
    forged.roots.image = [];
    forged.roots.director = [];
    await Deno.writeTextFile(file, JSON.stringify(forged));
    assertRefused(await run("keys", "root", keys, file), 4, "signingOutdated");
    await Deno.writeTextFile(file, fetched);
    assertRefused(
      await run("keys", "root", keys, file),
      2,
      "badRequest",
      "say what the present one",
    );
    assertEquals(ok(await run("keys", "sign", keys, file, "--json")).complete, true);
    ok(await run("keys", "upload", file, "--json"));
    assertEquals((await run("keys", "renew", "image/root")).code, 2);
  });
});

Deno.test("the drill by commands: offline keys are revoked, the server's are renewed", async () => {
  await withServer(async ({ folder }, run) => {
    const [keys, file, path] = [`${folder}/keys`, `${folder}/request.json`, await image(folder, 1)];
    ok(await run("keys", "setup", keys, "--json"));
    ok(await run("publish", path, "--version", "1.0.0", ...PUBLISH, "--keys", keys, "--json"));
    const idOf = async (role: string) => {
      const lines = (await run("keys", "list", keys, "--json")).stdout.trim().split("\n");
      return lines.map((line) => JSON.parse(line)).find((row) => row.role === role).keyid as string;
    };
    const gone = [
      await idOf("image/root"),
      await idOf("image/targets"),
      await idOf("director/root"),
    ];
    ok(await run("keys", "fetch", file, "--json"));
    const revoked = await run(
      "keys",
      "revoke",
      keys,
      file,
      ...gone.map((id) => id.slice(0, 12)),
      "--json",
    );
    assertEquals(ok(revoked).complete, true);
    for (const id of gone) assertStringIncludes(revoked.stderr, `GONE ${id}`);
    const state = ok(await run("keys", "upload", file, "--json")) as unknown as SigningState;
    const all = [...state.image, ...state.director];
    const named = all.flatMap((row) => row.keys.map(({ keyid }) => keyid));
    assert(gone.every((id) => !named.includes(id)));
    assertEquals([state.image[0]!.version, state.image[1]!.version], [2, 3]);
    assertEquals((await keyFiles(keys)).length, 9);

    ok(
      await run("keys", "renew", "image/timestamp", "image/carriers", "director/targets", "--json"),
    );
    ok(await run("keys", "fetch", file, "--json"));
    const without = await run("keys", "sign", keys, file, "--json");
    assertStringIncludes(without.stderr, "key of the role carriers");
    ok(await run("keys", "root", keys, file, "--json"));
    const after = ok(await run("keys", "upload", file, "--json")) as unknown as SigningState;
    for (const { role, keys } of [...after.image, ...after.director]) {
      assert(keys.every((each) => each.state === "active"), role);
    }
    ok(await run("publish", path, "--version", "1.1.0", ...PUBLISH, "--keys", keys, "--json"));
  });
});

Deno.test("keys with a passphrase open with it only; keys that others can read are not used", async () => {
  await withFolder(async (folder, run) => {
    const dir = `${folder}/keys`;
    const sealed = { home: `${folder}/home`, env: { OTA_KEYS_PASSPHRASE: "a long one indeed" } };
    assertEquals((await ota(["keys", "init", dir, "--count", "2"], sealed)).code, 0);
    for (const file of await keyFiles(dir)) {
      const text = await Deno.readTextFile(`${dir}/${file}`);
      assert(!text.includes('"private"'), text);
    }
    const listed = await run("keys", "list", dir, "--json");
    assertEquals(
      listed.stdout.trim().split("\n").map((line) => JSON.parse(line).sealed).every(Boolean),
      true,
    );
    const online = Object.fromEntries(
      [
        "image/snapshot",
        "image/timestamp",
        "image/carriers",
        "director/targets",
        "director/snapshot",
        "director/timestamp",
      ]
        .map((role, index) => [role, String(index + 1).repeat(64)]),
    );
    const request = {
      v: 1,
      at: "2026-11-23T06:00:00.000Z",
      online,
      roots: { image: [], director: [] },
      targets: null,
      add: [],
      next: { roots: {} },
    };
    const file = `${folder}/request.json`;
    await Deno.writeTextFile(file, JSON.stringify(request));
    assertRefused(
      await run("keys", "root", dir, file),
      4,
      "keyUnusable",
      "OTA_KEYS_PASSPHRASE is not set",
    );
    const wrong = { ...sealed, env: { OTA_KEYS_PASSPHRASE: "another one" } };
    assertRefused(
      await ota(["keys", "root", dir, file], wrong),
      4,
      "keyUnusable",
      "another one, or the file was changed",
    );
    assertEquals((await ota(["keys", "root", dir, file], sealed)).code, 0);
    // A file that was given another role does not open.
    const [name] = await keyFiles(dir, "image-root");
    const text = await Deno.readTextFile(`${dir}/${name}`);
    await Deno.writeTextFile(`${dir}/${name}`, text.replace('"role":"root"', '"role":"targets"'));
    await Deno.writeTextFile(file, JSON.stringify(request));
    assertRefused(await ota(["keys", "root", dir, file], sealed), 4, "keyUnusable");
    await Deno.writeTextFile(`${dir}/${name}`, text);
    await Deno.chmod(`${dir}/${name}`, 0o640);
    assertRefused(await run("keys", "list", dir), 5, "keysExposed", "mode 640");
    await Deno.chmod(`${dir}/${name}`, 0o600);
    await Deno.chmod(dir, 0o755);
    assertRefused(await run("keys", "list", dir), 5, "keysExposed", "mode 755");
  });
});
