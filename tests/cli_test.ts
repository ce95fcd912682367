/**
 * The real `ota` as a child process against the real server: what it prints, how it ends.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert/mod.js";
import type { FailureName } from "shared/failure.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { bsdiff } from "../scripts/bsdiff_encoder.ts";
import { ota } from "../scripts/process.ts";
import { assertRefused, ok, VIN, withFolder, withServer } from "./cli_world.ts";

const NOTES = {
  purpose: "Test",
  changes: "None",
  minutes: 3,
  unavailable: "Radio",
  instructions: "Park",
};

Deno.test("ota tells how each command is used, and refuses wrong usage with 2", async () => {
  await withFolder(async (folder, run) => {
    const commands = "login enrol publish offer releases patch vehicles hardware campaigns watch " +
      "halt resume withdraw";
    for (const command of ["", ...commands.split(" ")]) {
      const { code, stdout, stderr } = await run(...command.split(" ").filter(Boolean), "--help");
      assertEquals([code, stderr], [0, ""], command);
      assertStringIncludes(stdout, `Usage: ota ${command}`.trimEnd());
    }
    assertEquals((await run()).code, 2);
    const missing = `${folder}/missing.bin`;
    const flags = ["--hardware", "ivi-rpi4", "--version", "1.0.0"];
    const wrong: [string, ...string[]][] = [
      ["nonsense", "nonsense"],
      ["argument 'vin'", "enrol", "--vin"],
      ["as VIN", "enrol", "--vin", "short"],
      ["--hardware", "publish", missing],
      ["No such file", "publish", missing, ...flags, "--notes", "x"],
      ["it is no file", "publish", folder, ...flags, "--notes", "x"],
      ["as counter", "publish", missing, ...flags, "--notes", "x", "--counter", "0"],
      [
        "as hardware id",
        "publish",
        missing,
        "--hardware",
        "../x",
        "--version",
        "1",
        "--notes",
        "x",
      ],
      ["as version", "publish", missing, "--hardware", "x", "--version", "one", "--notes", "x"],
      ["as release", "offer", "nothing"],
      ["as campaign", "halt", "7"],
      ["neither confirmed", "watch", "--until", "done"],
      ["as timeout", "watch", "--timeout", "soon"],
      ["as server", "vehicles", "--server", "localhost:8080"],
      ["none is named", "vehicles"],
      ["no password", "login", "--server", "http://127.0.0.1:9"],
      ["No such file", "patch", missing, missing, `${folder}/out`],
    ];
    for (const [says, ...args] of wrong) {
      const result = await run(...args);
      assertEquals(result.code, 2, `${args.join(" ")}: ${result.stderr}`);
      const option = says.startsWith("argument") ? "argument missing" : says;
      assertStringIncludes(result.stderr, option, args.join(" "));
    }
    const { stderr } = await run("vehicles", "--json");
    assertEquals(Object.keys(JSON.parse(stderr.trimEnd().split("\n").at(-1)!).error), [
      ...["code", "name", "message", "remedy"],
    ]);
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(left, []); // Nothing was written.
  });
});

Deno.test("ota ends with 3 when nobody answers", async () => {
  await withFolder(async (folder, run) => {
    const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const nobody = `http://127.0.0.1:${(probe.addr as Deno.NetAddr).port}`;
    probe.close();
    const env = { OTA_PASSWORD: "x", OTA_TOKEN: "x" };
    for (const command of ["login", "vehicles", "watch"]) {
      const args = [command, "--server", nobody];
      const result = await ota(args, { home: `${folder}/home`, env });
      assertRefused(result, 3, "serverUnreachable", nobody);
    }
    const far = await run("login", "--server", "http://ota.example");
    assertRefused(far, 5, "preconditionFailed", "unencrypted");
  });
});

Deno.test("ota keeps the token to its owner, and uses it for that server", async () => {
  await withServer(async ({ folder, server }, run) => {
    const [home, file] = [`${folder}/home`, `${folder}/home/credentials.json`];
    const { http } = server.urls;
    assertEquals((await Deno.stat(file)).mode! & 0o777, 0o600);
    assert(!Deno.readTextFileSync(file).includes(server.password));
    assertEquals((await run("vehicles")).code, 0);

    const wrong = { home, env: { OTA_PASSWORD: "wrong" } };
    const login = ["login", "--server", http];
    assertRefused(await ota(login, wrong), 4, "unauthenticated");
    const again = { home, env: { OTA_PASSWORD: server.password } };
    const session = ok(await ota([...login, "--json"], again));
    assertEquals(Object.keys(session), ["server", "user", "role", "expiresAt"]);

    const { token } = JSON.parse(Deno.readTextFileSync(file)).logins[http];
    const empty = `${folder}/empty`;
    const ci = { home: empty, env: { OTA_SERVER: http, OTA_TOKEN: token } };
    assertEquals((await ota(["vehicles"], ci)).code, 0);
    const forged = { home: empty, env: { OTA_SERVER: http, OTA_TOKEN: "forged" } };
    assertRefused(await ota(["vehicles"], forged), 4, "unauthenticated");
    const nobody = { home: empty, env: { OTA_SERVER: http } };
    assertRefused(await ota(["vehicles"], nobody), 4, "unauthenticated", "nobody is logged in");

    await Deno.chmod(file, 0o644);
    assertRefused(await run("vehicles"), 5, "preconditionFailed", "others may read");
  });
});

Deno.test("ota publish makes releases, and refuses each bad input by its name", async (t) => {
  await withServer(async ({ folder }, run) => {
    const image = Uint8Array.from({ length: 70_000 }, (_, i) => i * i >> 3);
    const next = image.map((byte, i) => i % 1000 === 7 ? byte + 1 : byte);
    const write = async (name: string, bytes: Uint8Array | string) => {
      const content = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
      await Deno.writeFile(`${folder}/${name}`, content);
      return `${folder}/${name}`;
    };
    const first = await write("first.bin", image);
    const second = await write("second.bin", next);
    const patch = await write("p.patch", bsdiff(image, next));
    const publish = (file: string, version: string, ...rest: string[]) =>
      run("publish", file, "--hardware", "ivi-rpi4", "--version", version, ...rest);

    await t.step("prints release, campaign, counter and digest of the image", async () => {
      const result = await publish(first, "1.0.0", "--notes", "First", "--json");
      const campaign = ok(result).campaign as string;
      assertMatch(campaign, /^c\d+$/);
      assertEquals(ok(result), {
        ...{ release: "ivi-rpi4/1.0.0", campaign, counter: 1, sha256: sha256Hex(image) },
      });
      assertMatch(result.stderr, /Uploading first.bin: 100 %/);
    });
    await t.step("a draft has no campaign, and --quiet says nothing on stderr", async () => {
      const notes = await write("n.json", JSON.stringify(NOTES));
      const flags = ["--notes", notes, "--counter", "5", "--draft", "--json", "--quiet"];
      const result = await publish(second, "1.1.0", ...flags);
      assertEquals([ok(result).campaign, ok(result).counter, result.stderr], [null, 5, ""]);
    });
    await t.step("a patch for a release that exists becomes its carrier", async () => {
      const flags = ["--delta-from", "1.0.0", "--notes", "x", "--json"];
      const result = ok(await publish(patch, "1.1.0", ...flags));
      assertEquals([result.campaign, result.sha256], [null, sha256Hex(next)]);
      const { stdout } = await run("releases", "--json");
      const release = stdout.trim().split("\n").map((line) => JSON.parse(line))
        .find((row) => row.release === "ivi-rpi4/1.1.0");
      const formats = new Set(release.carriers.map((row: { format: string }) => row.format));
      assertEquals(formats, new Set(["raw", "container", "bsdiff40"]));
      assertEquals(release.notes, NOTES);
    });
    await t.step("a patch alone makes a release", async () => {
      const flags = ["--delta-from", "1.0.0", "--notes", "x", "--draft", "--json"];
      assertEquals(ok(await publish(patch, "1.2.0", ...flags)).sha256, sha256Hex(next));
    });
    await t.step("refusals", async () => {
      const empty = await write("empty.bin", "");
      const damaged = await write("damaged.patch", (await Deno.readFile(patch)).subarray(0, 60));
      const other = await write("other.patch", bsdiff(image, image.subarray(1)));
      const note = (notes: unknown) => write("bad.json", JSON.stringify(notes));
      const refused: [FailureName, string, string, ...string[]][] = [
        ["uploadEmpty", empty, "2.0.0", "--notes", "x"],
        ["noteEmpty", first, "2.0.0", "--notes", " "],
        ["noteEmpty", first, "2.0.0", "--notes", await note({ ...NOTES, changes: "" })],
        ["hardwareUnknown", first, "2.0.0", "--notes", "x", "--hardware", "toaster"],
        ["versionTaken", first, "1.0.0", "--notes", "x"],
        ["versionNotHigher", first, "0.9.0", "--notes", "x"],
        ["counterTaken", first, "2.0.0", "--notes", "x", "--counter", "5"],
        ["counterNotHigher", first, "2.0.0", "--notes", "x", "--counter", "3"],
        ["baseUnknown", patch, "2.0.0", "--notes", "x", "--delta-from", "0.1.0"],
        ["patchDamaged", damaged, "2.0.0", "--notes", "x", "--delta-from", "1.0.0"],
        ["patchDamaged", second, "2.0.0", "--notes", "x", "--delta-from", "1.0.0"],
        ["patchResultDiffers", other, "1.1.0", "--notes", "x", "--delta-from", "1.0.0"],
      ];
      const before = (await run("releases", "--json")).stdout;
      for (const [name, file, version, ...rest] of refused) {
        const result = await publish(file, version, ...rest);
        assertRefused(result, 4, name);
        // What records or the first bytes alone tell is refused before the file is read or sent.
        const early = /^(version|counter)/.test(name) ||
          name === "patchDamaged" && file === second;
        if (early) assert(!/Reading|Uploading/.test(result.stderr), name);
      }
      const usage = await publish(patch, "2.0.0", "--notes", "x");
      assertRefused(usage, 2, "badRequest", "it is a BSDIFF40 patch");
      const notes = await publish(first, "2.0.0", "--notes", "./nowhere.json");
      assertRefused(notes, 2, "badRequest", "Cannot read notes");
      assertEquals((await run("releases", "--json")).stdout, before); // Nothing half-made.
    });
    await t.step("the same bytes may be released again, without travelling again", async () => {
      const result = await publish(first, "2.0.0", "--notes", "x", "--json");
      assertEquals([ok(result).counter, ok(result).sha256], [7, sha256Hex(image)]);
    });
  });
});

Deno.test("ota offers bundles, steers campaigns, and adds hardware and vehicles", async () => {
  await withServer(async ({ folder }, run) => {
    const file = `${folder}/image.bin`;
    await Deno.writeTextFile(file, "image");
    assertEquals(ok(await run("hardware", "add", "radar", "--json")), {
      ...{ hardware: "radar", origin: "added" },
    });
    for (
      const [hardware, version] of [["radar", "1"], ["radar", "2"], ["body-sim", "1"]] as const
    ) {
      const flags = ["--version", version, "--notes", "x", "--draft"];
      assertEquals((await run("publish", file, "--hardware", hardware, ...flags)).code, 0);
    }
    assertEquals((await run("campaigns", "--json")).stdout, "");
    const offered = ok(await run("offer", "radar/1", "body-sim/1", "--json"));
    const campaign = offered.campaign as string;
    assertEquals(offered, { campaign, state: "running", releases: ["radar/1", "body-sim/1"] });
    assertRefused(await run("offer", "radar/1", "radar/2"), 4, "bundleInvalid");
    assertRefused(await run("offer", "radar/9"), 4, "releaseUnknown");

    assertEquals(ok(await run("halt", campaign, "--json")).state, "halted");
    assertRefused(await run("halt", campaign), 4, "wrongState");
    assertEquals(ok(await run("resume", campaign, "--json")).state, "running");
    assertRefused(await run("halt", "c999"), 4, "campaignUnknown");

    const late = await run("watch", "--timeout", "0.5");
    assertRefused(late, 1, "wrongState", "no vehicle has joined");
    assertEquals(ok(await run("withdraw", campaign, "--json")).state, "withdrawn");
    const over = await run("watch", "--campaign", campaign);
    assertRefused(over, 1, "wrongState", "withdrawn before any vehicle joined");
    assertRefused(await run("watch", "--campaign", "c999"), 4, "campaignUnknown");

    const enrolled = ok(await run("enrol", "--vin", VIN, "--json"));
    assertEquals([Object.keys(enrolled), enrolled.vin], [["vin", "token"], VIN]);
    assertEquals(ok(await run("vehicles", "--json")), { vin: VIN, online: false, ecus: [] });
    const table = (await run("vehicles")).stdout;
    assertMatch(table, new RegExp(`${VIN} +no +- +- +never reported`));
  });
});

Deno.test("ota patch applies a patch, and leaves nothing behind when it is damaged", async () => {
  await withFolder(async (folder, run) => {
    const old = new Uint8Array(50_000).map((_, i) => i % 251);
    const next = old.map((byte, i) => i % 3000 === 0 ? 7 : byte);
    const patch = bsdiff(old, next);
    await Deno.writeFile(`${folder}/old`, old);
    await Deno.writeFile(`${folder}/patch`, patch);
    const paths = [`${folder}/old`, `${folder}/patch`, `${folder}/new`];
    assertEquals(ok(await run("patch", ...paths, "--json")), {
      ...{ file: `${folder}/new`, lengthBytes: next.length, sha256: sha256Hex(next) },
    });
    assertEquals(sha256Hex(await Deno.readFile(`${folder}/new`)), sha256Hex(next));
    await Deno.remove(`${folder}/new`);

    await Deno.writeFile(`${folder}/patch`, patch.subarray(0, patch.length - 9));
    assertRefused(await run("patch", ...paths), 4, "deltaDamaged");
    await Deno.writeFile(`${folder}/patch`, old);
    assertRefused(await run("patch", ...paths), 4, "patchDamaged", "not BSDIFF40");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["old", "patch"]);
  });
});
