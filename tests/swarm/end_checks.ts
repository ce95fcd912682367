/**
 * What must hold when a world has come to rest: all is decided with a true reason, and what the
 * server and the broker tell of the vehicle is so.
 *
 * @module
 */
import type { FailureName } from "shared/failure.ts";
import { isFinal } from "shared/protocol/common.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import { Announcement, Desired, VehicleReport } from "shared/protocol/messages.ts";
import { announceTopic, vehicleTopic } from "shared/protocol/topics.ts";
import type { AssignmentRow } from "server/ports.ts";
import { chooseSlot } from "vehicle/bootloader/boot_choice.ts";
import type { Checkers } from "./checkers.ts";
import type { Fault } from "./plan.ts";
import type { Story } from "./story.ts";
import type { World } from "./world.ts";

/** Faults that explain a failure; one without a line is never explained. */
const CAUSES: Readonly<Partial<Record<FailureName, readonly Fault[]>>> = {
  carrierLengthDiffers: ["httpShort", "httpLong", "httpFlip"],
  carrierDigestDiffers: ["httpFlip", "httpLong"],
  leafDiffers: ["httpFlip", "badDelta"],
  deltaDamaged: ["httpFlip", "badDelta"],
  deltaResultDiffers: ["httpFlip", "badDelta"],
  containerDamaged: ["httpFlip", "badDelta", "httpLong"],
  downloadInterrupted: ["httpLoss", "httpShort", "httpStall", "httpSlow"],
  slotDigestDiffers: ["wornSectors"],
  storageFailed: ["diskError"],
  storageFull: ["diskFull", "noRoom"],
  trialInterrupted: ["powerCut", "processCrash", "cutAgain"],
  slotUnsound: ["wornSectors"],
  ecuLost: ["busLoss", "busSlow", "busReset"],
  ecuSlow: ["busLoss", "busSlow", "diskSlow"],
  declined: ["declines"],
  withdrawn: ["withdrawn"],
};
/** What an image does, and the failure that it is. */
const FAULTS_OF_IMAGES: Readonly<Record<string, readonly FailureName[]>> = {
  crash: ["imageCrashed"],
  exit: ["imageCrashed"],
  hang: ["imageHung", "selfTestMissing"],
  memory: ["memoryExhausted"],
  selfTestFails: ["selfTestFailed"],
  selfTestMissing: ["selfTestMissing"],
  silent: ["imageHung", "selfTestMissing"],
  syntax: ["imageSyntax"],
  import: ["imageImports"],
};

/**
 * Looks at a world that has come to rest.
 *
 * @param world The world.
 * @param checkers Take violations.
 * @param story Takes outcomes.
 */
export async function checkEnd(world: World, checkers: Checkers, story: Story): Promise<void> {
  const { vin, server, campaigns } = world;
  const row = await server.vehicle(vin);
  const assignments = await server.records.read((tables) => tables.assignmentsOfVehicle(vin));
  checkReport(world, checkers, row?.report ?? null);
  checkDrivable(world, checkers);
  for (const one of assignments) {
    checkers.failure(`assignment of ${one.campaign}`, one.failure);
    const words = one.failure === null ? one.state : `${one.state} (${one.failure.name})`;
    story.tell("end", `${one.campaign}: ${words}`);
    story.mark(`outcome ${words}`);
    if (one.failure?.name === "replaced" || one.failure?.name === "needsUnmet") {
      story.mark(one.failure.name === "replaced" ? "replaced" : "needs");
    }
    if (one.campaign !== world.first) checkReason(world, checkers, one);
  }
  checkBulletins(world, checkers, row?.director ?? null);
  for (const { campaign, state } of campaigns.values()) {
    const one = assignments.find((each) => each.campaign === campaign);
    const waits = one?.failure?.name === "needsUnmet" || one?.state === "assigned";
    if (one === undefined || isFinal(one.state) || state === "halted") continue;
    if (!waits) checkers.violate("boundedTime", `${campaign} stays ${one.state} on the server`);
  }
  const events = await server.records.read((tables) => tables.events(vin, 1000));
  for (const event of events) checkers.failure(`event of ${event.ecu}`, event.failure ?? null);
  for (const line of server.faults) checkers.violate("noBug", line);
}

/** A vehicle at rest may be driven, unless one of its ECUs was left with nothing to boot. */
function checkDrivable({ plan, vehicle }: World, checkers: Checkers): void {
  if (!checkers.locked) return;
  const recovery = plan.ecus.some(({ serial }) => chooseSlot(vehicle.record(serial)) === null);
  if (!recovery) checkers.violate("boundedTime", "the vehicle stays locked");
}

/** The report in the records and the one that the broker keeps must be what runs. */
function checkReport(world: World, checkers: Checkers, report: VehicleReport | null): void {
  const { vin, vehicle, broker, troubles } = world;
  const retained = broker.retained.get(vehicleTopic(vin, "status"));
  const kept = retained === undefined ? null : VehicleReport.parse(JSON.parse(retained));
  for (const [where, found] of [["manifest", report], ["retained status", kept]] as const) {
    if (found === null) {
      checkers.violate("reportsAreTrue", `there is no ${where}`);
      continue;
    }
    for (const ecu of found.ecus) {
      const booted = vehicle.booted.get(ecu.serial);
      // One that ended by itself and was judged is not started again.
      const judged = booted && vehicle.record(ecu.serial)[booted.slot].unbootable;
      const runs = judged ? undefined : booted;
      const truth = JSON.stringify([
        runs?.version ?? null,
        runs?.sha256 ?? null,
        runs?.slot ?? null,
      ]);
      const told = JSON.stringify([ecu.version, ecu.sha256, ecu.slot]);
      if (told !== truth) {
        checkers.violate("reportsAreTrue", `${where} of ${ecu.serial}: ${told}, in truth ${truth}`);
      }
      // A record whose sync failed is in doubt until the next start: memory says old, the disk may not.
      const failedAtMs = troubles.failedAtMs.get(`${ecu.serial}.boot`) ?? -1;
      if (failedAtMs >= vehicle.onSinceMs) continue;
      const record = vehicle.record(ecu.serial);
      for (const slot of ["A", "B"] as const) {
        const { image, successful, unbootable } = record[slot];
        const here = JSON.stringify([image?.sha256 ?? null, successful, unbootable]);
        const there = ecu.slots[slot];
        const said = JSON.stringify([there.sha256, there.successful, there.unbootable]);
        if (here !== said) {
          checkers.violate(
            "reportsAreTrue",
            `${where}, slot ${slot} of ${ecu.serial}: ${said}, in truth ${here}`,
          );
        }
      }
    }
  }
  const conn = broker.retained.get(vehicleTopic(vin, "conn"));
  if (conn !== "online") checkers.violate("reportsAreTrue", `the broker says "${conn}"`);
}

/** What the broker keeps of the server must be what the server would say now. */
function checkBulletins(
  { vin, broker, releases }: World,
  checkers: Checkers,
  director: DirectorTargets | null,
): void {
  const desired = broker.retained.get(vehicleTopic(vin, "desired"));
  const wanted = director && { campaign: director.campaign, version: director.version };
  const told = desired === undefined ? null : Desired.parse(JSON.parse(desired));
  const kept = told && { campaign: told.campaign, version: told.version };
  if (JSON.stringify(kept) !== JSON.stringify(wanted)) {
    const what = `desired is ${JSON.stringify(kept)}, in truth ${JSON.stringify(wanted)}`;
    checkers.violate("reportsAreTrue", what);
  }
  const highest = new Map<string, number>();
  for (const { hardware, counter } of releases.values()) {
    highest.set(hardware, Math.max(highest.get(hardware) ?? 0, counter));
  }
  for (const [hardware, counter] of highest) {
    const text = broker.retained.get(announceTopic(hardware));
    const found = text === undefined ? null : Announcement.parse(JSON.parse(text)).counter;
    if (found === counter) continue;
    checkers.violate("reportsAreTrue", `announced for ${hardware}: ${found}, in truth ${counter}`);
  }
}

/** Whether what an image does must have ended its trial. */
function endsTrial({ plan }: World, serial: string, does: string): boolean {
  const { trialSeconds } = plan.ecus.find((ecu) => ecu.serial === serial)!;
  const [what, atMs] = does.split("@");
  if (what === "good") return false;
  return atMs === undefined || Number(atMs) < trialSeconds * 1000;
}

/** What was given up has a reason, and something happened that is one. */
function checkReason(world: World, checkers: Checkers, one: AssignmentRow): void {
  const { campaign, state, failure } = one;
  const releases = world.campaigns.get(campaign)?.releases ?? [];
  if (state === "confirmed") {
    for (const { serial, counter, does } of releases) {
      const runs = world.vehicle.booted.get(serial);
      if (Number(runs?.version.split(".")[0] ?? 0) < counter) {
        checkers.violate(
          "reasonsAreTrue",
          `${campaign} is confirmed, ${serial} runs ${runs?.version}`,
        );
      }
      // A newer campaign may have taken over a part of this one.
      if (runs?.version === `${counter}.0.0` && endsTrial(world, serial, does)) {
        checkers.violate(
          "reasonsAreTrue",
          `${campaign} is confirmed, its image for ${serial} does ${does}`,
        );
      }
    }
    return;
  }
  if (!isFinal(state)) return;
  if (failure === null) {
    checkers.violate("reasonsAreTrue", `${campaign} is ${state} without a reason`);
    return;
  }
  const images = releases.flatMap(({ does }) => FAULTS_OF_IMAGES[does.split("@")[0]!] ?? []);
  const habits = world.plan.habits.flatMap(({ does }) =>
    FAULTS_OF_IMAGES[does.split("@")[0]!] ?? []
  );
  const causes = CAUSES[failure.name as FailureName] ?? [];
  const newer = [...world.campaigns.keys()].at(-1) !== campaign;
  const explained = (failure.name === "replaced" && newer) ||
    images.includes(failure.name as FailureName) ||
    habits.includes(failure.name as FailureName) ||
    causes.some((fault) => world.plan.faults.has(fault));
  if (!explained) {
    checkers.violate(
      "reasonsAreTrue",
      `${campaign} is ${state}: ${failure.name}: ${failure.message}`,
    );
  }
}
