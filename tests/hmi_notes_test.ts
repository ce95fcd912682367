/**
 * The five notes on the offer screen: all of them are shown before consent can be given,
 * on every panel, and no line is cut in half.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { Page } from "playwright-core";
import { CHROMIUM, NOTICE } from "./browser.ts";
import { FIXTURES } from "./hmi_fixtures.ts";
import { readNotes, show, withPage } from "./hmi_vehicle.ts";

const options = { ignore: CHROMIUM === undefined };
const PANELS = [
  { width: 1024, height: 600 },
  { width: 800, height: 480 },
  { width: 1280, height: 720 },
];

/** What can be read on the open page of the notes, and the lines that its edge cuts. */
async function openPage(page: Page): Promise<{ notes: string[]; cut: string[] }> {
  return await page.evaluate(() => {
    const box = document.querySelector(".notes")!.getBoundingClientRect();
    const [notes, cut]: string[][] = [[], []];
    for (const text of document.querySelectorAll(".notes dt, .notes dd, .notes h2")) {
      const range = document.createRange();
      range.selectNodeContents(text);
      const lines = [...range.getClientRects()].filter(({ left, right }) =>
        right > box.left + 1 && left < box.right - 1
      );
      const whole = lines.every(({ top, bottom, left, right }) =>
        top >= box.top - 1 && bottom <= box.bottom + 1 && left >= box.left - 1 &&
        right <= box.right + 1
      );
      if (lines.length > 0) (whole ? notes : cut)!.push(text.textContent!);
    }
    return { notes: notes!, cut: cut! };
  });
}

/** All texts that must have been seen before consent. */
function wanted(name: string): string[] {
  return FIXTURES[name]!.snapshot.offer!.releases.flatMap(({ notes }) => [
    ...[notes.purpose, notes.changes, notes.unavailable, notes.instructions],
  ]);
}

Deno.test(
  `hmi shows all five notes of typical length on one page for one control unit${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle, faults) => {
      for (const panel of PANELS) {
        await page.setViewportSize(panel);
        await show(page, vehicle, "readySingle");
        await page.getByTestId("accept").waitFor();
        const { notes, cut } = await openPage(page);
        const size = `${panel.width}x${panel.height}`;
        assertEquals(cut, [], size);
        for (const text of wanted("readySingle")) assert(notes.includes(text), `${size}: ${text}`);
        assertEquals(await page.getByTestId("notes-next").count(), 0, size);
      }
      assertEquals(faults, []);
    }),
);

Deno.test(
  `hmi pages through the notes of a bundle, and through long ones, before it can be accepted${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle, faults) => {
      const expected = { ready: 2, readyThree: 3, readyLong: null };
      for (const [name, pages] of Object.entries(expected)) {
        for (const panel of PANELS) {
          await page.setViewportSize(panel);
          await show(page, vehicle, name);
          const where = `${name} at ${panel.width}x${panel.height}`;
          const seen = new Set<string>();
          let turned = 0;
          for (;; turned++) {
            const { notes, cut } = await openPage(page);
            assertEquals(cut, [], `${where}, page ${turned + 1}`);
            for (const text of notes) seen.add(text);
            if (await page.getByTestId("accept").count() === 1) break;
            await page.getByTestId("read-on").click();
            await page.locator(`.notes[data-page="${turned + 1}"]`).waitFor();
          }
          if (pages !== null) assertEquals(turned + 1, pages, where);
          else assert(turned >= 2 && turned <= 6, `${where}: ${turned + 1} pages`);
          for (const text of wanted(name)) assert(seen.has(text), `${where}: ${text}`);
          await page.getByText(`${turned + 1} of ${turned + 1}`).waitFor();
          assert(await page.getByTestId("notes-next").isDisabled());
        }
      }
      assertEquals(faults, []);
    }),
);

Deno.test(
  `hmi remembers that an offer was read, and asks to read another one${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle) => {
      await show(page, vehicle, "readyThree");
      await readNotes(page);
      await page.getByTestId("notes-previous").click();
      await page.getByText("2 of 3").waitFor();
      await page.getByTestId("accept").click();
      await page.getByTestId("back").click();
      await page.getByText("1 of 3").waitFor();
      await page.getByTestId("accept").waitFor();

      const { snapshot } = FIXTURES.readyThree!;
      vehicle.say({ ...snapshot, offer: { ...snapshot.offer!, campaign: "c13" } });
      await page.getByTestId("read-on").waitFor();
      assertEquals(await page.getByTestId("accept").count(), 0);

      await page.setViewportSize({ width: 480, height: 800 });
      await page.getByTestId("accept").waitFor(); // All on one page that scrolls.
    }),
);
