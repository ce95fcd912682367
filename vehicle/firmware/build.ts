/**
 * Builds the sample firmware: each image one ES module without imports. The same sources
 * give the same bytes.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { fileURLToPath } from "node:url";
import { dataTable, FIRMWARE_NAMES, type FirmwareName } from "./data_table.ts";
import { type Fault, FAULTS } from "./faulty.ts";

/** The versions that are built of each. */
export const VERSIONS = ["1.0.0", "1.1.0", "1.2.0"] as const;
/** The version that faulty images are built as. */
const FAULTY_VERSION = "1.3.0";

const FOLDER = fileURLToPath(new URL("./", import.meta.url));
const SHARED = fileURLToPath(new URL("../../shared", import.meta.url));

/** What is built. */
export interface BuildSpec {
  /** Baked in; the table follows its second number. */
  readonly version: string;
  /** Makes an image that fails in this way. */
  readonly fault?: Fault;
}

/**
 * Builds `{ivi,cluster,body}-{1.0.0,1.1.0,1.2.0}.bin` and `faulty-{kind}.bin`.
 *
 * @param outDir Where to; made if it is missing.
 * @throws {Error} If a source does not compile.
 */
export async function buildFirmware(outDir: string): Promise<void> {
  await Deno.mkdir(outDir, { recursive: true });
  await withEsbuild(async () => {
    for (const name of FIRMWARE_NAMES) {
      for (const version of VERSIONS) {
        await Deno.writeFile(`${outDir}/${name}-${version}.bin`, await bundle(name, { version }));
      }
    }
    for (const fault of FAULTS) {
      const image = await bundle("body", { version: FAULTY_VERSION, fault });
      await Deno.writeFile(`${outDir}/faulty-${fault}.bin`, image);
    }
  });
}

/**
 * Builds one image.
 *
 * @param hardware Which ECU it is for.
 * @param spec Its version, and the fault it shall have.
 * @returns The image.
 * @throws {Error} If a source does not compile.
 */
export async function buildOne(
  hardware: FirmwareName,
  spec: BuildSpec,
): Promise<Uint8Array<ArrayBuffer>> {
  return await withEsbuild(() => bundle(hardware, spec));
}

/** Builds under way; the last one stops esbuild's process. */
let building = 0;

async function withEsbuild<T>(build: () => Promise<T>): Promise<T> {
  building++;
  try {
    return await build();
  } finally {
    if (--building === 0) await esbuild.stop();
  }
}

async function bundle(name: FirmwareName, spec: BuildSpec): Promise<Uint8Array<ArrayBuffer>> {
  const { fault, version } = spec;
  const build = JSON.stringify(dataTable(name, version));
  const contents = fault === undefined
    ? `import { main } from "./${name}.ts";\nmain(${build});\n`
    : `import { main } from "./faulty.ts";\nmain(${JSON.stringify(fault)});\n`;
  const result = await esbuild.build({
    stdin: { contents, resolveDir: FOLDER, sourcefile: `${name}-entry.ts`, loader: "ts" },
    absWorkingDir: FOLDER,
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    charset: "ascii",
    legalComments: "none",
    logLevel: "silent",
    alias: { shared: SHARED },
    banner: { js: banner(name, spec) },
    footer: fault === "syntax" ? { js: "const = ;" } : {},
  });
  const [file] = result.outputFiles;
  return Uint8Array.from(file?.contents ?? []);
}

/** The first lines of an image: what it is, for a person with an editor. */
function banner(name: FirmwareName, { version, fault }: BuildSpec): string {
  const title = `// ${fault === undefined ? name : `faulty (${fault})`} ${version}`;
  if (fault !== "import") return title;
  return `${title}\nimport secret from "file:///etc/passwd" with { type: "text" };`;
}
