/**
 * A vehicle whose body runs an image, the next image of its family, and the two carriers that
 * bring it: a delta and a full container.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import type { FailureName } from "shared/failure.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { container, type SimCarrier, SMALL } from "./sim_container.ts";
import { imageBytes, nextImage, release, type SimDelta, type SimRelease } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** The image that runs. */
export const BASE: Uint8Array = imageBytes("good", 6300, 20);
/** The image that is to run. */
export const IMAGE: Uint8Array = nextImage(BASE, 21);
export const BASE_SHA256: string = sha256Hex(BASE);
export const SHA256: string = sha256Hex(IMAGE);
/** Brings it from the image that runs. */
export const DELTA: SimCarrier = container(IMAGE, SMALL, BASE);
/** Brings it from nothing. */
export const FULL: SimCarrier = container(IMAGE, SMALL);
export const DELTA_SHA256: string = DELTA.carrier.carrierSha256;
export const FULL_SHA256: string = FULL.carrier.carrierSha256;

/** A vehicle whose body runs the delta's base. */
export async function onBase(): Promise<SimVehicle> {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", { body: release("body-sim", 2, { bytes: BASE }) });
  await vehicle.settled("c2");
  assertEquals(vehicle.runs()["body"], "2.0.0");
  for (const list of [vehicle.backend.requests, vehicle.log]) list.length = 0;
  return vehicle;
}

/** The offer: the full container, and these. */
export function withDelta(...deltas: SimDelta[]): Record<"body", SimRelease> {
  return { body: release("body-sim", 3, { bytes: IMAGE, deltas }) };
}

/** Name, first byte and bytes that went out, of a request. */
export type Asked = readonly [name: string, offset: number, sentBytes: number];

/** The carriers that were asked for, in order. */
export function fetched({ backend }: SimVehicle): string[] {
  return backend.requests.map(({ sha256 }) => sha256);
}

/** The requests for carriers, in order. */
export function asked({ backend }: SimVehicle): Asked[] {
  return backend.requests.map(({ sha256, offset, sentBytes }) => [
    nameOf(sha256),
    offset,
    sentBytes,
  ]);
}

/** How often a failure of body was told in the log. */
export function told({ log }: SimVehicle, failure: FailureName): number {
  return log.filter((line) => line.startsWith(`body: ${failure}`)).length;
}

/** The update ends well. */
export async function ends(vehicle: SimVehicle, sha256 = SHA256): Promise<void> {
  await vehicle.settled("c3");
  assertEquals(vehicle.runs()["body"], "3.0.0");
  assertEquals([vehicle.states()["body"], vehicle.failures()["body"]], ["confirmed", null]);
  assertEquals(vehicle.backend.reported("body")?.sha256, sha256);
}

function nameOf(sha256: string): string {
  if (sha256 === DELTA_SHA256) return "delta";
  return sha256 === FULL_SHA256 ? "full" : sha256;
}

/** What is asked for when a carrier goes on at a segment: the head in two parts, then the rest. */
export function from({ carrier, bytes, offsets }: SimCarrier, segment: number): Asked[] {
  const name = nameOf(carrier.carrierSha256);
  if (segment === 0 || bytes.length <= 960) return [[name, 0, bytes.length]];
  const [head, at] = [offsets[0]!, offsets[segment]!];
  const rest: Asked[] = head > 960 ? [[name, 960, head - 960]] : [];
  return [[name, 0, Math.min(960, bytes.length)], ...rest, [name, at, bytes.length - at]];
}
