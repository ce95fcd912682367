/**
 * Metadata changed at random on its way: what the client trusts is what was signed, or it fails by
 * the catalogue; it never falls over.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { type Loose, NOW, TestRepository } from "./repository.ts";
import { outcome, TrustWorld } from "./world.ts";

const PATH = "ivi-rpi4/1.0.0";
const CONTENT = new TextEncoder().encode("image");
const FILES = ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"]
  .concat("1.carriers.json");

/** A repository with everything in it: a second root, a target, a delegation, a carrier. */
function repository(): TestRepository {
  const made = new TestRepository();
  made.delegate("targets", "carriers");
  made.target("targets", PATH, CONTENT, { v: 1, hardware: "ivi-rpi4", counter: 7 });
  made.target("carriers", "c0", CONTENT);
  made.hashes = false; // So that the signatures themselves are what is tried.
  made.rotate("snapshot");
  made.publish("root", "carriers", "targets");
  return made;
}

const HONEST = repository();

/** What a client that is given these files comes to. */
async function fed(files: ReadonlyMap<string, Uint8Array>) {
  const world = new TrustWorld();
  world.store.roles.clear();
  const client = world.client();
  client.begin(HONEST.files.get("1.root.json")!);
  world.repository.files.clear();
  for (const [name, bytes] of files) world.repository.files.set(name, bytes);
  let found: unknown[] = [];
  const failure = await outcome(async () => {
    await client.refresh(NOW);
    found = [await client.find(PATH), await client.find("c0")];
  });
  return { failure, found };
}

const TRUTH = await fed(HONEST.files);

Deno.test("the honest repository is trusted, so that the changes below mean something", () => {
  assertEquals(TRUTH.failure, "trusted");
  assertEquals((TRUTH.found[0] as { custom: unknown }).custom, {
    ...{ v: 1, hardware: "ivi-rpi4", counter: 7 },
  });
  for (const file of FILES) assert(HONEST.files.has(file), file);
});

/** Trusted means: the same was found as in the honest repository. */
async function judge(file: string, bytes: Uint8Array): Promise<string> {
  const { failure, found } = await fed(new Map([...HONEST.files, [file, bytes]]));
  if (failure === "trusted") assertEquals(found, TRUTH.found);
  return failure;
}

Deno.test("bytes flipped, cut out and put in anywhere never change what is trusted", async () => {
  const change = fc.record({
    file: fc.constantFrom(...FILES),
    at: fc.integer({ min: 0, max: 9999 }), // Of ten thousand parts.
    drop: fc.integer({ min: 0, max: 12 }),
    put: fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      // What often leaves the JSON whole.
      fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 1, maxLength: 3 })
        .map((digits) => new TextEncoder().encode(digits)),
    ),
    over: fc.boolean(),
  });
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(change, async ({ file, at, drop, put, over }) => {
      const bytes = HONEST.files.get(file)!;
      const from = Math.floor(at * bytes.length / 10_000);
      const changed = [
        ...bytes.subarray(0, from),
        ...put,
        ...bytes.subarray(from + (over ? put.length : drop)),
      ];
      const failure = await judge(file, new Uint8Array(changed));
      seen.set(failure, (seen.get(failure) ?? 0) + 1);
    }),
    { numRuns: 1500 },
  );
  assert((seen.get("metadataInvalid") ?? 0) > 50, "changes broke the JSON");
  assert((seen.get("metadataUnsigned") ?? 0) > 10, "changes left the JSON whole");
});

/** Every place in a document, as a list of keys. */
function places(value: Loose, path: readonly string[] = []): string[][] {
  if (value === null || typeof value !== "object") return [[...path]];
  return [
    [...path],
    ...Object.keys(value).flatMap((key) => places(value[key], [...path, key])),
  ];
}

/** A copy with one place replaced, or without it. */
function replaced(value: Loose, [key, ...rest]: readonly string[], put: Loose): Loose {
  if (key === undefined) return put;
  const copy = Array.isArray(value) ? [...value] : { ...value };
  if (rest.length > 0 || put !== undefined) copy[key] = replaced(value[key], rest, put);
  else if (Array.isArray(copy)) copy.splice(Number(key), 1);
  else delete copy[key];
  return copy;
}

const VALUES: readonly Loose[] = [
  ...[undefined, null, true, 0, -1, 1, 2, 99, 1.5, 1e300, "", "x", "__proto__", "constructor"],
  ...["../../etc/passwd", "\ud800", "0".repeat(64), [], [[]], ["x"], {}, { length: 0, hashes: {} }],
  ...["2030-12-31T00:00:00Z", { version: 1 }, { keyid: "x", sig: "00" }, "9".repeat(400)],
];

Deno.test("every field replaced by every odd value never changes what is trusted", async () => {
  const seen = new Map<string, number>();
  for (const file of FILES) {
    const document = JSON.parse(new TextDecoder().decode(HONEST.files.get(file)!));
    for (const place of places(document)) {
      for (const value of VALUES) {
        const text = JSON.stringify(replaced(document, place, value)) ?? "";
        const failure = await judge(file, new TextEncoder().encode(text));
        seen.set(failure, (seen.get(failure) ?? 0) + 1);
      }
    }
  }
  // Accepted are only changes of what nobody reads: another signature's place, the same value.
  const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
  assert(total > 3000, `${total} changes`);
  assert((seen.get("trusted") ?? 0) < total / 20, `${seen.get("trusted")} of ${total} trusted`);
});

Deno.test("files swapped, repeated and left out in any combination never change what is trusted", async () => {
  const names = [...HONEST.files.keys()];
  const shuffle = fc.array(
    fc.tuple(fc.constantFrom(...names), fc.option(fc.constantFrom(...names))),
    {
      maxLength: 4,
    },
  );
  await fc.assert(
    fc.asyncProperty(shuffle, async (changes) => {
      const files = new Map(HONEST.files);
      for (const [to, from] of changes) {
        if (from === null) files.delete(to);
        else files.set(to, HONEST.files.get(from)!);
      }
      const { failure, found } = await fed(files);
      if (failure === "trusted") assertEquals(found, TRUTH.found);
    }),
    { numRuns: 500 },
  );
});

/** A forger may sign with keys of his own, in whatever form; he is in nobody's list. */
Deno.test("metadata that a stranger made and signed himself is never trusted", async () => {
  const forger = repository();
  forger.target("targets", PATH, new TextEncoder().encode("malware"));
  forger.publish("targets", "carriers");
  for (const file of FILES) {
    for (const [name, bytes] of forger.files) {
      const failure = await judge(file, bytes);
      assert(failure !== "trusted", `${file} from ${name}`);
    }
  }
});
