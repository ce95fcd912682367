/**
 * The journey as people see it: a publisher at the notice board, a driver at the head
 * unit, both in a real browser, in front of the real server and vehicle processes.
 *
 * With `SCREENS=DIR` it also leaves the pictures of the README there.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import type { Browser, Page } from "playwright-core";
import type { Notes } from "shared/protocol/common.ts";
import { build } from "../scripts/build.ts";
import { axeViolations, CHROMIUM, launch, NOTICE, watchFaults } from "./browser.ts";
import { readNotes } from "./hmi_vehicle.ts";
import { ecu, firmware, JourneyWorld, VIN } from "./journey_world.ts";

const PATIENCE_MS = 30_000;
const SCREENS = Deno.env.get("SCREENS");

/** A trial long enough for a person, or a reload, to see it. */
const PROFILE = [
  ecu("body", "body-sim"),
  ecu("cluster", "cluster-sim"),
  ecu("ivi", "ivi-rpi4", { trialSeconds: 3, slotBytes: 64 * 2 ** 20 }),
];
/** So much is added to one image, as comments, lest its download be over before it is drawn. */
const BALLAST_BYTES = 24 * 2 ** 20;

// deno-fmt-ignore
const RELEASES: readonly { version: string; notes: Notes }[] = [
  { version: "1.0.0", notes: {
    purpose: "First software of the head unit; needed before the first drive",
    changes: "Radio, navigation and telephone are there",
    minutes: 2,
    unavailable: "Nothing: there was no software before",
    instructions: "Park safely, set the parking brake and leave the ignition on",
  } },
  { version: "1.1.0", notes: {
    purpose: "Improvement: faster route search and a clearer map at night",
    changes: "Routes appear in half the time; the map has new night colours",
    minutes: 3,
    unavailable: "Navigation, radio and telephone while the head unit restarts",
    instructions: "Park safely, set the parking brake and leave the ignition on",
  } },
  { version: "1.2.0", notes: {
    purpose: "Security: closes a weakness in the Bluetooth stack",
    changes: "Telephones must be paired again after the update",
    minutes: 3,
    unavailable: "Navigation, radio and telephone while the head unit restarts",
    instructions: "Park safely, set the parking brake and leave the ignition on",
  } },
];

/** A page, what went wrong on it, and what may go wrong at this moment. */
class Stage {
  readonly faults: string[];
  /** The phases the head unit showed, in order, since the last `drain()`. */
  readonly phases: string[] = [];
  /** While the server is away the browser says so itself. */
  serverAway = false;

  constructor(readonly page: Page) {
    page.setDefaultTimeout(PATIENCE_MS);
    this.faults = watchFaults(page, (text) => {
      const away = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING/;
      return /status of (401|404)/.test(text) || this.serverAway && away.test(text);
    });
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

  /** What was drawn since it was asked last. */
  drain(): string[] {
    return this.phases.splice(0);
  }

  /** A stop of the journey: axe, and the picture if one is wanted. */
  async stop(name: string, picture?: string): Promise<void> {
    if (SCREENS !== undefined && picture !== undefined) {
      const fullPage = picture === "notice-board";
      await this.page.screenshot({ path: `${SCREENS}/${picture}.png`, fullPage });
    }
    assertEquals(await axeViolations(this.page), [], name);
  }

  /** Waits for a headline. */
  async headline(name: string): Promise<void> {
    await this.page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
  }
}

Deno.test({
  name: "a publisher and a driver take two releases and a faulty one through both pages, with " +
    `reloads and a restart of the server on the way${NOTICE}`,
  ignore: CHROMIUM === undefined,
  async fn() {
    await build();
    await using world = await new JourneyWorld(PROFILE, "ask").start();
    let browser: Browser | undefined;
    try {
      browser = await launch();
      const unit = await new Stage(
        await browser.newPage({ viewport: { width: 1024, height: 600 }, colorScheme: "light" }),
      ).watch();
      const board = await new Stage(
        await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: "light" }),
      ).watch();
      await begin(world, board, unit);
      await firstRelease(board, unit);
      await secondRelease(world, board, unit);
      await faultyRelease(board, unit);
      assertEquals([...board.faults, ...unit.faults], []);
    } finally {
      await browser?.close();
    }
  },
});

async function begin(world: JourneyWorld, board: Stage, unit: Stage): Promise<void> {
  await unit.page.goto(world.vehicle.hmi);
  await unit.headline("Your software is up to date");
  await unit.stop("up to date");
  await board.page.goto(world.server.urls.http);
  await board.page.getByTestId("user").waitFor();
  await board.stop("login");
  await board.page.getByTestId("user").fill("admin");
  await board.page.getByTestId("password").fill(world.server.password);
  await board.page.getByTestId("login").click();
  await board.page.getByText("No release yet").waitFor();
  await board.stop("an empty board");
}

async function firstRelease(board: Stage, unit: Stage): Promise<void> {
  await publish(board, RELEASES[0]!, (page) => drop(page, firmware("ivi-1.0.0")));
  await unit.headline("Update ready to install");
  await accept(unit);
  await unit.headline("Update installed");
  assertPhases(unit.drain(), ["upToDate", "ready", "trial", "succeeded"]);
  await boardSays(board, "Confirmed", "1.0.0");
  await acknowledge(unit);
}

async function secondRelease(world: JourneyWorld, board: Stage, unit: Stage): Promise<void> {
  unit.drain();
  const image = `${world.folder}/ivi-1.1.0.bin`;
  const ballast = new Uint8Array(BALLAST_BYTES).fill(0x2F); // "//…"
  await Deno.copyFile(firmware("ivi-1.1.0"), image);
  await Deno.writeTextFile(image, "\n", { append: true });
  await Deno.writeFile(image, ballast, { append: true });
  await publish(board, RELEASES[1]!, (page) => choose(page, image));
  await unit.headline("Update ready to install");
  const { notes } = RELEASES[1]!;
  for (const text of [notes.purpose, notes.changes, notes.unavailable, notes.instructions]) {
    await unit.page.getByText(text, { exact: true }).waitFor();
  }
  await unit.page.getByText("1.0.0 → 1.1.0").waitFor();
  await unit.stop("offer", "head-unit-offer");
  await restart(world, board, unit);
  await Promise.all([unit.page.reload(), board.page.reload()]);
  await boardSays(board, "Ready", "1.0.0");
  await unit.headline("Update ready to install");

  await accept(unit);
  await unit.headline("Testing the new software");
  await unit.page.getByText("Do not drive.").waitFor();
  if (SCREENS !== undefined) await unit.page.getByText(/Self-tests, [12] s left/).waitFor();
  await unit.stop("trial", "head-unit-trial");
  await Promise.all([unit.page.reload(), board.page.reload()]);
  await unit.headline("Update installed");
  await unit.page.getByText("1.0.0 → 1.1.0").waitFor();
  await unit.stop("succeeded");
  assertPhases(unit.drain(), ["preparing", "ready", "trial", "succeeded"]);
  await boardSays(board, "Confirmed", "1.1.0");
  await acknowledge(unit);
}

/** The server goes away and comes back on its ports, while the head unit waits for consent. */
async function restart(world: JourneyWorld, board: Stage, unit: Stage): Promise<void> {
  const { urls } = world.server;
  board.serverAway = true;
  await world.server.stop();
  await board.page.getByTestId("link-lost").waitFor();
  await unit.page.locator(".reach[data-ok=false]").waitFor();
  await unit.headline("Update ready to install");
  await unit.stop("offer without a server");
  await board.stop("board without a server");
  await world.startServer();
  assertEquals(world.server.urls, urls);
  await board.page.getByTestId("link-lost").waitFor({ state: "detached" });
  await unit.page.getByText("Server connected").waitFor();
  board.serverAway = false;
}

async function faultyRelease(board: Stage, unit: Stage): Promise<void> {
  await publish(board, RELEASES[2]!, (page) => choose(page, firmware("faulty-selfTest")));
  await unit.headline("Update ready to install");
  await accept(unit);
  await unit.headline("Your previous software is back");
  await unit.page.getByText("The new software found a fault in its own test").waitFor();
  await unit.page.getByText("1.1.0 runs, not 1.2.0").waitFor();
  await unit.stop("rolled back", "head-unit-rolled-back");
  assertPhases(unit.drain(), ["ready", "trial", "rolledBack"]);
  await boardSays(board, "Rolled back", "1.1.0");
  const card = ivi(board);
  assertMatch(
    await card.locator(".error").innerText(),
    /601 selfTestFailed: .+ Lamp 3 draws no current/,
  );
  assertMatch(await card.locator("[data-runs=true]").innerText(), /1\.1\.0/);
  await Promise.all([unit.page.reload(), board.page.reload()]);
  await unit.headline("Your previous software is back");
  await boardSays(board, "Rolled back", "1.1.0");
  await open(board, "campaigns");
  await board.page.getByTestId("campaign-c3").getByText("Rolled back").first().waitFor();
  await board.stop("campaigns");
  await open(board, "releases");
  await board.page.locator(".release").nth(2).waitFor();
  await board.stop("releases", "notice-board");
  await acknowledge(unit);
}

async function open(board: Stage, name: string): Promise<void> {
  await board.page.getByTestId(`page-${name}`).click();
  await board.page.locator(`[data-testid=page-${name}][aria-current=page]`).waitFor();
}

/** Fills the form as a publisher does, and publishes. */
async function publish(
  board: Stage,
  { version, notes }: typeof RELEASES[number],
  hand: (page: Page) => Promise<void>,
): Promise<void> {
  const { page } = board;
  await open(board, "new");
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

async function choose(page: Page, path: string): Promise<void> {
  await page.getByTestId("file").setInputFiles(path);
}

/** Drops a file as the desktop does. */
async function drop(page: Page, path: string): Promise<void> {
  const bytes = [...await Deno.readFile(path)];
  const transfer = await page.evaluateHandle((bytes) => {
    const dropped = new DataTransfer();
    dropped.items.add(new File([new Uint8Array(bytes)], "ivi-1.0.0.bin"));
    return dropped;
  }, bytes);
  await page.locator(".drop").dispatchEvent("dragover", { dataTransfer: transfer });
  await page.locator(".drop[data-over=true]").waitFor();
  await page.locator(".drop").dispatchEvent("drop", { dataTransfer: transfer });
  await transfer.dispose();
}

/** Reads on to the end, then presses and holds, by mouse. */
async function accept(unit: Stage): Promise<void> {
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

async function acknowledge(unit: Stage): Promise<void> {
  await unit.page.getByTestId("acknowledge").click();
  await unit.headline("Your software is up to date");
}

function ivi(board: Stage) {
  return board.page.getByTestId(`vehicle-${VIN}`).locator("li", { hasText: "ivi-rpi4" });
}

/** Waits for what the board says of the head unit: its state, and the version that runs. */
async function boardSays(board: Stage, state: string, version: string): Promise<void> {
  await open(board, "vehicles");
  await ivi(board).getByText(state, { exact: true }).waitFor();
  await ivi(board).locator("[data-runs=true]", { hasText: version }).waitFor();
  await board.stop(`vehicles, ${state}`);
}

/** All of them were drawn, in this order, whatever else there was between. */
function assertPhases(seen: readonly string[], wanted: readonly string[]): void {
  let at = 0;
  for (const phase of seen) if (phase === wanted[at]) at++;
  assert(at === wanted.length, `drew ${seen.join(", ")}; wanted ${wanted.join(", ")}`);
}
