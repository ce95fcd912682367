/**
 * The journey as people see it: a publisher at the notice board, a driver at the head
 * unit, both in a real browser, in front of the real server and vehicle processes. The pages
 * are reloaded, the server is stopped and the vehicle is cut from its power on the way.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import type { Browser, Page } from "playwright-core";
import { build } from "../scripts/build.ts";
import { CHROMIUM, dropOn, launch, NOTICE } from "./browser.ts";
import { ecu, firmware, JourneyWorld } from "./journey_world.ts";
import {
  accept,
  acknowledge,
  boardSays,
  ivi,
  publish,
  SCREENS,
  Stage,
  turn,
  vehicle,
  type Wanted,
} from "./page_stage.ts";
import { rotAndHeal } from "./page_rot.ts";
import { Gate, TroubleProxy } from "./trouble_proxy.ts";

const MIB = 2 ** 20;
/** A trial long enough for a person, or a reload, to see it. */
const PROFILE = [
  ecu("body", "body-sim"),
  ecu("cluster", "cluster-sim"),
  ecu("ivi", "ivi-rpi4", { trialSeconds: 3, slotBytes: 64 * MIB }),
];
/** So much is added to one image, as comments: a download of many segments. */
const BALLAST_BYTES = 24 * MIB;

// deno-fmt-ignore
const RELEASES: readonly Wanted[] = [
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

Deno.test({
  name: "a publisher and a driver take two releases and a faulty one through both pages, with " +
    `reloads, a restart of the server and power cuts of the vehicle on the way${NOTICE}`,
  ignore: CHROMIUM === undefined,
  async fn() {
    await build();
    await using world = new JourneyWorld(PROFILE, "ask");
    world.proxy = new TroubleProxy();
    await world.start();
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
      await firstRelease(world, board, unit);
      await secondRelease(world, board, unit);
      await faultyRelease(world, board, unit);
      if (SCREENS !== undefined) await rotAndHeal(world, board, unit);
      for (const stage of [board, unit]) {
        // deno-lint-ignore no-console -- In the page: the proof that the watch hears it.
        await stage.page.evaluate(() => console.error("an error that is seen"));
        assertEquals(stage.faults, ["an error that is seen"]);
      }
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

/** Lets so much of each download through and holds the rest, so that what is drawn can be seen. */
function hold(world: JourneyWorld, afterBytes: number): Gate {
  const gate = new Gate();
  world.proxy!.trouble = (path) =>
    path.startsWith("/carriers/") ? { kind: "gate", afterBytes, gate } : undefined;
  return gate;
}

/** Drops a file on the zone as the desktop does. */
async function drop(page: Page, path: string): Promise<void> {
  const lit = () => page.locator(".drop[data-over=true]").waitFor();
  await dropOn(page.locator(".drop"), [path], lit);
}

async function firstRelease(world: JourneyWorld, board: Stage, unit: Stage): Promise<void> {
  const gate = hold(world, 100_000);
  await publish(board, RELEASES[0]!, (page) => drop(page, firmware("ivi-1.0.0")));
  await unit.headline("Getting the update ready");
  await unit.page.getByText("If power is lost now it goes on by itself").waitFor();
  await unit.stop("preparing the first software");
  gate.open();
  await unit.headline("Update ready to install");
  await accept(unit);
  await unit.headline("Update installed");
  unit.drew("upToDate", "preparing", "ready", "trial", "succeeded");
  await boardSays(board, "Confirmed", "1.0.0");
  await acknowledge(unit);
}

async function secondRelease(world: JourneyWorld, board: Stage, unit: Stage): Promise<void> {
  const image = `${world.folder}/ivi-1.1.0.bin`;
  // A comment that hardly shrinks: whichever carrier is taken, most of it travels.
  const ballast = new Uint8Array(BALLAST_BYTES);
  for (let at = 0; at < ballast.length; at += 65_536) {
    crypto.getRandomValues(ballast.subarray(at, at + 65_536));
  }
  for (let at = 0; at < ballast.length; at++) ballast[at] = 0x30 + ballast[at]! % 64;
  ballast.fill(0x2F, 0, 2); // "//"
  await Deno.copyFile(firmware("ivi-1.1.0"), image);
  await Deno.writeTextFile(image, "\n", { append: true });
  await Deno.writeFile(image, ballast, { append: true });
  hold(world, 10.5 * MIB);
  await publish(board, RELEASES[1]!, (page) => drop(page, image));
  await cutWhileDownloading(world, board, unit);
  await unit.headline("Update ready to install");
  const { notes } = RELEASES[1]!;
  for (const text of [notes.purpose, notes.changes, notes.unavailable, notes.instructions]) {
    await unit.page.getByText(text, { exact: true }).waitFor();
  }
  await unit.page.getByText("1.0.0 → 1.1.0").waitFor();
  await unit.stop("offer", "head-unit-offer");
  await restartServer(world, board, unit);
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
  unit.drew("preparing", "ready", "trial", "succeeded");
  await boardSays(board, "Confirmed", "1.1.0");
  await acknowledge(unit);
}

/** The vehicle's power fails in the middle of the download, and the open page keeps its promise. */
async function cutWhileDownloading(
  world: JourneyWorld,
  board: Stage,
  unit: Stage,
): Promise<void> {
  await unit.headline("Getting the update ready");
  await unit.page.getByText(/^11 MB of \d+ MB/).waitFor(); // All that is let through.
  const text = await unit.page.getByText(/If power is lost now you go on at \d+/).innerText();
  const promised = Number(/(\d+)\s%/.exec(text)![1]);
  assert(promised >= 35 && promised <= 60, text); // Whole segments of 10.5 MiB.
  await board.open("vehicles");
  await ivi(board).getByText("Downloading", { exact: true }).waitFor();
  await board.stop("vehicles, downloading");
  await unit.stop("preparing", "head-unit-preparing");

  const before = world.proxy!.passed.length;
  const gate = hold(world, 0); // Its next download stands still where this one is cut.
  await cutPower(world, board, unit, () => unit.headline("Getting the update ready"));
  await unit.headline("Getting the update ready");
  const percent = Number((await unit.page.locator(".percent").innerText()).replace(/\D/g, ""));
  assert(percent >= promised, `promised ${promised} %, went on at ${percent} %`);
  await unit.stop("preparing, after a power cut");
  gate.open();
  await unit.headline("Update ready to install");
  const ranges = world.proxy!.passed.slice(before).flatMap(({ path, range }) =>
    path.startsWith("/carriers/") && range !== null ? [range] : []
  );
  // The head in two parts, then the segments from the one that was under way.
  const from = Number(/^bytes=(\d+)-$/.exec(ranges.at(-1) ?? "")?.[1]);
  assert(from > 7 * MIB && from < 10.6 * MIB, `whole segments are fetched again: ${ranges}`);
}

/** SIGKILL, as a power cut is; then the same data folder and port. The page stays open. */
async function cutPower(
  world: JourneyWorld,
  board: Stage,
  unit: Stage,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const { hmi } = world.vehicle;
  unit.held = true;
  await world.vehicle.kill();
  await unit.page.getByTestId("link-lost").waitFor();
  await meanwhile();
  await unit.stop("head unit without its vehicle");
  await board.open("vehicles");
  await vehicle(board).getByText("Offline", { exact: true }).waitFor();
  await board.stop("vehicles, one offline");
  await world.startVehicle();
  assertEquals(world.vehicle.hmi, hmi);
  await unit.page.getByTestId("link-lost").waitFor({ state: "detached" });
  unit.held = false;
  await vehicle(board).getByText("Online", { exact: true }).waitFor();
}

/** The server goes away and comes back on its ports, while the head unit waits for consent. */
async function restartServer(world: JourneyWorld, board: Stage, unit: Stage): Promise<void> {
  const { urls } = world.server;
  board.held = true;
  await world.server.stop();
  await board.page.getByTestId("link-lost").waitFor();
  await unit.page.locator(".reach[data-ok=false]").waitFor();
  await unit.headline("Update ready to install");
  await unit.stop("offer without a server");
  await board.stop("board without a server");
  await world.startServer();
  assertEquals(world.server.urls, urls);
  await board.page.getByTestId("link-lost").waitFor({ state: "detached" });
  board.held = false;
  await unit.page.getByText("Server connected").waitFor();
}

async function faultyRelease(world: JourneyWorld, board: Stage, unit: Stage): Promise<void> {
  const gate = hold(world, 500);
  await publish(board, RELEASES[2]!, (page) => {
    return page.getByTestId("file").setInputFiles(firmware("faulty-selfTest"));
  });
  await unit.headline("Getting the update ready");
  gate.open();
  await unit.headline("Update ready to install");
  await hesitate(world, board, unit);
  await unit.headline("Your previous software is back");
  await unit.page.getByText("The new software found a fault in its own test").waitFor();
  await unit.page.getByText("1.1.0 runs, not 1.2.0").waitFor();
  await unit.stop("rolled back", "head-unit-rolled-back");
  unit.drew("preparing", "ready", "postponed", "waiting", "trial", "rolledBack");
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
  await board.open("campaigns");
  await board.page.getByTestId("campaign-c3").getByText("Rolled back").first().waitFor();
  await board.stop("campaigns");
  await board.open("releases");
  await board.page.locator(".release").nth(2).waitFor();
  await board.stop("releases", "notice-board");
  await acknowledge(unit);
}

/** Drives on, puts it off, loses power, wants it after all, and has to park properly first. */
async function hesitate(world: JourneyWorld, board: Stage, unit: Stage): Promise<void> {
  await turn(unit, "speed-50");
  await unit.headline("Update ready. Park to install");
  await unit.stop("an offer while it moves");
  await turn(unit, "speed-0");
  await unit.headline("Update ready to install");
  await unit.page.getByTestId("postpone").click();
  await unit.headline("Postponed");
  await unit.stop("postponed");
  await cutPower(world, board, unit, () => unit.headline("Postponed"));
  await unit.headline("Postponed");
  await turn(unit, "signal-brake");
  await accept(unit);
  await unit.headline("Almost there");
  await unit.page.getByText("Not yet").waitFor();
  await unit.stop("waiting for the parking brake");
  await unit.open("workshop");
  await unit.page.getByTestId("signal-brake").click();
}
