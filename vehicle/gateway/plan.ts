/**
 * Turns what the Director wants and what the ECUs answered into one plan that leaves
 * nothing to decide: which image, by which ways in which order, and the order of
 * restarts. Pure.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { needOf, unmetNeed } from "shared/needs.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { DirectorTargets, EcuTarget } from "shared/protocol/director.ts";
import { counterFloor } from "vehicle/bootloader/boot_record.ts";
import type { EcuImage, EcuInventory } from "vehicle/bus/ecu_port.ts";

/** One way to get an image: nothing travels when the ECU runs the same bytes already. */
export type Way =
  | { readonly kind: "local"; readonly transferBytes: 0 }
  | { readonly kind: "carrier"; readonly carrier: Carrier; readonly transferBytes: number };

/** One ECU's part. */
export interface PlanStep {
  readonly serial: string;
  readonly target: EcuTarget;
  readonly image: EcuImage;
  /** Cheapest first; the next is taken when one turns out damaged. Never empty. */
  readonly ways: readonly Way[];
  /** The version that runs now. */
  readonly from: string | null;
}

/** Everything the executor will do. */
export interface Plan {
  /** In the order of restarts; the head unit is last. Backwards it is the way back. */
  readonly steps: readonly PlanStep[];
}

/**
 * Plans one update of the whole vehicle.
 *
 * @param inventories The roll call.
 * @param targets What the Director wants.
 * @returns The plan; without steps when every ECU runs its target already.
 * @throws {UpdateFailure} With the ECU as subject, if a target may not be installed.
 */
export function planUpdate(
  inventories: readonly EcuInventory[],
  targets: DirectorTargets,
): Plan {
  const bySerial = new Map(inventories.map((inventory) => [inventory.serial, inventory]));
  const steps = Object.entries(targets.ecus).flatMap(([serial, target]) => {
    const inventory = bySerial.get(serial);
    if (inventory === undefined) {
      throw new UpdateFailure(
        "ecuUnknown",
        serial,
        `Cannot plan for ECU "${serial}": it is not in the roll call of ${inventories.length}`,
      );
    }
    return runsAlready(inventory, target) ? [] : [{ inventory, step: planStep(inventory, target) }];
  });
  checkNeeds(inventories, targets, steps.map(({ step }) => step.serial));
  return {
    steps: steps.toSorted((a, b) => a.inventory.restartRank - b.inventory.restartRank)
      .map(({ step }) => step),
  };
}

/**
 * The image a target names, as the boot record will name it.
 *
 * @param target The target.
 * @returns Digest, length, counter, version and Merkle root.
 */
export function imageOf(target: EcuTarget): EcuImage {
  const { sha256, lengthBytes, counter, version, merkle } = target.release;
  return { sha256, lengthBytes, counter, version, merkleRoot: merkle.root };
}

/**
 * Whether an ECU runs and has confirmed its target.
 *
 * @param inventory The ECU's answer.
 * @param target What it should run.
 * @returns Whether there is nothing to do.
 */
export function runsAlready(inventory: EcuInventory, target: EcuTarget): boolean {
  const running = inventory.running;
  return running !== null && !running.trial && running.image.sha256 === target.release.sha256 &&
    running.image.counter === target.release.counter;
}

/**
 * A release never runs without what it needs beside it, whoever offered it. Asked before an update
 * begins, and once more before it is confirmed: what runs elsewhere may have changed meanwhile.
 *
 * @param inventories The roll call.
 * @param targets What the Director wants.
 * @param members The ECUs that get their target; of the others counts what they run, confirmed.
 * @throws {UpdateFailure} `needsUnmet` if a need of a member would not be met.
 */
export function checkNeeds(
  inventories: readonly EcuInventory[],
  targets: DirectorTargets,
  members: readonly string[],
): void {
  const ecus = inventories.map(({ serial, hardware, running }) => {
    const confirmed = running === null || running.trial ? null : running.image;
    const target = members.includes(serial) ? targets.ecus[serial]?.release : undefined;
    const { version, counter } = target ?? confirmed ?? {};
    const release = version === undefined ? null : `${hardware}/${version}`;
    return { hardware, release, counter: counter ?? null };
  });
  for (const serial of members) {
    const release = targets.ecus[serial]?.release;
    const needs = release?.needs.map((id) => needOf(id, release.needCounters?.[id])) ?? [];
    const why = unmetNeed(needs, ecus);
    if (why === undefined) continue;
    const message = `Cannot install ${release!.version} on ${serial}: ${why}`;
    throw new UpdateFailure("needsUnmet", serial, message);
  }
}

/**
 * One ECU's part of the plan.
 *
 * @param inventory Its answer to the roll call.
 * @param target What it is to run.
 * @returns The part.
 * @throws {UpdateFailure} If the target may not be installed.
 */
export function planStep(inventory: EcuInventory, target: EcuTarget): PlanStep {
  const { serial, running } = inventory;
  const { release } = target;
  const refuse = (failure: "hardwareDiffers" | "imageTooLarge" | "releaseDowngrade", why: string) =>
    new UpdateFailure(failure, serial, `Cannot install ${release.version} on ${serial}: ${why}`);
  if (target.hardware !== inventory.hardware || release.hardware !== inventory.hardware) {
    throw refuse("hardwareDiffers", `it is for ${release.hardware}, not ${inventory.hardware}`);
  }
  if (release.lengthBytes > inventory.slotBytes) {
    const sizes = `it has ${release.lengthBytes} bytes, the slot ${inventory.slotBytes}`;
    throw refuse("imageTooLarge", sizes);
  }
  const active = running?.image ?? null;
  if (active !== null && release.counter <= active.counter) {
    const why = `its counter ${release.counter} is not above ${active.counter}, which runs`;
    throw refuse("releaseDowngrade", why);
  }
  const floor = counterFloor(inventory.record); // An ECU in recovery runs nothing, yet has a past.
  if (release.counter < floor) {
    const why = `its counter ${release.counter} is below ${floor}, which was confirmed here`;
    throw refuse("releaseDowngrade", why);
  }
  if (active !== null && active.counter < release.minCounter) {
    const why = `it wants at least counter ${release.minCounter}, ${active.counter} runs`;
    throw refuse("releaseDowngrade", why);
  }
  const ways = waysTo(target, active?.sha256 ?? null);
  return { serial, target, image: imageOf(target), ways, from: active?.version ?? null };
}

/** All usable ways, cheapest first. A carrier for another image or base is none. */
function waysTo(target: EcuTarget, activeSha256: string | null): Way[] {
  const { sha256 } = target.release;
  const local: Way[] = activeSha256 === sha256 ? [{ kind: "local", transferBytes: 0 }] : [];
  const carriers = target.carriers.filter((carrier) =>
    carrier.format === "container" && carrier.sha256 === sha256 &&
    (carrier.baseSha256 === undefined || carrier.baseSha256 === activeSha256)
  ).map((carrier): Way => ({ kind: "carrier", carrier, transferBytes: carrier.lengthBytes }))
    .toSorted((a, b) => a.transferBytes - b.transferBytes);
  const ways = [...local, ...carriers];
  if (ways.length > 0) return ways;
  throw new UpdateFailure(
    "metadataInvalid",
    sha256,
    `Cannot install ${target.release.version}: no carrier brings it to ${
      activeSha256 ?? "nothing"
    }`,
  );
}
