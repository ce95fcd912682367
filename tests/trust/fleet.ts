/**
 * Both repositories of one vehicle with real content, and the vehicle that looks at them.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { KnownEcu, KnownVehicle } from "shared/trust/cross_check.ts";
import {
  FullVerification,
  type VerificationPolicy,
  type Verified,
} from "shared/trust/full_verification.ts";
import { type Loose, MemoryStore, NOW, TestRepository } from "./repository.ts";
import { outcome } from "./world.ts";

/** The vehicle. */
export const VIN = "WVWZZZ1KZAW000001";
/** How long its timestamps are signed for. */
export const DAY_MS: number = 24 * 60 * 60_000;

/** The bytes of an image. */
export function content(path: string): Uint8Array {
  return new TextEncoder().encode(`bytes of ${path}`);
}

/** What an owner signs of an image. */
export function imageCustom(path: string, counter: number): Loose {
  const [hardware, version] = path.split("/");
  const note = "x";
  return {
    ...{ v: 1, hardware, version, counter, minCounter: 0, rxswin: [], needs: [] },
    merkle: { alg: "sha256-rfc6962", leafBytes: 65_536, root: "a".repeat(64) },
    notes: {
      ...{ purpose: note, changes: note, minutes: 1, unavailable: note, instructions: note },
    },
  };
}

/** What the Director says of an image. */
export function directorCustom(serials: readonly string[], hardware: string, order = 0): Loose {
  return {
    ...{ v: 1, campaign: "c1", action: "install", order, preconditions: ["parked"] },
    ecus: Object.fromEntries(serials.map((serial) => [serial, { hardware }])),
  };
}

/** A vehicle of two ECUs with its two repositories; both honest until changed. */
export class TestFleet {
  readonly director = new TestRepository();
  readonly image = new TestRepository();
  readonly stores = { director: new MemoryStore(), image: new MemoryStore() };
  readonly ecus = new Map<string, KnownEcu>([
    ["ivi", { hardware: "ivi-rpi4", counterFloor: 2, runningCounter: 2 }],
    ["body", { hardware: "body-sim", counterFloor: 2, runningCounter: 2 }],
  ]);
  floorAt = 0;
  nowAt = NOW;
  /** May be set before the first verification. */
  mayDowngrade: VerificationPolicy["mayDowngrade"];

  constructor() {
    this.image.delegate("targets", "carriers");
    this.stores.director.commit([["root", this.director.latest("root")]]);
    this.stores.image.commit([["root", this.image.latest("root")]]);
    this.own("ivi-rpi4/1.3.0", 3);
    this.own("body-sim/1.3.0", 3);
    this.direct("ivi-rpi4/1.3.0", directorCustom(["ivi"], "ivi-rpi4", 1));
    this.direct("body-sim/1.3.0", directorCustom(["body"], "body-sim", 0));
    this.director.part("targets").custom = { v: 1, vin: VIN };
    this.publish();
  }

  /** Signs an image by its owner. */
  own(path: string, counter: number, change: Loose = {}): void {
    this.image.target("targets", path, content(path), { ...imageCustom(path, counter), ...change });
  }

  /** Lets the Director want an image. */
  direct(path: string, custom: Loose): void {
    this.director.target("targets", path, content(path), custom);
  }

  publish(): void {
    this.director.publish("targets");
    this.image.publish("carriers", "targets");
  }

  /** As after a start. */
  verification(): FullVerification {
    const { mayDowngrade } = this;
    return new FullVerification({
      director: { source: this.director, store: this.stores.director },
      image: { source: this.image, store: this.stores.image },
      floor: { read: () => this.floorAt, write: (at) => this.floorAt = at },
      now: () => this.nowAt,
    }, {
      vin: VIN,
      timestampSignedForMs: DAY_MS,
      ...mayDowngrade === undefined ? {} : { mayDowngrade },
    });
  }

  get known(): KnownVehicle["ecus"] {
    return this.ecus;
  }

  /** One verification: the failure, or `"trusted"`. */
  async verify(): Promise<string> {
    return await outcome(() => this.verification().verify(this.ecus));
  }

  async verified(): Promise<Verified> {
    return await this.verification().verify(this.ecus);
  }
}

/** Of an image's bytes. */
export function sha256(path: string): string {
  return createHash("sha256").update(content(path)).digest("hex");
}
