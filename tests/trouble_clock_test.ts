/**
 * Clocks that jump, of server and vehicle, while an update is under way.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import { ecu, firmware, JourneyWorld } from "./journey_world.ts";

const YEAR_S = 365 * 24 * 3600;

/** Real processes whose clock is the machine's and so many seconds, which can be changed. */
class ClockWorld extends JourneyWorld {
  /** Programs read the offset at every look at the clock, as they would see a clock that is set. */
  async withClocks(): Promise<this> {
    const script = `${this.folder}/clock.ts`;
    await Deno.writeTextFile(
      script,
      `const real = Date.now;
      const part = Deno.mainModule.includes("/server/") ? "server" : "vehicle";
      const seconds = () => Number(Deno.readTextFileSync("${this.folder}/" + part + ".offset"));
      Date.now = () => real() + 1000 * seconds();`,
    );
    this.runtime = ["--preload", script];
    for (const part of ["server", "vehicle"] as const) this.set(part, 0);
    return await this.start();
  }

  set(part: "server" | "vehicle", seconds: number): void {
    const file = `${this.folder}/${part}.offset`;
    Deno.writeTextFileSync(`${file}.new`, String(seconds));
    Deno.renameSync(`${file}.new`, file);
  }
}

Deno.test("clocks that jump years, either way and on either side, stop no update", async () => {
  await using world = await new ClockWorld([ecu("ivi", "ivi-rpi4", { trialSeconds: 3 })], "ask")
    .withClocks();
  const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  await world.hmi(({ phase }) => phase === "ready");
  world.set("vehicle", 10 * YEAR_S);
  await world.press("accept", campaign);
  const tried = await world.hmi(({ phase }) => phase === "trial");
  assert(Date.parse(tried.at) > Date.now() + 9 * YEAR_S * 1000, "the jump was seen");
  world.set("vehicle", -20 * YEAR_S);
  world.set("server", -20 * YEAR_S);
  const done = await world.hmi(({ phase }) => phase === "succeeded");
  assertEquals(done.result!.secondsTaken, 0, "a clock that went back took no time");
  await world.watch(campaign, 0);

  // A year on, people log in again, which is said; the vehicle needs nothing.
  world.set("server", YEAR_S);
  const refused = await world.ota("releases");
  assertEquals(refused.code, 4);
  assertMatch(refused.stderr, /log in/i);
  const login = await world.ota("login", "--server", world.server.urls.http);
  assertEquals(login.code, 0, login.stderr);
  const next = await world.publish(firmware("ivi-1.1.0"), "ivi-rpi4", "1.1.0");
  const asked = await world.hmi(({ phase, offer }) =>
    phase === "ready" && offer?.campaign === next.campaign
  );
  assertEquals(asked.offer!.releases[0]!.to, "1.1.0");

  // Postponed by an hour, and then the clock is set back: it is not postponed for years.
  world.set("vehicle", 0);
  await world.press("postpone", next.campaign);
  await world.hmi(({ phase }) => phase === "postponed");
  world.set("vehicle", -5 * YEAR_S);
  await world.command({ v: 1, commandId: crypto.randomUUID(), command: "checkNow" });
  await world.hmi(({ phase }) => phase === "ready");
  // And set ahead: it is due.
  await world.press("postpone", next.campaign);
  await world.hmi(({ phase }) => phase === "postponed");
  world.set("vehicle", 0);
  await world.command({ v: 1, commandId: crypto.randomUUID(), command: "checkNow" });
  await world.hmi(({ phase }) => phase === "ready");
  await world.press("accept", next.campaign);
  await world.watch(next.campaign, 0);

  // At a start, a clock before the build date is refused in words; then it is set, and all is well.
  await world.vehicle.stop();
  world.set("vehicle", -20 * YEAR_S);
  const error = await world.startVehicle().then(() => undefined, (error: Error) => error);
  assertMatch(error!.message, /ended with code 5[\s\S]*set the clock/);
  world.set("vehicle", 0);
  await world.startVehicle();
  assertEquals((await world.ecus()).ivi!.version, "1.1.0");
});
