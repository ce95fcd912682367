/**
 * A page on the stage of the journey: what went wrong on it, what it drew, and what a
 * publisher or a driver does there by mouse.
 *
 * With `SCREENS=DIR` the pictures of the README are left there; with `STEPS=DIR` one of every
 * stop, numbered.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import type { Locator, Page } from "playwright-core";
import type { Notes } from "shared/protocol/common.ts";
import { axeViolations, watchFaults } from "./browser.ts";
import { readNotes } from "./hmi_vehicle.ts";
import { VIN } from "./journey_world.ts";

const PATIENCE_MS = 30_000;
/** Where the pictures of the README go, if they are wanted. */
export const SCREENS: string | undefined = Deno.env.get("SCREENS");
const STEPS = Deno.env.get("STEPS");
/** What the browser itself says of a server that is not there. */
const AWAY = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING/;

let steps = 0;

/** A page, what went wrong on it, and what may go wrong at this moment. */
export class Stage {
  readonly faults: string[];
  /** The phases the head unit showed, in order, since the last `drain()`. */
  readonly phases: string[] = [];
  /** The process that serves this page is held down by the test: the one excuse for an error. */
  held = false;

  constructor(readonly page: Page) {
    page.setDefaultTimeout(PATIENCE_MS);
    this.faults = watchFaults(page, (text) => this.held && AWAY.test(text));
  }

  /** Notes every phase that is drawn, and every CSP violation, from the first moment of a page. */
  async watch(): Promise<this> {
    await this.page.exposeFunction("sawPhase", (phase: string) => {
      if (this.phases.at(-1) !== phase) this.phases.push(phase);
    });
    await this.page.exposeFunction("sawViolation", (text: string) => this.faults.push(text));
    await this.page.addInitScript(() => {
      const seen = globalThis as unknown as Record<
        "sawPhase" | "sawViolation",
        (it: string) => void
      >;
      addEventListener("securitypolicyviolation", (event) => {
        seen.sawViolation(`CSP: ${event.violatedDirective} ${event.blockedURI}`);
      });
      let last: string | undefined;
      new MutationObserver(() => {
        const { phase } = document.querySelector<HTMLElement>("[data-phase]")?.dataset ?? {};
        if (phase !== undefined && phase !== last) seen.sawPhase(last = phase);
      }).observe(document, { subtree: true, childList: true, attributes: true });
    });
    return this;
  }

  /** All of them were drawn since it was asked last, in this order, whatever was between. */
  drew(...wanted: string[]): void {
    const seen = this.phases.splice(0);
    let at = 0;
    for (const phase of seen) if (phase === wanted[at]) at++;
    assert(at === wanted.length, `drew ${seen.join(", ")}; wanted ${wanted.join(", ")}`);
  }

  /** A stop of the journey: axe, and the picture if one is wanted. */
  async stop(name: string, picture?: string): Promise<void> {
    if (SCREENS !== undefined && picture !== undefined) {
      const fullPage = picture.startsWith("notice-board");
      if (fullPage) await this.page.evaluate(() => scrollTo(0, 0)); // The head of the page sticks.
      await this.page.screenshot({ path: `${SCREENS}/${picture}.png`, fullPage });
    }
    if (STEPS !== undefined) {
      const number = String(++steps).padStart(2, "0");
      await this.page.screenshot({ path: `${STEPS}/${number} ${name}.png`, fullPage: true });
    }
    assertEquals(await axeViolations(this.page), [], name);
  }

  /** Waits for a headline. */
  async headline(name: string): Promise<void> {
    await this.page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
  }

  /** Opens a page by its tab or its place in the rail. */
  async open(name: string): Promise<void> {
    await this.page.getByTestId(`page-${name}`).click();
    await this.page.locator(`[data-testid=page-${name}][aria-current=page]`).waitFor();
  }
}

/** A release as a publisher describes it. */
export interface Wanted {
  readonly version: string;
  readonly notes: Notes;
}

/** Fills the form as a publisher does, and publishes. */
export async function publish(
  board: Stage,
  { version, notes }: Wanted,
  hand: (page: Page) => Promise<void>,
): Promise<void> {
  const { page } = board;
  await board.open("new");
  await hand(page);
  await page.locator("[data-testid=job][data-phase=done]").waitFor();
  await page.getByTestId("hardware").selectOption("ivi-rpi4");
  await page.getByTestId("version").fill(version);
  for (const [field, text] of Object.entries(notes)) {
    await page.getByTestId(`note-${field}`).fill(String(text));
  }
  await board.stop(`form of ${version}`);
  await page.getByTestId("publish").click();
  const published = page.getByTestId("published");
  await published.getByText(`ivi-rpi4/${version}`).waitFor();
  assertMatch(await published.innerText(), /is released, counter \d\. Campaign c\d offers it/);
}

/** The head unit on the page of the vehicles. */
export function ivi(board: Stage): Locator {
  return vehicle(board).locator("li", { hasText: "ivi-rpi4" });
}

/** The vehicle's card. */
export function vehicle(board: Stage): Locator {
  return board.page.getByTestId(`vehicle-${VIN}`);
}

/** Waits for what the board says of the head unit: its state, and the version that runs. */
export async function boardSays(board: Stage, state: string, version: string): Promise<void> {
  await board.open("vehicles");
  await ivi(board).getByText(state, { exact: true }).waitFor();
  await ivi(board).locator("[data-runs=true]", { hasText: version }).waitFor();
  await board.stop(`vehicles, ${state}`);
}

/** Reads on to the end, then presses and holds, by mouse. */
export async function accept(unit: Stage): Promise<void> {
  const { page } = unit;
  await readNotes(page);
  await page.getByTestId("accept").click();
  await unit.headline("Install now?");
  await unit.stop("consent");
  await page.getByTestId("hold-install").hover();
  await page.mouse.down();
  const answer = await page.waitForResponse("**/api/commands");
  await page.mouse.up();
  assertEquals(answer.status(), 202);
}

/** Has seen the result. */
export async function acknowledge(unit: Stage): Promise<void> {
  await unit.page.getByTestId("acknowledge").click();
  await unit.headline("Your software is up to date");
}

/** Turns something of the simulated vehicle on the service page, and goes back. */
export async function turn(unit: Stage, testId: string): Promise<void> {
  await unit.open("workshop");
  const control = unit.page.getByTestId(testId);
  const before = await control.evaluate((it) => it.outerHTML);
  await control.click();
  // The page follows the gateway: it has been heard when the control looks otherwise.
  await unit.page.waitForFunction(
    ([id, html]) => document.querySelector(`[data-testid="${id}"]`)?.outerHTML !== html,
    [testId, before],
  );
  await unit.stop(`service, ${testId}`);
  await unit.open("update");
}
