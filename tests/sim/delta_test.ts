/**
 * Which way an image takes: the cheapest whose base runs, and another one when that
 * turns out damaged. The patch is one of Debian's bsdiff.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { sha256Hex } from "shared/node/digest.ts";
import vector from "../vectors/bsdiff40.json" with { type: "json" };
import { delta, release, type SimRelease } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

const [BASE, IMAGE, PATCH] = [vector.base, vector.image, vector.patch].map((text) =>
  Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
) as [Uint8Array, Uint8Array, Uint8Array];
const BASE_SHA256 = sha256Hex(BASE);
const IMAGE_SHA256 = sha256Hex(IMAGE);

/** A vehicle whose body runs the patch's base; every image of body behaves. */
async function onBase(): Promise<SimVehicle> {
  const vehicle = await SimVehicle.running();
  vehicle.misbehave("body", "good");
  vehicle.offer("c2", { body: release("body-sim", 2, { bytes: BASE }) });
  await vehicle.settled("c2");
  assertEquals(vehicle.runs()["body"], "2.0.0");
  vehicle.backend.requests.length = 0;
  return vehicle;
}

function withPatch(patch: Uint8Array, base = BASE_SHA256): SimRelease {
  const deltas = [delta(patch, IMAGE_SHA256, base)];
  return release("body-sim", 3, { bytes: IMAGE, deltas });
}

const fetched = ({ backend }: SimVehicle) => backend.requests.map(({ sha256 }) => sha256);

async function ends(vehicle: SimVehicle): Promise<void> {
  await vehicle.settled("c3");
  assertEquals(vehicle.runs()["body"], "3.0.0");
  assertEquals([vehicle.states()["body"], vehicle.failures()["body"]], ["confirmed", null]);
  assertEquals(vehicle.backend.reported("body")?.sha256, IMAGE_SHA256);
}

Deno.test("a BSDIFF40 patch of the image that runs is taken, and only the patch travels", async () => {
  const vehicle = await onBase();
  vehicle.offer("c3", { body: withPatch(PATCH) });
  await ends(vehicle);
  assertEquals(fetched(vehicle), [sha256Hex(PATCH)]);
});

Deno.test("a patch that is cut goes on at the exact byte", async () => {
  const vehicle = await onBase();
  vehicle.backend.fault(sha256Hex(PATCH), { kind: "cut", afterBytes: 100 });
  vehicle.offer("c3", { body: withPatch(PATCH) });
  await ends(vehicle);
  assertEquals(vehicle.backend.requests.map(({ offset }) => offset), [0, 100]);
});

Deno.test("a patch larger than the image is not taken", async () => {
  const vehicle = await onBase();
  const large = new Uint8Array(IMAGE.length + 1);
  large.set(PATCH);
  vehicle.offer("c3", { body: withPatch(large) });
  await ends(vehicle);
  assertEquals(fetched(vehicle), [IMAGE_SHA256]);
});

Deno.test("a patch whose base does not run is not taken", async () => {
  const vehicle = await onBase();
  vehicle.offer("c3", { body: withPatch(PATCH, "ab".repeat(32)) });
  await ends(vehicle);
  assertEquals(fetched(vehicle), [IMAGE_SHA256]);
});

Deno.test("a damaged patch goes over to the full image within the same update", async () => {
  const vehicle = await onBase();
  const damaged = PATCH.slice();
  damaged[60]! ^= 0xFF;
  vehicle.offer("c3", { body: withPatch(damaged) });
  await ends(vehicle);
  assertEquals(fetched(vehicle), [sha256Hex(damaged), IMAGE_SHA256]);
  assert(vehicle.log.some((line) => line.startsWith("body: deltaDamaged")), vehicle.log.join());
});

Deno.test("what is no patch at all goes over to the full image", async () => {
  const vehicle = await onBase();
  const noise = new TextEncoder().encode("this is no patch, whatever the metadata says");
  vehicle.offer("c3", { body: withPatch(noise) });
  await ends(vehicle);
  assertEquals(fetched(vehicle), [sha256Hex(noise), IMAGE_SHA256]);
});

Deno.test("a patch that makes another image of the same length goes over to the full image", async () => {
  const vehicle = await onBase();
  const other = IMAGE.slice();
  other[500]! ^= 1;
  const sha256 = sha256Hex(other);
  const deltas = [delta(PATCH, sha256, BASE_SHA256)];
  vehicle.offer("c3", { body: release("body-sim", 3, { bytes: other, deltas }) });
  await vehicle.settled("c3");
  assertEquals(vehicle.runs()["body"], "3.0.0");
  assertEquals(vehicle.backend.requests.map(({ sha256, offset }) => [sha256, offset]), [
    [sha256Hex(PATCH), 0],
    [sha256, 0],
  ]);
  assertEquals(vehicle.backend.reported("body")?.sha256, sha256);
});

Deno.test("a patch that makes an image of another length goes over to the full image", async () => {
  const vehicle = await onBase();
  const longer = new Uint8Array([...IMAGE, 1]);
  const deltas = [delta(PATCH, sha256Hex(longer), BASE_SHA256)];
  vehicle.offer("c3", { body: release("body-sim", 3, { bytes: longer, deltas }) });
  await vehicle.settled("c3");
  assertEquals(vehicle.runs()["body"], "3.0.0");
  assertEquals(fetched(vehicle), [sha256Hex(PATCH), sha256Hex(longer)]);
  assert(vehicle.log.some((line) => line.startsWith("body: deltaResultDiffers")));
});

Deno.test("a patch that arrives with a wrong byte goes over to the full image", async () => {
  const vehicle = await onBase();
  vehicle.backend.fault(sha256Hex(PATCH), { kind: "wrong", at: 200 });
  vehicle.offer("c3", { body: withPatch(PATCH) });
  await ends(vehicle);
  assertEquals(fetched(vehicle), [sha256Hex(PATCH), IMAGE_SHA256]);
  assert(vehicle.log.some((line) => line.startsWith("body: carrierDigestDiffers")));
});

Deno.test("a patch that the server lost goes over to the full image", async () => {
  const vehicle = await onBase();
  vehicle.backend.fault(sha256Hex(PATCH), { kind: "refuses", failure: "carrierMissing" });
  vehicle.offer("c3", { body: withPatch(PATCH) });
  await ends(vehicle);
  assertEquals(fetched(vehicle), [sha256Hex(PATCH), IMAGE_SHA256]);
});

Deno.test("a patch whose base rotted in the slot that runs goes over to the full image", async () => {
  const vehicle = await onBase();
  vehicle.power.ecus["body"]![vehicle.ecu("body").inventory().running!.slot].flip(1, 9);
  vehicle.offer("c3", { body: withPatch(PATCH) });
  await ends(vehicle);
  assertEquals(fetched(vehicle), [sha256Hex(PATCH), IMAGE_SHA256]);
  assert(vehicle.log.some((line) => line.startsWith("body: deltaBaseDiffers")));
});

Deno.test("a power cut while a patch arrives goes on and ends with the same image", async () => {
  const vehicle = await onBase();
  vehicle.backend.fault(sha256Hex(PATCH), { kind: "stall", afterBytes: 300 });
  vehicle.offer("c3", { body: withPatch(PATCH) });
  await vehicle.pass(3000);
  vehicle.cut(() => "torn");
  vehicle.powerOn();
  await ends(vehicle);
  assertEquals(fetched(vehicle), [sha256Hex(PATCH), sha256Hex(PATCH)]);
});

Deno.test("the same bytes under a new version install without a download", async () => {
  const vehicle = await onBase();
  vehicle.offer("c3", { body: release("body-sim", 3, { bytes: BASE }) });
  await vehicle.settled("c3");
  assertEquals(vehicle.runs()["body"], "3.0.0");
  assertEquals(fetched(vehicle), []);
});

Deno.test("the same bytes as a running image that rotted are fetched after all", async () => {
  const vehicle = await onBase();
  vehicle.power.ecus["body"]![vehicle.ecu("body").inventory().running!.slot].flip(1, 9);
  vehicle.offer("c3", { body: release("body-sim", 3, { bytes: BASE }) });
  await vehicle.settled("c3");
  assertEquals(vehicle.runs()["body"], "3.0.0");
  assertEquals(fetched(vehicle), [BASE_SHA256]);
});
