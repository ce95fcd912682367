import { assert, assertEquals } from "@std/assert/mod.js";
import { FAILURES } from "shared/failure.ts";
import type { EcuState } from "shared/protocol/common.ts";
import type { EcuReport } from "shared/protocol/messages.ts";
import { ecu } from "../../tests/hmi_fixtures.ts";
import { BOARD } from "../../tests/board_fixtures.ts";
import {
  campaignChip,
  confirmWord,
  countCampaign,
  fileKind,
  fleetVersions,
  needsAttention,
  releasesOf,
  suggestVersion,
  upsert,
  vehiclePercent,
} from "./model.ts";

const campaign = (id: string) => BOARD.campaigns.find((it) => it.campaign === id)!;

Deno.test("upsert() replaces by key and adds what is new, leaving the list alone", () => {
  const list = [{ id: "a", n: 1 }, { id: "b", n: 2 }];
  assertEquals(upsert(list, { id: "b", n: 3 }, (it) => it.id)[1], { id: "b", n: 3 });
  assertEquals(upsert(list, { id: "c", n: 4 }, (it) => it.id).length, 3);
  assertEquals(list.length, 2);
});

Deno.test("countCampaign() counts confirmed vehicles only as done", () => {
  assertEquals(countCampaign(campaign("c12")), {
    total: 4,
    confirmed: 1,
    failed: 1,
    percent: 25,
    text: "1 of 4 vehicles confirmed, 1 went back or failed",
  });
  assertEquals(countCampaign(campaign("c10")).text, "No vehicle has this hardware yet");
});

Deno.test("campaignChip() shows an end as good only when every vehicle confirmed", () => {
  const { vehicles, ...rest } = campaign("c12");
  const ended = (...states: EcuState[]) =>
    campaignChip({
      ...{ ...rest, state: "complete" },
      vehicles: states.map((state) => ({ ...vehicles[0]!, state })),
    });
  assertEquals(ended("confirmed", "confirmed"), { label: "Complete", tone: "good", icon: "check" });
  assertEquals(ended("confirmed", "rolledBack"), { label: "Ended", tone: "warn", icon: "alert" });
  assertEquals(ended("confirmed", "declined"), { label: "Ended", tone: "calm", icon: "check" });
  assertEquals(campaignChip(campaign("c12")).label, "Running");
});

Deno.test("vehiclePercent() is null unless something is downloaded", () => {
  assertEquals(BOARD.vehicles.map(vehiclePercent), [61, null, null]);
  assertEquals(vehiclePercent(undefined), null);
});

Deno.test("fleetVersions() counts ECUs by hardware and version", () => {
  assertEquals(fleetVersions(BOARD.vehicles)[0], {
    hardware: "cluster-sim",
    version: "1.4.0",
    count: 2,
  });
});

Deno.test("needsAttention() tells an ECU that lost its software from one that never had any", () => {
  assertEquals(BOARD.vehicles.map(needsAttention), [false, true, false]);
  const [vehicle] = BOARD.vehicles;
  const blank = ecu("x", "y").slots.B;
  const of = (slots: EcuReport["slots"]) =>
    needsAttention({ ...vehicle!, ecus: [ecu("x", "y", { slot: null, slots })] });
  assertEquals(of({ A: blank, B: blank }), false);
  assertEquals(of({ A: { ...blank, version: "1.0.0" }, B: blank }), true);
});

Deno.test("needsAttention() counts rot that is not healed, also that of the gateway's own records", () => {
  const [vehicle] = BOARD.vehicles;
  const { code, stage } = FAILURES.recordRotten;
  const failure = { code, stage, name: "recordRotten" as const, message: "Cannot trust it" };
  const found = { ecu: "gateway", what: "journal", at: "2026-03-14T09:26:53.000Z", failure };
  assertEquals(needsAttention({ ...vehicle!, rot: [{ ...found, healedAt: null }] }), true);
  assertEquals(needsAttention({ ...vehicle!, rot: [{ ...found, healedAt: found.at }] }), false);
});

Deno.test("releasesOf() orders by counter, suggestVersion() by version as numbers", () => {
  assertEquals(releasesOf(BOARD.releases, "ivi-rpi4").map((it) => it.version), ["1.5.0", "1.4.0"]);
  assertEquals(suggestVersion(BOARD.releases, "ivi-rpi4"), "1.6.0");
  assertEquals(suggestVersion(BOARD.releases, "body-sim"), "2.1.0");
  assertEquals(suggestVersion(BOARD.releases, "door-sim"), "1.0.0");
  const ten = BOARD.releases.map((it) => ({ ...it, version: it.version.replace("1.4", "1.10") }));
  assertEquals(suggestVersion(ten, "ivi-rpi4"), "1.11.0");
});

Deno.test("fileKind() knows a bsdiff patch by its first eight bytes and nothing less", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  assertEquals(fileKind(bytes("BSDIFF40rest")), "patch");
  const container = (flags: number) =>
    Uint8Array.of(0x89, 0x4F, 0x54, 0x41, 0x43, 0x0D, 0x0A, 0x1A, 1, flags);
  assertEquals(fileKind(container(1)), "patch", "a container with a base");
  assertEquals(fileKind(container(0)), "image", "one without: the server tells");
  assertEquals(fileKind(container(1).subarray(0, 9)), "image");
  for (const text of ["BSDIFF4", "BSDIFF41", "", "xBSDIFF40"]) {
    assertEquals(fileKind(bytes(text)), "image", text);
  }
});

Deno.test("confirmWord() is the version, or the campaign when it is a bundle", () => {
  assertEquals(confirmWord(campaign("c11")), "1.4.0");
  assertEquals(confirmWord(campaign("c12")), "c12");
  assert(confirmWord({ ...campaign("c11"), releases: [] }) === "c11");
});
