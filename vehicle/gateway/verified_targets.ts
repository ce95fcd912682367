/**
 * What the gateway is to install, made of signed metadata alone: the Director says which image for
 * which ECU, its owner what the image is, the role `carriers` which files bring it.
 *
 * @module
 */
import type { Millis } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { parseAs } from "shared/parse.ts";
import type { Carrier } from "shared/protocol/common.ts";
import { DirectorTargets, type EcuTarget, type ReleaseTarget } from "shared/protocol/director.ts";
import { CarrierCustom, CARRIERS_ROLE, ImageCustom } from "shared/protocol/signed_targets.ts";
import type { KnownVehicle, ProvedImage } from "shared/trust/cross_check.ts";
import type { FullVerification, Verified } from "shared/trust/full_verification.ts";
import type { TargetsRole } from "shared/trust/roles.ts";

/** What a vehicle is told of at once: as many as its targets may name. */
const MAX_CARRIERS = 80;

/** What the verified targets are made with. */
export interface VerifiedParts {
  /** Opens both repositories; anew for each use, as an update may be proved while another one comes. */
  readonly open: (signal?: AbortSignal) => FullVerification;
  readonly vin: string;
  /** The ECUs of the profile. Counters are judged by the plan, which asks each ECU anew. */
  readonly ecus: KnownVehicle["ecus"];
  readonly log: (line: string) => void;
}

/** Asks both repositories, and answers as the gateway understands it. */
export class VerifiedTargets {
  readonly #parts: VerifiedParts;
  #lastDistrust = "";

  /** @param parts What it works with. */
  constructor(parts: VerifiedParts) {
    this.#parts = parts;
  }

  /**
   * Fetches and proves everything.
   *
   * @param signal Ends the requests.
   * @returns What the vehicle is to run.
   * @throws {UpdateFailure} If anything must not be believed, or could not be had.
   */
  async targets(signal?: AbortSignal): Promise<DirectorTargets> {
    const { open, ecus, log } = this.#parts;
    const verification = open(signal);
    const verified = await verification.verify(ecus);
    const distrust = verified.distrust?.message ?? "";
    if (distrust !== "" && this.#lastDistrust === "") log(`clockUntrusted: ${distrust}`);
    this.#lastDistrust = distrust;
    return await this.#made(verified, verification);
  }

  /**
   * Proves once more, from what is stored and as of the start of the update, that these releases
   * are what their owner signed: nothing may have changed between the offer and the installation.
   *
   * @param releases The releases that are about to be installed, by the ECU they are for.
   * @param startAt The start of the update.
   * @throws {UpdateFailure} With the ECU as subject, if one is not.
   */
  async prove(
    releases: ReadonlyMap<string, ReleaseTarget>,
    startAt: Millis,
  ): Promise<void> {
    const { image } = this.#parts.open();
    for (const [serial, release] of releases) {
      const path = `${release.hardware}/${release.version}`;
      const what = `Cannot install ${path} on ${serial}`;
      try {
        image.verifyStored(startAt);
        const signed = await image.find(path, { stored: true });
        const stated = signed === undefined || signed.role !== "targets" ? undefined : releaseOf({
          length: signed.length,
          sha256: signed.hashes.sha256 ?? "",
          image: parseAs(ImageCustom, signed.custom, { what: path, failure: "metadataInvalid" }),
        });
        if (stated !== undefined && isSameRelease(stated, release)) continue;
        const found = stated === undefined ? "its owner has not signed it" : "it is not what was";
        throw new UpdateFailure("targetUnproved", serial, `${what}: ${found} signed`);
      } catch (error) {
        if (!(error instanceof UpdateFailure)) throw error;
        throw new UpdateFailure(error.failure, serial, error.message, { cause: error });
      }
    }
  }

  async #made(
    { images, directorVersion }: Verified,
    { image }: FullVerification,
  ): Promise<DirectorTargets> {
    const { vin } = this.#parts;
    const [first] = images;
    const head = { v: 1, vin, version: directorVersion } as const;
    if (first === undefined) {
      return { ...head, campaign: null, action: "none", preconditions: [], ecus: {} };
    }
    const listed = await image.delegatedRole(CARRIERS_ROLE);
    const carriers = listed === undefined ? [] : carriersOf(listed);
    const ecus: Record<string, EcuTarget> = {};
    for (const proved of images) {
      const release = { ...releaseOf(proved), ...await needCounters(proved.image, image) };
      const ways = carriers.filter(({ sha256 }) => sha256 === proved.sha256).slice(0, MAX_CARRIERS);
      for (const serial of proved.serials) {
        ecus[serial] = { hardware: proved.image.hardware, release, carriers: ways };
      }
    }
    const { campaign, deadline } = first.director;
    const targets = {
      ...{ ...head, campaign, action: "install", ecus },
      ...deadline === undefined ? {} : { deadline },
      preconditions: [...new Set(images.flatMap(({ director }) => director.preconditions))],
    };
    const options = { what: "proved targets", failure: "metadataInvalid" } as const;
    return parseAs(DirectorTargets, targets, options);
  }
}

/** Counters of what an image needs, as their owners signed them. */
async function needCounters(
  { needs }: ImageCustom,
  image: FullVerification["image"],
): Promise<Pick<ReleaseTarget, "needCounters">> {
  if (needs.length === 0) return {};
  const needCounters: Record<string, number> = {};
  for (const path of needs) {
    const needed = await image.find(path);
    if (needed === undefined || needed.role !== "targets") continue; // Then only itself will do.
    const options = { what: path, failure: "metadataInvalid" } as const;
    needCounters[path] = parseAs(ImageCustom, needed.custom, options).counter;
  }
  return { needCounters };
}

function releaseOf(
  { length, sha256, image }: Pick<ProvedImage, "length" | "sha256" | "image">,
): ReleaseTarget {
  return { ...image, lengthBytes: length, sha256 };
}

/** What decides which bytes run, and whether they may. */
function isSameRelease(a: ReleaseTarget, b: ReleaseTarget): boolean {
  return a.sha256 === b.sha256 && a.lengthBytes === b.lengthBytes && a.counter === b.counter &&
    a.merkle.root === b.merkle.root && a.hardware === b.hardware && a.version === b.version;
}

/** Every container that is listed: full ones first, then deltas; the smallest first. */
function carriersOf(role: TargetsRole): Carrier[] {
  const carriers = role.paths.flatMap((path): Carrier[] => {
    const target = role.target(path)!;
    const options = { what: `carrier "${path}"`, failure: "metadataInvalid" } as const;
    const { format, sha256, baseSha256 } = parseAs(CarrierCustom, target.custom, options);
    if (format !== "container") return [];
    const base = baseSha256 === undefined ? {} : { baseSha256 };
    return [{ v: 1, carrierSha256: path, format, lengthBytes: target.length, sha256, ...base }];
  });
  const rank = ({ baseSha256 }: Carrier) => baseSha256 === undefined ? 0 : 1;
  return carriers.toSorted((a, b) => rank(a) - rank(b) || a.lengthBytes - b.lengthBytes);
}
