/**
 * The command line of the vehicle process: what is wrong with it is said in one line, with 2.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert/mod.js";

const PROGRAM = new URL("../vehicle/main.ts", import.meta.url).pathname;

/** Starts a vehicle that never gets beyond its arguments. */
async function refused(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", PROGRAM, ...args],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stderr).trimEnd();
  assertEquals([code, stdout.length], [2, 0], said);
  assert(!said.includes("\n"), `one line, no stack: ${said}`);
  return said;
}

Deno.test("vehicle names the argument that is wrong, and ends with 2", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const rest = ["--data", `${folder}/v`, "--server", "http://127.0.0.1:1"];
    const vin = ["--vin", "WVWZZZ1JZXW000001"];
    const wrong: [string[], string][] = [
      [[...rest, "--vin", "SHORT"], "Cannot read --vin"],
      [[...rest, ...vin, "--hmi", "8090"], 'Cannot read --hmi: found "8090", wanted HOST:PORT'],
      [[...rest, ...vin, "--profile", `${folder}/none`], `Cannot read --profile "${folder}/none"`],
      [[...rest, ...vin, "--profile", folder], `Cannot read --profile "${folder}"`],
    ];
    for (const [args, says] of wrong) assertStringIncludes(await refused(...args), says);
    assertEquals([...Deno.readDirSync(folder)], [], "nothing was made");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
