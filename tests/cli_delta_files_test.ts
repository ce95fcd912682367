/**
 * `ota delta` and `ota patch` with files that cannot be meant, a full medium, and a person who
 * presses Ctrl-C: nothing half-written is left, nothing that is there is lost.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import { OPERATION, serializeContainerHead } from "shared/delta/container.ts";
import { GIB, LEAF_BYTES, MIB, SEGMENT_BYTES } from "shared/limits.ts";
import { leafHash } from "shared/merkle.ts";
import { nodeHash } from "shared/node/digest.ts";
import { ROOT } from "../scripts/process.ts";
import { assertRefused, ok, withFolder } from "./cli_world.ts";
import { noMount, SmallDisk } from "./small_disk.ts";

const image = new Uint8Array(150_000).map((_, i) => (i * i >> 7) + (i >> 3));

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** Random bytes: no encoder makes them shorter. */
function random(lengthBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthBytes);
  for (let at = 0; at < lengthBytes; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

/** A container of a long image in few bytes; its digest is never come to. */
function containerOfZeros(imageBytes: number): Uint8Array<ArrayBuffer> {
  const leaves = imageBytes / LEAF_BYTES;
  const leafHashes = new Uint8Array(leaves * 32);
  const zeroLeaf = leafHash(new Uint8Array(LEAF_BYTES), nodeHash);
  for (let i = 0; i < leaves; i++) leafHashes.set(zeroLeaf, i * 32);
  const zero = { operation: OPERATION.zero, payloadBytes: 0, payloadSha256: nodeHash() };
  return serializeContainerHead({
    ...{ imageBytes, imageSha256: "00".repeat(32), base: null, leafHashes },
    ...{ leafBytes: LEAF_BYTES, segmentBytes: SEGMENT_BYTES },
    segments: Array.from({ length: imageBytes / SEGMENT_BYTES }, () => zero),
  }, nodeHash);
}

Deno.test("ota delta and ota patch refuse folders and pipes, and leave them as they are", async () => {
  await withFolder(async (folder, run) => {
    const [file, pipe, patch] = [`${folder}/file`, `${folder}/pipe`, `${folder}/patch`];
    await Deno.writeFile(file, image);
    ok(await run("delta", "-", file, patch, "--json"));
    assertEquals((await new Deno.Command("mkfifo", { args: [pipe] }).output()).code, 0);
    const before = namesIn(folder);
    for (const odd of [folder, pipe]) {
      const what = `${odd}: it is ${odd === folder ? "a folder" : "no regular file"}`;
      const refused = async (attempt: string, ...args: string[]) => {
        assertRefused(await run(...args), 2, "badRequest", `Cannot ${attempt} ${what}`);
      };
      await refused("read", "delta", odd, file, `${folder}/out`);
      await refused("read", "delta", file, odd, `${folder}/out`);
      await refused("write", "delta", file, file, odd);
      await refused("read", "patch", "-", odd, `${folder}/out`);
      await refused("write", "patch", "-", patch, odd);
    }
    assertEquals(namesIn(folder), before);
    assert(Deno.statSync(pipe).isFifo, "the pipe was replaced");
  });
});

Deno.test("ota delta and ota patch do not write over what they read, and follow a link", async () => {
  await withFolder(async (folder, run) => {
    const [old, next, patch] = [`${folder}/old`, `${folder}/next`, `${folder}/patch`];
    await Deno.writeFile(old, image);
    await Deno.writeFile(next, image.subarray(9));
    await Deno.link(old, `${folder}/again`);
    const same = async (path: string, ...args: string[]) => {
      assertRefused(await run(...args), 2, "badRequest", `Cannot write ${path}: it is read as`);
    };
    await same(old, "delta", old, next, old);
    await same(`${folder}/again`, "delta", old, next, `${folder}/again`);
    await same(next, "delta", old, next, next);
    ok(await run("delta", old, next, patch, "--json"));
    await same(patch, "patch", old, patch, patch);
    assertEquals(await Deno.readFile(old), image);
    assertEquals(await Deno.readFile(next), image.subarray(9));
    // The old image may give way to the new one, by another name too: both are whole at any time.
    await Deno.symlink("old", `${folder}/link`);
    ok(await run("patch", old, patch, `${folder}/link`, "--json"));
    assert(Deno.lstatSync(`${folder}/link`).isSymlink, "the link was replaced");
    assertEquals(await Deno.readFile(old), image.subarray(9));
  });
});

Deno.test("ota patch says what to give instead of an old image that does not fit", async () => {
  await withFolder(async (folder, run) => {
    const [old, next, patch] = [`${folder}/old`, `${folder}/next`, `${folder}/patch`];
    await Deno.writeFile(old, image);
    await Deno.writeFile(next, image.subarray(9));
    ok(await run("delta", old, next, patch, "--json"));
    assertRefused(
      await run("patch", "-", patch, `${folder}/out`),
      ...[2, "badRequest", `Cannot apply ${patch}: it starts from an old image`] as const,
    );
    const other = await run("patch", next, patch, `${folder}/out`);
    assertRefused(other, 4, "deltaBaseDiffers", "and the old image has");
    assertStringIncludes(other.stderr, "remedy: Give the old image");
    await Deno.truncate(patch, 900);
    const cut = await run("patch", old, patch, `${folder}/out`);
    assertRefused(cut, 4, "containerDamaged");
    assertStringIncludes(cut.stderr, "remedy: Copy the container again");
    assertEquals(namesIn(folder), ["next", "old", "patch"]);
  });
});

const skipped = await noMount();
Deno.test({
  name: `ota delta and ota patch say that the medium is full, and leave nothing there${skipped}`,
  ignore: skipped !== "",
  async fn() {
    await using disk = SmallDisk.mount(1);
    await withFolder(async (folder, run) => {
      const [file, patch] = [`${folder}/file`, `${folder}/patch`];
      await Deno.writeFile(file, random(1_500_000));
      ok(await run("delta", "-", file, patch, "--json"));
      for (const args of [["delta", "-", file], ["patch", "-", patch]]) {
        const target = `${disk.path}/out`;
        assertRefused(await run(...args, target), 1, "storageFull", `Cannot write ${target}: `);
        assertEquals(namesIn(disk.path), []);
      }
    });
  },
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} in the middle of ota delta and ota patch leaves nothing behind`, async (t) => {
    await withFolder(async (folder) => {
      const [file, patch] = [`${folder}/file`, `${folder}/patch`];
      await Deno.writeFile(file, random(48 * MIB)); // Seconds of work.
      await Deno.writeFile(patch, containerOfZeros(4 * GIB));
      for (const args of [["delta", file, file], ["patch", "-", patch]]) {
        await t.step(args[0]!, async () => {
          const child = new Deno.Command(Deno.execPath(), {
            args: ["run", "-A", "--quiet", "server/cli/main.ts", ...args, `${folder}/out`],
            ...{ cwd: ROOT, stdin: "null", stdout: "null", stderr: "null" },
          }).spawn();
          while (!namesIn(folder).some((name) => name.startsWith("out."))) {
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          child.kill(signal);
          // As if nobody had listened: whoever started it sees why it ended.
          assertEquals((await child.status).signal, signal);
          assertEquals(namesIn(folder), ["file", "patch"]);
        });
      }
    });
  });
}
