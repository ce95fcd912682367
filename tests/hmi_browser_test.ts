/**
 * The head unit's page in a real browser: every screen, day and night, its sizes, its
 * commands, and what it does when the vehicle falls silent.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { axeViolations, CHROMIUM, NOTICE } from "./browser.ts";
import { FIXTURES } from "./hmi_fixtures.ts";
import { outside, smallTargets } from "./hmi_layout.ts";
import { show, withPage } from "./hmi_vehicle.ts";

const options = { ignore: CHROMIUM === undefined };

Deno.test(
  `hmi shows every screen with its headline, in sizes to touch, and axe finds nothing${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle, faults) => {
      for (const [name, { headline, snapshot }] of Object.entries(FIXTURES)) {
        await show(page, vehicle, name);
        await page.getByRole("heading", { level: 1, name: headline, exact: true }).waitFor();
        assertEquals(await page.locator("[data-phase]").getAttribute("data-phase"), snapshot.phase);
        assertEquals(await smallTargets(page), [], name);
        for (const colorScheme of ["dark", "light"] as const) {
          await page.emulateMedia({ colorScheme });
          assertEquals(await axeViolations(page), [], `${name} ${colorScheme}`);
        }
        const sizes = [{ width: 1280, height: 720 }, { width: 800, height: 480 }];
        for (const size of [...sizes, { width: 1024, height: 600 }]) {
          await page.setViewportSize(size);
          assertEquals(await outside(page), [], `${name} at ${size.width}x${size.height}`);
        }
      }
      assertEquals(faults, []);
    }),
);

Deno.test(
  `hmi shows nothing to touch while it installs, and one card while it moves${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle) => {
      for (const name of ["installing", "restarting", "trial", "confirming", "rollingBack"]) {
        await show(page, vehicle, name);
        assertEquals(await page.locator("button, a, summary, input").count(), 0, name);
        await page.getByText("Do not drive.").waitFor();
      }
      await show(page, vehicle, "moving");
      assertEquals(await page.locator("main button").count(), 1);
      assertEquals(await page.getByTestId("accept").count(), 0);
      await page.getByTestId("postpone").click();
      await page.waitForFunction(() => !document.querySelector("[data-testid=postpone]:disabled"));
      assertEquals(vehicle.commands.map((it) => it.command), ["postpone"]);
    }),
);

Deno.test(
  `hmi sends accept only when held, by mouse and by keyboard, for the campaign that was shown${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle, faults) => {
      await show(page, vehicle, "consent");
      const button = page.getByTestId("hold-install");
      await button.hover();
      await page.mouse.down();
      await page.waitForTimeout(600);
      await page.mouse.up();
      await page.waitForTimeout(1200);
      assertEquals(vehicle.commands, [], "a short press is no consent");

      await page.mouse.down();
      const sent = page.waitForResponse("**/api/commands");
      await sent;
      await page.mouse.up();
      const [accept] = vehicle.commands;
      assert(accept?.command === "accept");
      assertEquals(accept.campaign, "c12");

      await button.focus();
      await page.keyboard.down("Enter");
      await page.waitForResponse("**/api/commands");
      await page.keyboard.up("Enter");
      assertEquals(vehicle.commands.length, 2);
      assert(vehicle.commands[0]!.commandId !== vehicle.commands[1]!.commandId);

      const { snapshot } = FIXTURES.ready!;
      vehicle.say({ ...snapshot, offer: { ...snapshot.offer!, campaign: "c13" } });
      await page.getByText("The offer has changed. Please read it again").waitFor();
      assertEquals(await button.count(), 0, "consent for the old campaign is void");
      assertEquals(faults, []);
    }),
);

Deno.test(
  `hmi sends each of the other commands from its button${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle) => {
      const press = async (name: string, testId: string) => {
        await show(page, vehicle, name);
        const answered = page.waitForResponse("**/api/commands");
        await page.getByTestId(testId).click();
        await answered;
        const { v: _v, commandId: _id, ...wish } = vehicle.commands.at(-1)!;
        return wish as unknown;
      };
      assertEquals(await press("upToDate", "check-now"), { command: "checkNow" });
      assertEquals(await press("ready", "postpone"), { command: "postpone", campaign: "c12" });
      assertEquals(await press("ready", "decline"), { command: "decline", campaign: "c12" });
      assertEquals(await press("waiting", "cancel"), { command: "cancel", campaign: "c12" });
      for (const name of ["succeeded", "rolledBack", "failed"]) {
        assertEquals(await press(name, "acknowledge"), { command: "acknowledge" });
      }
      const { signals } = FIXTURES.workshop!.snapshot;
      assertEquals(await press("workshop", "signal-park"), {
        command: "signals",
        signals: { ...signals, parked: false },
      });
      assertEquals(await press("workshop", "battery-more"), {
        command: "signals",
        signals: { ...signals, batteryPercent: 30 },
      });
      assertEquals(await press("workshop", "speed-unknown"), {
        command: "signals",
        signals: { ...signals, speedKmh: null },
      });

      vehicle.refuse = { detail: "Cannot take command: campaign c12 is over" };
      await show(page, vehicle, "ready");
      await page.getByTestId("postpone").click();
      await page.getByText("Cannot take command: campaign c12 is over").waitFor();
    }),
);

Deno.test(
  `hmi hides nothing of a page under a notice, at any size${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle) => {
      for (const name of ["preparing", "readySingle", "waiting", "trial", "rolledBack"]) {
        for (const [width, height] of [[1024, 600], [800, 480], [1280, 720]] as const) {
          await page.setViewportSize({ width, height });
          await show(page, vehicle, name);
          vehicle.hangUp();
          await page.getByTestId("link-lost").waitFor();
          const notice = (await page.getByTestId("link-lost").boundingBox())!;
          const headline = (await page.getByRole("heading", { level: 1 }).boundingBox())!;
          const where = `${name} at ${width}x${height}`;
          assert(notice.y + notice.height <= headline.y, `${where}: the headline is hidden`);
          assertEquals(await outside(page), [], where);
          assertEquals(await axeViolations(page), [], where);
          vehicle.silent = false;
        }
      }
    }),
);

Deno.test(
  `hmi says when the vehicle falls silent and is back by itself${NOTICE}`,
  options,
  () =>
    withPage(async (page, vehicle) => {
      await show(page, vehicle, "preparing");
      await page.getByText("If power is lost now you go on at 50 %").waitFor();
      vehicle.hangUp();
      await page.getByTestId("link-lost").waitFor();
      vehicle.silent = false;
      vehicle.snapshot = FIXTURES.succeeded!.snapshot;
      await page.getByRole("heading", { name: "Update installed" }).waitFor({ timeout: 15_000 });
      assertEquals(await page.getByTestId("link-lost").count(), 0);
      vehicle.say(FIXTURES.upToDateOffline!.snapshot);
      await page.getByText("Server not reachable").waitFor();
    }),
);
