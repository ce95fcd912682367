/**
 * Both pages without a mouse: everything is reached by Tab, can be seen while it has the
 * focus, and does by key what it does by mouse.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { Buffer } from "node:buffer";
import type { Page } from "playwright-core";
import { FakeServer } from "./board_fake.ts";
import { BOARD } from "./board_fixtures.ts";
import { CHROMIUM, NOTICE } from "./browser.ts";
import { FIXTURES } from "./hmi_fixtures.ts";
import { withPage } from "./hmi_vehicle.ts";

const options = { ignore: CHROMIUM === undefined };
/** More stops than any of the pages has. */
const MAX_STOPS = 80;

/** What has the focus: its test id, and whether a person can see that it has it. */
async function focused(page: Page): Promise<{ id: string; seen: boolean }> {
  return await page.evaluate(() => {
    const element = document.activeElement as HTMLElement;
    const shown = element.closest<HTMLElement>(".drop") ?? element; // Its input itself is hidden.
    const { left, top, width, height } = shown.getBoundingClientRect();
    const at = document.elementFromPoint(left + width / 2, top + height / 2);
    const ring = getComputedStyle(shown).outlineStyle !== "none";
    return { id: element.dataset.testid ?? "", seen: ring && shown.contains(at) };
  });
}

/** Presses Tab until it is there; each stop on the way has to be visible. */
async function tabTo(page: Page, testId: string, key = "Tab"): Promise<void> {
  for (let i = 0; i < MAX_STOPS; i++) {
    await page.keyboard.press(key);
    const { id, seen } = await focused(page);
    const away = await page.evaluate(() => document.activeElement === document.body);
    assert(seen || away, `the focus is hidden on "${id}" on the way to ${testId}`);
    if (id === testId) return;
  }
  throw new Error(`Tab never reaches ${testId}`);
}

Deno.test(
  `hmi takes a driver from the offer to the result by keyboard, at every size${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle, faults) => {
      for (const [width, height] of [[1024, 600], [800, 480], [1280, 720]] as const) {
        await page.setViewportSize({ width, height });
        vehicle.snapshot = FIXTURES.readyThree!.snapshot;
        await page.goto(vehicle.url);
        await page.getByTestId("read-on").waitFor();
        await tabTo(page, "read-on");
        for (let i = 2; i <= 3; i++) {
          await page.keyboard.press("Enter");
          await page.getByText(`${i} of 3`).waitFor();
        }
        assertEquals(await focused(page), { id: "accept", seen: true });
        await page.keyboard.press("Enter");
        const headline = page.getByRole("heading", { level: 1, name: "Install now?" });
        await headline.and(page.locator(":focus")).waitFor();

        await tabTo(page, "hold-install");
        const sent = page.waitForResponse("**/api/commands");
        await page.keyboard.down(" ");
        await sent;
        await page.keyboard.up(" ");
        assertEquals(vehicle.commands.at(-1)?.command, "accept");

        vehicle.say(FIXTURES.trial!.snapshot);
        const trial = page.getByRole("heading", { name: "Testing the new software" });
        await trial.and(page.locator(":focus")).waitFor();
        vehicle.say(FIXTURES.rolledBack!.snapshot);
        await page.getByTestId("acknowledge").waitFor();
        await tabTo(page, "acknowledge");
        const answered = page.waitForResponse("**/api/commands");
        await page.keyboard.press("Enter");
        await answered;
        assertEquals(vehicle.commands.at(-1)?.command, "acknowledge");
      }
      assertEquals(faults, []);
    }),
);

Deno.test(
  `board is worked by keyboard from the login to the publishing, wide and narrow${NOTICE}`,
  options,
  () =>
    withPage(async (page, _vehicle, faults) => {
      for (const [width, height] of [[1280, 800], [400, 740]] as const) {
        const fake = new FakeServer(structuredClone(BOARD));
        try {
          await page.setViewportSize({ width, height });
          await publishByKeyboard(page, fake);
        } finally {
          await page.goto("about:blank");
          await fake.close();
        }
      }
      assertEquals(faults, []);
    }),
);

async function publishByKeyboard(page: Page, fake: FakeServer): Promise<void> {
  const type = async (testId: string, text: string) => {
    await tabTo(page, testId);
    await page.keyboard.type(text);
  };
  await page.goto(fake.url);
  await page.getByTestId("user").waitFor();
  await type("user", "admin");
  await type("password", "right horse");
  await page.keyboard.press("Enter");
  await page.locator(".release").first().waitFor();

  await tabTo(page, "page-new");
  await page.keyboard.press("Enter");
  const chosen = page.waitForEvent("filechooser");
  await tabTo(page, "file");
  await page.keyboard.press("Enter");
  const buffer = Buffer.alloc(99, "x");
  await (await chosen).setFiles({ name: "ivi.bin", mimeType: "application/octet-stream", buffer });
  await page.locator("[data-testid=job][data-phase=done]").waitFor();
  await tabTo(page, "hardware");
  await page.keyboard.type("ivi");
  await type("note-purpose", "Security");
  await type("note-changes", "Bluetooth");
  await type("note-minutes", "6");
  await type("note-unavailable", "Radio");
  await type("note-instructions", "Park safely");
  await tabTo(page, "remove-file", "Shift+Tab"); // All the way up again, under the bar above.
  await tabTo(page, "publish");
  await page.keyboard.press("Enter");
  await page.getByTestId("published").waitFor();
  assertEquals(fake.asked.filter(({ path }) => path === "/api/v1/releases").length, 1);
}
