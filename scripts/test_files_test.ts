import { assert, assertEquals } from "@std/assert/mod.js";
import { readdirSync, statSync } from "node:fs";
import { ROOT } from "./process.ts";
import { PURE, testRuns } from "./test_files.ts";

/** Every file below the places in which the repository keeps code, by another way than the listing. */
function walked(): string[] {
  const places = ["hmi", "scripts", "server", "shared", "tests", "vehicle"];
  const all = places.flatMap((place) =>
    readdirSync(ROOT + place, { recursive: true }).map((name) => `${place}/${name}`)
  );
  return all.filter((path) => /_test\.tsx?$/.test(path) && statSync(ROOT + path).isFile());
}

Deno.test("testRuns() gives each test file of the repository to one of the two runs, and to one only", async () => {
  const { pure, io } = await testRuns(ROOT);
  const both = [...pure, ...io];
  assertEquals(both.filter((path, at) => both.indexOf(path) !== at), [], "twice");
  assertEquals(both.toSorted(), walked().toSorted());
  assert(pure.length > 50 && io.length > 50, `${pure.length} pure, ${io.length} others`);
});

Deno.test("testRuns() takes no folder of pure tests for another one, wherever it lies", async () => {
  const { pure, io } = await testRuns(ROOT);
  for (const place of PURE) {
    assert(pure.some((path) => path.startsWith(place)), `${place} has no test`);
    assertEquals(io.filter((path) => path === place || path.startsWith(`${place}/`)), []);
  }
  assert(pure.includes("tests/sim/rot_test.ts") && io.includes("tests/rot_test.ts"));
});

Deno.test("testRuns() finds the examples in comments, and passes over what is not ours", async () => {
  const root = await Deno.makeTempDir();
  const files: Record<string, string> = {
    "shared/a.ts": "/**\n * An example:\n *\n * ```ts\n * a();\n * ```\n */\n",
    "shared/b.ts": "/** None. */\n",
    "shared/deep/er/c_test.ts": "",
    "shared_too/d_test.ts": "",
    "server/e.test.tsx": "",
    "server/latest.ts": "/**\n * ```ts\n * needs a file\n * ```\n */\n",
    "node_modules/x/f_test.ts": "",
    "hmi/node_modules/g_test.ts": "",
    ".tmp/h_test.ts": "",
    "dist/i_test.js": "",
  };
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(`${root}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    assertEquals(await testRuns(`${root}/`), {
      pure: ["shared/deep/er/c_test.ts"],
      examples: ["shared/a.ts"],
      io: ["server/e.test.tsx", "shared_too/d_test.ts"],
    });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
