/**
 * The server's own keys: one file each in `DATA/keys`, made on the first start, readable by their
 * owner only. They lie beside the records and never in them, so that a backup of these holds none.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { fromHex } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_JSON_BYTES } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { Instant, V1 } from "shared/protocol/common.ts";
import { ONLINE_ROLES, OnlineRole, PublicKeyHex } from "shared/protocol/signing.ts";
import type { KeyVault } from "../ports_metadata.ts";
import { SEED_BYTES, SigningKey } from "../trust/keys.ts";

/** One key as its file holds it. */
const KeyFile = z.object({
  v: V1,
  role: OnlineRole,
  public: PublicKeyHex,
  /** The seed, hex. */
  private: PublicKeyHex,
  createdAt: Instant,
});

interface Held {
  readonly role: OnlineRole;
  readonly createdAt: string;
  readonly key: SigningKey;
  readonly file: string;
}

/** Mode bits of everybody but the owner. */
const OTHERS = 0o077;

/**
 * Opens the folder of keys; makes it, and a key for each role that has none.
 *
 * @param folder Its path.
 * @param options The time, and the public keys that records say are there; `newKeys` makes up for
 * those that are not, until a new root names them.
 * @returns The vault.
 * @throws {UpdateFailure} `preconditionFailed` If others can read a key, one is damaged, or one is
 * missing.
 */
export async function openKeys(
  folder: string,
  options: {
    readonly now: () => number;
    readonly wanted: Readonly<Partial<Record<OnlineRole, string>>>;
    readonly newKeys: boolean;
  },
): Promise<KeyVault> {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  refuseOthers(folder, "700");
  const held: Held[] = [];
  for (const entry of Deno.readDirSync(folder)) {
    if (!entry.name.endsWith(".key")) continue; // A part of one that a crash left is no key.
    held.push(readKey(`${folder}/${entry.name}`));
  }
  const vault = new FolderVault(folder, held, options.now);
  for (const role of ONLINE_ROLES) {
    const wanted = options.wanted[role];
    const missing = wanted !== undefined && vault.byPublic(wanted) === undefined;
    if (missing && !options.newKeys) {
      throw new UpdateFailure(
        "preconditionFailed",
        "keys",
        `Cannot sign as ${role}: its key is not in "${folder}"; put it back there, or start once ` +
          `with --new-keys and sign a new root (ota keys fetch, root, sign, upload)`,
      );
    }
    if (vault.keys(role).length === 0) await vault.make(role);
  }
  return vault;
}

function refuseOthers(path: string, mode: string): void {
  const { mode: found } = Deno.statSync(path);
  if (found === null || (found & OTHERS) === 0) return;
  throw new UpdateFailure(
    "preconditionFailed",
    "keys",
    `Cannot use the keys in "${path}": others can read it (mode ${(found & 0o777).toString(8)}); ` +
      `chmod ${mode} it, and if others may have read it, renew the keys: ota keys renew`,
  );
}

function readKey(file: string): Held {
  refuseOthers(file, "600");
  let row: z.infer<typeof KeyFile>;
  try {
    row = parseJsonAs(KeyFile, Deno.readTextFileSync(file), {
      what: file,
      maxBytes: MAX_JSON_BYTES,
    });
  } catch {
    throw damaged(file); // Without the cause: it could quote the file.
  }
  const key = new SigningKey(fromHex(row.private));
  if (key.publicHex !== row.public) throw damaged(file);
  return { role: row.role, createdAt: row.createdAt, key, file };
}

function damaged(file: string): UpdateFailure {
  return new UpdateFailure(
    "preconditionFailed",
    "keys",
    `Cannot read the key "${file}": it is damaged; put back a copy, or move it away and start ` +
      `with --new-keys`,
  );
}

class FolderVault implements KeyVault {
  constructor(readonly folder: string, private held: readonly Held[], readonly now: () => number) {}

  keys(role: OnlineRole): readonly SigningKey[] {
    return this.held.filter((each) => each.role === role)
      .toSorted((a, b) => a.createdAt < b.createdAt ? 1 : -1)
      .map(({ key }) => key);
  }

  byPublic(publicHex: string): SigningKey | undefined {
    return this.held.find(({ key }) => key.publicHex === publicHex)?.key;
  }

  make(role: OnlineRole): Promise<SigningKey> {
    const seed = randomBytes(SEED_BYTES);
    const key = new SigningKey(seed);
    const latest = this.held.reduce((max, each) => Math.max(max, Date.parse(each.createdAt)), 0);
    // The newest by this, also where the clock went back or stood still.
    const createdAt = new Date(Math.max(this.now(), latest + 1)).toISOString();
    const file = `${this.folder}/${role.replace("/", "-")}-${key.keyId.slice(0, 16)}.key`;
    writeOwned(this.folder, file, {
      ...{ v: 1, role, public: key.publicHex, private: seed.toString("hex"), createdAt },
    });
    seed.fill(0);
    this.held = [...this.held, { role, createdAt, key, file }];
    return Promise.resolve(key);
  }

  keepOnly(role: OnlineRole, keyIds: readonly string[]): Promise<void> {
    const gone = this.held.filter((each) => each.role === role && !keyIds.includes(each.key.keyId));
    for (const { file } of gone) Deno.removeSync(file);
    this.held = this.held.filter((each) => !gone.includes(each));
    return Promise.resolve();
  }
}

/** Durable under its name when this returns; never readable by others, not even for a moment. */
function writeOwned(folder: string, path: string, value: unknown): void {
  const part = `${path}.new`;
  const file = Deno.openSync(part, { write: true, create: true, truncate: true, mode: 0o600 });
  try {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
  } finally {
    file.close();
  }
  Deno.renameSync(part, path);
  const dir = Deno.openSync(folder);
  dir.syncSync();
  dir.close();
}
