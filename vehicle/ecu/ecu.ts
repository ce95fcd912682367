/**
 * One ECU: two slots, a boot record, a loader, and the image that runs. It judges
 * its own image, writes the verdict down before it acts on it, and reboots itself.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import type { Clock } from "shared/clock.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS } from "shared/limits.ts";
import type { EcuProfile, ImageMessage } from "shared/protocol/ecu.ts";
import { boot, type BootResult } from "vehicle/bootloader/boot.ts";
import type { BootRecord } from "vehicle/bootloader/boot_record.ts";
import type { EcuImage, EcuInventory, EcuListener, EcuService } from "vehicle/bus/ecu_port.ts";
import type { Digest, ImageEnd, Runner, RunningImage } from "vehicle/ports.ts";
import { readPartition } from "vehicle/storage/staged_file.ts";
import { EcuCare } from "./care.ts";
import { Health, isExcused, JUDGE_EVERY_MS, type Verdict, verdictOfEnd } from "./health.ts";
import { type EcuSlots, SlotUpdate } from "./slot_update.ts";
import { LastWords } from "./trial_log.ts";

/** What an ECU is made of. */
export interface EcuParts {
  readonly profile: EcuProfile;
  readonly slots: EcuSlots;
  readonly runner: Runner;
  readonly clock: Clock;
  readonly newDigest: () => Digest;
  readonly listener: EcuListener;
}

interface Session {
  readonly boot: NonNullable<BootResult>;
  readonly health: Health;
  readonly image: RunningImage;
  readonly stop: AbortController;
  readonly words: LastWords;
}

/** The default trial: ten seconds, none for an opaque image without a self-test (system.md). */
function trialMsOf(profile: EcuProfile): number {
  const idle = profile.runner === "opaque" && profile.selfTest === undefined;
  return (profile.trialSeconds ?? (idle ? 0 : 10)) * 1000;
}

/** One ECU of this process. */
export class Ecu implements EcuService {
  readonly #parts: EcuParts;
  readonly #update: SlotUpdate;
  readonly care: EcuCare;
  #session: Session | undefined;
  #verdictDetail: string | null = null;
  #crashes = 0;
  #failedStarts = 0;
  #trouble: Verdict | undefined;
  /** Restarts run one after the other, whoever asked. */
  #tail: Promise<void> = Promise.resolve();
  readonly #off = new AbortController();

  constructor(parts: EcuParts) {
    this.#parts = parts;
    this.#update = new SlotUpdate(parts.slots, parts.profile.slotBytes, parts);
    this.care = new EcuCare({
      ...parts,
      serial: parts.profile.serial,
      running: () => this.#session?.boot.slot ?? null,
    });
  }

  get profile(): EcuProfile {
    return this.#parts.profile;
  }

  get serial(): string {
    return this.#parts.profile.serial;
  }

  inventory(): EcuInventory {
    const { profile, clock, slots } = this.#parts;
    const session = this.#session;
    const now = clock.monotonic();
    return {
      serial: profile.serial,
      hardware: profile.hardware,
      slotBytes: profile.slotBytes,
      restartRank: profile.restartRank,
      trialMs: trialMsOf(profile),
      record: slots.records.read(),
      verdictDetail: this.#verdictDetail,
      ...(this.#trouble === undefined ? {} : { trouble: this.#trouble }),
      running: session === undefined ? null : {
        slot: session.boot.slot,
        image: session.boot.image,
        // Asked of the record, not of the boot: it may have been confirmed since.
        trial: !slots.records.read()[session.boot.slot].successful,
        triesRemaining: session.boot.triesRemaining,
        selfTested: session.health.selfTested,
        passed: session.health.passed,
        trialLeftMs: session.health.trialLeftMs(now),
      },
    };
  }

  begin(image: EcuImage, options: { readonly keepBytes?: number } = {}): number {
    const before = this.#parts.slots.records.read();
    try {
      return this.#update.begin(image, this.#session?.boot.slot ?? null, options);
    } finally {
      this.#tellSince(before);
    }
  }

  write(bytes: Uint8Array): void {
    this.#update.write(bytes);
  }

  written(): RandomRead {
    return this.#update.written();
  }

  verify(image: EcuImage, signal?: AbortSignal): Promise<void> {
    return this.#update.verify(image, this.#session?.boot.slot ?? null, signal);
  }

  proveFallback(signal?: AbortSignal): Promise<void> {
    const running = this.#session?.boot.slot;
    return running === undefined ? Promise.resolve() : this.#update.proveFallback(running, signal);
  }

  async arm(image: EcuImage, bundle: string | null = null): Promise<void> {
    const before = this.#parts.slots.records.read();
    await this.#update.arm(image, this.#session?.boot.slot ?? null, bundle);
    this.#tellSince(before);
  }

  confirm(image: EcuImage): void {
    const session = this.#session;
    if (!session || !sameImage(session.boot.image, image)) {
      throw new UpdateFailure(
        "slotUnsound",
        this.serial,
        `Cannot confirm ${image.version} on ${this.serial}: it does not run`,
      );
    }
    const { records } = this.#parts.slots;
    if (records.affirmed && records.read()[session.boot.slot].successful) return;
    const confirmed = { successful: true, triesRemaining: 0, verdict: null, owed: null };
    records.change(session.boot.slot, confirmed);
    records.even(); // The older copy calls it a trial: damage to this one must not bring that back.
    this.#parts.listener.changed(this.serial);
  }

  async revert(image: EcuImage, verdict: FailureName | null): Promise<void> {
    const before = this.#parts.slots.records.read();
    this.#update.disarm(image, verdict);
    this.#tellSince(before);
    const running = this.#session?.boot.image;
    if (running === undefined || sameImage(running, image)) await this.restart();
  }

  /** What is reported of the slots is no longer true, once the record was replaced. */
  #tellSince(before: BootRecord): void {
    const { slots, listener } = this.#parts;
    if (slots.records.read() !== before) listener.changed(this.serial);
  }

  activeFile(): RandomRead | null {
    if (this.#session === undefined) return null;
    const { slot, image } = this.#session.boot;
    return readPartition(this.#parts.slots.storage.slots[slot], image.lengthBytes);
  }

  restart(): Promise<void> {
    const restart = this.#tail.then(async () => {
      await this.#stop();
      if (!this.#off.signal.aborted) this.#boot();
    });
    this.#tail = restart.catch(() => {}); // Whoever asked hears of it; the next restart still runs.
    return restart;
  }

  /** Gives it power. When storage keeps it from booting, it tries again with pauses that grow. */
  async start(): Promise<void> {
    try {
      await this.restart();
      this.#failedStarts = 0;
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      this.#trouble = { failure: error.failure, detail: error.message };
      this.#parts.listener.changed(this.serial);
      void this.#startLater();
    }
  }

  async #startLater(): Promise<void> {
    const pause = Math.min(BACKOFF_MIN_MS * 2 ** this.#failedStarts++, BACKOFF_MAX_MS);
    try {
      await this.#parts.clock.sleep(pause, this.#off.signal);
      if (this.#session === undefined) await this.start();
    } catch { /* Switched off, or without power: nothing is to be started. */ }
  }

  /** Ends the image. The ECU stays off. */
  async powerOff(): Promise<void> {
    this.#off.abort();
    await this.#tail;
    await this.#stop();
  }

  async #stop(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    session?.stop.abort();
    await session?.image.kill();
  }

  #boot(): void {
    const { profile, slots, runner, clock, newDigest, listener } = this.#parts;
    const result = boot(slots.records, slots.storage, newDigest);
    if (result !== null) {
      const { slot, image, file } = result;
      const health = new Health(clock.monotonic(), trialMsOf(profile));
      const words = new LastWords(clock.monotonic());
      const stop = new AbortController();
      const current = () => !stop.signal.aborted;
      const proved = {
        lengthBytes: image.lengthBytes,
        sha256: image.sha256,
        slotPath: slots.paths[slot],
        read: (offset: number, length: number) =>
          file.read(offset, Math.min(length, image.lengthBytes - offset)),
      };
      const message = {
        type: "boot",
        serial: profile.serial,
        slot,
        version: image.version,
      } as const;
      const running = runner.start(proved, message, {
        message: (said) => {
          if (!current()) return;
          words.hear(said, clock.monotonic());
          this.#hear(said, health);
        },
        ended: (end) => current() && this.#ended(end),
      });
      this.#session = { boot: result, health, image: running, stop, words };
      this.#judgeLoop(this.#session);
    }
    listener.changed(profile.serial);
  }

  #hear(message: ImageMessage, health: Health): void {
    if (this.#trouble !== undefined) {
      this.#trouble = undefined; // It runs.
      this.#parts.listener.changed(this.serial);
    }
    health.beat(this.#parts.clock.monotonic()); // Whatever it says, it lives.
    if (message.type === "selfTest") health.selfTest(message.ok, message.detail);
    if (message.type === "display") this.#parts.listener.display(this.serial, message);
    if (message.type !== "heartbeat") this.#parts.listener.changed(this.serial);
  }

  #ended(end: ImageEnd): void {
    this.#condemn(verdictOfEnd(end));
  }

  #judgeLoop(session: Session): void {
    const { clock, listener } = this.#parts;
    const { signal } = session.stop;
    const loop = async () => {
      let passed = false;
      for (;;) {
        await clock.sleep(JUDGE_EVERY_MS, signal);
        session.health.listen(clock.monotonic(), session.image.loading);
        if (session.health.verdict() !== null) {
          // This process may itself have been busy: let waiting messages in before judging.
          await clock.sleep(JUDGE_EVERY_MS, signal);
          session.health.listen(clock.monotonic(), session.image.loading);
          const verdict = session.health.verdict();
          if (verdict !== null) return this.#condemn(verdict);
        }
        if (!passed && session.health.passed) {
          passed = true;
          this.#crashes = 0;
          listener.changed(this.serial);
        }
      }
    };
    loop().catch((error) => invariant(signal.aborted, `judge loop of ${this.serial}: ${error}`));
  }

  /**
   * Writes a verdict down, then acts on it: a trial goes back, a confirmed image starts again. So
   * does a trial that is not to blame, as long as it has tries.
   */
  #condemn(verdict: Verdict): void {
    const session = this.#session;
    if (session === undefined) return;
    session.stop.abort(); // One verdict a boot.
    this.#verdictDetail = verdict.detail.slice(0, 1000);
    try {
      this.#punish(session, verdict);
    } catch (error) {
      // The try was taken before the boot: even a verdict that is lost leaves few of them.
      if (!(error instanceof UpdateFailure)) throw error;
      this.#verdictDetail = error.message;
    }
    this.start().catch(() => {}); // Only without power.
  }

  /** Before the verdict: a cut in between has the trial repeated, and its log written again. */
  #writeLog({ boot: { image }, words }: Session, verdict: Verdict): void {
    const { profile: { serial }, clock } = this.#parts;
    try {
      this.care.log.write({ serial, image, verdict, lines: words.lines(), nowMs: clock.now() });
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error; // The verdict counts, with a log or without.
    }
  }

  #punish(session: Session, verdict: Verdict): void {
    const { boot, image } = session;
    const { failure } = verdict;
    const { slots, clock } = this.#parts;
    const patient = isExcused(failure) && boot.triesRemaining > 0;
    if (!patient && !slots.records.read()[boot.slot].successful) {
      this.#writeLog(session, verdict);
      slots.records.change(boot.slot, { unbootable: true, verdict: failure });
      return;
    }
    if (isExcused(failure)) this.#trouble = { failure, detail: this.#verdictDetail ?? "" };
    const pause = Math.min(BACKOFF_MIN_MS * 2 ** this.#crashes++, BACKOFF_MAX_MS);
    this.#tail = this.#tail.then(() => image.kill())
      .then(() => clock.sleep(pause, this.#off.signal).catch(() => {})); // Off ends the pause.
  }
}

function sameImage(a: EcuImage, b: EcuImage): boolean {
  return a.sha256 === b.sha256 && a.counter === b.counter;
}
