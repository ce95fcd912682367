/**
 * The whole chain on real processes, sockets and files.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import { sha256Hex } from "shared/node/digest.ts";
import { bundleIsConfirmed, partnersGoBack } from "./journey_steps.ts";
import { ecu, firmware, JourneyWorld, THREE, VIN } from "./journey_world.ts";
import { debianBsdiff, esbuildPair, hasProgram } from "./real_images.ts";

const pair = await esbuildPair();
const noImages = typeof pair === "string" ? ` (skipped: ${pair})` : "";
const noBsdiff = hasProgram("bsdiff") ? "" : " (skipped: no bsdiff)";
const noMosquitto = hasProgram("mosquitto_sub") ? "" : " (skipped: no mosquitto_sub)";

Deno.test({
  name: "the real pair esbuild 0.25.9 to 0.25.10 is installed full, then as BSDIFF40 by Debian's " +
    `bsdiff, with the opaque runner${noImages || noBsdiff}`,
  ignore: noImages !== "" || noBsdiff !== "",
  async fn() {
    assert(typeof pair !== "string");
    const elf = 'head -c 4 "$OTA_IMAGE_FILE" | grep -q ELF && test "$OTA_IMAGE_BYTES" -gt 9000000';
    await using world = await new JourneyWorld([
      ecu("cluster", "cluster-arm", { runner: "opaque", trialSeconds: 0 }),
      ecu("ivi", "ivi-rpi4", { runner: "opaque", trialSeconds: 0, selfTest: elf }),
    ]).start();
    const [oldVersion, newVersion] = pair.versions;
    const [oldPath, newPath] = pair.paths;
    const wanted = sha256Hex(await Deno.readFile(newPath));

    for (const hardware of ["ivi-rpi4", "cluster-arm"]) {
      const { campaign } = await world.publish(oldPath, hardware, oldVersion);
      await world.watch(campaign, 0);
    }
    const full = await world.publish(newPath, "ivi-rpi4", newVersion);
    await world.watch(full.campaign, 0);
    // A vehicle waits for a delta for a bound only, and a busy machine may take longer to make it.
    await deltaOf(world, `ivi-rpi4/${newVersion}`);

    const patch = `${world.folder}/patch`;
    assert(await debianBsdiff(oldPath, newPath, patch));
    // The delta may be made already, since both images are known: it travels in a moment, and the
    // screen, which draws ten times a second, need not show the end of it.
    const fetched = world.hmi(({ ecus }) =>
      ecus.some(({ serial, progress }) => serial === "cluster" && progress?.via === "delta")
    );
    fetched.catch(() => {}); // Awaited below, unless something else fails before.
    const delta = await world.publish(patch, "cluster-arm", newVersion, "--delta-from", oldVersion);
    assertEquals(delta.sha256, wanted, "the server made the image itself, by applying the patch");
    const { progress } = (await fetched).ecus.find(({ serial }) => serial === "cluster")!;
    const { size } = await Deno.stat(patch);
    // The server makes a container of its own from the two images.
    assert(progress!.totalBytes < size, `${progress!.totalBytes} bytes travelled, not ${size}`);
    await world.watch(delta.campaign, 0);

    const ecus = await world.ecus();
    for (const serial of ["ivi", "cluster"]) {
      const { state, version, sha256, counter, slot } = ecus[serial]!;
      assertEquals([state, version, counter, slot], ["confirmed", newVersion, 2, "B"]);
      assertEquals(sha256, wanted);
    }
    const slot = await Deno.open(`${world.folder}/vehicle/ecus/cluster/slotB.disk`);
    const bytes = new Uint8Array((await Deno.stat(newPath)).size);
    for (let got = 0; got < bytes.length;) got += (await slot.read(bytes.subarray(got)))!;
    slot.close();
    assertEquals(sha256Hex(bytes), wanted, "the slot itself holds the image");
  },
});

/** Waits until the server has made a delta that brings a release. */
async function deltaOf(world: JourneyWorld, release: string): Promise<void> {
  interface Row {
    readonly release: string;
    readonly carriers: readonly { readonly format: string; readonly baseSha256?: string }[];
  }
  for (let tries = 0; tries < 600; tries++) {
    const rows = await world.json("releases") as Row[];
    const carriers = rows.find((row) => row.release === release)?.carriers ?? [];
    if (carriers.some(({ format, baseSha256 }) => format === "container" && baseSha256)) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`Cannot go on with the test: no delta of ${release} was made`);
}

Deno.test("three ECUs go together in one bundle, and the head unit asks before the restart", async () => {
  await using world = await new JourneyWorld(THREE, "ask").start();
  await bundleIsConfirmed(world);
});

Deno.test("every kind of bad firmware comes back to the old one, and everything else goes on", async () => {
  await using world = await new JourneyWorld(THREE).start();
  for (const { serial, hardware } of THREE) {
    const { campaign } = await world.publish(firmware(`${serial}-1.0.0`), hardware, "1.0.0");
    await world.watch(campaign, 0);
  }
  const before = await world.ecus();
  const kinds = {
    throw: "imageCrashed",
    syntax: "imageSyntax",
    import: "imageImports",
    selfTest: "selfTestFailed",
    memory: "memoryExhausted",
    hang: "imageHung",
  };
  let counter = 1;
  for (const [kind, failure] of Object.entries(kinds)) {
    const bad = await world.publish(firmware(`faulty-${kind}`), "ivi-rpi4", `2.${counter++}.0`);
    await world.watch(bad.campaign, 6);
    const { ivi, cluster, body } = await world.ecus();
    assertEquals([kind, ivi!.state, ivi!.failure?.name], [kind, "rolledBack", failure]);
    assertEquals([ivi!.version, ivi!.sha256], ["1.0.0", before.ivi!.sha256]);
    for (const other of [cluster!, body!]) {
      assertEquals([other.state, other.version], ["confirmed", "1.0.0"]);
    }
    const shown = await world.hmi(({ phase, driveLock }) => phase === "rolledBack" && !driveLock);
    assertEquals(shown.result?.failure?.name, failure);
    assert(shown.result!.failure!.remedy.length > 10);
  }
  const good = await world.publish(firmware("ivi-1.1.0"), "ivi-rpi4", "3.0.0");
  await world.watch(good.campaign, 0);
  assertEquals((await world.ecus()).ivi!.version, "3.0.0");
  assertEquals(await Promise.race([world.vehicle.ended, Promise.resolve("lives")]), "lives");
});

Deno.test("a bad ECU in a bundle takes its partners back as well", async () => {
  await using world = await new JourneyWorld(THREE).start();
  await partnersGoBack(world, "1.0.0");
});

Deno.test("server and vehicle are restarted in the middle, on kept ports, and the update ends well", async () => {
  const opaque = { runner: "opaque", trialSeconds: 0, slotBytes: 512 * 2 ** 20 } as const;
  await using world = await new JourneyWorld([ecu("ivi", "ivi-rpi4", opaque)], "ask").start();
  const image = `${world.folder}/image`;
  {
    using file = await Deno.open(image, { write: true, create: true });
    const piece = new Uint8Array(65_536);
    for (let i = 0; i < 4800; i++) await file.write(crypto.getRandomValues(piece)); // 315 MB.
  }
  const { campaign } = await world.publish(image, "ivi-rpi4", "1.0.0");
  const urls = [world.server.urls, world.vehicle.hmi];

  const half = await world.hmi(({ progress }) => (progress?.doneBytes ?? 0) > 30_000_000);
  await world.vehicle.kill(); // As a power cut does.
  await world.server.stop();
  assert(half.progress!.doneBytes < half.progress!.totalBytes, "killed in mid-download");
  await world.startServer();
  await world.startVehicle();
  assertEquals([world.server.urls, world.vehicle.hmi], urls);

  const again = await world.hmi(({ progress }) => progress !== null && progress.totalBytes > 0);
  assert(again.progress!.doneBytes >= 20_000_000, `resumed at ${again.progress!.doneBytes}`);
  await world.hmi(({ phase }) => phase === "ready");
  await world.server.stop();
  await world.vehicle.stop();
  await world.startServer();
  await world.startVehicle();
  const asked = await world.hmi(({ phase }) => phase === "ready");
  assertEquals(asked.offer!.campaign, campaign, "the offer is remembered without the download");
  await world.press("accept", campaign);
  await world.watch(campaign, 0);
  assertEquals((await world.ecus()).ivi!.state, "confirmed");
});

Deno.test({
  name: "mosquitto_sub with a vehicle's secret sees announcements, also after a restart of the " +
    `server, and nothing of another vehicle${noMosquitto}`,
  ignore: noMosquitto !== "",
  async fn() {
    await using world = await new JourneyWorld(THREE).start();
    const { sha256 } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
    const other = "WVWZZZ1JZXW000002";
    const listen = async (password: string, ...topics: string[]) => {
      const { port } = new URL(world.server.urls.mqtt);
      const filters = topics.flatMap((topic) => ["-t", topic]);
      const user = ["-u", VIN, "-P", password, "-W", "2", "-v", "-q", "2"];
      const command = new Deno.Command("mosquitto_sub", {
        args: ["-V", "mqttv311", "-h", "127.0.0.1", "-p", port, ...user, ...filters],
        stdin: "null",
      });
      const { code, stdout, stderr } = await command.output();
      const text = new TextDecoder();
      return { code, out: text.decode(stdout), err: text.decode(stderr) };
    };
    for (const restarted of [false, true]) {
      if (restarted) {
        await world.server.stop();
        await world.startServer();
      }
      const heard = await listen(world.secret(), "ota/v1/announce/+", "ota/v1/server/status");
      assertStringIncludes(heard.out, "ota/v1/announce/ivi-rpi4 ");
      const line = heard.out.split("\n").find((one) => one.includes("announce/ivi-rpi4"))!;
      const announcement = JSON.parse(line.slice(line.indexOf("{")));
      assertEquals([announcement.version, announcement.type], ["1.0.0", "full"]);
      assertEquals([announcement.sha256, announcement.v], [sha256, 1]);
      assertStringIncludes(heard.out, '"state":"running"');
    }
    const spied = await listen(world.secret(), `ota/v1/vehicle/${other}/#`, "#", "ota/v1/#");
    assertEquals(spied.out, "");
    const wrong = await listen("not-the-secret", "ota/v1/announce/+");
    assert(wrong.code !== 0 && wrong.out === "", wrong.err);
  },
});
