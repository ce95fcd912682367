/**
 * What the notice board shows of rot, its healing, and the log of a failed trial, in a real browser.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import type { Page } from "playwright-core";
import { FAILURES } from "shared/failure.ts";
import type { FailureName } from "shared/failure.ts";
import { BoardSnapshot, type Vehicle } from "shared/protocol/api.ts";
import type { FailureReport } from "shared/protocol/common.ts";
import { type RotReport, TrialLog } from "shared/protocol/messages.ts";
import { build } from "../scripts/build.ts";
import { FakeServer } from "./board_fake.ts";
import { BOARD } from "./board_fixtures.ts";
import { axeViolations, CHROMIUM, launch, NOTICE, watchFaults } from "./browser.ts";
import { ecu } from "./hmi_fixtures.ts";

const options = { ignore: CHROMIUM === undefined };
const VIN = "WVWZZZ1JZXW000001";
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
/** Where to put pictures for a look; none, if it is not set. */
const PICTURES = Deno.env.get("OTA_CARE_PICTURES");

function failure(name: FailureName, message: string): FailureReport {
  const { code, stage } = FAILURES[name];
  return { name, code, stage, message };
}

const rotten = (serial: string, slot: string) =>
  failure(
    "slotRotten",
    `Cannot trust slot ${slot} of ${serial}, which holds ${
      slot === "A" ? "1.4.0" : "1.3.0"
    }: its bytes are no longer those of ` +
      "the image",
  );
const OFFLINE = failure("serverUnreachable", "Cannot fetch chunk list: error sending request");
const TORN = failure(
  "recordRotten",
  "Cannot trust the journal of gateway: one of its two copies has rotted, or a power cut tore it",
);
const healing = { doneLeaves: 3, totalLeaves: 7 };

const ROT: RotReport[] = [
  { ecu: "gateway", what: "journal", at: minutesAgo(50), failure: TORN, healedAt: minutesAgo(50) },
  {
    ...{ ecu: "ivi", what: "slot A", at: minutesAgo(30), failure: rotten("ivi", "A") },
    healing: { doneLeaves: 2, totalLeaves: 2 },
    healedAt: minutesAgo(29),
  },
  {
    ...{ ecu: "ivi", what: "slot B", at: minutesAgo(3), failure: rotten("ivi", "B") },
    ...{ healing, healedAt: null },
  },
  {
    ...{ ecu: "cluster", what: "slot A", at: minutesAgo(12), failure: rotten("cluster", "A") },
    ...{ waits: OFFLINE, healedAt: null },
  },
];

const TRIAL = TrialLog.parse({
  ...{ v: 1, id: "c".repeat(64), ecu: "body", at: minutesAgo(125), version: "1.5.0", counter: 8 },
  ...{ sha256: "b".repeat(64), failure: "selfTestFailed", detail: "Lamp 3 draws no current" },
  lines: [
    '+41 ms display {"title":"Body 1.5.0"}',
    "2 heartbeats",
    '+2107 ms selfTest {"ok":false,"detail":"Lamp 3 draws no current"}',
  ],
});

function vehicle(rot: readonly RotReport[]): Vehicle {
  const open = (serial: string) => rot.find((one) => one.ecu === serial && one.healedAt === null);
  const failing = (serial: string) => ({ failure: open(serial)?.failure ?? null });
  const blank = ecu("ivi", "ivi-rpi4").slots;
  const both = { A: blank.A, B: { ...blank.A, version: "1.3.0", sha256: "e".repeat(64) } };
  const { lines: _lines, ...trial } = TRIAL;
  return {
    ...{ v: 1, vin: VIN, online: true, conn: "online", lastSeenAt: minutesAgo(0) },
    ...{ campaign: null, queue: [] },
    ecus: [
      ecu("ivi", "ivi-rpi4", { ...failing("ivi"), slots: both }),
      ecu("cluster", "cluster-sim", { ...failing("cluster"), slots: both }),
      ecu("body", "body-sim"),
    ],
    ...(rot.length === 0 ? {} : { rot: [...rot] }),
    failedTrials: [trial],
  };
}

async function withVehicle(
  rot: readonly RotReport[],
  run: (page: Page, fake: FakeServer) => Promise<void>,
): Promise<void> {
  await build();
  const snapshot = { ...structuredClone(BOARD), vehicles: [vehicle(rot)] };
  const fake = new FakeServer(BoardSnapshot.parse(snapshot));
  fake.trials.set(VIN, [TRIAL]);
  await using browser = await launch();
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.setDefaultTimeout(15_000);
    const faults = watchFaults(page, (text) => /status of (401|503)/.test(text));
    await page.goto(fake.url);
    await page.getByTestId("user").fill("admin");
    await page.getByTestId("password").fill("right horse");
    await page.getByTestId("login").click();
    await page.getByTestId("page-vehicles").click();
    await page.getByTestId(`vehicle-${VIN}`).waitFor();
    await run(page, fake);
    assertEquals(faults, []);
  } finally {
    await fake.close();
  }
}

async function look(page: Page, name: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    assertEquals(await axeViolations(page), [], `${name} ${colorScheme}`);
    if (PICTURES !== undefined) {
      const path = `${PICTURES}/${name}-${colorScheme}.png`;
      await page.screenshot({ path, fullPage: true });
    }
  }
}

Deno.test(
  `the board shows of each ECU what has rotted, how far its healing is, and why it waits${NOTICE}`,
  options,
  () =>
    withVehicle(ROT, async (page, fake) => {
      const card = (serial: string) => page.getByTestId(`care-${serial}`);
      const [ivi, cluster] = [card("ivi"), card("cluster")];
      await ivi.getByText("Being healed", { exact: true }).waitFor();
      await ivi.getByText("3 of 7 leaves").waitFor();
      assertEquals(await ivi.getByRole("progressbar").getAttribute("aria-valuenow"), "43");
      await ivi.getByText("found 3 min ago").waitFor();
      assertMatch(await ivi.innerText(), /509 slotRotten: Cannot trust slot B of ivi/);
      await page.getByText("spare, rotten").waitFor();
      await page.getByText("runs, rotten").waitFor();
      // What the ECU suffers from is told once.
      assertEquals(await page.getByText("509 slotRotten", { exact: true }).count(), 3);
      assertEquals(await page.locator(".error").count(), 0);
      assert(!await ivi.getByText("Slot A: healed, 2 leaves").isVisible());
      await ivi.getByText("Healed since power-on: 1").click();
      await ivi.getByText("slot A: healed, 2 leaves").waitFor();

      await cluster.getByText("Waits for the server", { exact: true }).waitFor();
      await cluster.getByText("Last try: 201 serverUnreachable: Cannot fetch chunk list").waitFor();
      await card("gateway").getByText("Gateway: healed since power-on: 1").waitFor();
      assertEquals(await card("body").count(), 0);
      assertMatch(await page.locator(".strip").innerText(), /1\s+need attention/);
      await look(page, "rot");
      await page.setViewportSize({ width: 360, height: 740 });
      const wide = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assertEquals(await wide(), 0, "nothing reaches out of a small screen");
      await look(page, "rot-small");

      // It goes on by itself, and ends.
      const [, , healed, waits] = ROT;
      const next = { ...healed!, healing: { doneLeaves: 6, totalLeaves: 7 } };
      fake.events.send("vehicle", vehicle([next, waits!]));
      await ivi.getByText("6 of 7 leaves").waitFor();
      const { waits: _waits, ...rest } = waits!;
      const stuck = failure("healSourceMissing", "Cannot heal 1.4.0: answered 404");
      fake.events.send("vehicle", vehicle([{ ...rest, failure: stuck, waits: stuck }]));
      await cluster.getByText("Not healed yet", { exact: true }).waitFor();
      await cluster.getByText("212 healSourceMissing").waitFor();
      assertEquals(await cluster.getByText("Last try").count(), 0, "it says the same");
      fake.events.send("vehicle", vehicle([]));
      await cluster.waitFor({ state: "detached" });
      assertMatch(await page.locator(".strip").innerText(), /0\s+need attention/);
    }),
);

Deno.test(
  `the board shows the last failed trial, and fetches its log when somebody opens it${NOTICE}`,
  options,
  () =>
    withVehicle([], async (page, fake) => {
      const asked = page.waitForRequest(`**/api/v1/vehicles/${VIN}/trials`, { timeout: 0 })
        .then(() => true, () => false);
      const trial = page.getByTestId("trial-body");
      await trial.getByText("Last failed trial: 1.5.0, 601 selfTestFailed, 2 h ago").waitFor();
      assertEquals(await page.locator("[data-testid^=trial-]").count(), 1);
      assert(!await trial.getByText("Lamp 3 draws no current").first().isVisible());

      fake.script.push({ path: /trials$/, status: 503, problem: { detail: "Cannot read now" } });
      await trial.locator("summary").click();
      assert(await asked);
      await trial.getByText("Cannot read now").waitFor();
      await trial.locator("summary").click();
      await trial.locator("summary").click();
      await trial.locator("pre").waitFor();
      assertEquals((await trial.locator("pre").innerText()).split("\n"), TRIAL.lines);
      assertEquals(await trial.getByText("Cannot read now").count(), 0);
      await look(page, "trial");
    }),
);
