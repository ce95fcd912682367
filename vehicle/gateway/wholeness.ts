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

  /**
   * Takes the bundle back if its time has come and every ECU has a sound older image.
   *
   * @param astray Serials of the ECUs that cannot be healed now.
   * @param signal Ends it.
   * @returns Whether something changed.
   */
  async step(astray: readonly string[], signal: AbortSignal): Promise<boolean> {
    const { clock, ecus, roll, state, remember, mayRestart, log } = this.#parts;
    const { retreat } = state();
    const members = retreat ?? state().members;
    const patient = this.#sinceMs === undefined ||
      clock.monotonic() - this.#sinceMs < HEAL_PATIENCE_MS;
    const begun = retreat !== undefined;
    if ((!begun && patient) || !mayRestart()) return false;
    const bundle = ecus.filter(({ serial }) => members.includes(serial));
    // Alone it runs its older image already; one beside the bundle has no part in it.
    const whole = members.length > 1 && astray.every((serial) => members.includes(serial));
    if (!begun && !whole) return false;
    const ways = bundle.map((ecu) => ({ ecu, older: olderOf(ecu) }));
    if (ways.some(({ older }) => older === undefined)) return false;
    for (const { ecu, older } of ways) {
      if (!await isSound(ecu, older!, { clock, signal })) return false;
    }
    log(`goes back with ${members.join(", ")}: ${astray.join(", ")} cannot be healed`);
    remember({ retreat: [...members] }); // Intent before deed: half of the way back is no place to stay.
    // Those astray last: until then the vehicle knows that it is not whole.
    for (const { ecu, older } of ways.toSorted((a, b) => rank(a) - rank(b))) {
      ecu.care.prefer(older!.image);
      const { running } = await roll.ask(ecu.serial);
      if (running !== null && isSame(running.image, older!.image)) continue;
      await ecu.restart();
      await roll.ask(ecu.serial);
    }
    remember({ retreat: undefined });
    return true;

    function rank({ ecu }: { readonly ecu: EcuPort }): number {
      return astray.includes(ecu.serial) ? 1 : 0;
    }
  }
}

/** The confirmed image of the lowest counter: what the ECU ran before the bundle. */
function olderOf(ecu: EcuPort): WatchedSlot | undefined {
  const watched = ecu.care.watched().toSorted((a, b) => a.image.counter - b.image.counter);
  const [older] = watched;
  return watched.length > 1 && older?.condemned === false ? older : undefined;
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
