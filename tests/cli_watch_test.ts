/**
 * `ota watch` and `ota vehicles` beside a real server and a real vehicle.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert/mod.js";
import { FAILURES } from "shared/failure.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { startVehicleProcess } from "../scripts/process.ts";
import { ok, VIN, withServer } from "./cli_world.ts";

/** One ECU that takes any bytes, and finds the word BAD in them by its self-test. */
const PROFILE = {
  v: 1,
  ecus: [{
    ...{ serial: "ivi", hardware: "ivi-rpi4", runner: "opaque", slotBytes: 1 << 20 },
    ...{ restartRank: 1, trialSeconds: 0.2 },
    selfTest: '! head -c "$OTA_IMAGE_BYTES" "$OTA_IMAGE_FILE" | grep -q BAD',
  }],
};

Deno.test("ota watch follows a vehicle, and ends as its campaign ends", async (t) => {
  await withServer(async ({ folder, server }, run) => {
    await Deno.writeTextFile(`${folder}/profile.json`, JSON.stringify(PROFILE));
    const { token } = ok(await run("enrol", "--vin", VIN, "--json"));
    const publish = async (version: string, content: string) => {
      await Deno.writeTextFile(`${folder}/image.bin`, content);
      const flags = ["--hardware", "ivi-rpi4", "--version", version, "--notes", "x", "--json"];
      return ok(await run("publish", `${folder}/image.bin`, ...flags)).campaign as string;
    };
    const first = await publish("1.0.0", "good");
    const waiting = run("watch", "--vin", VIN, "--timeout", "60", "--json");
    const vehicle = await startVehicleProcess({
      data: `${folder}/vehicle`,
      server: server.urls.http,
      vin: VIN,
      enrol: token as string,
      profile: `${folder}/profile.json`,
      consent: "auto",
    });
    try {
      await t.step("ends with 0 when it is confirmed, with a line for each state", async () => {
        const { code, stdout, stderr } = await waiting;
        assertEquals(code, 0, stderr);
        const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
        for (const line of lines) {
          assertEquals([line.vin, line.serial], [VIN, "ivi"]);
          assertMatch(line.at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
        }
        const last = lines.at(-1)!;
        assertEquals([last.state, last.version], ["confirmed", "1.0.0"]);
        assertEquals(new Set(lines.map(({ state }) => state)).size, lines.length);
      });
      await t.step("ends with 6 when it rolled back, and says why", async () => {
        await publish("1.1.0", "BAD");
        const result = await run("watch", "--timeout", "60");
        assertEquals(result.code, 6, result.stderr);
        assertStringIncludes(result.stderr, `[${FAILURES.selfTestFailed.code} selfTestFailed]`);
        assertStringIncludes(result.stdout, "rolledBack");
      });
      await t.step("ends with 0 when rolledBack is what was waited for", async () => {
        assertEquals((await run("watch", "--until", "rolledBack")).code, 0);
        const other = await run("watch", "--campaign", first, "--until", "rolledBack");
        assertEquals(other.code, 1, other.stderr);
        assertStringIncludes(other.stderr, "ended confirmed");
      });
      await t.step("vehicles prints exactly its line", async () => {
        const line = ok(await run("vehicles", "--json"));
        const [ecu] = line.ecus as Record<string, unknown>[];
        assertEquals([line.vin, line.online], [VIN, true]);
        assertEquals(Object.keys(ecu!), [
          ...["serial", "hardware", "state", "version", "counter", "sha256", "slot", "failure"],
        ]);
        const { failure, ...rest } = ecu!;
        assertEquals(rest, {
          ...{ serial: "ivi", hardware: "ivi-rpi4", state: "rolledBack", version: "1.0.0" },
          ...{ counter: 1, sha256: sha256Hex(new TextEncoder().encode("good")), slot: "A" },
        });
        const { code, name, message } = failure as Record<string, unknown>;
        assertEquals([code, name], [FAILURES.selfTestFailed.code, "selfTestFailed"]);
        assert(typeof message === "string" && message !== "");
      });
    } finally {
      assertEquals(await vehicle.stop(), 0);
    }
  });
});
