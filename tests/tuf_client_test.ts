/**
 * The conformance command as a process, against a static repository over loopback that is made
 * with the models of tuf-js, not with our own code.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import {
  Key,
  Metadata,
  MetadataKind,
  MetaFile,
  Root,
  Signature,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from "@tufjs/models";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

const EXPIRES = "2099-01-01T00:00:00Z";
const SPEC = "1.0.31";
const PATH = "path/to a/target#1.txt";

/** Two kinds of keys, as other makers use them. */
function keyPair(id: string, kind: "ed25519" | "ec"): { key: Key; secret: KeyObject } {
  const pair = kind === "ec"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("ed25519");
  const pem = pair.publicKey.export({ type: "spki", format: "pem" }) as string;
  const { x } = pair.publicKey.export({ format: "jwk" });
  const hex = Buffer.from(x!, "base64url").toString("hex");
  const [keyType, scheme] = kind === "ec"
    ? ["ecdsa", "ecdsa-sha2-nistp256"]
    : ["ed25519", "ed25519"];
  const keyVal = { public: kind === "ec" ? pem : hex };
  return { key: new Key({ keyID: id, keyType, scheme, keyVal }), secret: pair.privateKey };
}

const KEYS = { root: keyPair("k1", "ec"), online: keyPair("k2", "ed25519") };

function signed(part: Root | Timestamp | Snapshot | Targets): Uint8Array<ArrayBuffer> {
  const metadata = new Metadata(part);
  const [id, { secret }] = part instanceof Root ? ["k1", KEYS.root] : ["k2", KEYS.online];
  const hash = part instanceof Root ? "sha256" : null;
  metadata.sign((bytes) =>
    new Signature({ keyID: id, sig: sign(hash, bytes, secret).toString("hex") })
  );
  return new TextEncoder().encode(JSON.stringify(metadata.toJSON()));
}

/** The files of a repository that holds one target, by URL path. */
function files(version: number, content: Uint8Array): Map<string, Uint8Array<ArrayBuffer>> {
  const frame = { specVersion: SPEC, expires: EXPIRES, version };
  const root = new Root({ ...frame, version: 1, consistentSnapshot: true });
  root.addKey(KEYS.root.key, "root");
  for (const role of ["timestamp", "snapshot", "targets"]) root.addKey(KEYS.online.key, role);
  const sha256 = createHash("sha256").update(content).digest("hex");
  const targets = new Targets(frame);
  targets.addTarget(new TargetFile({ path: PATH, length: content.length, hashes: { sha256 } }));
  const targetsBytes = signed(targets);
  const hashes = { sha256: createHash("sha256").update(targetsBytes).digest("hex") };
  const meta = { "targets.json": new MetaFile({ version, length: targetsBytes.length, hashes }) };
  const timestamp = new Timestamp({ ...frame, snapshotMeta: new MetaFile({ version }) });
  return new Map([
    ["/metadata/1.root.json", signed(root)],
    ["/metadata/timestamp.json", signed(timestamp)],
    [`/metadata/${version}.snapshot.json`, signed(new Snapshot({ ...frame, meta }))],
    [`/metadata/${version}.targets.json`, targetsBytes],
    [`/targets/path/to%20a/${sha256}.target%231.txt`, new Uint8Array(content)],
  ]);
}

interface CommandWorld {
  readonly served: Map<string, Uint8Array<ArrayBuffer>>;
  readonly asked: string[];
  readonly folder: string;
  run(...args: string[]): Promise<{ readonly code: number; readonly stderr: string }>;
}

async function withCommand(use: (world: CommandWorld) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const served = new Map<string, Uint8Array<ArrayBuffer>>();
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    const bytes = served.get(pathname);
    return bytes === undefined ? new Response(null, { status: 404 }) : new Response(bytes);
  });
  const base = `http://127.0.0.1:${server.addr.port}`;
  const run = async (...args: string[]) => {
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--quiet", "scripts/tuf_client.ts"],
        ...["--metadata-dir", `${folder}/metadata`, "--metadata-url", `${base}/metadata`],
        ...["--target-dir", `${folder}/targets`, "--target-base-url", `${base}/targets`],
        ...args,
      ],
      stdin: "null",
    });
    const { code, stderr } = await command.output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  };
  try {
    await use({ served, asked, folder, run });
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

function serve(world: CommandWorld, next: Map<string, Uint8Array<ArrayBuffer>>): void {
  for (const [path, bytes] of next) world.served.set(path, bytes);
}

async function init(world: CommandWorld): Promise<void> {
  serve(world, files(1, new TextEncoder().encode("one")));
  const root = `${world.folder}/initial_root.json`;
  await Deno.writeFile(root, world.served.get("/metadata/1.root.json")!);
  assertEquals((await world.run("init", root)).code, 0);
  assertEquals(world.asked, []);
}

/** The files of a folder by name; none if it is not there. */
async function found(folder: string): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  try {
    for await (const { name } of Deno.readDir(folder)) {
      all[name] = await Deno.readTextFile(`${folder}/${name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return all;
}

Deno.test("tuf-client: init, refresh and download store what the repository signed, and nothing twice", async () => {
  await withCommand(async (world) => {
    await init(world);
    assertEquals((await world.run("refresh")).code, 0);
    const metadata = await found(`${world.folder}/metadata`);
    const names = ["root.json", "snapshot.json", "targets.json", "timestamp.json"];
    assertEquals(Object.keys(metadata).toSorted(), names);
    const timestamp = world.served.get("/metadata/timestamp.json")!;
    assertEquals(metadata["timestamp.json"], new TextDecoder().decode(timestamp));
    const parsed = JSON.parse(metadata["targets.json"]!);
    assert(Metadata.fromJSON(MetadataKind.Targets, parsed).signed.targets[PATH] !== undefined);

    assertEquals((await world.run("--target-name", PATH, "download")).code, 0);
    assertEquals((await world.run("--target-name", PATH, "download")).code, 0);
    assertEquals(await found(`${world.folder}/targets`), { [encodeURIComponent(PATH)]: "one" });
    assertEquals(world.asked.filter((path) => path.startsWith("/targets/")).length, 1);

    serve(world, files(2, new TextEncoder().encode("two")));
    assertEquals((await world.run("--target-name", PATH, "download")).code, 0);
    assertEquals(await found(`${world.folder}/targets`), { [encodeURIComponent(PATH)]: "two" });
  });
});

Deno.test("tuf-client: what is forged, older or missing ends with 1, its name, and everything as it was", async () => {
  await withCommand(async (world) => {
    await init(world);
    serve(world, files(2, new TextEncoder().encode("two")));
    assertEquals((await world.run("--target-name", PATH, "download")).code, 0);
    const before = await found(`${world.folder}/metadata`);
    const refused = async (name: string, ...args: string[]) => {
      const { code, stderr } = await world.run(...args);
      assertEquals(code, 1, stderr);
      assert(stderr.startsWith(`${name}: Cannot `), stderr);
      assertEquals(await found(`${world.folder}/metadata`), before);
      assertEquals(await found(`${world.folder}/targets`), { [encodeURIComponent(PATH)]: "two" });
    };
    serve(world, files(1, new TextEncoder().encode("one")));
    await refused("metadataRollback", "refresh");
    const whole = new TextDecoder().decode(world.served.get("/metadata/timestamp.json"));
    const forged = new TextEncoder().encode(whole.replace('"version":1', '"version":9'));
    world.served.set("/metadata/timestamp.json", forged);
    await refused("metadataUnsigned", "refresh");
    world.served.delete("/metadata/timestamp.json");
    await refused("metadataMissing", "refresh");
    serve(world, files(2, new TextEncoder().encode("two")));
    await refused("targetUnproved", "--target-name", "no such target", "download");
  });
});

Deno.test("tuf-client: a target that is not what was signed is not stored", async () => {
  await withCommand(async (world) => {
    await init(world);
    const [path] = [...world.served.keys()].filter((key) => key.startsWith("/targets/"));
    for (
      const [content, name] of [["onE", "metadataMixed"], ["one and more", "metadataTooLarge"]]
    ) {
      world.served.set(path!, new TextEncoder().encode(content));
      const { code, stderr } = await world.run("--target-name", PATH, "download");
      assertEquals([code, stderr.split(":")[0]], [1, name]);
      assertEquals(await found(`${world.folder}/targets`), {});
    }
  });
});

Deno.test("tuf-client: without a root, or without what it needs to know, it ends with 1", async () => {
  await withCommand(async (world) => {
    const { code, stderr } = await world.run("refresh");
    assertEquals([code, stderr.split(":")[0], world.asked], [1, "trustLost", []]);
    assertEquals((await world.run("conquer")).code, 1);
    assertEquals((await world.run("--help")).code, 0);
  });
});
