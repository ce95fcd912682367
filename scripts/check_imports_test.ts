import { assertEquals } from "@std/assert/mod.js";
import { ROOT } from "./process.ts";

const HOMES = ["shared", "hmi", "server", "vehicle", "scripts", "tests"];

/** Runs the checker over a tree of these files, and gives what it says of each. */
async function verdicts(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const root = `${await Deno.makeTempDir({ prefix: "headunit-ota-laws-" })}/`;
  try {
    for (const home of HOMES) await Deno.mkdir(root + home);
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(root + path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(root + path, text);
    }
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", `--allow-read=${root}`, `${ROOT}scripts/check_imports.ts`, root],
      env: { NO_COLOR: "1" },
    }).output();
    const said = new TextDecoder().decode(stderr).split("\n").filter((line) => line !== "");
    assertEquals(code, said.length === 0 ? 0 : 1, said.join("\n"));
    return said.toSorted();
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const HOST = 'import { systemClock } from "shared/host/clock_system.ts";\n';
const SHELL = 'import { x } from "../adapters/x.ts";\n';

Deno.test("laws: shared/host is for adapters, roots, scripts and tests alone", async () => {
  const may = ["shared/host/b.ts", "server/adapters/a.ts", "vehicle/adapters/a.ts"]
    .concat("server/main.ts", "vehicle/main.ts", "server/compose.ts", "vehicle/compose.ts")
    .concat("scripts/a.ts", "tests/a.ts", "server/campaign/a_test.ts");
  const mayNot = ["shared/a.ts", "shared/node/a.ts", "hmi/a.ts", "hmi/board/a.tsx"]
    .concat("server/core.ts", "server/routes/a.ts", "server/cli/a.ts", "vehicle/gateway/a.ts")
    .concat("vehicle/bootloader/a.ts", "vehicle/firmware/a.ts", "vehicle/runner/a.ts");
  const files = Object.fromEntries([...may, ...mayNot].map((path) => [path, HOST]));
  const refused = (await verdicts(files)).map((line) => line.slice(0, line.indexOf(":")));
  assertEquals(refused, mayNot.toSorted());
});

Deno.test("laws: shared/host may touch the process; the rest of shared may not", async () => {
  const line = "export const pid = () => Deno.pid;\n";
  assertEquals(await verdicts({ "shared/host/a.ts": line, "shared/a.ts": line }), [
    "shared/a.ts:1: pure code may not use Deno.",
  ]);
});

Deno.test("laws: shared/host imports no part of the system", async () => {
  const files = {
    "shared/host/a.ts": 'import { x } from "server/adapters/x.ts";\n',
    "server/routes/a.ts": SHELL,
  };
  assertEquals(await verdicts(files), [
    "server/routes/a.ts:1: server may not import server/adapters/x.ts",
    "shared/host/a.ts:1: shared/host may not import server/adapters/x.ts",
  ]);
});
