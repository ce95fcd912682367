/**
 * The vehicle's TUF client with the command line of the public conformance suite
 * (theupdateframework/tuf-conformance, CLIENT-CLI.md), so that the suite runs against exactly the
 * code that the vehicle uses. Besides ed25519 it accepts RSA and ECDSA, as the suite asks for them.
 *
 * Usage: deno task tuf-client --metadata-dir DIR init TRUSTED_ROOT
 *        deno task tuf-client --metadata-dir DIR --metadata-url URL refresh
 *        deno task tuf-client --metadata-dir DIR --metadata-url URL --target-name PATH
 *          --target-base-url URL --target-dir DIR download
 *
 * Exit code 0 when it succeeded, 1 when not. `--target-name` may be repeated.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_IMAGE_BYTES } from "shared/limits.ts";
import { MetadataClient } from "shared/trust/client.ts";
import { checkFile, type SignedTarget } from "shared/trust/files.ts";
import { ALL_SCHEMES } from "shared/trust/keys.ts";
import { HttpMetadata } from "vehicle/adapters/metadata_http.ts";
import { MetadataFolder, replaceFile } from "./tuf_folder.ts";

const USAGE = `deno task tuf-client --metadata-dir DIR init TRUSTED_ROOT
deno task tuf-client --metadata-dir DIR --metadata-url URL refresh
deno task tuf-client --metadata-dir DIR --metadata-url URL --target-name PATH \\
  --target-base-url URL --target-dir DIR download`;

const LINE = { fetch, timeout: (ms: number) => AbortSignal.timeout(ms) };

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    "metadata-dir": { type: "string" },
    "metadata-url": { type: "string" },
    "target-name": { type: "string", multiple: true },
    "target-base-url": { type: "string" },
    "target-dir": { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});

if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
try {
  await run(positionals[0]);
} catch (error) {
  const name = error instanceof UpdateFailure ? error.failure : (error as Error).name;
  console.error(`${name}: ${(error as Error).message}`);
  Deno.exit(1);
}

async function run(command: string | undefined): Promise<void> {
  const store = new MetadataFolder(wanted("metadata-dir"));
  const url = command === "init" ? "http://localhost/" : wanted("metadata-url");
  const source = new HttpMetadata(url, { line: LINE });
  const client = new MetadataClient({ source, store }, { schemes: ALL_SCHEMES });
  if (command === "init") return client.begin(await Deno.readFile(positionals[1] ?? ""));
  if (command !== "refresh" && command !== "download") throw new Error(`usage:\n${USAGE}`);
  await client.refresh(Date.now()); // TUF 5.1
  if (command === "refresh") return;
  for (const path of values["target-name"] ?? []) {
    const target = await client.find(path);
    if (target === undefined) { // TUF 5.7.2
      throw new UpdateFailure(
        "targetUnproved",
        path,
        `Cannot fetch "${path}": nobody has signed it`,
      );
    }
    await download(target, client.trusted.root.consistentSnapshot);
  }
}

function wanted(option: Exclude<keyof typeof values, "help" | "target-name">): string {
  const value = values[option];
  if (value === undefined) throw new Error(`--${option} is missing; usage:\n${USAGE}`);
  return value;
}

/** TUF 5.7.3; a file that is there already and fits is not fetched again. */
async function download(target: SignedTarget, consistent: boolean): Promise<void> {
  const { path, hashes, length } = target;
  const file = `${wanted("target-dir")}/${encodeURIComponent(path)}`;
  if (holds(file, target)) return;
  const slash = path.lastIndexOf("/") + 1;
  const hash = hashes.sha256 ?? hashes.sha512;
  const name = consistent ? `${path.slice(0, slash)}${hash}.${path.slice(slash)}` : path;
  const source = new HttpMetadata(wanted("target-base-url"), { line: LINE });
  const encoded = name.split("/").map(encodeURIComponent).join("/");
  const bytes = await source.fetch(encoded, Math.min(length, MAX_IMAGE_BYTES));
  if (bytes === undefined) {
    throw new UpdateFailure("carrierMissing", path, `Cannot fetch "${path}": it is not there`);
  }
  checkFile(path, bytes, target);
  Deno.mkdirSync(wanted("target-dir"), { recursive: true });
  replaceFile(file, bytes);
}

function holds(file: string, target: SignedTarget): boolean {
  try {
    checkFile(file, Deno.readFileSync(file), target);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof UpdateFailure) return false;
    throw error;
  }
}
