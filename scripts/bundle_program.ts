/**
 * Bundles a program for `deno compile`: unbundled, all of `node_modules` would go in.
 *
 * @module
 */
import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Libraries written for Node ask for `require` and for built-in modules by their bare names. */
const REQUIRE = 'import { createRequire as makeRequire } from "node:module";\n' +
  "const require = makeRequire(import.meta.url);";

/**
 * Bundles an entry and everything it imports. What it imports with `import()` becomes a file of
 * its own, read when it is needed.
 *
 * @param entry Its path in the repository.
 * @param outDir Where to.
 * @returns The path of the bundled entry.
 * @throws {Error} If a source does not compile.
 */
export async function bundleProgram(entry: string, outDir: string): Promise<string> {
  const builtins = builtinModules.filter((name) => !name.startsWith("_") && !name.includes(":"));
  const homes = ["shared", "server", "vehicle"].map((home) => [home, `${ROOT}${home}`]);
  try {
    await esbuild.build({
      entryPoints: [`${ROOT}${entry}`],
      absWorkingDir: ROOT,
      outdir: outDir,
      bundle: true,
      splitting: true,
      platform: "node",
      format: "esm",
      target: "es2023",
      outExtension: { ".js": ".mjs" },
      inject: [`${ROOT}scripts/bundle_node.ts`],
      banner: { js: REQUIRE },
      alias: {
        ...Object.fromEntries(builtins.map((name) => [name, `node:${name}`])),
        ...Object.fromEntries(homes),
        "@std": "deno-std",
      },
      // In a bundle every module seems to be the main one; here only the entry is.
      define: { "import.meta.main": "false", "process.env": "libraryEnvironment" },
      logLevel: "silent",
    });
  } catch (cause) {
    throw new Error(`Cannot bundle ${entry}: ${(cause as Error).message}`, { cause });
  } finally {
    await esbuild.stop();
  }
  return `${outDir}/${entry.slice(entry.lastIndexOf("/") + 1).replace(/\.ts$/, ".mjs")}`;
}
