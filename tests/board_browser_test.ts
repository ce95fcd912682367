/**
 * The notice board in a real browser: against the real server in this process, and
 * against a scripted one for what the real one cannot be made to do on command.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { startServer } from "server/compose.ts";
import { build } from "../scripts/build.ts";
import { BOARD } from "./board_fixtures.ts";
import { FakeServer } from "./board_fake.ts";
import { axeViolations, CHROMIUM, launch, NOTICE, watchFaults } from "./browser.ts";

const options = { ignore: CHROMIUM === undefined };
const PAGES = ["releases", "vehicles", "campaigns", "new"] as const;

/** The browser logs each answer of 400 and up; here they are asked for: refusals, a wrong password. */
const isExpected = (text: string) => /status of (400|401|409|422|503)/.test(text);

interface World {
  readonly page: Page;
  readonly faults: string[];
  /** A folder for files to upload. */
  readonly folder: string;
}

async function withBrowser(run: (world: World) => Promise<void>): Promise<void> {
  await build();
  const folder = await Deno.makeTempDir();
  let browser: Browser | undefined;
  try {
    browser = await launch();
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.setDefaultTimeout(15_000);
    await run({ page, folder, faults: watchFaults(page, isExpected) });
  } finally {
    await browser?.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function withFake(run: (world: World, fake: FakeServer) => Promise<void>): Promise<void> {
  await withBrowser(async (world) => {
    const fake = new FakeServer(structuredClone(BOARD));
    try {
      await run(world, fake);
      assertEquals(world.faults, []);
    } finally {
      await fake.close();
    }
  });
}

async function logIn(page: Page, url: string, password = "right horse"): Promise<void> {
  await page.goto(url);
  await page.getByTestId("user").fill("admin");
  await page.getByTestId("password").fill(password);
  await page.getByTestId("login").click();
}

async function open(page: Page, name: typeof PAGES[number]): Promise<void> {
  await page.getByTestId(`page-${name}`).click();
  await page.locator(`[data-testid=page-${name}][aria-current=page]`).waitFor();
}

async function writeNotes(page: Page, purpose = "Security: closes a weakness"): Promise<void> {
  await page.getByTestId("note-purpose").fill(purpose);
  await page.getByTestId("note-changes").fill("Bluetooth");
  await page.getByTestId("note-minutes").fill("6");
  await page.getByTestId("note-unavailable").fill("Radio");
  await page.getByTestId("note-instructions").fill("Park safely");
}

/** Bytes that no other test makes, with their digest. */
async function makeFile(path: string, lengthBytes: number, head = ""): Promise<string> {
  const bytes = new Uint8Array(lengthBytes);
  for (let at = 0; at < bytes.length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  bytes.set(new TextEncoder().encode(head));
  await Deno.writeFile(path, bytes);
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test(
  `board shows every page by day, by night and on a phone, and axe finds nothing${NOTICE}`,
  options,
  () =>
    withFake(async ({ page }, fake) => {
      await logIn(page, fake.url, "wrong horse");
      await page.getByText("Cannot log in as admin: user or password is wrong").waitFor();
      assertEquals(await axeViolations(page), [], "login");
      await logIn(page, fake.url);
      await page.locator(".release").first().waitFor();
      for (const name of PAGES) {
        await open(page, name);
        if (name === "new") await page.getByTestId("publish").click(); // With all its errors.
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          assertEquals(await axeViolations(page), [], `${name} ${colorScheme}`);
        }
        await page.setViewportSize({ width: 360, height: 740 });
        assertEquals(await axeViolations(page), [], `${name} at 360 px`);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert(width <= 360, `${name} is ${width} px wide on a phone of 360`);
        await page.setViewportSize({ width: 1280, height: 800 });
      }
    }),
);

Deno.test(
  `board takes changes from the stream and shows all text as text${NOTICE}`,
  options,
  () =>
    withFake(async ({ page }, fake) => {
      await logIn(page, fake.url);
      const [release] = BOARD.releases;
      const notes = { ...release!.notes, purpose: `<img src=x onerror="alert(1)">&amp;` };
      await page.locator(".release").first().waitFor();
      fake.events.send("release", { ...release, notes });
      await page.getByText(`<img src=x onerror="alert(1)">&amp;`, { exact: true }).waitFor();
      assertEquals(await page.locator("main img").count(), 0);

      await open(page, "vehicles");
      const [vehicle] = BOARD.vehicles;
      const ecus = vehicle!.ecus.map((ecu) => ({ ...ecu, state: "confirmed", version: "1.5.0" }));
      fake.events.send("vehicle", { ...vehicle, ecus });
      const card = page.getByTestId(`vehicle-${vehicle!.vin}`);
      await card.getByText("Confirmed").first().waitFor();
      assertEquals(await card.getByText("Confirmed").count(), 3);

      fake.events.close();
      await page.getByTestId("link-lost").waitFor();
      await page.getByTestId("link-lost").waitFor({ state: "detached", timeout: 15_000 });
    }),
);

Deno.test(
  `board asks for the version before it halts or withdraws, and spares viewers the buttons${NOTICE}`,
  options,
  () =>
    withFake(async ({ page }, fake) => {
      await logIn(page, fake.url);
      await page.locator(".release").first().waitFor();
      await open(page, "campaigns");
      await page.getByTestId("withdraw-c12").click();
      assert(await page.getByTestId("confirm-go").isDisabled());
      await page.getByTestId("confirm").fill("c11");
      assert(await page.getByTestId("confirm-go").isDisabled());
      await page.getByTestId("confirm-cancel").click();
      await page.locator("dialog").waitFor({ state: "detached" });
      await page.getByTestId("withdraw-c12").click();
      await page.getByTestId("confirm").fill("c12");
      const sent = page.waitForResponse("**/withdraw");
      await page.getByTestId("confirm-go").click();
      await sent;
      const resumed = page.waitForResponse("**/resume");
      await page.getByTestId("resume-c10").click();
      await resumed;
      assertEquals(fake.asked.slice(1).map(({ path }) => path), [
        "/api/v1/campaigns/c12/withdraw",
        "/api/v1/campaigns/c10/resume",
      ]);

      fake.role = "viewer";
      await page.reload();
      await page.locator("[data-testid=campaign-c12]").waitFor();
      assertEquals(await page.locator(".verbs button").count(), 0);
      await open(page, "new");
      await page.getByText("Your account may look, but not publish.").waitFor();
    }),
);

Deno.test(
  `board shows carriers in the making, and cancels one${NOTICE}`,
  options,
  () =>
    withFake(async ({ page }, fake) => {
      await logIn(page, fake.url);
      const running = page.getByTestId("job-d3");
      await running.getByRole("progressbar", { name: "Delta from 22222222" }).waitFor();
      assertEquals(await running.getByRole("progressbar").getAttribute("aria-valuenow"), "40");
      const [job] = BOARD.deltas.filter((each) => each.job === "d3");
      fake.events.send("delta", { ...job, doneBytes: job!.totalBytes * 3 / 4 });
      await running.getByText("75 %").waitFor();
      assertEquals(await page.getByTestId("cancel-d2").count(), 0, "it is over");
      assertEquals(await page.getByTestId("job-d7").count(), 0, "nobody's concern");
      await page.getByText("Waits for its delta, until").first().waitFor();

      const sent = page.waitForResponse("**/cancel");
      await page.getByTestId("cancel-d3").click();
      await sent;
      assertEquals(fake.asked.at(-1)!.path, "/api/v1/deltas/d3/cancel");
      fake.events.send("delta", { ...job, state: "dropped", reason: "canceled" });
      await running.getByText("Canceled").waitFor();
      assertEquals(await running.getByRole("button").count(), 0);

      fake.role = "viewer";
      await page.reload();
      await page.getByTestId("job-d4").waitFor();
      assertEquals(await page.getByTestId("cancel-d4").count(), 0);
    }),
);

Deno.test(
  `board goes on with a broken upload where the server stands, and shows refusals at their field${NOTICE}`,
  options,
  () =>
    withFake(async ({ page, folder }, fake) => {
      const path = `${folder}/ivi.patch`;
      const sha256 = await makeFile(path, 6_000_000, "BSDIFF40");
      const begun = (await Deno.readFile(path)).slice(0, 1_234_567);
      fake.uploads.set(sha256, { bytes: [begun], length: begun.length, total: 6_000_000 });
      fake.script.push({ path: /^PUT/, status: 503, problem: { name: "internal" } });
      fake.script.push({ path: /^PUT/, status: 409, problem: { name: "uploadBusy" } });
      const name = "patchDamaged";
      const detail = "Cannot apply patch: the control block ends early";
      const problem = { name, detail, remedy: "Make the patch again", subject: sha256 };
      fake.script.push({ path: /^POST .*releases/, status: 422, problem });

      await logIn(page, fake.url);
      await open(page, "new");
      await page.getByTestId("file").setInputFiles(path);
      await page.locator("[data-testid=job][data-phase=done]").waitFor();
      const digest = createHash("sha256");
      for (const part of fake.uploads.get(sha256)!.bytes) digest.update(part);
      assertEquals(digest.digest("hex"), sha256);

      await page.getByTestId("hardware").selectOption("ivi-rpi4");
      await writeNotes(page);
      await page.getByTestId("publish").click();
      await page.getByTestId("error-delta-from").waitFor();
      await page.getByTestId("delta-from").selectOption("1.4.0");
      await page.getByTestId("publish").click();
      await page.getByText(`${detail}. Make the patch again`).waitFor();
      assertMatch(await page.getByTestId("error-file").innerText(), /control block ends early/);
      await page.getByTestId("publish").click();
      await page.getByTestId("published").waitFor();
      const [, { body }] = fake.asked as [unknown, { body: Record<string, unknown> }];
      assertEquals([body.patchSha256, body.deltaFrom, body.version], [sha256, "1.4.0", "1.6.0"]);
    }),
);

Deno.test(
  `board publishes, drafts, bundles, halts and enrols on the real server${NOTICE}`,
  options,
  () =>
    withBrowser(async ({ page, folder, faults }) => {
      const any = { host: "127.0.0.1", port: 0 };
      const server = await startServer({
        data: `${folder}/server`,
        http: any,
        device: any,
        broker: { embedded: any },
        qos: 1,
        behindProxy: false,
        board: fileURLToPath(new URL("../dist/board", import.meta.url)),
        adminPassword: "right horse battery",
      }, () => {});
      try {
        await realJourney(page, server.urls.http, folder);
        assertEquals(faults, []);
      } finally {
        await server.stop();
      }
    }),
);

async function realJourney(page: Page, url: string, folder: string): Promise<void> {
  await logIn(page, url, "wrong");
  await page.getByRole("alert").waitFor();
  await logIn(page, url, "right horse battery");
  await page.getByText("No release yet").waitFor();

  await open(page, "vehicles");
  await page.getByTestId("vin").fill("short");
  await page.getByTestId("enrol").click();
  await page.getByTestId("error-vin").waitFor();
  await page.getByTestId("vin").fill("WVWZZZ1JZXW000001");
  await page.getByTestId("enrol").click();
  assert((await page.getByTestId("enrol-token").innerText()).length > 8);

  const first = await publish(page, { path: `${folder}/a.bin`, hardware: "ivi-rpi4" });
  assertMatch(first, /ivi-rpi4\/1\.0\.0 is released, counter 1/);

  // The same version again is refused beside its field, and nothing typed is lost.
  await open(page, "new");
  await makeFile(`${folder}/b.bin`, 3_000_000);
  await page.getByTestId("file").setInputFiles(`${folder}/b.bin`);
  await page.getByTestId("hardware").selectOption("ivi-rpi4");
  await page.getByTestId("version").fill("1.0.0");
  await writeNotes(page);
  await page.getByTestId("publish").click();
  await page.getByTestId("error-version").waitFor();
  assertEquals(await page.getByTestId("note-changes").inputValue(), "Bluetooth");
  await page.getByTestId("remove-file").click();

  await open(page, "new");
  await page.getByTestId("add-hardware").click();
  await page.getByTestId("new-hardware").fill("door-sim");
  await page.getByTestId("save-hardware").click();
  await page.waitForFunction(() =>
    (document.querySelector("#hardware") as HTMLSelectElement).value === "door-sim"
  );
  const drafts = [
    await publish(page, { path: `${folder}/c.bin`, hardware: "door-sim", draft: true }),
    await publish(page, { path: `${folder}/d.bin`, hardware: "body-sim", draft: true }),
  ];
  for (const draft of drafts) assertMatch(draft, /is kept as a draft/);

  await open(page, "releases");
  await page.getByTestId("mark-door-sim/1.0.0").check();
  await page.getByTestId("mark-body-sim/1.0.0").check();
  await page.getByText("Offer 2 as one bundle").click();
  await page.getByTestId("offer").waitFor({ state: "detached" });
  assertEquals(await page.locator(".release").getByText("Published").count(), 3);

  await open(page, "campaigns");
  await page.getByTestId("halt-c2").click();
  await page.getByTestId("confirm").fill("c2");
  await page.getByTestId("confirm-go").click();
  await page.getByTestId("campaign-c2").getByText("Halted").waitFor();
  await page.getByTestId("resume-c2").click();
  await page.getByTestId("campaign-c2").getByText("Running").waitFor();
  await page.getByTestId("logout").click();
  await page.getByTestId("login").waitFor();
}

async function publish(
  page: Page,
  release: { readonly path: string; readonly hardware: string; readonly draft?: boolean },
): Promise<string> {
  await makeFile(release.path, 3_000_000);
  await open(page, "new");
  await page.getByTestId("file").setInputFiles(release.path);
  await page.getByTestId("hardware").selectOption(release.hardware);
  await page.getByTestId("version").fill("1.0.0");
  await page.getByTestId("draft").setChecked(release.draft === true);
  await writeNotes(page);
  await page.getByTestId("publish").click();
  return await page.getByTestId("published").innerText();
}
