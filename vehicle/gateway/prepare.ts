/**
 * Fills the inactive slot of one ECU, by the cheapest way that holds, and proves it
 * against the release by reading the slot back. What boots is untouched.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { applyBsdiff40, type Bunzip2, readBsdiff40Header } from "shared/delta/bsdiff40.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_CARRIER_ATTEMPTS, SEGMENT_BYTES } from "shared/limits.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { EcuPort } from "vehicle/bus/ecu_port.ts";
import type { Backend, Digest } from "vehicle/ports.ts";
import { digestFile, readPartition } from "vehicle/storage/staged_file.ts";
import { downloadCarrier } from "./download.ts";
import type { Journal } from "./journal.ts";
import type { PlanStep, Way } from "./plan.ts";

/** The longest the screen and the heartbeats wait while a patch is applied. */
const BREATH_MS = 10;

/** How the bytes come. */
export type Via = "full" | "delta" | "local";

/** What preparing needs. */
export interface PrepareParts {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly newDigest: () => Digest;
  readonly bunzip2: Bunzip2;
  readonly journal: Journal;
}

/** What preparing tells. */
export interface PrepareWatch {
  readonly signal: AbortSignal;
  /** Bytes that arrived, of those that travel. */
  readonly progress: (doneBytes: number, totalBytes: number, via: Via) => void;
  readonly verifying: () => void;
  /** A cut that is waited out, or a way that is given up for the next. */
  readonly trouble: (failure: UpdateFailure) => void;
}

/**
 * Prepares one ECU. May be called again after any cut: it goes on where it stood.
 *
 * @param step The ECU's part of the plan.
 * @param ecu The ECU.
 * @param parts What it works with.
 * @param watch Whom it tells, and the signal that ends it.
 * @returns The way that held.
 * @throws {UpdateFailure} If no way holds.
 */
export async function prepareEcu(
  step: PlanStep,
  ecu: EcuPort,
  parts: PrepareParts,
  watch: PrepareWatch,
): Promise<Way> {
  let last: UpdateFailure | undefined;
  for (const way of step.ways) {
    for (let attempt = 1; attempt <= MAX_CARRIER_ATTEMPTS; attempt++) {
      try {
        await fill(step, ecu, parts, { way, fresh: attempt > 1, watch });
        watch.verifying();
        await ecu.verify(step.image, watch.signal);
        return way;
      } catch (error) {
        watch.signal.throwIfAborted();
        if (!(error instanceof UpdateFailure)) throw error;
        last = error;
        if (!worthAnother(error)) throw error;
        watch.trouble(error);
        // A base that gave other bytes gives them again: the next way, not the same.
        if (error.kind.retry === "full" || startsFromActive(way)) break;
      }
    }
  }
  throw last ??
    new UpdateFailure("metadataInvalid", step.serial, "Cannot prepare: no way is named");
}

function worthAnother(failure: UpdateFailure): boolean {
  return failure.kind.retry === "full" || failure.failure === "slotDigestDiffers";
}

function startsFromActive(way: Way): boolean {
  return way.kind === "local" || way.carrier.format !== "raw";
}

async function fill(
  step: PlanStep,
  ecu: EcuPort,
  parts: PrepareParts,
  { way, fresh, watch }: {
    readonly way: Way;
    readonly fresh: boolean;
    readonly watch: PrepareWatch;
  },
): Promise<void> {
  if (way.kind === "local") return await copyActive(step, ecu, parts, watch);
  if (way.carrier.format === "bsdiff40") {
    return await patchActive(step, ecu, parts, { carrier: way.carrier, watch });
  }
  const { lengthBytes } = way.carrier;
  let done = ecu.begin(step.image, { fresh });
  watch.progress(done, lengthBytes, "full");
  await downloadCarrier(parts.backend, parts.clock, {
    carrierSha256: way.carrier.carrierSha256,
    lengthBytes,
    offset: done,
    signal: watch.signal,
    onPause: watch.trouble,
    sink(bytes) {
      ecu.write(bytes);
      watch.progress(done += bytes.length, lengthBytes, "full");
    },
  });
  ecu.finish();
}

/** The same bytes under another version: nothing travels. */
async function copyActive(
  step: PlanStep,
  ecu: EcuPort,
  { clock }: PrepareParts,
  watch: PrepareWatch,
): Promise<void> {
  const active = activeOf(ecu);
  watch.progress(0, 0, "local");
  for (let at = ecu.begin(step.image); at < active.lengthBytes; at += SEGMENT_BYTES) {
    ecu.write(active.read(at, Math.min(SEGMENT_BYTES, active.lengthBytes - at)));
    await clock.sleep(0, watch.signal);
  }
  ecu.finish();
}

/** Fetches a patch whole, since BSDIFF40 is read in three places at once, and applies it. */
async function patchActive(
  step: PlanStep,
  ecu: EcuPort,
  parts: PrepareParts,
  { carrier, watch }: { readonly carrier: Carrier; readonly watch: PrepareWatch },
): Promise<void> {
  const patch = await fetchPatch(parts, carrier, watch);
  const { imageBytes } = readBsdiff40Header(patch);
  if (imageBytes !== step.image.lengthBytes) {
    throw new UpdateFailure(
      "deltaResultDiffers",
      carrier.carrierSha256,
      `Cannot apply patch: it makes ${imageBytes} bytes, the release has ${step.image.lengthBytes}`,
    );
  }
  const base = activeOf(ecu);
  // A wrong base never errors in this format, so its digest is checked first.
  const baseSha256 = await digestOf(base, parts, watch.signal);
  if (baseSha256 !== carrier.baseSha256) {
    throw new UpdateFailure(
      "deltaBaseDiffers",
      carrier.carrierSha256,
      `Cannot apply patch: the slot reads ${baseSha256}, the patch starts from ${carrier.baseSha256}`,
    );
  }
  ecu.begin(step.image, { fresh: true });
  const options = { bunzip2: parts.bunzip2, maxImageBytes: step.image.lengthBytes };
  let [sinceBreath, breathAtMs] = [0, parts.clock.monotonic()];
  for (const piece of applyBsdiff40(patch, base, options)) {
    ecu.write(piece);
    sinceBreath += piece.length;
    // By time as well: a patch of single-byte steps takes seconds for each MiB.
    const heldMs = parts.clock.monotonic() - breathAtMs;
    if (sinceBreath < SEGMENT_BYTES && heldMs < BREATH_MS) continue;
    await parts.clock.sleep(0, watch.signal);
    [sinceBreath, breathAtMs] = [0, parts.clock.monotonic()];
  }
  ecu.finish();
}

async function fetchPatch(
  parts: PrepareParts,
  { carrierSha256, lengthBytes }: Carrier,
  watch: PrepareWatch,
): Promise<RandomRead> {
  const { scratch, scratchDisk } = parts.journal;
  if (lengthBytes > scratch.capacityBytes) {
    throw new UpdateFailure(
      "carrierLengthDiffers",
      carrierSha256,
      `Cannot keep patch: it has ${lengthBytes} bytes, ${scratch.capacityBytes} are there`,
    );
  }
  let done = scratch.begin({ sha256: carrierSha256, lengthBytes });
  watch.progress(done, lengthBytes, "delta");
  await downloadCarrier(parts.backend, parts.clock, {
    carrierSha256,
    lengthBytes,
    offset: done,
    signal: watch.signal,
    onPause: watch.trouble,
    sink(bytes) {
      scratch.write(bytes);
      watch.progress(done += bytes.length, lengthBytes, "delta");
    },
  });
  scratch.finish();
  const patch = readPartition(scratchDisk, lengthBytes);
  const found = await digestOf(patch, parts, watch.signal);
  if (found === carrierSha256) return patch;
  scratch.clear();
  throw new UpdateFailure(
    "carrierDigestDiffers",
    carrierSha256,
    `Cannot use patch: it reads back as ${found}`,
  );
}

async function digestOf(
  file: RandomRead,
  { clock, newDigest }: PrepareParts,
  signal: AbortSignal,
): Promise<string> {
  const steps = digestFile(file, newDigest());
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await clock.sleep(0, signal);
  }
}

function activeOf(ecu: EcuPort): RandomRead {
  const active = ecu.activeFile();
  if (active !== null) return active;
  throw new UpdateFailure(
    "deltaBaseDiffers",
    ecu.serial,
    `Cannot read the image that ${ecu.serial} runs: it is in recovery`,
  );
}
