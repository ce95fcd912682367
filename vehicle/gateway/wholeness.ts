/**
 * Whether the vehicle still runs what it confirmed, and the ways back to that after rot made an ECU
 * fall back to an older image or to nothing: forward by healing, or, when that takes too long, back
 * with all of the bundle (decision 0011).
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { HEAL_PATIENCE_MS } from "shared/limits.ts";
import { isEmpty, type SlotImage } from "vehicle/bootloader/boot_record.ts";
import type { EcuPort } from "vehicle/bus/ecu_port.ts";
import type { WatchedSlot } from "vehicle/bus/slot_care.ts";
import { halfBack, partners } from "./half_way.ts";
import type { JournalState } from "./journal.ts";
import type { RollCall } from "./roll_call.ts";
import { isSame } from "./trial_view.ts";

/** An ECU that does not run what it is to run. */
export interface Stray {
  readonly ecu: EcuPort;
  /** The slot that is to run; `undefined` if the boot record is lost. */
  readonly wanted: WatchedSlot | undefined;
  /** What is to run. */
  readonly image: SlotImage;
}

/** The slot that the loader prefers, sound or not. */
export function preferred(ecu: EcuPort): WatchedSlot | undefined {
  return ecu.care.watched().toSorted((a, b) => b.priority - a.priority)[0];
}

/** What each ECU is to run, as its boot record says. */
export function confirmedImages(ecus: readonly EcuPort[]): Record<string, SlotImage> {
  return Object.fromEntries(ecus.flatMap((ecu) => {
    const wanted = preferred(ecu);
    return wanted === undefined ? [] : [[ecu.serial, wanted.image] as const];
  }));
}

/**
 * ECUs that rot has led astray. One that is only being restarted, or that cannot be read for now,
 * or that does not answer, is none.
 *
 * @param vehicle All ECUs, and how they answered the last roll call.
 * @param state The journal, which remembers what each ECU confirmed.
 * @param revived Serials whose slot was healed meanwhile.
 * @returns The strays.
 */
export function strays(
  { ecus, roll }: { readonly ecus: readonly EcuPort[]; readonly roll: RollCall },
  { settled = {} }: Pick<JournalState, "settled">,
  revived: ReadonlySet<string>,
): Stray[] {
  const { absent } = roll;
  return ecus.flatMap((ecu): Stray[] => {
    if (absent.has(ecu.serial)) return []; // What was heard of it last need not be true any more.
    const { running, record } = roll.of(ecu.serial);
    const wanted = preferred(ecu);
    if (wanted === undefined) {
      const image = settled[ecu.serial];
      // A new ECU has an empty record too, but nothing is known of it.
      return image !== undefined && running === null && isEmpty(record)
        ? [{ ecu, wanted, image }]
        : [];
    }
    const { image, condemned } = wanted;
    if (running !== null && isSame(running.image, image)) return [];
    const astray = condemned || running?.trial === false || revived.has(ecu.serial);
    return astray ? [{ ecu, wanted, image }] : [];
  });
}

/**
 * Names an image again in a boot record that was lost. If one of the slots still holds it whole, the
 * ECU can boot it at once; else it is named as rotten, and healing fetches what is missing.
 *
 * @param ecu The ECU.
 * @param image What it confirmed, as the journal remembers it.
 * @param options A clock for breaths, and the signal that ends it.
 * @returns The slot that holds it, if one does.
 */
export async function adoptImage(
  ecu: EcuPort,
  image: SlotImage,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<"A" | "B" | undefined> {
  for (const slot of ["A", "B"] as const) {
    if (!await isSound(ecu, { slot, image }, { clock, signal })) continue;
    // Named only where it is: a cut must not leave the loader with the wrong slot.
    ecu.care.adopt(slot, image);
    await isSound(ecu, { slot, image }, { clock, signal }); // Takes it into service.
    return slot;
  }
  ecu.care.adopt("A", image);
  return undefined;
}

/** What the way back needs. */
export interface RetreatParts {
  readonly clock: Clock;
  readonly ecus: readonly EcuPort[];
  readonly roll: RollCall;
  readonly state: () => JournalState;
  readonly remember: (changes: Partial<JournalState>) => void;
  readonly mayRestart: () => boolean;
  readonly log: (line: string) => void;
}

/** The way back with all of a bundle, when one ECU of it cannot be healed. */
export class Retreat {
  readonly #parts: RetreatParts;
  #sinceMs: number | undefined;

  /** @param parts What it works with. */
  constructor(parts: RetreatParts) {
    this.#parts = parts;
  }

  /** Healing failed once more. */
  failed(): void {
    this.#sinceMs ??= this.#parts.clock.monotonic();
  }

  /** Nothing is astray. */
  whole(): void {
    this.#sinceMs = undefined;
  }

  /** Without the journal that began it, a way back shows in the boot records. */
  async find(): Promise<void> {
    const { roll, state, remember } = this.#parts;
    if (state().retreat !== undefined || halfBack(roll.all()) === undefined) return;
    await roll.call();
    const members = halfBack(roll.all());
    if (members !== undefined && roll.absent.size === 0) remember({ retreat: members });
  }

  /**
   * Takes the bundle back if its time has come and every ECU has a sound older image. A way back that
   * was begun and that rot has cut off leads forward again, if all hold the newer image soundly.
   *
   * @param astray Serials of the ECUs that cannot be healed now.
   * @param signal Ends it.
   * @returns Whether something changed.
   */
  async step(astray: readonly string[], signal: AbortSignal): Promise<boolean> {
    const { clock, ecus, state, mayRestart, log } = this.#parts;
    const { retreat } = state();
    const members = retreat ?? this.#bundleOf(astray);
    const patient = this.#sinceMs === undefined ||
      clock.monotonic() - this.#sinceMs < HEAL_PATIENCE_MS;
    const begun = retreat !== undefined;
    if ((!begun && patient) || !mayRestart()) return false;
    const bundle = ecus.filter(({ serial }) => members.includes(serial));
    // Alone it runs its older image already; one beside the bundle has no part in it.
    const whole = members.length > 1 && astray.every((serial) => members.includes(serial));
    if (!begun && !whole) return false;
    const back = bundle.map((ecu) => ({ ecu, to: this.#olderOf(ecu) }));
    if (await this.#areSound(back, signal)) {
      log(`goes back with ${members.join(", ")}: ${astray.join(", ")} cannot be healed`);
      await this.#go(back, astray);
      return true;
    }
    const forward = bundle.map((ecu) => ({ ecu, to: this.#newerOf(ecu) }));
    if (!begun || !await this.#areSound(forward, signal)) return false;
    log(`goes forward again with ${members.join(", ")}: the way back is cut off`);
    await this.#go(forward, astray);
    return true;
  }

  /** The partners of those astray: as their records say, and as the last campaign did. */
  #bundleOf(astray: readonly string[]): readonly string[] {
    const { roll, state } = this.#parts;
    const { members } = state();
    const tags = new Set(astray.flatMap((serial) => {
      const { A, B } = roll.of(serial).record;
      return [A, B].flatMap(({ successful, bundle }) => successful && bundle ? [bundle] : []);
    }));
    const tagged = [...tags].map((tag) => partners(tag, roll.all()))
      .find((all) => astray.every((serial) => all.includes(serial))) ?? [];
    // One whose record was lost and made anew has no tag any more.
    const named = astray.every((serial) => members.includes(serial)) ? members : [];
    return [...new Set([...tagged, ...named])];
  }

  async #areSound(
    ways: readonly { readonly ecu: EcuPort; readonly to: WatchedSlot | undefined }[],
    signal: AbortSignal,
  ): Promise<boolean> {
    if (ways.some(({ to }) => to === undefined || to.condemned)) return false;
    const { clock } = this.#parts;
    for (const { ecu, to } of ways) if (!await isSound(ecu, to!, { clock, signal })) return false;
    return true;
  }

  async #go(
    ways: readonly { readonly ecu: EcuPort; readonly to: WatchedSlot | undefined }[],
    astray: readonly string[],
  ): Promise<void> {
    const { roll, remember } = this.#parts;
    // Intent before deed: half of the way is no place to stay.
    remember({ retreat: ways.map(({ ecu: { serial } }) => serial) });
    const rank = ({ ecu }: { readonly ecu: EcuPort }) => astray.includes(ecu.serial) ? 1 : 0;
    // Those astray last: until then the vehicle knows that it is not whole.
    for (const { ecu, to } of ways.toSorted((a, b) => rank(a) - rank(b))) {
      ecu.care.prefer(to!.image);
      const { running } = await roll.ask(ecu.serial);
      if (running !== null && isSame(running.image, to!.image)) continue;
      await ecu.restart();
      await roll.ask(ecu.serial);
    }
    remember({ retreat: undefined });
  }

  /** What the ECU ran before the bundle. One that is back may have given its part up since. */
  #olderOf(ecu: EcuPort): WatchedSlot | undefined {
    const { A, B } = this.#parts.roll.of(ecu.serial).record;
    const [older, newer] = ecu.care.watched().toSorted(byCounter);
    return newer === undefined && !A.owed?.back && !B.owed?.back ? undefined : older;
  }

  /** Its part of the bundle. */
  #newerOf(ecu: EcuPort): WatchedSlot | undefined {
    const { A, B } = this.#parts.roll.of(ecu.serial).record;
    return A.owed?.back || B.owed?.back ? undefined : ecu.care.watched().toSorted(byCounter).at(-1);
  }
}

function byCounter(a: WatchedSlot, b: WatchedSlot): number {
  return a.image.counter - b.image.counter;
}

async function isSound(
  ecu: EcuPort,
  { slot, image }: Pick<WatchedSlot, "slot" | "image">,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<boolean> {
  const steps = ecu.care.restore(slot, image);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await clock.sleep(0, signal);
  }
}
