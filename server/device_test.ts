import { assertEquals, assertExists } from "@std/assert/mod.js";
import type { Campaign, Vehicle } from "shared/protocol/api.ts";
import { DirectorTargets } from "shared/protocol/director.ts";
import type { EcuReport } from "shared/protocol/messages.ts";
import { assertRefused, TestServer, until } from "./fixture_test.ts";
import { ecuReport, OTHER_VIN, sampleBytes, vehicleReport, VIN } from "./samples_test.ts";

const DIRECTOR = `/metadata/director/${VIN}/targets.json`;
const IMAGE = sampleBytes(500_000);

/** A vehicle that runs ivi 1.0.0 (counter 1), with 1.1.0 (counter 2) not yet published. */
async function world(): Promise<{ test: TestServer; secret: string; old: string; fresh: string }> {
  const test = await TestServer.start();
  const old = await test.upload(IMAGE);
  const fresh = await test.upload(sampleBytes(400_000, 2));
  await test.publish("ivi-rpi4", "1.0.0", { sha256: old });
  const secret = await test.enrol();
  return { test, secret, old, fresh };
}

function ivi(more: Partial<EcuReport>): EcuReport {
  return ecuReport("ivi", "ivi-rpi4", more);
}

async function targets(test: TestServer, secret: string): Promise<DirectorTargets> {
  return DirectorTargets.parse(await (await test.asVehicle(secret, DIRECTOR)).json());
}

Deno.test("one update by HTTP alone: told, fetched, and confirmed by the manifest only", async () => {
  const { test, secret, old, fresh } = await world();
  await using _ = test;
  const running = { version: "1.0.0", counter: 1, sha256: old };
  await test.report(secret, vehicleReport(1, [ivi(running)]));
  assertEquals((await targets(test, secret)).campaign, null, "it runs 1.0.0 already");
  await test.publish("ivi-rpi4", "1.1.0", { sha256: fresh });
  const told = await targets(test, secret);
  assertEquals([told.campaign, told.action], ["c2", "install"]);
  assertEquals(told.ecus.ivi!.release.sha256, fresh);
  const formats = told.ecus.ivi!.carriers.map(({ format, sha256 }) => [format, sha256]);
  assertEquals(formats, [["container", fresh]], "and not the bare image");
  assertEquals((await targets(test, secret)).version, told.version, "nothing changed");

  for (const [seq, state] of [[2, "downloading"], [3, "installing"], [4, "trial"]] as const) {
    await test.report(secret, vehicleReport(seq, [ivi({ ...running, state })], "c2"));
    const campaign = await test.get<Campaign>("/api/v1/campaigns/c2");
    assertEquals([campaign.state, campaign.vehicles[0]!.state], ["running", state]);
  }
  const lie = vehicleReport(5, [ivi({ ...running, state: "confirmed" })], "c2");
  assertEquals((await test.report(secret, lie)).status, 200);
  const flagged = await test.get<Vehicle>(`/api/v1/vehicles/${VIN}`);
  assertEquals(flagged.ecus[0]!.state, "assigned", "not confirmed: another image runs");
  assertEquals(test.server.core.metrics.total("ota_false_confirmed_total"), 1);

  const done = { version: "1.1.0", counter: 2, sha256: fresh, state: "confirmed" } as const;
  await test.report(secret, vehicleReport(6, [ivi(done)], "c2"));
  const campaign = await test.get<Campaign>("/api/v1/campaigns/c2");
  assertEquals([campaign.state, campaign.vehicles[0]!.state], ["complete", "confirmed"]);
  const after = await targets(test, secret);
  assertEquals([after.campaign, after.action, after.ecus], [null, "none", {}]);
  assertEquals(after.version > told.version, true);
  const vehicle = await test.get<Vehicle>(`/api/v1/vehicles/${VIN}`);
  assertEquals([vehicle.ecus[0]!.state, vehicle.ecus[0]!.version], ["confirmed", "1.1.0"]);
});

Deno.test("halt and withdraw take an update back, but not from a vehicle that is installing", async () => {
  const { test, secret, old, fresh } = await world();
  const running = { version: "1.0.0", counter: 1, sha256: old };
  await using _ = test;
  await test.publish("ivi-rpi4", "1.1.0", { sha256: fresh });
  await test.report(secret, vehicleReport(1, [ivi(running)]));
  const verb = async (name: string, campaign = "c2") => {
    const answer = await test.post(`/api/v1/campaigns/${campaign}/${name}`);
    return answer;
  };
  assertEquals((await targets(test, secret)).campaign, "c2");
  assertEquals((await (await verb("halt")).json()).state, "halted");
  assertEquals((await targets(test, secret)).action, "none");
  await test.report(secret, vehicleReport(2, [ivi({ ...running, state: "canceled" })], "c2"));
  await assertRefused(await verb("halt"), 409, "wrongState");
  assertEquals((await (await verb("resume")).json()).state, "running");
  assertEquals((await targets(test, secret)).campaign, "c2", "canceled by the halt is not final");
  await test.report(secret, vehicleReport(3, [ivi({ ...running, state: "installing" })], "c2"));
  await (await verb("withdraw")).body?.cancel();
  assertEquals((await targets(test, secret)).campaign, "c2", "past the point of no return");
  await assertRefused(await verb("resume"), 409, "wrongState");
  await assertRefused(await verb("halt", "c77"), 404, "campaignUnknown");
  await test.report(secret, vehicleReport(4, [ivi({ ...running, state: "rolledBack" })], "c2"));
  assertEquals((await targets(test, secret)).campaign, null);
});

Deno.test("withdrawing ends an uncommitted vehicle's part as canceled, withdrawn", async () => {
  const { test, secret, fresh } = await world();
  await using _ = test;
  await test.publish("ivi-rpi4", "1.1.0", { sha256: fresh });
  await test.report(secret, vehicleReport(1, [ivi({})]));
  await (await test.post("/api/v1/campaigns/c2/withdraw")).body?.cancel();
  await until("the vehicle's part to end", async () => {
    const { vehicles } = await test.get<Campaign>("/api/v1/campaigns/c2");
    return vehicles[0]?.failure?.name === "withdrawn" && vehicles[0].state === "canceled";
  });
  // The empty ECU is below 1.0.0 as well, and that campaign still runs.
  assertEquals((await targets(test, secret)).campaign, "c1");
});

Deno.test("a newer release replaces an older one on the vehicle until that one is installing", async () => {
  const { test, secret, fresh } = await world();
  await using _ = test;
  await test.report(secret, vehicleReport(1, [ivi({})]));
  assertEquals((await targets(test, secret)).campaign, "c1");
  await test.publish("ivi-rpi4", "1.1.0", { sha256: fresh });
  assertEquals((await targets(test, secret)).campaign, "c2");
  const first = await test.get<Campaign>("/api/v1/campaigns/c1");
  assertEquals([first.vehicles[0]!.state, first.vehicles[0]!.failure?.name], [
    "canceled",
    "replaced",
  ]);
  await test.report(secret, vehicleReport(2, [ivi({ state: "activating" })], "c2"));
  await test.publish("ivi-rpi4", "1.2.0", { sha256: fresh });
  assertEquals((await targets(test, secret)).campaign, "c2");
  assertEquals((await test.get<Vehicle>(`/api/v1/vehicles/${VIN}`)).queue, ["c3"]);
  const done = { version: "1.1.0", counter: 2, sha256: fresh, state: "confirmed" } as const;
  await test.report(secret, vehicleReport(3, [ivi(done)], "c2"));
  assertEquals((await targets(test, secret)).campaign, "c3");
});

Deno.test("a bundle stays whole for a vehicle while its ECUs switch one by one", async () => {
  const { test, secret, fresh } = await world();
  await using _ = test;
  await test.publish("ivi-rpi4", "1.1.0", { sha256: fresh, draft: true });
  await test.publish("body-sim", "1.0.0", { sha256: fresh, draft: true });
  const releases = ["ivi-rpi4/1.1.0", "body-sim/1.0.0"];
  await (await test.post("/api/v1/campaigns", { releases })).body?.cancel();
  const body = (more: Partial<EcuReport>) => ecuReport("body", "body-sim", more);
  await test.report(secret, vehicleReport(1, [ivi({}), body({})]));
  const told = await targets(test, secret);
  assertEquals(Object.keys(told.ecus), ["body", "ivi"]);
  const bodyDone = { version: "1.0.0", counter: 1, sha256: fresh };
  await test.report(
    secret,
    vehicleReport(2, [ivi({ state: "installed" }), body({ ...bodyDone, state: "trial" })], "c2"),
  );
  assertEquals(await targets(test, secret), told, "nothing is taken out in the middle");
  const both = [
    ivi({ version: "1.1.0", counter: 2, sha256: fresh, state: "confirmed" }),
    body({ ...bodyDone, state: "confirmed" }),
  ];
  await test.report(secret, vehicleReport(3, both, "c2"));
  assertEquals((await test.get<Campaign>("/api/v1/campaigns/c2")).state, "complete");
});

Deno.test("a vehicle that enrols later is covered, and a draft is told to nobody", async () => {
  const { test, secret, fresh } = await world();
  await using _ = test;
  await test.publish("ivi-rpi4", "1.1.0", { sha256: fresh, draft: true });
  await test.report(secret, vehicleReport(1, [ivi({})]));
  assertEquals((await targets(test, secret)).ecus.ivi!.release.version, "1.0.0");
  await test.report(secret, vehicleReport(2, [ivi({}), ecuReport("new", "wheel-9", {})]));
  const hardware = await test.get<{ hardware: string; origin: string }[]>("/api/v1/hardware");
  assertExists(hardware.find((each) => each.hardware === "wheel-9" && each.origin === "reported"));
});

Deno.test("a manifest is taken once, in order, and only from its own vehicle", async () => {
  const { test, secret } = await world();
  await using _ = test;
  const report = vehicleReport(5, [ivi({})]);
  assertEquals((await test.report(secret, report)).status, 200);
  assertEquals((await test.report(secret, report)).status, 200, "its answer may have got lost");
  const other = { ...report, ecus: [ivi({ state: "ready" as const })] };
  await assertRefused(await test.report(secret, other), 409, "wrongState");
  await assertRefused(await test.report(secret, { ...other, seq: 4 }), 409, "wrongState");
  await assertRefused(
    await test.report(secret, { ...report, seq: 6, vin: OTHER_VIN }),
    403,
    "forbidden",
  );
  const strange = { ...report, seq: 7, v: 2 };
  await assertRefused(await test.report(secret, strange as never), 400, "schemaUnknown");
  const twisted = { ...report, seq: 7, ecus: [{ ...ivi({}), serial: "../x" }] };
  await assertRefused(await test.report(secret, twisted), 400, "badRequest");
  const put = { method: "PUT", body: "z".repeat(300_000) };
  await assertRefused(await test.asVehicle(secret, "/manifest", put), 413, "requestTooLarge");
});

Deno.test("a vehicle is refused what is another's, on every device route", async () => {
  const { test, secret, old } = await world();
  await using _ = test;
  const foreign = DIRECTOR.replace(VIN, OTHER_VIN);
  await assertRefused(await test.asVehicle(secret, foreign), 403, "forbidden");
  for (const path of [DIRECTOR, `/carriers/${old}`, "/manifest"]) {
    const method = path === "/manifest" ? "PUT" : "GET";
    await assertRefused(await fetch(test.device + path, { method }), 401, "unauthenticated");
    const wrong = await test.asVehicle("x".repeat(43), path, { method });
    await assertRefused(wrong, 401, "unauthenticated");
  }
  const tricks = [
    ["/metadata/director/..%2f..%2fx/targets.json", 400, "badRequest"],
    ["/carriers/..%2f..%2frecords.sqlite", 400, "badRequest"],
    [`/carriers/${old.toUpperCase()}`, 400, "badRequest"],
    [`/carriers/${"0".repeat(64)}`, 404, "notFound"],
    ["/blobs/x", 404, "notFound"],
  ] as const;
  for (const [path, status, name] of tricks) {
    await assertRefused(await test.asVehicle(secret, path), status, name);
  }
  const unpublished = await test.upload(sampleBytes(99));
  await assertRefused(await test.asVehicle(secret, `/carriers/${unpublished}`), 404, "notFound");
});

Deno.test("the director's answer has an ETag that changes with it", async () => {
  const { test, secret, fresh } = await world();
  await using _ = test;
  await test.report(secret, vehicleReport(1, [ivi({})]));
  const first = await test.asVehicle(secret, DIRECTOR);
  await first.body?.cancel();
  const headers = { "if-none-match": first.headers.get("etag")! };
  const same = await test.asVehicle(secret, DIRECTOR, { headers });
  assertEquals([same.status, await same.text()], [304, ""]);
  await test.publish("ivi-rpi4", "1.1.0", { sha256: fresh });
  const news = await test.asVehicle(secret, DIRECTOR, { headers });
  assertEquals([news.status, (await news.json()).campaign], [200, "c2"]);
});

Deno.test("carriers answer ranges and conditions as RFC 9110 says, byte for byte", async () => {
  const { test, secret, old } = await world();
  await using _ = test;
  const etag = `"${old}"`;
  const path = `/carriers/${old}`;
  const cases: [Record<string, string>, number, [number, number] | null][] = [
    [{}, 200, [0, 500_000]],
    [{ range: "bytes=0-0" }, 206, [0, 1]],
    [{ range: "bytes=100-299999" }, 206, [100, 300_000]],
    [{ range: "bytes=499999-" }, 206, [499_999, 500_000]],
    [{ range: "bytes=-10" }, 206, [499_990, 500_000]],
    [{ range: "bytes=400000-900000" }, 206, [400_000, 500_000]],
    [{ range: "bytes=500000-" }, 416, null],
    [{ range: "bytes=-0" }, 416, null],
    [{ range: "bytes=5-3" }, 200, [0, 500_000]],
    [{ range: "bytes=0-1,5-6" }, 200, [0, 500_000]],
    [{ range: "lines=0-1" }, 200, [0, 500_000]],
    [{ range: "bytes=5-9", "if-range": etag }, 206, [5, 10]],
    [{ range: "bytes=5-9", "if-range": `W/${etag}` }, 200, [0, 500_000]],
    [{ range: "bytes=5-9", "if-range": '"other"' }, 200, [0, 500_000]],
    [{ range: "bytes=900000-", "if-range": '"other"' }, 200, [0, 500_000]],
    [
      { range: "bytes=5-9", "if-range": "Wed, 21 Oct 2015 07:28:00 GMT" },
      200,
      [0, 500_000],
    ],
    [{ "if-none-match": etag }, 304, null],
    [{ "if-none-match": `W/${etag}` }, 304, null],
    [{ "if-none-match": `"x", ${etag}` }, 304, null],
    [{ "if-none-match": "*" }, 304, null],
    [{ "if-none-match": '"x"' }, 200, [0, 500_000]],
    [{ "if-none-match": etag, range: "bytes=0-0" }, 304, null],
    [{ "if-match": '"x"' }, 412, null],
    [{ "if-match": etag, range: "bytes=0-1" }, 206, [0, 2]],
  ];
  for (const [headers, status, part] of cases) {
    const what = JSON.stringify(headers);
    const answer = await test.asVehicle(secret, path, { headers });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    assertEquals(answer.status, status, what);
    assertEquals(answer.headers.get("etag"), etag, what);
    const expected = part === null ? new Uint8Array(0) : IMAGE.slice(...part);
    assertEquals(bytes.length, expected.length, what);
    assertEquals(bytes.every((byte, i) => byte === expected[i]), true, what);
    const range = status === 206
      ? `bytes ${part![0]}-${part![1] - 1}/500000`
      : status === 416
      ? "bytes */500000"
      : null;
    assertEquals(answer.headers.get("content-range"), range, what);
    if (status < 300) assertEquals(answer.headers.get("accept-ranges"), "bytes");
  }
  const head = await test.asVehicle(secret, path, {
    method: "HEAD",
    headers: { range: "bytes=0-1" },
  });
  assertEquals([head.status, head.headers.get("content-length"), await head.text()], [
    200,
    "500000",
    "",
  ]);
});

Deno.test("a vehicle that hangs up in the middle leaves no open file behind", async () => {
  await using test = await TestServer.start();
  const large = await test.upload(sampleBytes(20_000_000));
  await test.publish("ivi-rpi4", "1.0.0", { sha256: large });
  const secret = await test.enrol();
  for (let i = 0; i < 5; i++) {
    const answer = await test.asVehicle(secret, `/carriers/${large}`);
    const reader = answer.body!.getReader();
    await reader.read();
    await reader.cancel();
  }
  const open = () =>
    [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
      try {
        return Deno.readLinkSync(`/proc/self/fd/${name}`).includes(large);
      } catch {
        return false; // Closed between the two looks.
      }
    }).length;
  await until("the files to be closed", () => open() === 0);
});
