/**
 * The bus between gateway and ECUs of a world: frames that are lost, late and doubled, and ends of
 * it that forget everything.
 *
 * @module
 */
import { type Fate, SimBus, UNHURT } from "../sim/sim_bus.ts";
import type { Dice } from "./dice.ts";
import type { Fault } from "./plan.ts";
import type { Story } from "./story.ts";

/** What a bus of a world works with. */
export interface BusParts {
  readonly dice: Dice;
  readonly story: Story;
  readonly may: (fault: Fault) => boolean;
}

/** Makes the bus of a world. */
export function swarmBus({ dice, story, may }: BusParts): SimBus {
  const happens = (fault: Fault, probability: number) => {
    if (!may(fault) || !dice.chance(probability)) return false;
    story.mark(fault);
    return true;
  };
  const bus = new SimBus();
  bus.rule = ({ serial }): Fate => {
    if (happens("busLoss", 0.1)) return [];
    const late = happens("busSlow", 0.15) ? dice.between(1, 6000) : 0;
    if (happens("busReset", 0.01)) bus.reset(serial);
    if (happens("busDouble", 0.15)) return [late, late + dice.between(1, 3000)];
    return late === 0 ? UNHURT : [late];
  };
  return bus;
}
