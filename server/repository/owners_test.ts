/**
 * The owners of the offline keys, for tests: three keys a role, of which two sign.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import type {
  Envelope,
  NextMetadata,
  Repository,
  SigningRequest,
} from "shared/protocol/signing.ts";
import { REPOSITORIES } from "shared/protocol/signing.ts";
import type { TestServer } from "../fixture_test.ts";
import { SigningKey } from "../trust/keys.ts";
import { withSignatures } from "../trust/metadata.ts";
import { nextRoot, nextTargets, OFFLINE_ROLES } from "../trust/offline.ts";

/** What a rotation changes. */
export interface Rotation {
  /** Ids of keys that go; a new one comes for each. */
  readonly drop?: readonly string[];
  readonly renew?: boolean;
}

/** Owners of both repositories. */
export class Owners {
  #made = 0;
  readonly keys: Record<"image/root" | "image/targets" | "director/root", SigningKey[]> = {
    "image/root": [this.key(), this.key(), this.key()],
    "image/targets": [this.key(), this.key(), this.key()],
    "director/root": [this.key(), this.key(), this.key()],
  };

  /** A new key. */
  key(): SigningKey {
    return new SigningKey(new Uint8Array(32).fill(100 + this.#made++));
  }

  /** Keys of a role. */
  of(repository: Repository, role: string): SigningKey[] {
    return this.keys[`${repository}/${role}` as keyof Owners["keys"]];
  }

  /** New roots where something changed, and the next targets, signed by two of each role. */
  next(request: SigningRequest, { drop = [], renew = false }: Rotation = {}): NextMetadata {
    const roots: Partial<Record<Repository, Envelope>> = {};
    for (const repository of REPOSITORIES) {
      const old = [...this.of(repository, "root")];
      for (const role of OFFLINE_ROLES[repository]) {
        const keys = this.of(repository, role);
        const left = keys.filter(({ keyId }) => !drop.includes(keyId));
        while (left.length < keys.length) left.push(this.key());
        keys.splice(0, keys.length, ...left);
      }
      const add = Object.fromEntries(
        OFFLINE_ROLES[repository].map((role) => [
          role,
          this.of(repository, role).map(({ publicHex }) => publicHex),
        ]),
      );
      const change = { add, drop: new Set(drop), renew, nowMs: Date.now() };
      const root = nextRoot(request, repository, change);
      if (root === undefined) continue;
      // Two that were there before and stay, and who is new.
      const staying = old.filter(({ keyId }) => !drop.includes(keyId)).slice(0, 2);
      roots[repository] = withSignatures(root, [...staying, ...this.of(repository, "root")]);
    }
    return { roots, targets: this.targets(request) };
  }

  /** The next targets, signed by two of three. */
  targets(request: SigningRequest): Envelope {
    const options = { nowMs: Date.now(), signedVersion: 0 };
    return withSignatures(nextTargets(request, options), this.keys["image/targets"].slice(0, 2));
  }

  /** Fetches a request, signs what it asks for, and hands it in. */
  async sign(server: TestServer, rotation: Rotation = {}): Promise<void> {
    const request = await server.get<SigningRequest>("/api/v1/signing");
    const answer = await upload(server, this.next(request, rotation));
    assertEquals(answer.status, 200, await answer.text());
  }
}

/** Hands in what was signed. */
export function upload(server: TestServer, next: NextMetadata): Promise<Response> {
  const body = JSON.stringify({ v: 1, next });
  return server.ask("/api/v1/signing", { method: "PUT", body });
}
