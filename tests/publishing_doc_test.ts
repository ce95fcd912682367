/**
 * Types what docs/publishing.md tells to type, in its order, and looks at what it promises.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import { ota, startServerProcess } from "../scripts/process.ts";
import { withFolder } from "./cli_world.ts";

const TOLD = "http://127.0.0.1:8080";
const NEW_PASSWORD = "bea's first word";

/** The lines of its shell blocks. */
async function commands(): Promise<string[]> {
  const text = await Deno.readTextFile(new URL("../docs/publishing.md", import.meta.url));
  return [...text.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block]) => block!.trim().split("\n"));
}

/** Words of a line as a shell reads them: double quotes, and one variable. */
function words(line: string, token: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)]
    .map(([, quoted, bare]) => (quoted ?? bare!).replaceAll("$OTA_TOKEN", token));
}

const HAS_CURL = await new Deno.Command("curl", { args: ["--version"], stdout: "null" }).output()
  .then(() => true, () => false);

Deno.test("docs/publishing.md: what it tells to type does what it says", async () => {
  await withFolder(async (folder) => {
    const server = await startServerProcess({ data: `${folder}/server` });
    try {
      for (const [i, name] of ["body.bin", "ivi.bin"].entries()) {
        await Deno.writeFile(`${folder}/${name}`, Uint8Array.of(i, 1, 2));
      }
      const answer = await fetch(`${server.urls.http}/api/v1/login`, {
        method: "POST",
        body: JSON.stringify({ user: "admin", password: server.password }),
      });
      const { token } = await answer.json();
      const said = new Map<string, string>();
      for (const line of await commands()) {
        const here = line.replaceAll(TOLD, server.urls.http);
        const typed = words(here, token).map((word) =>
          word.endsWith(".bin") ? `${folder}/${word}` : word
        );
        if (typed[0] === "curl") {
          if (!HAS_CURL) {
            // deno-lint-ignore no-console
            console.log("skipped: no curl");
            continue;
          }
          const made = await new Deno.Command("curl", { args: typed.slice(1) }).output();
          assertEquals(made.code, 0, line);
          said.set(line, new TextDecoder().decode(made.stdout));
          continue;
        }
        assertEquals(typed.slice(0, 3), ["deno", "task", "ota"], line);
        const env = { OTA_PASSWORD: server.password, OTA_NEW_PASSWORD: NEW_PASSWORD };
        const result = await ota(typed.slice(3), { home: `${folder}/home`, env });
        assertEquals(result.code, 0, `${line}\n${result.stderr}`);
        said.set(line, result.stdout);
      }
      const says = (start: string, text: string) => {
        const line = [...said.keys()].findLast((each) => each.startsWith(start));
        assert(line !== undefined, `docs/publishing.md tells "${start}…"`);
        assertStringIncludes(said.get(line)!, text);
      };
      says("deno task ota user list", "publisher");
      says("deno task ota campaigns", "body-sim/1.0.0 ivi-rpi4/1.0.0");
      says("deno task ota storage", "Freed so far: 0 B of 0 files");
      const pages = [...said].filter(([line]) => line.startsWith("curl")).map(([, text]) => text);
      if (HAS_CURL) {
        const [first, second] = pages as [string, string];
        const next = '</api/v1/releases?limit=1&after=ivi-rpi4%2F1.0.0>; rel="next"';
        assertStringIncludes(first.toLowerCase(), `link: ${next.toLowerCase()}`);
        assertStringIncludes(second, '"release":"body-sim/1.0.0"');
        assert(!/^link:/im.test(second), "the last page names no next one");
      }
    } finally {
      assertEquals(await server.stop(), 0);
    }
  });
});
