/**
 * Files dropped on the notice board by the browser's own drag and drop: on the zone, beside
 * it, several at once, folders.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { Browser, Page } from "playwright-core";
import { build } from "../scripts/build.ts";
import { FakeServer } from "./board_fake.ts";
import { BOARD } from "./board_fixtures.ts";
import { axeViolations, CHROMIUM, dropOn, launch, NOTICE, watchFaults } from "./browser.ts";

const options = { ignore: CHROMIUM === undefined };

interface World {
  readonly page: Page;
  /** The address of the board, which nothing may change. */
  readonly url: string;
  /** Has the files `a.bin` and `b.bin`, and the folder `images`. */
  readonly folder: string;
  /** Tabs that were opened, by whatever. */
  readonly opened: string[];
}

async function withForm(run: (world: World) => Promise<void>): Promise<void> {
  await build();
  const folder = await Deno.makeTempDir();
  const fake = new FakeServer(structuredClone(BOARD));
  let browser: Browser | undefined;
  try {
    await Deno.writeTextFile(`${folder}/a.bin`, "image a");
    await Deno.writeTextFile(`${folder}/b.bin`, "image b");
    await Deno.mkdir(`${folder}/images`);
    browser = await launch();
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const opened: string[] = [];
    context.on("page", (other) => opened.push(other.url()));
    const faults = watchFaults(page);
    await page.goto(fake.url);
    await page.getByTestId("user").fill("admin");
    await page.getByTestId("password").fill("right horse");
    await page.getByTestId("login").click();
    await page.getByTestId("page-new").click();
    await page.locator(".drop").waitFor();
    await run({ page, url: page.url(), folder, opened });
    assertEquals(faults, [], "no error, not even that nothing of the file is there yet");
  } finally {
    await browser?.close();
    await fake.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test(
  `board takes one dropped file, and says why it takes no two and no folder${NOTICE}`,
  options,
  () =>
    withForm(async ({ page, folder }) => {
      const zone = page.locator(".drop");
      const error = page.getByTestId("error-file");
      await dropOn(zone, [`${folder}/a.bin`, `${folder}/b.bin`]);
      await error.getByText(
        "Cannot take 2 files at once: a release is made of one image or one patch",
      )
        .waitFor();
      assertEquals(await axeViolations(page), []);
      assertEquals(await page.getByTestId("job").count(), 0);

      await dropOn(zone, [`${folder}/images`]);
      await error.getByText(`Cannot take "images": it is a folder. Drop the image that lies in it`)
        .waitFor();
      assertEquals(await page.getByTestId("job").count(), 0);

      await dropOn(
        zone,
        [`${folder}/a.bin`],
        () => page.locator(".drop[data-over=true]").waitFor(),
      );
      await page.locator("[data-testid=job][data-phase=done]").getByText("a.bin").waitFor();
      assertEquals(await error.count(), 0);
      assertEquals(await page.locator(".drop[data-over=true]").count(), 0);

      // What is there already stays when the next drop is none, and goes when it is one.
      await dropOn(zone, [`${folder}/a.bin`, `${folder}/b.bin`]);
      await error.waitFor();
      await page.getByTestId("job").getByText("a.bin").waitFor();
      await dropOn(zone, [`${folder}/b.bin`]);
      await page.locator("[data-testid=job][data-phase=done]").getByText("b.bin").waitFor();
    }),
);

Deno.test(
  `board stays as it is when something is dropped beside the zone${NOTICE}`,
  options,
  () =>
    withForm(async ({ page, url, folder, opened }) => {
      await page.getByTestId("note-changes").fill("Half a sentence");
      const places = ["body", "h2", ".top", "[data-testid=note-purpose]", "[data-testid=version]"];
      for (const place of places) {
        const cursor = page.evaluate(() =>
          new Promise<string>((resolve) =>
            addEventListener("dragover", (event) => resolve(event.dataTransfer!.dropEffect), {
              once: true,
            })
          )
        );
        await dropOn(page.locator(place).first(), [`${folder}/a.bin`]);
        assertEquals(await cursor, "none", `the pointer over ${place}`);
      }
      // Had one of them been opened instead, a tab would be there by now: this one takes longer.
      const other = await page.context().newPage();
      await other.goto(url);
      await other.close();
      assertEquals(opened.length, 1, `opened ${opened.join(", ")}`);
      assertEquals(page.url(), url);
      assertEquals(await page.getByTestId("note-changes").inputValue(), "Half a sentence");
      assertEquals(await page.getByTestId("job").count(), 0);
      assert(await page.getByTestId("publish").isVisible());
    }),
);
