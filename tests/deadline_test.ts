/**
 * A test that never ends must fail by its name, and the tests behind it must still run.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert/mod.js";

const TESTS = `
Deno.test("waits for ever", async () => { await new Promise((go) => setTimeout(go, 600_000)); });
Deno.test({ name: "waits too", fn: () => new Promise((go) => setTimeout(go, 600_000)) });
Deno.test(function isNamed() { throw new Error("on purpose"); });
Deno.test("has a step", async (t) => { await t.step("one", () => {}); });
Deno.test({ name: "is left out", ignore: true, fn() {} });
`;

Deno.test("a test that never ends fails by its deadline, and the others run", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const deadline = import.meta.resolve("./deadline.ts");
    await Deno.writeTextFile(
      `${folder}/short.ts`,
      `import { withDeadlines } from ${JSON.stringify(deadline)};\nwithDeadlines(300);\n`,
    );
    await Deno.writeTextFile(`${folder}/some_test.ts`, TESTS);
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--no-config", "--no-check", "--sanitize-ops", "--sanitize-resources"]
        .concat(`--preload=${folder}/short.ts`, `${folder}/some_test.ts`),
      env: { NO_COLOR: "1" },
    }).output();
    const said = new TextDecoder().decode(stdout);
    assertEquals(code, 1, said);
    assertMatch(said, /^waits for ever \.\.\. FAILED/m);
    assertMatch(said, /^waits too \.\.\. FAILED/m);
    assertMatch(said, /The test did not end within 0\.3 s/);
    assertMatch(said, /^isNamed \.\.\. FAILED/m);
    assertMatch(said, /on purpose/);
    assertMatch(said, /^has a step \.\.\. ok/m);
    assertMatch(said, /1 passed .*3 failed .*1 ignored/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
