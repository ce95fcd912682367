/**
 * What server and vehicle check before they start: each refusal with its exit code and the
 * remedy in words, as the programs themselves give it; and supervision of programs that cannot live.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import { runSupervised } from "shared/host/supervisor.ts";
import { RESTART_POLICY } from "shared/restart_policy.ts";
import { ROOT } from "../scripts/process.ts";
import { VIN } from "./journey_world.ts";

const IDENTITY = {
  v: 1,
  vin: VIN,
  secret: "s".repeat(43),
  device: "http://127.0.0.1:1",
  broker: "mqtt://127.0.0.1:1",
};

/** A program's start that must be refused. */
interface Case {
  readonly name: string;
  readonly args?: readonly string[];
  readonly runtime?: readonly string[];
  /** Makes what it is to stumble over, in its data folder. */
  readonly prepare?: (data: string) => void;
  readonly code: 2 | 5;
  readonly remedy: RegExp;
}

async function refused(program: "server" | "vehicle", test: Case): Promise<void> {
  const data = await Deno.makeTempDir({ prefix: "headunit-ota-check-" });
  try {
    test.prepare?.(data);
    const any = ["--http", "--device", "--mqtt"].flatMap((flag) => [flag, "127.0.0.1:0"]);
    const usual = program === "server" ? any : ["--server", "http://127.0.0.1:1", "--vin", VIN];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--quiet", ...test.runtime ?? []],
        ...[`${program}/main.ts`, "--data", data, ...usual],
        ...(test.args ?? []).map((arg) => arg.replace("DATA", data)),
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const said = new TextDecoder().decode(stderr);
    assertMatch(said, test.remedy);
    assertEquals([test.name, code], [test.name, test.code], said);
    assert(!said.includes("    at "), `words for a person, no stack: ${said}`);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

function identity(mode: number, more: Partial<typeof IDENTITY> = {}): (data: string) => void {
  return (data) => {
    const text = JSON.stringify({ ...IDENTITY, ...more });
    Deno.writeTextFileSync(`${data}/identity.json`, text);
    Deno.chmodSync(`${data}/identity.json`, mode);
  };
}

/** A preload that sets the clock of a program to 1970. */
const OLD_CLOCK = `data:text/javascript,${encodeURIComponent("Date.now = () => 1000")}`;
const busy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const BUSY = `127.0.0.1:${busy.addr.port}`;
busy.unref();

const SERVER: readonly Case[] = [
  {
    name: "a port that is taken",
    args: ["--http", BUSY],
    code: 5,
    remedy: /Cannot listen on .*--http.*end it, or choose another port/,
  },
  {
    name: "a data folder that is a file",
    args: ["--data", "/dev/null/data"],
    code: 5,
    remedy: /Cannot use data folder .*make it writable/,
  },
  {
    name: "a damaged database",
    prepare: (data) => Deno.writeTextFileSync(`${data}/records.sqlite`, "no database ".repeat(500)),
    code: 5,
    remedy: /Cannot open the records .*restore them from a backup/,
  },
  {
    name: "a clock before the build date",
    runtime: ["--preload", OLD_CLOCK],
    code: 5,
    remedy: /the clock says 1970.*set the clock/,
  },
  {
    name: "a key that is not there",
    args: ["--tls-cert", "/none/cert.pem", "--tls-key", "/none/key.pem"],
    code: 5,
    remedy: /\/none\/(cert|key)\.pem/,
  },
];

const VEHICLE: readonly Case[] = [
  {
    name: "a port that is taken",
    prepare: identity(0o600),
    args: ["--hmi", BUSY],
    code: 5,
    remedy: /Cannot listen on .*choose another port/,
  },
  {
    name: "a data folder that can't be made",
    args: ["--data", "/dev/null/data"],
    code: 5,
    remedy: /Cannot use data folder .*make it writable/,
  },
  {
    name: "an identity that others may read",
    prepare: identity(0o644),
    code: 5,
    remedy: /others may read it; run chmod 600/,
  },
  {
    name: "an identity of another vehicle",
    prepare: identity(0o600, { vin: "WVWZZZ1JZXW000002" }),
    code: 5,
    remedy: /belongs to WVWZZZ1JZXW000002; use another --data/,
  },
  { name: "no identity", code: 5, remedy: /not enrolled; run ota enrol --vin/ },
  {
    name: "no pages",
    prepare: identity(0o600),
    args: ["--pages", "/none"],
    code: 5,
    remedy: /run deno task build/,
  },
  {
    name: "a clock before the build date",
    prepare: identity(0o600),
    runtime: ["--preload", OLD_CLOCK],
    code: 5,
    remedy: /the clock says 1970.*set the clock/,
  },
  {
    name: "a profile with a wrong field",
    prepare: (data) => Deno.writeTextFileSync(`${data}/p.json`, '{"v":1,"ecus":[{"serial":7}]}'),
    args: ["--profile", "DATA/p.json"],
    code: 2,
    remedy: /profile.*ecus.*serial/s,
  },
  {
    name: "a profile that is not there",
    args: ["--profile", "/none/profile.json"],
    code: 2,
    remedy: /\/none\/profile\.json|No such file/,
  },
];

for (const test of SERVER) {
  Deno.test(`the server refuses to start with ${test.name}, and says the remedy`, () =>
    refused("server", test));
}
for (const test of VEHICLE) {
  Deno.test(`the vehicle refuses to start with ${test.name}, and says the remedy`, () =>
    refused("vehicle", test));
}

Deno.test("runSupervised() gives a program up that never lives, and hands its error on", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headunit-ota-crash-" });
  const file = `${folder}/crash.ts`;
  // It writes down what it was told, and dies of an error of its own.
  await Deno.writeTextFile(
    file,
    `Deno.writeTextFileSync("${folder}/told", Deno.args.slice(1).join(" ") + "\\n", { append: true });
    throw new RangeError("no way");`,
  );
  const policy = { ...RESTART_POLICY, firstPauseMs: 1, maxPauseMs: 2, maxStarts: 3 };
  const command = { program: Deno.execPath(), args: ["run", "-A", "--quiet", file] };
  assertEquals(await runSupervised(command, new AbortController().signal, policy), 1);
  const told = (await Deno.readTextFile(`${folder}/told`)).split("\n").slice(0, -1);
  assertEquals([told.length, told[0]], [3, ""]);
  const last = JSON.parse(told[2]!.replace("--last-error ", ""));
  assertEquals([last.message, last.restarts], ["Uncaught (in promise) RangeError: no way", 2]);
  await Deno.remove(folder, { recursive: true });
});
