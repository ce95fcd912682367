import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { ONLINE_ROLES, type SigningRequest, type UnsignedTarget } from "shared/protocol/signing.ts";
import { NOTES } from "../samples_test.ts";
import { SigningKey } from "./keys.ts";
import { withSignatures } from "./metadata.ts";
import { checkRoots, nextRoot, nextTargets } from "./offline.ts";
import { describe, type Expected, requireImages, requireOnly, reviewTargets } from "./review.ts";

const AT_MS = Date.UTC(2026, 10, 23);
const key = (fill: number) => new SigningKey(new Uint8Array(32).fill(fill));

function target(version: string, more: Partial<UnsignedTarget["custom"]> = {}): UnsignedTarget {
  return {
    path: `body-sim/${version}`,
    length: 70_000,
    sha256: "a".repeat(64),
    custom: {
      v: 1,
      hardware: "body-sim",
      version,
      counter: 3,
      minCounter: 0,
      merkle: { alg: "sha256-rfc6962", leafBytes: 65536, root: "b".repeat(64) },
      notes: NOTES,
      rxswin: [],
      needs: [],
      ...more,
    },
  };
}

function request(add: UnsignedTarget[]): SigningRequest {
  const online = Object.fromEntries(ONLINE_ROLES.map((role, i) => [role, key(50 + i).publicHex]));
  return {
    v: 1,
    at: "2026-11-23T00:00:00.000Z",
    online: online as SigningRequest["online"],
    roots: { image: [], director: [] },
    targets: null,
    add,
    next: { roots: {} },
  };
}

/** A request in which `signed` is signed and `add` is to be. */
function after(signed: UnsignedTarget[], add: UnsignedTarget[]): SigningRequest {
  const options = { nowMs: AT_MS, signedVersion: 0 };
  const whole = { ...request(add), targets: nextTargets(request(signed), options) };
  whole.next = { roots: {}, targets: nextTargets(whole, options) };
  return whole;
}

const EXPECTED: Expected = {
  path: "body-sim/1.1.0",
  sha256: "a".repeat(64),
  lengthBytes: 70_000,
  merkleRoot: "b".repeat(64),
  custom: {
    hardware: "body-sim",
    version: "1.1.0",
    counter: 3,
    notes: NOTES,
    rxswin: [],
    needs: [],
  },
};

function refuses(whole: SigningRequest, says: string, expected = EXPECTED): void {
  const error = assertThrows(() => requireOnly(reviewTargets(whole)!, expected), UpdateFailure);
  assertEquals(error.failure, "signingDiffers");
  assertStringIncludes(error.message, says);
}

Deno.test("requireOnly() lets a publisher sign exactly what was published", () => {
  const old = target("1.0.0");
  requireOnly(reviewTargets(after([old], [target("1.1.0")]))!, EXPECTED);
  refuses(
    after([old], [target("1.1.0"), target("1.2.0")]),
    "body-sim/1.2.0 would be signed with it",
  );
  refuses(after([old], []), "the server does not ask for it");
  refuses(
    after([target("1.1.0", { counter: 2 })], [target("1.1.0")]),
    "signed before with another",
  );
  refuses(after([old], [target("1.1.0")]), "the server's image is", { ...EXPECTED, sha256: "0" });
  refuses(after([old], [target("1.1.0")]), "70000 bytes", { ...EXPECTED, lengthBytes: 1 });
  refuses(after([old], [target("1.1.0")]), "its leaves are others", {
    ...EXPECTED,
    merkleRoot: "0",
  });
  for (
    const more of [{ counter: 4 }, { needs: ["ivi-rpi4/1.0.0"] }, { rxswin: ["R155"] }].concat(
      { notes: { ...NOTES, purpose: "Another" } } as never,
    )
  ) {
    const changed = after([old], [target("1.1.0", more)]);
    refuses(changed, `the server changed its ${Object.keys(more)[0]}`);
  }
  const removed = after([old], [target("1.1.0")]);
  delete (removed.next.targets!.signed.targets as Record<string, unknown>)["body-sim/1.0.0"];
  refuses(removed, "body-sim/1.0.0 would no longer be listed");
  const renewed = after([old], []);
  renewed.online["image/carriers"] = key(99).publicHex;
  renewed.add = [target("1.1.0")];
  renewed.next.targets = nextTargets(renewed, { nowMs: AT_MS, signedVersion: 0 });
  refuses(renewed, "the server has a new key for carriers");
});

Deno.test("requireImages() and describe() look at what is signed, not at what was asked for", () => {
  const whole = after([target("1.0.0")], [target("1.1.0")]);
  whole.add = []; // A forged request shows nothing, and its targets say otherwise.
  assertStringIncludes(describe(whole).join("\n"), "new  body-sim/1.1.0  counter 3");
  const image = { sha256: "a".repeat(64), lengthBytes: 70_000, merkleRoot: "b".repeat(64) };
  requireImages(reviewTargets(whole), [image]);
  for (const wrong of [{ sha256: "0" }, { lengthBytes: 1 }, { merkleRoot: "0" }]) {
    assertThrows(
      () => requireImages(reviewTargets(whole), [{ ...image, ...wrong }]),
      UpdateFailure,
    );
  }
});

Deno.test("nextTargets() keeps what is signed and goes above every version that was signed", () => {
  const whole = after([target("1.0.0")], [target("1.1.0")]);
  const { signed } = nextTargets(whole, { nowMs: AT_MS, signedVersion: 41 });
  assertEquals(signed.version, 42);
  assertEquals(Object.keys(signed.targets as object), ["body-sim/1.0.0", "body-sim/1.1.0"]);
  assertEquals(signed.expires, "2027-02-21T00:00:00Z");
});

Deno.test("checkRoots() refuses a chain with a gap, a fork or a root that the one before did not sign", () => {
  const keys = [1, 2, 3].map(key);
  const whole = request([]);
  const add = {
    root: keys.map(({ publicHex }) => publicHex),
    targets: keys.map((each) => each.publicHex),
  };
  const change = { add, drop: new Set<string>(), renew: true, nowMs: AT_MS };
  const next = (signers: SigningKey[], more = change) =>
    withSignatures(nextRoot(whole, "image", more)!, signers);
  const first = next(keys.slice(0, 2));
  whole.roots.image = [first];
  checkRoots(whole, {});
  const second = next(keys.slice(1));
  whole.roots.image = [first, second];
  checkRoots(whole, { image: first });

  const says = (roots: typeof whole.roots.image, known: typeof first | undefined, name: string) => {
    const forged = { ...whole, roots: { image: roots, director: [] } };
    const error = assertThrows(() => checkRoots(forged, { image: known }), UpdateFailure);
    assertEquals(error.failure, name, error.message);
  };
  says([first], second, "signingOutdated");
  says([second], undefined, "signingOutdated");
  says(
    [first, withSignatures({ ...second, signatures: [] }, [keys[0]!])],
    first,
    "signatureMissing",
  );
  // A root that signs itself, with keys of its own: the one before did not want it.
  const own = [7, 8].map(key);
  whole.roots.image = [first];
  const foreign = next(
    own,
    {
      ...change,
      add: { root: own.map((each) => each.publicHex), targets: own.map((each) => each.publicHex) },
      drop: new Set(keys.slice(0, 2).map(({ keyId }) => keyId)),
    } as typeof change,
  );
  says([first, foreign], first, "signatureMissing");
  whole.roots.image = [];
  const fork = withSignatures(nextRoot(whole, "image", { ...change, nowMs: AT_MS + 1000 })!, keys);
  says([fork], first, "signingDiffers");
});
