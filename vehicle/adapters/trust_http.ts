/**
 * The server as a vehicle believes it: what is to be installed comes from signed metadata, verified
 * and kept on the trust disk; carriers, leaves and reports travel as before.
 *
 * Whom to believe is learnt once: the first roots are taken at the first contact after enrolment.
 * A server that has none yet is asked for unsigned targets, until roots were seen once; then never
 * again.
 *
 * @module
 */
import type { Clock, Millis } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_ROOT_BYTES } from "shared/limits.ts";
import type { DirectorTargets, ReleaseTarget } from "shared/protocol/director.ts";
import type { VehicleReport } from "shared/protocol/messages.ts";
import type { KnownVehicle } from "shared/trust/cross_check.ts";
import { FullVerification } from "shared/trust/full_verification.ts";
import type { MetadataSource } from "shared/trust/ports.ts";
import { VerifiedTargets } from "vehicle/gateway/verified_targets.ts";
import type { Backend, ByteRange, Disk, RangeAnswer } from "vehicle/ports.ts";
import { DIRECTOR_PLACE, IMAGE_PLACE, MetadataArea } from "vehicle/storage/metadata_area.ts";
import { TimeFloorRecord } from "vehicle/storage/time_floor_record.ts";
import type { HttpLine } from "./backend_http.ts";
import type { Identity } from "./identity_file.ts";
import { HttpMetadata } from "./metadata_http.ts";
import type { ServerPlaces } from "./server_places.ts";

/** The server never signs a timestamp for longer than a day. */
const TIMESTAMP_SIGNED_FOR_MS = 24 * 60 * 60_000;

/** What the trusting backend works with. */
export interface TrustParts {
  /** The trust disk. */
  readonly disk: Disk;
  readonly identity: Identity;
  readonly places: Pick<ServerPlaces, "endpoints" | "forget">;
  readonly line: HttpLine;
  readonly clock: Clock;
  /** The ECUs of the profile. */
  readonly ecus: KnownVehicle["ecus"];
  readonly log: (line: string) => void;
  /** Everything else. */
  readonly plain: Backend;
}

/** A backend whose targets are proved. */
export class TrustingBackend implements Backend {
  readonly #parts: TrustParts;
  readonly #director: MetadataArea;
  readonly #image: MetadataArea;
  readonly #floor: TimeFloorRecord;
  readonly #verified: VerifiedTargets;

  /** @param parts What it works with. */
  constructor(parts: TrustParts) {
    this.#parts = parts;
    this.#director = new MetadataArea(parts.disk, DIRECTOR_PLACE);
    this.#image = new MetadataArea(parts.disk, IMAGE_PLACE);
    this.#floor = new TimeFloorRecord(parts.disk);
    for (const area of [this.#director, this.#image, this.#floor]) this.#heal(area);
    const { identity: { vin }, ecus, log } = parts;
    this.#verified = new VerifiedTargets({ vin, ecus, log, open: (signal) => this.#open(signal) });
  }

  async targets(signal: AbortSignal): Promise<DirectorTargets> {
    if (this.#learnt || await this.#learn(signal)) return await this.#verified.targets(signal);
    return await this.#parts.plain.targets(signal);
  }

  carrier(carrierSha256: string, range: ByteRange, signal: AbortSignal): Promise<RangeAnswer> {
    return this.#parts.plain.carrier(carrierSha256, range, signal);
  }

  leafHashes(
    image: { readonly root: string; readonly count: number },
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    return this.#parts.plain.leafHashes(image, signal);
  }

  leaf(root: string, index: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#parts.plain.leaf(root, index, signal);
  }

  manifest(report: VehicleReport, signal: AbortSignal): Promise<void> {
    return this.#parts.plain.manifest(report, signal);
  }

  /** The gateway's last look at the signatures. */
  async prove(releases: ReadonlyMap<string, ReleaseTarget>, startAt: Millis): Promise<void> {
    if (this.#learnt) await this.#verified.prove(releases, startAt);
  }

  /** What was written once counts, also when it can no longer be read: then trust is lost. */
  get #learnt(): boolean {
    return this.#director.health() !== "blank";
  }

  /** Takes the first roots, both or none. */
  async #learn(signal: AbortSignal): Promise<boolean> {
    const [director, image] = await Promise.all(
      [this.#source("director", signal), this.#source("image", signal)].map((source) =>
        source.fetch("1.root.json", MAX_ROOT_BYTES)
      ),
    );
    if (director === undefined || image === undefined) return false;
    const verification = this.#open(signal);
    verification.image.begin(image);
    verification.director.begin(director); // The last: with it they are learnt.
    this.#parts.log("trust: the first roots of both repositories are taken");
    return true;
  }

  #open(signal?: AbortSignal): FullVerification {
    const { clock, identity: { vin } } = this.#parts;
    return new FullVerification({
      director: { source: this.#source("director", signal), store: this.#director },
      image: { source: this.#source("image", signal), store: this.#image },
      floor: this.#floor,
      now: () => clock.now(),
    }, { vin, timestampSignedForMs: TIMESTAMP_SIGNED_FOR_MS });
  }

  #source(repository: "director" | "image", signal?: AbortSignal): MetadataSource {
    const { identity: { vin, secret }, places, line } = this.#parts;
    const path = repository === "image" ? "/metadata/image/" : `/metadata/director/${vin}/`;
    const headers = { authorization: `Bearer ${secret}` };
    return {
      fetch: async (file, maxBytes) => {
        const { device } = await places.endpoints(signal ?? new AbortController().signal);
        const options = signal === undefined ? { line, headers } : { line, headers, signal };
        const base = new URL(path, device).href;
        try {
          return await new HttpMetadata(base, options).fetch(file, maxBytes);
        } catch (error) {
          const lost = error instanceof UpdateFailure && error.failure === "serverUnreachable";
          if (lost) places.forget(); // It may have moved: ask again where it is.
          throw error;
        }
      },
    };
  }

  #heal(area: MetadataArea | TimeFloorRecord): void {
    const health = area.even();
    if (health !== "rotten" && health !== "lost") return;
    const name = health === "rotten" ? "recordRotten" : "recordLost";
    this.#parts.log(`trust: ${name}: metadata on the trust disk was found ${health}`);
  }
}
