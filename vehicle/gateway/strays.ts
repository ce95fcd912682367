/**
 * What no journal speaks of any more: images on trial, or half of a bundle confirmed, after the
 * journal was lost or was of another version. The boot records alone decide, always the same way:
 * a bundle that is confirmed somewhere is confirmed everywhere, any other goes back.
 *
 * @module
 */
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { otherSlot, slotFloor, type SlotRecord } from "vehicle/bootloader/boot_record.ts";
import type { EcuImage, EcuInventory, EcuPort } from "vehicle/bus/ecu_port.ts";
import { confirmOne, type Secure } from "./commit.ts";
import type { RollCall } from "./roll_call.ts";
import { isSame } from "./trial_view.ts";

/** An image that is neither kept nor given up. */
export interface Stray {
  readonly serial: string;
  readonly image: EcuImage;
  readonly bundle: string | null;
  /** The commit point was passed, as another ECU's record shows; or it was not. */
  readonly way: "forward" | "back";
}

/**
 * Looks for what is neither kept nor given up. Pure.
 *
 * @param inventories The roll call.
 * @returns What must go which way, in the order of the roll call.
 */
export function strays(inventories: readonly EcuInventory[]): Stray[] {
  const kept = new Set(
    inventories.flatMap(({ record }) =>
      [record.A, record.B].flatMap(({ successful, bundle }) => successful && bundle ? [bundle] : [])
    ),
  );
  return inventories.flatMap((inventory) => {
    const { serial, record } = inventory;
    return (["A", "B"] as const).flatMap((at): Stray[] => {
      const slot = record[at];
      const { image, successful, bundle = null } = slot;
      if (image === null || successful) return [];
      // Else a later release took its place. What its own slot held before may be the same again.
      const isNewest = image.counter > slotFloor(record[otherSlot(at)]);
      if (bundle !== null && kept.has(bundle) && isNewest) {
        return [{ serial, image, bundle, way: "forward" }];
      }
      return mayRun(slot, inventory) ? [{ serial, image, bundle, way: "back" }] : [];
    });
  });
}

/** It runs on trial, or would at the next restart. */
function mayRun(slot: SlotRecord, { running }: EcuInventory): boolean {
  if (!slot.unbootable && slot.triesRemaining > 0) return true;
  return running?.trial === true && isSame(running.image, slot.image!);
}

/** Its slot no longer holds the image. */
const ROTTEN: readonly FailureName[] = ["slotDigestDiffers", "slotUnsound"];

/** Settles strays, while nothing is committed. */
export class Settler {
  readonly #ecus: readonly EcuPort[];
  readonly #roll: RollCall;
  readonly #log: (line: string) => void;
  /** What cannot go forward by itself: only another release can help. Told once. */
  readonly #hopeless = new Set<string>();

  constructor(ecus: readonly EcuPort[], roll: RollCall, log: (line: string) => void) {
    this.#ecus = ecus;
    this.#roll = roll;
    this.#log = log;
  }

  /**
   * Takes every stray its way. What is back needs the word of all ECUs, since one of them may
   * have been confirmed.
   *
   * @param secure Gives an ECU a sound way back, or throws.
   * @throws {UpdateFailure} If an ECU that matters is lost; to be repeated.
   */
  async settle(secure: Secure): Promise<void> {
    if (this.#pending().length === 0) return;
    await this.#roll.call();
    for (const stray of this.#pending()) {
      if (stray.way === "forward") await this.#forward(stray, secure);
      else await this.#back(stray);
    }
  }

  #pending(): Stray[] {
    return strays(this.#roll.all()).filter((stray) => !this.#hopeless.has(keyOf(stray)));
  }

  async #forward(stray: Stray, secure: Secure): Promise<void> {
    const { serial, image, bundle } = stray;
    this.#log(`${serial}: confirms ${image.version}: the rest of its bundle is confirmed`);
    try {
      await confirmOne({ ecu: this.#ecu(serial), image }, {
        tag: bundle ?? undefined,
        roll: this.#roll,
        secure,
      });
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      // At idle the way back is healed, as often as that takes; then it is this one's turn again.
      if (error.failure === "fallbackUnsound") return this.#log(`${serial}: ${error.message}`);
      if (!ROTTEN.includes(error.failure)) throw error;
      this.#log(`${serial}: ${error.failure}: ${error.message}`);
      this.#hopeless.add(keyOf(stray));
    }
  }

  async #back({ serial, image }: Stray): Promise<void> {
    for (const lost of this.#roll.absent) throw this.#roll.absence(lost)!;
    this.#log(`${serial}: takes back ${image.version}: no journal knows it`);
    await this.#ecu(serial).revert(image, "journalUnknown");
    await this.#roll.ask(serial);
  }

  #ecu(serial: string): EcuPort {
    return this.#ecus.find((ecu) => ecu.serial === serial)!;
  }
}

function keyOf({ serial, image }: Stray): string {
  return `${serial} ${image.sha256} ${image.counter}`;
}
