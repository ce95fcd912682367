/**
 * Rot with real processes: bytes are changed in the slot files of a vehicle, while it runs and while
 * it is off; it finds them, fetches single leaves from the server and is whole again by itself.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { SCRUB_REST_MS } from "shared/limits.ts";
import { sha256Hex } from "shared/node/digest.ts";
import type { VehicleEvent } from "shared/protocol/messages.ts";
import { ecu, firmware, JourneyWorld, VIN } from "./journey_world.ts";

/** A round of the scrub with its rest, and as much again for a busy machine. */
const PATIENCE_MS = 3 * SCRUB_REST_MS;

function slotPath(world: JourneyWorld, serial: string, slot: string): string {
  return `${world.vehicleData}/ecus/${serial}/slot${slot}.disk`;
}

/** The image's part of a slot file. */
function imageIn(path: string, lengthBytes: number): Uint8Array {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(lengthBytes);
  for (let got = 0; got < lengthBytes;) got += file.readSync(bytes.subarray(got)) ?? lengthBytes;
  return bytes;
}

/** Changes one byte of a file in place. */
function rot(path: string, at: number): void {
  using file = Deno.openSync(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  file.seekSync(at, Deno.SeekMode.Start);
  file.readSync(byte);
  byte[0]! ^= 0x10;
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(byte);
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end;) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`waited in vain: ${what}`);
}

async function events(world: JourneyWorld): Promise<VehicleEvent[]> {
  const answer = await fetch(`${world.server.urls.http}/api/v1/login`, {
    method: "POST",
    body: JSON.stringify({ user: "admin", password: "journey-password" }),
  });
  const { token } = await answer.json();
  const path = `${world.server.urls.http}/api/v1/vehicles/${VIN}/events`;
  const list = await fetch(path, { headers: { authorization: `Bearer ${token}` } });
  return await list.json();
}

Deno.test("bytes rot in both slots of a running vehicle, and in the running one of a vehicle that is off: healed from the server", async () => {
  await using world = new JourneyWorld([ecu("body", "body-sim"), ecu("ivi", "ivi-rpi4")]);
  await world.start();
  const old = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  await world.watch(old.campaign, 0);
  const fresh = await world.publish(firmware("ivi-1.1.0"), "ivi-rpi4", "1.1.0");
  await world.watch(fresh.campaign, 0);

  const running = (await world.ecus()).ivi!.slot!;
  const images = [
    { slot: running, sha256: fresh.sha256, path: firmware("ivi-1.1.0") },
    { slot: running === "A" ? "B" : "A", sha256: old.sha256, path: firmware("ivi-1.0.0") },
  ].map((one) => ({ ...one, lengthBytes: Deno.statSync(one.path).size }));
  const sound = () =>
    images.every(({ slot, sha256, lengthBytes }) =>
      sha256Hex(imageIn(slotPath(world, "ivi", slot), lengthBytes)) === sha256
    );
  assert(sound());
  for (const { slot, lengthBytes } of images) {
    rot(slotPath(world, "ivi", slot), 0);
    rot(slotPath(world, "ivi", slot), lengthBytes - 1);
  }
  assert(!sound());
  await until("both slots are sound again", sound);
  await until("it is told", async () => {
    const told = (await events(world)).filter((one) => one.ecu === "ivi");
    return told.filter(({ failure }) => failure?.name === "slotRotten").length === 2 &&
      told.filter(({ note }) => note?.includes("from the server")).length === 2;
  });
  assertEquals((await world.ecus()).ivi!.version, "1.1.0");

  await world.vehicle.stop();
  rot(slotPath(world, "ivi", running), 100);
  await world.startVehicle();
  await until("1.1.0 runs again", async () => (await world.ecus()).ivi!.version === "1.1.0");
  await until("it is no failure any more", async () => (await world.ecus()).ivi!.failure === null);
  assert(sound());
  const names = (await events(world)).map(({ failure }) => failure?.name);
  assert(names.includes("slotUnsound"), names.join(", "));
});
