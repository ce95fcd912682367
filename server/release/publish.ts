/**
 * Publishing: makes releases and campaigns after the rules, and tells everybody.
 *
 * @module
 */
import { type Clock, isoTime } from "shared/clock.ts";
import { chooseCounter } from "shared/counter.ts";
import { UpdateFailure } from "shared/failure.ts";
import type { Published, ReleaseRequest } from "shared/protocol/api.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { Feed } from "../board/feed.ts";
import type { Bulletins } from "../campaign/bulletins.ts";
import type { Fleet } from "../campaign/fleet.ts";
import { act, type Verb } from "../campaign/verbs.ts";
import type { Metrics } from "../metrics.ts";
import type {
  BlobRow,
  BlobStore,
  CampaignRow,
  Records,
  RecordStore,
  ReleaseRow,
} from "../ports.ts";
import type { DeltaJobs } from "./delta_jobs.ts";
import { queueDeltas } from "./delta_plan.ts";
import { type InstantCarrier, makeInstant, recordInstant } from "./instant.ts";
import { Prover } from "./prover.ts";
import { checkBundle } from "./rules.ts";
import type { Uploads } from "./uploads.ts";

/** What publishing needs. */
export interface PublishPorts {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly uploads: Uploads;
  readonly clock: Clock;
  readonly bulletins: Bulletins;
  readonly fleet: Fleet;
  readonly feed: Feed;
  readonly metrics: Metrics;
  readonly deltas: DeltaJobs;
}

interface Image {
  readonly blob: BlobRow;
  /** The patch that it came as. */
  readonly patch?: Carrier;
}

/** An image with the carrier that every vehicle can take. */
interface ReadyImage extends Image {
  readonly instant: InstantCarrier;
  /** Takes the ids of jobs that were queued. */
  readonly jobs: string[];
}

/** The publisher's desk of one server. */
export class Publisher {
  readonly #prover: Prover;

  constructor(readonly ports: PublishPorts) {
    this.#prover = new Prover(ports.blobs, ports.clock);
  }

  /**
   * Makes a release, or adds a carrier to one.
   *
   * @param request What to publish.
   * @param by Who publishes.
   * @returns What was made.
   * @throws {UpdateFailure} The first rule that does not hold; then nothing has changed.
   */
  async publish(request: ReleaseRequest, by: string): Promise<Published> {
    const { records, metrics } = this.ports;
    const proved = await this.#image(request);
    const jobs: string[] = [];
    const image = { ...proved, instant: await makeInstant(this.ports, proved.blob), jobs };
    const made = await records.write((tables) => this.#write(tables, request, image, by));
    if (!(made.campaign === null && made.carrierAdded)) metrics.add("ota_releases_total");
    await this.#tell([request.hardware], [made.release], {
      ...{ campaign: made.campaign, carrierAdded: made.carrierAdded, jobs },
    });
    return made;
  }

  /**
   * Offers releases as one bundle; drafts become published.
   *
   * @param ids The releases.
   * @param by Who offers.
   * @returns The id of the new campaign.
   * @throws {UpdateFailure} `releaseUnknown` or `bundleInvalid`.
   */
  async offer(ids: readonly string[], by: string): Promise<string> {
    const jobs: string[] = [];
    const { rows, campaign } = await this.ports.records.write(async (tables) => {
      const wanted = [];
      for (const id of ids) wanted.push({ id, row: await tables.release(id) });
      const rows = checkBundle(wanted);
      for (const row of rows) {
        const published = { ...row, state: "published" } as const;
        if (row.state === "draft") await tables.putRelease(published);
        await this.#queue(tables, published, jobs);
      }
      return { rows, campaign: await this.#campaign(tables, ids, by) };
    });
    const hardware = rows.map((row) => row.hardware);
    await this.#tell(hardware, ids, { campaign, carrierAdded: false, jobs });
    return campaign;
  }

  /**
   * Halts, resumes or withdraws a campaign.
   *
   * @param id The campaign.
   * @param verb What to do.
   * @throws {UpdateFailure} `campaignUnknown`, or `wrongState`.
   */
  async act(id: string, verb: Verb): Promise<void> {
    await this.ports.records.write(async (tables) => {
      const row = await tables.campaign(id);
      if (row === undefined) {
        throw new UpdateFailure("campaignUnknown", id, `Cannot ${verb} ${id}: no such campaign`);
      }
      await tables.putCampaign(act(row, verb));
    });
    this.ports.feed.changed("campaign", id);
    this.ports.fleet.settleAll();
  }

  /** The image of a request, proved if it comes as a patch. */
  async #image(request: ReleaseRequest): Promise<Image> {
    const { records } = this.ports;
    const { hardware, version } = request;
    const known = await records.read((tables) => tables.hardware());
    if (!known.some((each) => each.hardware === hardware)) {
      throw new UpdateFailure(
        "hardwareUnknown",
        "hardware",
        `Cannot publish for "${hardware}": the known ones are ` +
          known.map((each) => each.hardware).join(", "),
      );
    }
    for (const id of request.needs) {
      if (await records.read((tables) => tables.release(id)) !== undefined) continue;
      throw new UpdateFailure(
        "releaseUnknown",
        "needs",
        `Cannot publish ${hardware}/${version}: it needs ${id}, and there is no such release`,
      );
    }
    if (request.patchSha256 === undefined) {
      const blob = await this.#stored(request.sha256!, "sha256");
      return { blob };
    }
    const patch = await this.#stored(request.patchSha256, "patchSha256");
    const siblings = await records.read((tables) => tables.releasesOf(hardware));
    const existing = siblings.find((row) => row.version === version);
    // The cheap rules first: proving a patch can take a while.
    if (existing === undefined) chooseCounter(stripped(request), siblings);
    const base = siblings.find((row) => row.version === request.deltaFrom);
    if (base === undefined) {
      throw new UpdateFailure(
        "baseUnknown",
        "deltaFrom",
        `Cannot publish a patch from ${hardware}/${request.deltaFrom}: there is no such release`,
      );
    }
    const claimed = existing?.sha256 ?? request.sha256;
    if (claimed !== (request.sha256 ?? claimed)) throw differs(existing!.release, request.sha256!);
    const { blob, format } = await this.#prover.prove({
      patchSha256: patch.sha256,
      baseSha256: base.sha256,
      sha256: claimed,
    });
    this.ports.metrics.add("ota_patches_proved_total");
    const { sha256: carrierSha256, lengthBytes } = patch;
    const { sha256 } = blob;
    return {
      blob,
      patch: { v: 1, carrierSha256, format, lengthBytes, sha256, baseSha256: base.sha256 },
    };
  }

  async #stored(sha256: string, field: string): Promise<BlobRow> {
    const state = await this.ports.uploads.state(sha256);
    if (state?.complete) {
      const blob = await this.ports.records.read((tables) => tables.blob(sha256));
      if (blob !== undefined) return blob;
    }
    if (state === null) {
      throw new UpdateFailure(
        "imageUnknown",
        field,
        `Cannot publish ${sha256}: no such file was uploaded`,
      );
    }
    throw new UpdateFailure(
      "uploadIncomplete",
      field,
      `Cannot publish ${sha256}: ${state.offset} of ${state.lengthBytes} bytes are there`,
    );
  }

  /** The rules again, now that nothing can come between, and then the rows. */
  async #write(
    tables: Records,
    request: ReleaseRequest,
    image: ReadyImage,
    by: string,
  ): Promise<Published> {
    const { hardware, version } = request;
    const release = `${hardware}/${version}`;
    const { sha256, lengthBytes } = image.blob;
    const siblings = await tables.releasesOf(hardware);
    const existing = siblings.find((row) => row.version === version);
    if (existing !== undefined && image.patch !== undefined) {
      return await this.#addCarrier(tables, existing, { ...image, patch: image.patch });
    }
    const counter = chooseCounter(stripped(request), siblings);
    await tables.putBlob(image.blob);
    await tables.putCarrier({ v: 1, carrierSha256: sha256, format: "raw", lengthBytes, sha256 });
    await recordInstant(tables, image.instant);
    if (image.patch !== undefined) await tables.putCarrier(image.patch);
    const row: ReleaseRow = {
      release,
      hardware,
      version,
      counter,
      sha256,
      notes: request.notes,
      rxswin: request.rxswin,
      needs: request.needs,
      state: request.draft ? "draft" : "published",
      createdAt: isoTime(this.ports.clock.now()),
      createdBy: by,
    };
    await tables.putRelease(row);
    await this.#queue(tables, row, image.jobs);
    const campaign = request.draft ? null : await this.#campaign(tables, [release], by);
    return { release, campaign, counter, sha256, carrierAdded: false };
  }

  async #addCarrier(
    tables: Records,
    row: ReleaseRow,
    image: ReadyImage & { readonly patch: Carrier },
  ): Promise<Published> {
    const { release, counter, sha256 } = row;
    if (image.blob.sha256 !== sha256) throw differs(release, image.blob.sha256);
    const carrierAdded = await tables.putCarrier(image.patch);
    await recordInstant(tables, image.instant); // An old release may have none yet.
    await this.#queue(tables, row, image.jobs);
    return { release, campaign: null, counter, sha256, carrierAdded };
  }

  /** The jobs of a release. In its transaction: else a vehicle could ask before they are there. */
  async #queue(tables: Records, row: ReleaseRow, jobs: string[]): Promise<void> {
    if (row.state === "draft") return; // It may never be offered.
    jobs.push(...await queueDeltas(tables, row, isoTime(this.ports.clock.now())));
  }

  async #campaign(tables: Records, releases: readonly string[], by: string): Promise<string> {
    const number = await tables.nextCampaign();
    const row: CampaignRow = {
      campaign: `c${number}`,
      number,
      state: "running",
      releases,
      createdAt: isoTime(this.ports.clock.now()),
      createdBy: by,
    };
    await tables.putCampaign(row);
    return row.campaign;
  }

  async #tell(
    hardware: readonly string[],
    releases: readonly string[],
    { campaign, carrierAdded, jobs }: {
      readonly campaign: string | null;
      readonly carrierAdded: boolean;
      readonly jobs: readonly string[];
    },
  ): Promise<void> {
    const { feed, bulletins, fleet, deltas } = this.ports;
    deltas.wake();
    for (const id of jobs) feed.changed("delta", id);
    for (const id of releases) feed.changed("release", id);
    if (campaign !== null) feed.changed("campaign", campaign);
    for (const id of hardware) await bulletins.announce(id);
    if (campaign !== null || carrierAdded) fleet.settleAll();
  }
}

function differs(release: string, sha256: string): UpdateFailure {
  return new UpdateFailure(
    "patchResultDiffers",
    "patchSha256",
    `Cannot add a patch to ${release}: its image is another one than ${sha256}`,
  );
}

/** What {@linkcode chooseCounter} looks at; an absent counter must be absent, not undefined. */
function stripped(
  { hardware, version, counter }: ReleaseRequest,
): { hardware: string; version: string; counter?: number } {
  return { hardware, version, ...(counter === undefined ? {} : { counter }) };
}
