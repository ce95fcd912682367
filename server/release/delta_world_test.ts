/**
 * A server whose maker obeys, a vehicle, and what tests of carriers do with them.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import { fromHex } from "shared/bytes.ts";
import { ContainerApplier } from "shared/delta/apply.ts";
import { readArray } from "shared/delta/random_read.ts";
import { MIB } from "shared/limits.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash, sha256Hex } from "shared/node/digest.ts";
import type { DeltaJob, Release } from "shared/protocol/api.ts";
import type { Carrier } from "shared/protocol/common.ts";
import { DirectorTargets } from "shared/protocol/director.ts";
import type { EcuReport } from "shared/protocol/messages.ts";
import { TestServer } from "../fixture_test.ts";
import { ecuReport, sampleBytes, VIN } from "../samples_test.ts";
import { FakeMaker } from "./fake_maker_test.ts";

/** Bytes of tests. */
export type Bytes = Uint8Array<ArrayBuffer>;
/** An image. */
export const OLD: Bytes = sampleBytes(3 * MIB + 500, 1);
/** One that differs in one segment. */
export const FRESH: Bytes = edited(OLD, MIB + 7);
/** One that differs in another one as well. */
export const LATER: Bytes = edited(FRESH, 2 * MIB + 9);

/** An image that compresses to a third. */
export const PROSE: Bytes = sampleBytes(MIB + 70_000, 3).map((byte) => byte >> 6);

/** The same with one byte changed. */
export function edited(bytes: Bytes, at: number): Bytes {
  const copy = bytes.slice();
  copy[at]! ^= 0xFF;
  return copy;
}

/** The head unit as it reports what it runs. */
export function ivi(sha256: string | null, counter: number | null, version = "1.0.0"): EcuReport {
  return ecuReport("ivi", "ivi-rpi4", sha256 === null ? {} : { sha256, counter, version });
}

/** A server and an enrolled vehicle. */
export async function world(): Promise<{ test: TestServer; maker: FakeMaker; secret: string }> {
  const maker = new FakeMaker();
  const test = await TestServer.start({}, maker.of);
  return { test, maker, secret: await test.enrol() };
}

/** Publishes bytes, and waits for all jobs. */
export async function published(test: TestServer, version: string, bytes: Bytes): Promise<string> {
  const { sha256 } = await test.publish("ivi-rpi4", version, { sha256: await test.upload(bytes) });
  await test.server.core.deltas.idle();
  return sha256;
}

/** What the Director tells a vehicle. */
export async function told(test: TestServer, secret: string, vin = VIN): Promise<DirectorTargets> {
  const answer = await test.asVehicle(secret, `/metadata/director/${vin}/targets.json`);
  return DirectorTargets.parse(await answer.json());
}

/** All jobs, newest first. */
export function jobs(test: TestServer): Promise<DeltaJob[]> {
  return test.get<DeltaJob[]>("/api/v1/deltas");
}

/** Fetches a carrier as a vehicle does, and applies it. */
export async function apply(
  test: TestServer,
  secret: string,
  { carrier, root, base }: { carrier: Carrier; root: string; base: Bytes | null },
): Promise<Bytes> {
  const answer = await test.asVehicle(secret, `/carriers/${carrier.carrierSha256}`);
  const file = new Uint8Array(await answer.arrayBuffer());
  assertEquals([file.length, sha256Hex(file)], [carrier.lengthBytes, carrier.carrierSha256]);
  const parts: Uint8Array[] = [];
  const { lengthBytes: imageBytes } = (await test.get<Release[]>("/api/v1/releases"))
    .find(({ sha256 }) => sha256 === carrier.sha256)!;
  const applier = new ContainerApplier({
    trusted: { root: fromHex(root), imageBytes, imageSha256: carrier.sha256 },
    base: base && readArray(base),
    tools: { codecs: nodeCodecs, hash: nodeHash },
  });
  for (const { bytes } of applier.push(file)) parts.push(bytes.slice());
  applier.end();
  return new Uint8Array(await new Blob(parts as Bytes[]).arrayBuffer());
}

/** Files in the making. */
export function temporary(test: TestServer): string[] {
  return [...Deno.readDirSync(`${test.config.data}/uploads`)].map(({ name }) => name);
}

/** All that is stored. */
export function diskBytes(test: TestServer): number {
  const folder = `${test.config.data}/blobs`;
  return [...Deno.readDirSync(folder)].flatMap(({ name }) =>
    [...Deno.readDirSync(`${folder}/${name}`)].map((each) =>
      Deno.statSync(`${folder}/${name}/${each.name}`).size
    )
  ).reduce((sum, size) => sum + size, 0);
}
