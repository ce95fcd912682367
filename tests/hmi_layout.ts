/**
 * How the head unit's screens lie on their panel: nothing outside, and all of it large enough.
 *
 * @module
 */
import type { Page } from "playwright-core";

/** Twelve millimetres on the 7 inch 1024x600 panel, less a rounding. */
const TOUCH_PX = 79;

/** Elements that reach out of the panel, unless they lie in a part that scrolls. */
export async function outside(page: Page): Promise<string[]> {
  return await page.evaluate(() => {
    const scrolling = ".notes, .result-body, .running, .ecus, .ecu-lines";
    return [...document.querySelectorAll("#app *")].filter((element) => {
      const { right, bottom, left, width } = element.getBoundingClientRect();
      if (width === 0 || element.closest(`${scrolling}, svg, .spoken`) !== null) return false;
      return right > innerWidth + 1 || bottom > innerHeight + 1 || left < -1;
    }).map((element) => `${element.tagName}.${element.className}: ${element.textContent}`);
  });
}

/** Buttons that are too small for a finger. */
export async function smallTargets(page: Page): Promise<string[]> {
  return await page.evaluate(
    (least) =>
      [...document.querySelectorAll("button, summary")].filter((element) => {
        const { width, height } = element.getBoundingClientRect();
        return width < least || height < least;
      }).map((element) => `${element.textContent}`),
    TOUCH_PX,
  );
}
