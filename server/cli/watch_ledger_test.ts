import { assertEquals } from "@std/assert/mod.js";
import type { Campaign, Vehicle } from "shared/protocol/api.ts";
import type { EcuState, FailureReport } from "shared/protocol/common.ts";
import { EXIT } from "./exit.ts";
import { WatchLedger } from "./watch_ledger.ts";

const VIN = "WVWZZZ1JZXW000001";
const OTHER = "WVWZZZ1JZXW000002";
const AT = "2026-01-01T00:00:00.000Z";
const SHA = "0".repeat(64);
const FAILURE: FailureReport = { code: 502, name: "imageHung", stage: "boot", message: "Silent" };

type Row = readonly [vin: string, state: EcuState, failure?: FailureReport];

function campaign(rows: readonly Row[], state: Campaign["state"] = "running"): Campaign {
  const vehicles = rows.map(([vin, state, failure = null]) => (
    { vin, state, failure, updatedAt: AT }
  ));
  return {
    ...{ v: 1, campaign: "c2", state, releases: ["ivi-rpi4/1.1.0"], vehicles },
    ...{ createdAt: AT, createdBy: "admin" },
  };
}

function ecu(serial: string, hardware: string, state: EcuState, desired: string | null) {
  const slot = {
    ...{ version: "1.0.0", sha256: SHA, successful: true, unbootable: false, triesRemaining: 0 },
  };
  return {
    ...{ serial, hardware, slotBytes: 1024, state, slot: "A" as const, version: "1.0.0" },
    ...{ counter: 1, sha256: SHA, slots: { A: slot, B: slot }, failure: null, progress: null },
    desired: desired === null ? null : { version: desired, sha256: SHA },
  };
}

function vehicle(
  state: EcuState,
  options: { vin?: string; campaign?: string | null; desired?: string | null } = {},
): Vehicle {
  const { vin = VIN, campaign = "c2", desired = "1.1.0" } = options;
  return {
    ...{ v: 1, vin, online: true, conn: "online", lastSeenAt: AT, campaign, queue: [] },
    ecus: [ecu("ivi", "ivi-rpi4", state, desired), ecu("body", "body-sim", "confirmed", null)],
  };
}

function ledger(until: "confirmed" | "rolledBack" = "confirmed", vin?: string): WatchLedger {
  return new WatchLedger({ campaign: "c2", until, ...(vin === undefined ? {} : { vin }) });
}

function states(watched: WatchLedger, ...updates: (Campaign | Vehicle)[]): string[] {
  return updates.flatMap((update) =>
    watched.take(
      "ecus" in update
        ? { campaigns: [], vehicles: [update] }
        : { campaigns: [update], vehicles: [] },
    )
  ).map((line) => `${line.vin === VIN ? "" : "other "}${line.serial} ${line.state}`);
}

Deno.test("WatchLedger tells each new state once, of ECUs the campaign is for and no other", () => {
  const watched = ledger();
  const seen = states(
    watched,
    campaign([[VIN, "assigned"]]),
    vehicle("assigned"),
    vehicle("downloading"),
    vehicle("downloading"),
    vehicle("trial"),
    vehicle("confirmed", { campaign: null }),
  );
  assertEquals(seen, ["ivi assigned", "ivi downloading", "ivi trial", "ivi confirmed"]);
});

Deno.test("WatchLedger takes no state of an earlier assignment for one of this campaign", () => {
  const watched = ledger();
  const seen = states(
    watched,
    vehicle("confirmed", { campaign: "c1", desired: "1.0.0" }),
    campaign([[VIN, "assigned"]]),
    vehicle("confirmed", { desired: "1.0.0" }), // The server gave it the campaign; it has not heard.
    vehicle("downloading"),
    vehicle("rolledBack", { campaign: null, desired: null }),
    vehicle("downloading", { campaign: "c3", desired: "1.2.0" }),
  );
  assertEquals(seen, ["ivi assigned", "ivi downloading", "ivi rolledBack"]);
});

Deno.test("WatchLedger says once that a vehicle waits for its delta, and then what it does", () => {
  const watched = ledger();
  const waits = campaign([[VIN, "assigned"]]);
  const held: Campaign = {
    ...waits,
    vehicles: waits.vehicles.map((row) => ({ ...row, heldUntil: AT })),
  };
  const idle = vehicle("confirmed", { desired: null });
  watched.take({ campaigns: [held], vehicles: [] });
  const [line, ...more] = watched.take({ campaigns: [], vehicles: [idle] });
  assertEquals([line!.state, line!.heldUntil, more], ["assigned", AT, []]);
  assertEquals(watched.standing(), `${VIN} assigned (held for a delta)`);
  assertEquals(states(watched, waits, vehicle("downloading")), ["ivi downloading"]);
  assertEquals(watched.verdict(), undefined);
});

Deno.test("WatchLedger watches one vehicle when told which", () => {
  const watched = ledger("confirmed", VIN);
  const both = campaign([[OTHER, "failed"], [VIN, "trial"]]);
  assertEquals(states(watched, both, vehicle("failed", { vin: OTHER })), []);
  assertEquals(watched.verdict(), undefined);
  assertEquals(watched.standing(), `${VIN} trial`);
});

Deno.test("WatchLedger waits for a campaign without vehicles, unless it is withdrawn", () => {
  const watched = ledger();
  assertEquals(watched.verdict(), undefined);
  states(watched, campaign([]));
  assertEquals(watched.verdict(), undefined);
  states(watched, campaign([], "withdrawn"));
  assertEquals(watched.verdict(), { exit: EXIT.failed });
});

Deno.test("WatchLedger ends when all are as wanted, or as soon as one cannot be any more", () => {
  const table: [rows: Row[], confirmed: number | undefined, rolledBack: number | undefined][] = [
    [[[VIN, "confirmed"]], EXIT.done, EXIT.failed],
    [[[VIN, "rolledBack", FAILURE]], EXIT.rolledBack, EXIT.done],
    [[[VIN, "failed"]], EXIT.failed, EXIT.failed],
    [[[VIN, "declined"]], EXIT.failed, EXIT.failed],
    [[[VIN, "canceled"]], EXIT.failed, EXIT.failed],
    [[[VIN, "postponed"]], undefined, undefined],
    [[[VIN, "rollingBack"]], undefined, undefined],
    [[[VIN, "confirmed"], [OTHER, "trial"]], undefined, EXIT.failed],
    [[[VIN, "failed"], [OTHER, "rolledBack", FAILURE]], EXIT.rolledBack, EXIT.failed],
  ];
  for (const [rows, confirmed, rolledBack] of table) {
    for (const [until, exit] of [["confirmed", confirmed], ["rolledBack", rolledBack]] as const) {
      const watched = ledger(until);
      states(watched, campaign(rows));
      assertEquals(watched.verdict()?.exit, exit, `${JSON.stringify(rows)} until ${until}`);
    }
  }
});

Deno.test("WatchLedger tells the failure of the vehicle that decided", () => {
  const watched = ledger();
  states(watched, campaign([[VIN, "rolledBack", FAILURE]]));
  assertEquals(watched.verdict(), {
    ...{ exit: EXIT.rolledBack, vin: VIN, state: "rolledBack", failure: FAILURE },
  });
});
