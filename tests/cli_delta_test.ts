/**
 * `ota delta` and `ota patch` as child processes: what one makes, the other applies.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert/mod.js";
import { sha256Hex } from "shared/node/digest.ts";
import { assertRefused, ok, withFolder } from "./cli_world.ts";

const old = new Uint8Array(200_000).map((_, i) => (i * i >> 7) + (i >> 3));
const next = old.map((byte, i) => i % 3000 === 0 ? 7 : byte).subarray(55);

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("ota delta makes a container that ota patch applies", async (t) => {
  await withFolder(async (folder, run) => {
    const [oldPath, newPath, patch, out] = ["old", "new", "patch", "out"]
      .map((name) => `${folder}/${name}`) as [string, string, string, string];
    await Deno.writeFile(oldPath, old);
    await Deno.writeFile(newPath, next);
    for (const [base, effort] of [[oldPath, "best"], [oldPath, "fast"], ["-", "best"]] as const) {
      await t.step(`from ${base === "-" ? "nothing" : "a base"}, ${effort}`, async () => {
        const made = ok(await run("delta", base, newPath, patch, "--effort", effort, "--json"));
        const patchBytes = Deno.statSync(patch).size;
        assertEquals(made, {
          ...{ file: patch, patchBytes, imageBytes: next.length, imageSha256: sha256Hex(next) },
          baseSha256: base === "-" ? null : sha256Hex(old),
        });
        if (base !== "-") assert(patchBytes < 2500, `${patchBytes} bytes`);
        ok(await run("patch", base, patch, out, "--json"));
        assertEquals(sha256Hex(await Deno.readFile(out)), sha256Hex(next));
      });
    }
    await t.step("it says on stderr how far it is, and on stdout what it made", async () => {
      const { code, stdout, stderr } = await run("delta", oldPath, newPath, patch);
      assertEquals(code, 0);
      assertMatch(stdout, /^Wrote .*patch: \d+ bytes, \d\.\d\d % of 199945\n$/);
      assertStringIncludes(stderr, `Encoding ${newPath}: 100 %`);
      assertEquals((await run("delta", oldPath, newPath, patch, "--quiet")).stderr, "");
    });
    assertEquals(namesIn(folder), ["new", "old", "out", "patch"]);
  });
});

Deno.test("ota delta leaves nothing behind when it cannot make one", async () => {
  await withFolder(async (folder, run) => {
    const [image, missing] = [`${folder}/image`, `${folder}/missing`];
    await Deno.writeFile(image, old);
    const refused = async (what: string, ...args: string[]) => {
      assertRefused(await run("delta", ...args), 2, "badRequest", what);
    };
    await refused(`Cannot read ${missing}`, missing, image, `${folder}/patch`);
    await refused(`Cannot read ${missing}`, image, missing, `${folder}/patch`);
    await refused(`Cannot write ${missing}/patch`, image, image, `${missing}/patch`);
    await refused("effort", image, image, `${folder}/patch`, "--effort", "most");
    await refused("missing required argument", image, image);
    assertEquals(namesIn(folder), ["image"]);
  });
});

Deno.test("an image of no bytes goes there and back", async () => {
  await withFolder(async (folder, run) => {
    const [empty, full, patch, out] = ["empty", "full", "patch", "out"]
      .map((name) => `${folder}/${name}`) as [string, string, string, string];
    await Deno.writeFile(empty, new Uint8Array(0));
    await Deno.writeFile(full, old);
    for (const [base, image] of [[empty, full], [full, empty], [empty, empty]] as const) {
      ok(await run("delta", base, image, patch, "--json"));
      ok(await run("patch", base, patch, out, "--json"));
      assertEquals(await Deno.readFile(out), await Deno.readFile(image));
    }
  });
});
