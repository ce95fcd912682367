/**
 * The driver of a world: looks at the screen, thinks, and answers, now so, now otherwise. When all
 * is quiet the driver says yes.
 *
 * @module
 */
import type { HmiSnapshot } from "shared/protocol/hmi.ts";
import type { LifeClock } from "../sim/sim_clock.ts";
import type { Dice } from "./dice.ts";
import type { Fault } from "./plan.ts";
import type { Story } from "./story.ts";
import type { SwarmVehicle } from "./swarm_vehicle.ts";

/** What a driver works with. */
export interface DriverParts {
  readonly vehicle: SwarmVehicle;
  readonly clock: LifeClock;
  readonly dice: Dice;
  readonly story: Story;
  readonly may: (fault: Fault) => boolean;
}

/** A driver looks again, in case what was said got lost. */
const LOOK_AGAIN_MS = 4000;

/** The driver. */
export class Driver {
  readonly #parts: DriverParts;
  #thinking = false;
  /** Campaigns that the driver declined. */
  readonly declined = new Set<string>();

  constructor(parts: DriverParts) {
    this.#parts = parts;
  }

  /** The screen shows something. */
  look(screen: HmiSnapshot): void {
    if (this.#thinking || !this.#concerns(screen)) return;
    this.#thinking = true;
    void this.#think();
  }

  #concerns({ phase, result }: HmiSnapshot): boolean {
    return phase === "ready" || phase === "postponed" || phase === "waiting" || result !== null;
  }

  async #think(): Promise<void> {
    const { clock, dice, may, vehicle } = this.#parts;
    const absent = may("absent") && dice.chance(0.5);
    if (absent) this.#parts.story.mark("absent");
    await clock.sleep(absent ? dice.between(20_000, 240_000) : dice.between(200, 4000));
    const screen = vehicle.screen();
    if (screen !== undefined && this.#concerns(screen)) this.#act(screen);
    await clock.sleep(LOOK_AGAIN_MS);
    this.#thinking = false;
    vehicle.touched = true;
  }

  #act({ phase, offer, result }: HmiSnapshot): void {
    const { dice } = this.#parts;
    if (phase === "waiting" && offer !== null && this.#will("cancels", 0.5)) {
      return this.#say("cancel", offer.campaign);
    }
    if (phase === "waiting") return;
    if (offer === null) {
      if (result !== null) this.#parts.vehicle.command({ command: "acknowledge" });
      return;
    }
    if (phase === "postponed" && this.#will("postpones", 0.3)) return;
    if (phase === "ready" && this.#will("postpones", 0.4)) {
      return this.#say("postpone", offer.campaign);
    }
    if (this.#will("declines", 0.35)) {
      this.declined.add(offer.campaign);
      return this.#say("decline", offer.campaign);
    }
    this.#say("accept", offer.campaign);
    if (dice.chance(0.05)) this.#parts.vehicle.command({ command: "checkNow" });
  }

  #will(fault: Fault, probability: number): boolean {
    const { may, dice, story } = this.#parts;
    if (!may(fault) || !dice.chance(probability)) return false;
    story.mark(fault);
    return true;
  }

  #say(command: string, campaign: string): void {
    const { vehicle, story } = this.#parts;
    story.tell("driver", `${command} ${campaign}`);
    const id = vehicle.command({ command, campaign });
    if (this.#will("doubleTaps", 0.5)) vehicle.command({ command, campaign }, id);
  }
}
