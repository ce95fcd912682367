/**
 * Which test files there are, and which of the two runs of the suite each belongs to. Both runs get
 * files by their names: given folders, Deno runs again what lies in a folder within a folder,
 * whatever `--ignore` says.
 *
 * @module
 */

/** Folders and files whose tests get no permission at all. */
export const PURE: readonly string[] = [
  "shared",
  "vehicle/bootloader",
  "vehicle/bus",
  "vehicle/ecu",
  "vehicle/gateway",
  "vehicle/storage",
  "tests/sim",
  "tests/vehicle_world_test.ts",
];

/** Made by programs, or not ours. */
const NOT_OURS = /^(node_modules|dist|coverage|\..*)$/;
/** What `deno test` takes for a test when it is given a folder. */
const TEST_NAME = /(^|_|\.)test\.(ts|tsx|mts|js|mjs|jsx)$/;
const MODULE_NAME = /\.tsx?$/;
/** An example in a comment: `deno test --doc` runs it. */
const EXAMPLE = /^ *\* ```tsx?$/m;

/** The files of each run; paths from the root, with `/`. */
export interface Runs {
  /** Without any permission. */
  readonly pure: readonly string[];
  /** Modules of the pure folders with examples in their comments. */
  readonly examples: readonly string[];
  /** With files, sockets and processes. */
  readonly io: readonly string[];
}

/**
 * Lists every test file once.
 *
 * @param root The folder of the repository, ending with `/`.
 * @returns The files of each run, in alphabetical order.
 */
export async function testRuns(root: string): Promise<Runs> {
  const modules: string[] = [];
  await collect(root, "", modules);
  modules.sort();
  const tests = modules.filter((path) => TEST_NAME.test(path.split("/").at(-1)!));
  const examples: string[] = [];
  for (const path of modules) {
    if (!isPure(path) || tests.includes(path) || !MODULE_NAME.test(path)) continue;
    if (EXAMPLE.test(await Deno.readTextFile(root + path))) examples.push(path);
  }
  return { pure: tests.filter(isPure), examples, io: tests.filter((path) => !isPure(path)) };
}

function isPure(path: string): boolean {
  return PURE.some((place) => path === place || path.startsWith(`${place}/`));
}

async function collect(root: string, folder: string, into: string[]): Promise<void> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(root + folder)) {
    if (isDirectory && !NOT_OURS.test(name)) await collect(root, `${folder}${name}/`, into);
    if (isFile && /\.[mc]?[tj]sx?$/.test(name)) into.push(folder + name);
  }
}
