/**
 * The tools that make differences, and ours, each run as a process of its own the way its users
 * run it.
 *
 * @module
 */
import { type Cost, measured, versionOf } from "./measure.ts";

/** The files of one run. */
export interface Files {
  readonly old: string;
  readonly new: string;
  readonly patch: string;
  readonly out: string;
}

/** A way from one image to another. */
export interface Tool {
  readonly name: string;
  /** What it says of itself; `null` if it is not there. */
  version(): Promise<string | null>;
  make(files: Files): Promise<Cost>;
  apply(files: Files): Promise<Cost>;
}

/** The flags that `deno task ota` sets. */
export const OTA_FLAGS = "--v8-flags=--max-semi-space-size=1,--expose-gc";

/** The flags that `deno task vehicle` sets. */
export const VEHICLE_FLAGS = `${OTA_FLAGS},--no-turbofan`;

const CLI = new URL("../../server/cli/main.ts", import.meta.url).pathname;

function ota(...args: string[]): Promise<Cost> {
  return measured(Deno.execPath(), ["run", "-A", "--quiet", OTA_FLAGS, CLI, ...args]);
}

/** Ours. */
export const CONTAINER: Tool = {
  name: "container",
  version: () => Promise.resolve(`Deno ${Deno.version.deno}`),
  make: (files) => ota("delta", files.old, files.new, files.patch),
  apply: (files) => ota("patch", files.old, files.patch, files.out),
};

/** A window as large as the image: without it `zstd` and `xdelta3` do not see the old image. */
const LONG = "--long=31";

/** The one that all are compared with. */
export const BSDIFF: Tool = {
  name: "bsdiff",
  version: async () => await versionOf("bsdiff", []) === null ? null : "bsdiff 4.3",
  make: (files) => measured("bsdiff", [files.old, files.new, files.patch]),
  apply: (files) => measured("bspatch", [files.old, files.out, files.patch]),
};

/** The others. */
export const PEERS: readonly Tool[] = [
  {
    name: "xdelta3 -9",
    version: () => versionOf("xdelta3", ["-V"]),
    make: (files) => {
      const window = ["-B", String(2 ** 30)];
      return measured("xdelta3", [
        "-e",
        "-9",
        ...window,
        "-f",
        "-s",
        files.old,
        files.new,
        files.patch,
      ]);
    },
    apply: (files) =>
      measured("xdelta3", [
        ...["-d", "-B", String(2 ** 30), "-f", "-s", files.old, files.patch, files.out],
      ]),
  },
  {
    name: "zstd -19 --patch-from",
    version: () => versionOf("zstd", ["--version"]),
    make: (files) =>
      measured("zstd", [
        ...["-q", "-f", "-19", LONG, `--patch-from=${files.old}`, files.new, "-o", files.patch],
      ]),
    apply: (files) =>
      measured("zstd", [
        ...["-q", "-f", "-d", LONG, `--patch-from=${files.old}`, files.patch, "-o", files.out],
      ]),
  },
  {
    name: "zstd -19",
    version: () => versionOf("zstd", ["--version"]),
    make: (files) => measured("zstd", ["-q", "-f", "-19", files.new, "-o", files.patch]),
    apply: (files) => measured("zstd", ["-q", "-f", "-d", files.patch, "-o", files.out]),
  },
  {
    name: "HDiffPatch",
    version: () => versionOf("hdiffz", ["-v"]),
    make: (files) =>
      measured("hdiffz", ["-m", "-c-lzma2-9", "-f", files.old, files.new, files.patch]),
    apply: (files) => measured("hpatchz", ["-f", files.old, files.patch, files.out]),
  },
];
