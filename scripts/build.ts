/**
 * Builds what the two servers hand to browsers, and the sample firmware:
 * `dist/hmi` (head unit), `dist/board` (notice board), `dist/firmware`.
 *
 * Usage: deno task build [--force]
 *
 * Skips at once when nothing changed since the last build. May run twice at the
 * same moment: a lock file lets one build and the other wait, and a folder is
 * replaced whole, so that a server never serves half of one.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const DIST = `${ROOT}dist`;
/** Everything that can change the output; the lock file stands for the libraries. */
const INPUTS = ["hmi", "shared", "vehicle/firmware", "scripts/build.ts", "deno.json", "deno.lock"];
const FIRMWARE_BUILD = `${ROOT}vehicle/firmware/build.ts`;

/** The pages: their folder in `hmi`, and in `dist`. */
const PAGES = [
  { name: "hmi", source: `${ROOT}hmi/` },
  { name: "board", source: `${ROOT}hmi/board/` },
] as const;

/**
 * Builds the browser pages and the sample firmware into `dist/`.
 *
 * @param options `force`: also when nothing changed.
 * @returns Whether anything was built.
 * @throws {Error} If a source does not compile; `dist/` is then left as it was.
 */
export async function build(options: { readonly force?: boolean } = {}): Promise<boolean> {
  await Deno.mkdir(DIST, { recursive: true });
  const lock = await Deno.open(`${DIST}/.lock`, { create: true, write: true });
  try {
    await lock.lock(true);
    const stamp = await inputDigest();
    if (!options.force && await isFresh(stamp)) return false;
    await sweep();
    await buildAll();
    await Deno.writeTextFile(`${DIST}/.stamp`, stamp);
    return true;
  } finally {
    lock.close(); // Frees the lock as well.
  }
}

/** What a build that was killed left behind; the lock says that no other one is at work. */
async function sweep(): Promise<void> {
  for await (const entry of Deno.readDir(DIST)) {
    if (!entry.name.startsWith(".build-")) continue;
    await Deno.remove(`${DIST}/${entry.name}`, { recursive: true });
  }
}

async function buildAll(): Promise<void> {
  const temporary = await Deno.makeTempDir({ dir: DIST, prefix: ".build-" });
  try {
    for (const page of PAGES) await buildPage(page, `${temporary}/${page.name}`);
    const made: string[] = PAGES.map((page) => page.name);
    if (await exists(FIRMWARE_BUILD)) {
      const { buildFirmware } = await import(`file://${FIRMWARE_BUILD}`) as {
        buildFirmware(outDir: string): Promise<void>;
      };
      await Deno.mkdir(`${temporary}/firmware`);
      await buildFirmware(`${temporary}/firmware`);
      made.push("firmware");
    }
    for (const name of made) await replaceFolder(`${temporary}/${name}`, `${DIST}/${name}`);
  } finally {
    await esbuild.stop();
    await Deno.remove(temporary, { recursive: true });
  }
}

/** One page: script, style and, for the board, the worker that hashes; then its index.html. */
async function buildPage(page: typeof PAGES[number], out: string): Promise<void> {
  await Deno.mkdir(`${out}/assets`, { recursive: true });
  const define: Record<string, string> = {};
  if (page.name === "board") {
    const worker = await bundle(`${page.source}hash_worker.ts`, out, {});
    define.HASH_WORKER_URL = JSON.stringify(worker);
  }
  const script = await bundle(`${page.source}main.tsx`, out, define);
  const style = await bundle(`${page.source}style.css`, out, {});
  const html = await Deno.readTextFile(`${page.source}index.html`);
  await Deno.writeTextFile(
    `${out}/index.html`,
    html.replace('src="main.tsx"', `src="${script}"`).replace(
      'href="style.css"',
      `href="${style}"`,
    ),
  );
}

/** Bundles one entry and answers its URL, which carries a hash of the content. */
async function bundle(
  entry: string,
  out: string,
  define: Record<string, string>,
): Promise<string> {
  const result = await esbuild.build({
    entryPoints: [entry],
    absWorkingDir: ROOT,
    outdir: `${out}/assets`,
    entryNames: "[name]-[hash]",
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    logLevel: "silent",
    jsx: "automatic",
    jsxImportSource: "preact",
    alias: { shared: `${ROOT}shared`, hmi: `${ROOT}hmi` },
    define,
    metafile: true,
  }).catch((cause: Error) => {
    throw new Error(`Cannot bundle ${entry.slice(ROOT.length)}: ${cause.message}`, { cause });
  });
  const inputs = Object.keys(result.metafile.inputs);
  const stray = inputs.find((path) => /node_modules\/(.*\/)?zod\/|^shared\/node\//.test(path));
  if (stray !== undefined) {
    throw new Error(`Cannot bundle ${entry.slice(ROOT.length)}: found ${stray}, not for browsers`);
  }
  const [file] = Object.keys(result.metafile.outputs);
  return `/assets/${file!.slice(file!.lastIndexOf("/") + 1)}`;
}

/** A folder cannot be renamed over a full one: the old one steps aside first. */
async function replaceFolder(source: string, target: string): Promise<void> {
  // An index names its files by their content: the same index is the same page, and the
  // folder that a running server reads from stays untouched.
  const index = await Deno.readTextFile(`${source}/index.html`).catch(() => null);
  const present = await Deno.readTextFile(`${target}/index.html`).catch(() => null);
  if (index !== null && index === present) return;
  const aside = `${source}.old`;
  if (await exists(target)) await Deno.rename(target, aside);
  await Deno.rename(source, target);
}

async function isFresh(stamp: string): Promise<boolean> {
  const present = await Deno.readTextFile(`${DIST}/.stamp`).catch(() => "");
  if (present !== stamp) return false;
  for (const page of PAGES) if (!await exists(`${DIST}/${page.name}/index.html`)) return false;
  return await exists(`${DIST}/firmware`) || !await exists(FIRMWARE_BUILD);
}

async function inputDigest(): Promise<string> {
  const hash = createHash("sha256");
  for (const input of INPUTS) {
    for (const file of await filesBelow(`${ROOT}${input}`)) {
      const bytes = await Deno.readFile(file);
      hash.update(`${file.slice(ROOT.length)}\0${bytes.length}\0`).update(bytes);
    }
  }
  return hash.digest("hex");
}

/** A file itself, or every file below a folder, in a fixed order; tests change no output. */
async function filesBelow(path: string): Promise<string[]> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (info === undefined) return [];
  if (info.isFile) return /_test\.tsx?$/.test(path) ? [] : [path];
  const names: string[] = [];
  for await (const entry of Deno.readDir(path)) names.push(entry.name);
  const files: string[] = [];
  for (const name of names.sort()) files.push(...await filesBelow(`${path}/${name}`));
  return files;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

if (import.meta.main) {
  const started = performance.now();
  try {
    const built = await build({ force: Deno.args.includes("--force") });
    const took = `${Math.round(performance.now() - started)} ms`;
    console.error(built ? `build: dist is ready (${took})` : `build: nothing changed (${took})`);
  } catch (error) {
    console.error(`build: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
