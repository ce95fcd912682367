/**
 * Runs a compiled program with `--self-test` and compares its answer.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";

/** A self-test takes three seconds, under an emulator a minute. */
const PATIENCE_MS = 300_000;
const LINKER = { x86_64: "/lib64/ld-linux-x86-64.so.2", aarch64: "/lib/ld-linux-aarch64.so.1" };
const SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Where cross compilers keep the libraries of the other processor. */
const CROSS_LIBRARIES = "/usr/aarch64-linux-gnu";

/** How a self-test ended. */
export type Verdict =
  | { readonly kind: "ok"; readonly seconds: number; readonly how: string }
  | { readonly kind: "failed"; readonly reason: string }
  /** It could not be run on this machine. */
  | { readonly kind: "notRun"; readonly reason: string };

/** How programs of a processor are run here. */
export type Emulator =
  | { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> }
  /** Why they cannot be. */
  | { readonly missing: string };

/**
 * How programs of a processor are run on this machine: by the kernel, which may know an emulator
 * (binfmt_misc), or by qemu.
 *
 * @param arch The processor.
 * @returns The way, or what is missing.
 */
export function emulatorOf(arch: "x86_64" | "aarch64"): Emulator {
  if (arch === Deno.build.arch) return { argv: [], env: {} };
  const name = `qemu-${arch}`;
  const env: Record<string, string> = {};
  if (!isFile(LINKER[arch])) {
    if (!isFile(`${CROSS_LIBRARIES}${LINKER[arch]}`)) {
      return { missing: `its libraries are missing (Debian: libc6:${debianArch(arch)})` };
    }
    env.QEMU_LD_PREFIX = CROSS_LIBRARIES;
  }
  if (isFile(`/proc/sys/fs/binfmt_misc/${name}`)) return { argv: [], env };
  const programs = SEARCHED.split(":").flatMap((
    dir,
  ) => [`${dir}/${name}-static`, `${dir}/${name}`]);
  const program = programs.find(isFile);
  if (program === undefined) return { missing: `there is no ${name}-static` };
  return { argv: [program], env };
}

function debianArch(arch: "x86_64" | "aarch64"): string {
  return arch === "aarch64" ? "arm64" : "amd64";
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false; // Missing, or not to be looked at: not there for us.
  }
}

/**
 * Runs a program's self-test, with an empty environment, in a folder of its own.
 *
 * @param program Its path.
 * @param wanted What the answer must hold.
 * @param emulator How it is run.
 * @returns How that went.
 */
export async function verify(
  program: string,
  wanted: Readonly<Record<string, unknown>>,
  emulator: Emulator,
): Promise<Verdict> {
  if ("missing" in emulator) return { kind: "notRun", reason: emulator.missing };
  const [command = "", ...args] = [
    ...[...emulator.argv, program, "--self-test"],
    ...emulator.argv, // For what the program starts of itself.
  ];
  const startedAt = performance.now();
  const cwd = await Deno.makeTempDir({ prefix: "compiled-" });
  try {
    const { code, signal, stdout, stderr } = await new Deno.Command(command, {
      args,
      cwd,
      clearEnv: true,
      env: { PATH: SEARCHED, ...emulator.env },
      stdin: "null",
      signal: AbortSignal.timeout(PATIENCE_MS),
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    if (code !== 0) {
      const how = signal === null ? `code ${code}` : signal;
      return { kind: "failed", reason: `its self-test ended with ${how}: ${text(stderr)}` };
    }
    const difference = differenceOf(text(stdout), wanted);
    if (difference !== undefined) return { kind: "failed", reason: difference };
    const seconds = (performance.now() - startedAt) / 1000;
    const how = command === program ? "" : `, under ${command}`;
    return { kind: "ok", seconds, how };
  } catch (error) {
    return { kind: "failed", reason: `it does not start: ${(error as Error).message}` };
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

/** What is wrong with an answer, or `undefined`. */
function differenceOf(
  answer: string,
  wanted: Readonly<Record<string, unknown>>,
): string | undefined {
  let found: Record<string, unknown>;
  try {
    found = JSON.parse(answer);
  } catch {
    return `its self-test answered no JSON: "${answer.slice(0, 200)}"`;
  }
  for (const [key, value] of Object.entries(wanted)) {
    try {
      deepStrictEqual(found[key], value);
    } catch {
      const [is, must] = [found[key], value].map((each) => JSON.stringify(each));
      return `its self-test answered ${key} ${is}, wanted ${must}`;
    }
  }
  return undefined;
}
