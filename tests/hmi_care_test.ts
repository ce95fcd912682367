/**
 * What the head unit shows of rot and its repair, and that no screen lets anybody drive a vehicle
 * that is locked, in a real browser.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { Page } from "playwright-core";
import { type FailureName, FAILURES } from "shared/failure.ts";
import { HmiSnapshot } from "shared/protocol/hmi.ts";
import type { RotReport } from "shared/protocol/messages.ts";
import { axeViolations, CHROMIUM, NOTICE } from "./browser.ts";
import { FIXTURES } from "./hmi_fixtures.ts";
import { outside, smallTargets } from "./hmi_layout.ts";
import { type ScriptedVehicle, withPage } from "./hmi_vehicle.ts";

const options = { ignore: CHROMIUM === undefined };
const AT = "2026-03-14T09:26:53.000Z";
/** Where to put pictures for a look; none, if it is not set. */
const PICTURES = Deno.env.get("OTA_CARE_PICTURES");

function failure(name: FailureName) {
  const { code, stage } = FAILURES[name];
  return { name, code, stage, message: `Cannot trust it: ${name}` };
}

const ROTTEN: RotReport = {
  ...{ ecu: "ivi", what: "slot B", at: AT, failure: failure("slotRotten"), healedAt: null },
  healing: { doneLeaves: 3, totalLeaves: 7 },
};
const OFFLINE: RotReport = {
  ...{ ecu: "ivi", what: "slot A", at: AT, failure: failure("slotUnsound"), healedAt: null },
  waits: failure("serverUnreachable"),
};
const HEALED: RotReport = {
  ...{ ecu: "cluster", what: "slot B", at: AT, failure: failure("slotRotten"), healedAt: AT },
};

async function see(
  page: Page,
  vehicle: ScriptedVehicle,
  name: keyof typeof FIXTURES,
  change: Partial<HmiSnapshot>,
): Promise<void> {
  const { snapshot } = FIXTURES[name]!;
  vehicle.snapshot = HmiSnapshot.parse({ ...snapshot, ...change });
  await page.goto(vehicle.url);
  await page.locator("[data-mode]").waitFor();
}

/** Sizes, places, contrast; and a picture, if they are wanted. */
async function look(page: Page, name: string): Promise<void> {
  assertEquals(await smallTargets(page), [], name);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    assertEquals(await axeViolations(page), [], `${name} ${colorScheme}`);
  }
  for (const [width, height] of [[1280, 720], [800, 480], [1024, 600]] as const) {
    await page.setViewportSize({ width, height });
    if (PICTURES !== undefined) await page.screenshot({ path: `${PICTURES}/${name}-${width}.png` });
    assertEquals(await outside(page), [], `${name} at ${width}x${height}`);
  }
}

Deno.test(
  `hmi says quietly that a control unit is repaired, and on the vehicle page how far that is${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle, faults) => {
      const rot = [HEALED, ROTTEN, OFFLINE];
      const [ivi, ...others] = FIXTURES.upToDate!.snapshot.ecus;
      const ecus = [{ ...ivi!, failure: ROTTEN.failure }, ...others];
      await see(page, vehicle, "upToDate", { rot, ecus });
      await page.getByRole("heading", { name: "Your software is up to date" }).waitFor();
      await page.getByText("One control unit is being repaired. You can drive.").waitFor();
      assertEquals(await page.getByText("Do not drive").count(), 0);
      await look(page, "hmi-repair");

      await page.getByTestId("page-vehicle").click();
      const line = (text: string) => page.getByTestId("care").filter({ hasText: text }).waitFor();
      await line("Repairing, 3 of 7");
      await line("Waits for server");
      assertEquals(await page.getByTestId("care").locator("dt").allInnerTexts(), [
        "Slot A",
        "Slot B",
      ]);
      assertEquals(await page.getByText("Last failure").count(), 0, "told already");
      await look(page, "hmi-vehicle");
      await page.getByRole("button", { name: "Instrument cluster" }).click();
      await line("Repaired");
      assertEquals(await page.getByTestId("care").count(), 1);

      vehicle.say({ ...vehicle.snapshot, rot: [] });
      await page.getByTestId("care").waitFor({ state: "detached" });
      await page.getByTestId("page-update").click();
      assertEquals(await page.getByTestId("care").count(), 0, "nothing to say");

      // While it moves none of it matters.
      await see(page, vehicle, "upToDate", {
        rot,
        signals: { ...FIXTURES.upToDate!.snapshot.signals, speedKmh: 50 },
      });
      await page.getByRole("heading", { name: "Software up to date" }).waitFor();
      assertEquals(await page.getByTestId("care").count(), 0);
      assertEquals(faults, []);
    }),
);

Deno.test(
  `hmi lets nobody drive a vehicle that is locked, whatever the screen${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle, faults) => {
      const locked = { driveLock: true, rot: [OFFLINE] };
      for (const name of ["upToDate", "preparing", "rolledBack", "failed"] as const) {
        await see(page, vehicle, name, locked);
        await page.getByText("Do not drive. A control unit is being repaired").waitFor();
        assertEquals(await page.getByText("You can drive").count(), 0, name);
        await look(page, `hmi-locked-${name}`);
        await see(page, vehicle, name, { ...locked, rot: undefined });
        await page.getByText("Do not drive.").waitFor();
        assertEquals(await page.getByText("You can drive").count(), 0, name);
      }
      await see(page, vehicle, "upToDate", locked);
      await page.getByRole("heading", { level: 1, name: "Do not drive yet" }).waitFor();
      assertEquals(await page.getByText("Your software is up to date").count(), 0);

      const { signals } = FIXTURES.upToDate!.snapshot;
      await see(page, vehicle, "upToDate", { ...locked, signals: { ...signals, speedKmh: 50 } });
      const headline = page.getByRole("heading", { level: 1 });
      await headline.getByText("Stop safely. Being repaired").waitFor();
      assert((await headline.innerText()).length <= 30);
      await look(page, "hmi-locked-moving");
      assertEquals(faults, []);
    }),
);
