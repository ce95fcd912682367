/**
 * Compiles the two programs into one file each, pages embedded, permissions baked in, and runs
 * what it made: `dist/headunit` and `dist/ota-server`, or `dist/headunit-aarch64` and so on for
 * another processor.
 *
 * Usage: deno task compile [--target x86_64-unknown-linux-gnu|aarch64-unknown-linux-gnu]
 *          [--only headunit|ota-server] [--root DIR]…
 *
 * `--root` names a further folder that the programs may read and write; without it they may use
 * the folder they are started in, /tmp and their own one below /var/lib.
 *
 * `deno compile` embeds a runtime of the target, denort, which it fetches from Deno's download
 * server, or takes from DENORT_BIN. The Deno that compiles is OTA_COMPILE_DENO (a version), else
 * that of DENORT_BIN, else the running one. A runtime that does not fit compiles without an
 * error: only a program whose self-test gave the right answer is called ok, or kept.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { createHash } from "node:crypto";
import { Command, CommanderError, Option } from "commander";
import { build } from "./build.ts";
import { bundleProgram } from "./bundle_program.ts";
import { type Denort, readDenort } from "./bundle_runtime.ts";
import { emulatorOf, type Verdict, verify } from "./bundle_verify.ts";
import { ROOT } from "./process.ts";

const DIST = `${ROOT}dist`;

/** Processors that a program can be made for. */
const TARGETS = {
  x86_64: "x86_64-unknown-linux-gnu",
  aarch64: "aarch64-unknown-linux-gnu",
} as const;
/** A processor, as Deno and the folder of results call it. */
export type Arch = keyof typeof TARGETS;

/** What is baked into a program, beside the right to any network address. */
interface Program {
  readonly name: "headunit" | "ota-server";
  /** Bundled from here. */
  readonly entry: string;
  /** Embedded files and folders of `dist`. */
  readonly embedded: readonly string[];
  /** Folders beside the one it is started in and /tmp. */
  readonly folders: readonly string[];
  /** What it may read only. */
  readonly readOnly: readonly string[];
  /** Environment variables. */
  readonly env: readonly string[];
  /** Facts of the machine. */
  readonly sys: readonly string[];
  /** Programs by their absolute names: a bare one needs PATH, which images do not get. */
  readonly run: readonly string[];
  readonly flags: readonly string[];
}

/** The program itself, for supervision and as host of an image, wherever it lies. */
const SELF = "/proc/self/exe";

/** The programs. */
export const PROGRAMS: readonly Program[] = [
  {
    name: "headunit",
    entry: "scripts/bundle_headunit.ts",
    embedded: ["hmi", "firmware/body-1.0.0.bin"],
    folders: ["/var/lib/headunit-ota"],
    readOnly: ["/etc/headunit-ota", "/usr/bin/prlimit"],
    env: ["PATH"],
    sys: [],
    // prlimit bounds images; the shell runs the self-tests that a profile names.
    run: [SELF, "/usr/bin/prlimit", "/bin/sh"],
    // The heap bound is for images: under `deno run` their host has its own. The rest as in deno.json.
    flags: [
      "--unstable-worker-options",
      "--v8-flags=--max-semi-space-size=1,--max-old-space-size=256,--expose-gc," +
      "--no-turbofan",
    ],
  },
  {
    name: "ota-server",
    entry: "scripts/bundle_server.ts",
    embedded: ["board"],
    folders: ["/var/lib/ota-server"],
    readOnly: ["/etc/ota-server"],
    env: ["OTA_ADMIN_PASSWORD", "OTA_BROKER_USER", "OTA_BROKER_PASSWORD"],
    // Whether an upload fits; carriers are made after requests were answered.
    sys: ["statfs", "setPriority"],
    run: [SELF, "/usr/bin/prlimit"], // The latter bounds what makes carriers.
    flags: ["--v8-flags=--max-semi-space-size=1"],
  },
];

interface Options {
  readonly arch: Arch;
  readonly programs: readonly Program[];
  readonly roots: readonly string[];
}

function readArgs(args: readonly string[]): Options {
  const own = Deno.build.arch;
  const options = new Command("compile")
    .description("Compiles headunit and ota-server into dist/, and runs their self-tests.")
    .addOption(
      new Option("--target <triple>", "the processor").choices(Object.values(TARGETS))
        .default(TARGETS[own]),
    )
    .addOption(
      new Option("--only <program>", "one of them").choices(PROGRAMS.map(({ name }) => name)),
    )
    .option(
      "--root <dir>",
      "a further folder that they may read and write; may be repeated",
      (dir: string, before: readonly string[]) => [...before, dir],
      [] as readonly string[],
    )
    .exitOverride().parse([...args], { from: "user" })
    .opts<{ target: string; only?: string; root: readonly string[] }>();
  return {
    arch: options.target === TARGETS.x86_64 ? "x86_64" : "aarch64",
    programs: PROGRAMS.filter(({ name }) => options.only === undefined || options.only === name),
    roots: options.root,
  };
}

/** The Deno that compiles: program and arguments, and its version. */
function compilerFor(denort: Denort | undefined): { command: string[]; version: string } {
  const version = Deno.env.get("OTA_COMPILE_DENO") ?? denort?.version ?? Deno.version.deno;
  const line = (text: string) => text.split(".").slice(0, 2).join(".");
  if (denort !== undefined && line(version) !== line(denort.version)) {
    throw new Error(
      `Cannot compile with Deno ${version}: DENORT_BIN is of Deno ${denort.version}, and major ` +
        `and minor must be the same; set OTA_COMPILE_DENO=${denort.version}`,
    );
  }
  const own = version === Deno.version.deno;
  return { command: own ? [Deno.execPath()] : ["npx", "-y", `deno@${version}`], version };
}

/** Everything that is baked in, as arguments of `deno compile`. */
function bakedIn(program: Program, roots: readonly string[]): string[] {
  const writable = [".", "/tmp", ...program.folders, ...roots];
  const list = (names: readonly string[]) => names.map((n) => n.replaceAll(",", ",,")).join(",");
  return [
    "--no-prompt",
    "--allow-net",
    `--allow-read=${list([...writable, ...program.readOnly])}`,
    `--allow-write=${list(writable)}`,
    `--allow-env=${list(program.env)}`,
    ...(program.sys.length === 0 ? [] : [`--allow-sys=${list(program.sys)}`]),
    `--allow-run=${list(program.run)}`,
    "--deny-ffi",
    "--deny-import",
    ...program.flags,
  ];
}

/** Bundles and compiles one program. */
async function compile(
  program: Program,
  place: { readonly folder: string; readonly out: string },
  { arch, roots, command }: Options & { readonly command: readonly string[] },
): Promise<void> {
  const { folder, out } = place;
  for (const name of program.embedded) await copy(`${DIST}/${name}`, `${folder}/dist/${name}`);
  const entry = await bundleProgram(program.entry, `${folder}/app`);
  const [deno = "", ...before] = command;
  const args = [
    ...before,
    ...["compile", "--quiet", "--no-check", "--no-config", "--no-lock", "--no-npm"],
    ...["--target", TARGETS[arch], "--include", `${folder}/dist`],
    ...bakedIn(program, roots),
    ...["--output", out, entry],
  ];
  const options = { args, stdin: "null", stdout: "null", stderr: "piped" } as const;
  const { code, stderr } = await new Deno.Command(deno, options).output().catch((cause) => {
    throw new Error(`Cannot compile ${program.name}: ${deno} does not start`, { cause });
  });
  if (code === 0) return;
  const said = new TextDecoder().decode(stderr);
  const reason = /dl\.deno\.land/.test(said)
    ? "there is no runtime: Deno's download server cannot be reached; set DENORT_BIN to a denort"
    : said.replaceAll(/^npm warn.*$|Stack backtrace:[\s\S]*/gm, "").trim();
  throw new Error(`Cannot compile ${program.name} with ${command.join(" ")}: ${reason}`);
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copy(`${from}/${name}`, `${to}/${name}`);
}

/** The digests that a self-test must answer with. */
async function expected(program: Program): Promise<Record<string, unknown>> {
  const digest = async (name: string) =>
    createHash("sha256").update(await Deno.readFile(`${DIST}/${name}`)).digest("hex");
  const [pages = ""] = program.embedded;
  const html = await Deno.readTextFile(`${DIST}/${pages}/index.html`);
  const assets = [];
  for (const [, name] of html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)) {
    assets.push(await digest(`${pages}${name}`));
  }
  const [, image] = program.embedded;
  return {
    ...{ v: 1, selfTest: program.name, ok: true },
    ...{ page: await digest(`${pages}/index.html`), assets },
    ...(image === undefined ? {} : { image: await digest(image), version: "1.0.0" }),
  };
}

/** Makes one program, runs it, and keeps it if it works or cannot be run here. */
async function make(
  program: Program,
  options: Options & { readonly command: readonly string[]; readonly deno: string },
): Promise<Verdict> {
  const suffix = options.arch === Deno.build.arch ? "" : `-${options.arch}`;
  const folder = await Deno.makeTempDir({ dir: DIST, prefix: ".compile-" });
  try {
    const out = `${folder}/${program.name}`;
    await compile(program, { folder, out }, options);
    const wanted = { ...await expected(program), arch: options.arch, deno: options.deno };
    const verdict = await verify(out, wanted, emulatorOf(options.arch));
    const mib = ((await Deno.stat(out)).size / 2 ** 20).toFixed(1);
    const what = `dist/${program.name}${suffix}: ${mib} MiB, Deno ${options.deno}`;
    if (verdict.kind === "failed") throw new Error(`Cannot use ${what}: ${verdict.reason}`);
    await Deno.rename(out, `${DIST}/${program.name}${suffix}`);
    console.log(
      verdict.kind === "ok"
        ? `${what}, self-test ok (${verdict.seconds.toFixed(1)} s${verdict.how})`
        : `${what}, NOT RUN: ${verdict.reason}; whether it works is not known`,
    );
    return verdict;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function main(): Promise<number> {
  const options = readArgs(Deno.args);
  const denort = await readDenort(Deno.env.get("DENORT_BIN"), options.arch);
  const { command, version } = compilerFor(denort);
  await build();
  for (const program of options.programs) {
    await make(program, { ...options, command, deno: denort?.version ?? version });
  }
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    if (error instanceof CommanderError) Deno.exit(error.exitCode === 0 ? 0 : 2);
    console.error(`compile: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
