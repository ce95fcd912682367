import { assertEquals, assertMatch } from "@std/assert/mod.js";
import { fileURLToPath } from "node:url";
import { build } from "./build.ts";

const SCRIPT = fileURLToPath(new URL("build.ts", import.meta.url));
const DIST = new URL("../dist/", import.meta.url);

Deno.test("build() leaves pages with hashed files and nothing inline, and skips when nothing changed", async () => {
  await build();
  assertEquals(await build(), false);
  for (const page of ["hmi", "board"]) {
    const html = await Deno.readTextFile(new URL(`${page}/index.html`, DIST));
    assertMatch(html, /src="\/assets\/main-[A-Z0-9]{8}\.js"/);
    assertMatch(html, /href="\/assets\/style-[A-Z0-9]{8}\.css"/);
    assertEquals(/<style|style=|<script(?![^>]*src=)|\son\w+=/.test(html), false);
    for (const [, path] of html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)) {
      await Deno.stat(new URL(`${page}${path}`, DIST));
    }
  }
});

Deno.test("build() may run twice at once, and sweeps up after one that was killed", async () => {
  await Deno.mkdir(new URL(".build-killed/half", DIST), { recursive: true });
  const start = () =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", SCRIPT, "--force"],
      stdout: "null",
      stderr: "null",
    }).spawn().status;
  const codes = (await Promise.all([start(), start()])).map(({ code }) => code);
  assertEquals(codes, [0, 0]);
  const names = [...Deno.readDirSync(DIST)].map(({ name }) => name);
  assertEquals(names.filter((name) => name.startsWith(".build-")), []);
  assertEquals(["board", "firmware", "hmi"].every((name) => names.includes(name)), true);
});
