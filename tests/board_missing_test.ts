/**
 * The notice board before anything is there: its pages were not built, nobody is logged in.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert/mod.js";
import { fileURLToPath } from "node:url";
import { startServer } from "server/compose.ts";
import { build } from "../scripts/build.ts";
import { axeViolations, CHROMIUM, launch, NOTICE, watchFaults } from "./browser.ts";

const DIST = fileURLToPath(new URL("../dist/board", import.meta.url));

async function copyFolder(source: string, target: string): Promise<void> {
  await Deno.mkdir(target, { recursive: true });
  for await (const entry of Deno.readDir(source)) {
    const [from, to] = [`${source}/${entry.name}`, `${target}/${entry.name}`];
    await (entry.isDirectory ? copyFolder(from, to) : Deno.copyFile(from, to));
  }
}

Deno.test({
  name:
    `board whose pages were not built says how to make them, and is there once they are${NOTICE}`,
  ignore: CHROMIUM === undefined,
  async fn() {
    await build();
    const folder = await Deno.makeTempDir();
    const any = { host: "127.0.0.1", port: 0 };
    const server = await startServer({
      ...{ data: `${folder}/server`, http: any, device: any, broker: { embedded: any }, qos: 1 },
      ...{ behindProxy: false, board: `${folder}/board`, adminPassword: "right horse battery" },
    }, () => {});
    const browser = await launch();
    try {
      const page = await browser.newPage();
      const answer = await page.goto(server.urls.http);
      assertEquals(answer!.status(), 503);
      assertMatch(answer!.headers()["content-security-policy"]!, /default-src 'self'/);
      await page.getByRole("heading", { level: 1, name: "The notice board has no pages yet" })
        .waitFor();
      await page.getByText("deno task build", { exact: true }).waitFor();
      assertEquals(await axeViolations(page), []);

      const program = await fetch(server.urls.http, { headers: { accept: "application/json" } });
      assertEquals([program.status, (await program.json()).name], [503, "preconditionFailed"]);

      await copyFolder(DIST, `${folder}/board`);
      const faults = watchFaults(page);
      await page.reload();
      await page.getByTestId("login").waitFor();
      await page.getByTestId("user").fill("admin");
      await page.getByTestId("password").fill("right horse battery");
      await page.getByTestId("login").click();
      await page.getByText("No release yet").waitFor();
      await page.reload();
      await page.getByText("No release yet").waitFor();
      await page.getByTestId("logout").click();
      await page.getByTestId("login").waitFor();
      await page.reload();
      await page.getByTestId("login").waitFor();
      assertEquals(faults, [], "who is there is asked without an error, also when nobody is");
    } finally {
      await browser.close();
      await server.stop();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
