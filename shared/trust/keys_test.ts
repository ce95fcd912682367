/** @module */
import { assertEquals } from "@std/assert/mod.js";
import { constants, generateKeyPairSync, sign } from "node:crypto";
import { canonicalize } from "@tufjs/canonical-json";
import { MAX_ROLE_KEYS } from "../limits.ts";
import { type MetadataDocument, readDocument } from "./document.ts";
import { ALL_SCHEMES, checkSigned, PRODUCT_SCHEMES, readRoleKeys, type Scheme } from "./keys.ts";
import { bytesOf, type Loose, TestKey } from "../../tests/trust/repository.ts";
import { outcome } from "../../tests/trust/world.ts";

const SIGNED = {
  _type: "targets",
  spec_version: "1.0.34",
  version: 1,
  expires: "2030-01-01T00:00:00Z",
  targets: {},
};

function document(signatures: Record<string, string>, signed: Loose = SIGNED): MetadataDocument {
  const list = Object.entries(signatures).map(([keyid, sig]) => ({ keyid, sig }));
  return readDocument(bytesOf({ signatures: list, signed }), {
    ...{ name: "targets", type: "targets", maxBytes: 100_000 },
  });
}

interface Case {
  readonly keys: Loose;
  readonly keyids?: readonly string[];
  readonly threshold?: number;
  readonly signatures: Record<string, string>;
  readonly schemes?: readonly Scheme[];
  readonly signed?: Loose;
}

function judged(
  {
    keys,
    keyids = Object.keys(keys),
    threshold = 1,
    signatures,
    schemes = PRODUCT_SCHEMES,
    signed,
  }: Case,
): Promise<string> {
  return outcome(() => {
    const role = readRoleKeys("targets", { keyids, threshold }, keys);
    checkSigned(document(signatures, signed), role, { schemes, delegator: "root 1" });
  });
}

const [A, B, C] = [new TestKey(), new TestKey(), new TestKey()];
const KEYS = { a: A!.json(), b: B!.json(), c: C!.json() };

Deno.test("checkSigned() counts keys up to the threshold, and passes over wrong signatures", async () => {
  const [a, b] = [A!.sign(SIGNED), B!.sign(SIGNED)];
  const asked = { keys: KEYS, threshold: 2 };
  assertEquals(await judged({ ...asked, signatures: { a, b } }), "trusted");
  assertEquals(await judged({ ...asked, signatures: { a } }), "metadataUnsigned");
  assertEquals(await judged({ ...asked, signatures: { a, b: a, c: b } }), "metadataUnsigned");
  assertEquals(await judged({ ...asked, signatures: { a, c: "", b } }), "trusted");
  assertEquals(await judged({ ...asked, keyids: ["a"], signatures: { a, b } }), "metadataUnsigned");
  assertEquals(
    await judged({ ...asked, keyids: ["a", "gone"], signatures: { a, gone: b } }),
    "metadataUnsigned",
  );
});

Deno.test("checkSigned() counts a key once, by whatever ids it is listed", async () => {
  const a = A!.sign(SIGNED);
  const upper = { ...A!.json(), keyval: { public: A!.public.toUpperCase() } };
  const keys = { a: A!.json(), b: A!.json(), c: upper };
  assertEquals(
    await judged({ keys, threshold: 2, signatures: { a, b: a, c: a } }),
    "metadataUnsigned",
  );
  assertEquals(await judged({ keys, threshold: 1, signatures: { b: a } }), "trusted");
});

Deno.test("checkSigned() verifies what came, fields that nobody knows included", async () => {
  const signed = { ...SIGNED, "x-new": { list: [1, "\u{1F697}", null] } };
  const a = A!.sign(signed);
  assertEquals(await judged({ keys: KEYS, signatures: { a }, signed }), "trusted");
  assertEquals(await judged({ keys: KEYS, signatures: { a } }), "metadataUnsigned");
  const changed = { ...signed, "x-new": { list: [1, "\u{1F697}"] } };
  assertEquals(
    await judged({ keys: KEYS, signatures: { a }, signed: changed }),
    "metadataUnsigned",
  );
});

Deno.test("checkSigned() takes no signature that is written otherwise", async () => {
  const a = A!.sign(SIGNED);
  for (
    const sig of [`${a}00`, `${a}zz`, a.slice(2), ` ${a}`, `${a.slice(0, -1)}`, "", "0".repeat(128)]
  ) {
    assertEquals(await judged({ keys: KEYS, signatures: { a: sig } }), "metadataUnsigned", sig);
  }
});

Deno.test("readRoleKeys() refuses thresholds that are none, and key ids that come twice", async () => {
  const a = A!.sign(SIGNED);
  for (const threshold of [0, -1, 1.5, NaN, Infinity, "1", null, undefined]) {
    const role = { keyids: ["a"], ...threshold === undefined ? {} : { threshold } } as Loose;
    assertEquals(await outcome(() => readRoleKeys("targets", role, KEYS)), "metadataInvalid");
  }
  assertEquals(
    await judged({ keys: KEYS, keyids: ["a", "a"], signatures: { a } }),
    "metadataInvalid",
  );
  const many = Array.from({ length: MAX_ROLE_KEYS + 1 }, (_, i) => `k${i}`);
  assertEquals(await judged({ keys: KEYS, keyids: many, signatures: { a } }), "metadataInvalid");
});

Deno.test("names that every object inherits are no keys", async () => {
  const a = A!.sign(SIGNED);
  for (const id of ["constructor", "toString", "valueOf", "hasOwnProperty"]) {
    assertEquals(
      await judged({ keys: KEYS, keyids: [id], signatures: { [id]: a } }),
      "metadataUnsigned",
    );
  }
});

Deno.test("a key of one kind does not pass for another, and cannot bring the reader down", async () => {
  const a = A!.sign(SIGNED);
  const { keyval } = A!.json();
  const wrong = [
    { keytype: "rsa", scheme: "ed25519", keyval },
    { keytype: "ed25519", scheme: "rsassa-pss-sha256", keyval },
    { keytype: "ecdsa", scheme: "ed25519", keyval },
    { keytype: "ed25519", scheme: "ed25519", keyval: { public: A!.public.slice(2) } },
    { keytype: "ed25519", scheme: "ed25519", keyval: { public: `${A!.public}00` } },
    { keytype: "ed25519", scheme: "ed25519", keyval: { public: "" } },
    { keytype: "ed25519", scheme: "ed25519", keyval: {} },
    {
      keytype: "rsa",
      scheme: "rsassa-pss-sha256",
      keyval: { public: "-----BEGIN PUBLIC KEY-----" },
    },
    { keytype: "ecdsa", scheme: "ecdsa-sha2-nistp256", keyval: { public: "00" } },
    { keytype: "__proto__", scheme: "constructor", keyval },
  ];
  for (const key of wrong) {
    const found = await judged({ keys: { a: key }, signatures: { a }, schemes: ALL_SCHEMES });
    assertEquals(found, "metadataUnsigned", JSON.stringify(key));
  }
  for (const key of [null, [], "x", { keytype: 1 }, { ...A!.json(), keyval: { public: 1 } }]) {
    assertEquals(await judged({ keys: { a: key }, signatures: { a } }), "metadataInvalid");
  }
});

Deno.test("the product takes ed25519 only; the conformance command RSA-PSS and ECDSA as well", async () => {
  const text = new TextEncoder().encode(canonicalize(SIGNED));
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = (key: typeof rsa.publicKey) => key.export({ type: "spki", format: "pem" }) as string;
  const pss = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING };
  const cases = [32, constants.RSA_PSS_SALTLEN_MAX_SIGN].map((saltLength) => ({
    key: { keytype: "rsa", scheme: "rsassa-pss-sha256", keyval: { public: pem(rsa.publicKey) } },
    sig: sign("sha256", text, { ...pss, saltLength }).toString("hex"),
  })).concat({
    key: { keytype: "ecdsa", scheme: "ecdsa-sha2-nistp256", keyval: { public: pem(ec.publicKey) } },
    sig: sign("sha256", text, ec.privateKey).toString("hex"),
  });
  for (const { key, sig } of cases) {
    const asked = { keys: { a: key }, signatures: { a: sig } };
    assertEquals(await judged({ ...asked, schemes: ALL_SCHEMES }), "trusted", key.scheme);
    assertEquals(await judged(asked), "metadataUnsigned", key.scheme);
    const other = { ...SIGNED, version: 2 };
    const changed = { ...asked, schemes: ALL_SCHEMES, signed: other };
    assertEquals(await judged(changed), "metadataUnsigned", key.scheme);
  }
});
