/**
 * What journeys do whatever broker there is.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import { firmware, type JourneyWorld, THREE } from "./journey_world.ts";

/** Offers one release for each of the three ECUs as one bundle; answers its campaign. */
async function offerBundle(world: JourneyWorld, version: string, bad?: string): Promise<string> {
  const drafts = [];
  for (const { serial, hardware } of THREE) {
    const image = firmware(bad === serial ? "faulty-throw" : `${serial}-${version}`);
    drafts.push((await world.publish(image, hardware, version, "--draft")).release);
  }
  const [{ campaign }] = await world.json("offer", ...drafts) as [{ campaign: string }];
  return campaign;
}

/** Two bundles, one after the other, are confirmed with the driver's consent. */
export async function bundleIsConfirmed(world: JourneyWorld): Promise<void> {
  for (const version of ["1.0.0", "1.1.0"]) {
    const campaign = await offerBundle(world, version);
    const asked = await world.hmi(({ phase, offer }) =>
      phase === "ready" && offer?.campaign === campaign
    );
    assertEquals(asked.offer!.releases.map(({ to }) => to), [version, version, version]);
    assertEquals(asked.offer!.releases[0]!.notes.purpose, "For the journey test");
    assertEquals(asked.driveLock, false);
    await world.press("accept", "c999"); // Consent to another campaign is void.
    await world.press("accept", campaign);
    const tried = await world.hmi(({ phase }) => phase === "trial");
    assertEquals(tried.driveLock, true);
    await world.watch(campaign, 0);
    const done = await world.hmi(({ phase }) => phase === "succeeded");
    assertEquals([done.driveLock, done.result?.outcome], [false, "confirmed"]);
    assertEquals(done.ecus.map((one) => [one.state, one.version]), [
      ["confirmed", version],
      ["confirmed", version],
      ["confirmed", version],
    ]);
    await world.command({ v: 1, commandId: crypto.randomUUID(), command: "acknowledge" });
    await world.hmi(({ phase }) => phase === "upToDate");
  }
}

/** A bundle with a bad ECU takes all three back to a version that was confirmed, or is first. */
export async function partnersGoBack(world: JourneyWorld, good: string): Promise<void> {
  const before = await world.ecus();
  if (before.ivi?.version !== good) await world.watch(await offerBundle(world, good), 0);
  const { counter } = (await world.ecus()).ivi!;
  await world.watch(await offerBundle(world, "1.2.0", "ivi"), 6);
  const { ivi, cluster, body } = await world.ecus();
  assertEquals(ivi!.failure?.name, "imageCrashed");
  for (const partner of [cluster!, body!]) assertEquals(partner.failure?.name, "partnerFailed");
  for (const one of [ivi!, cluster!, body!]) {
    assertEquals([one.state, one.version, one.counter], ["rolledBack", good, counter]);
  }
}
