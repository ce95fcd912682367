/**
 * Joins the upkeep to the gateway's other parts.
 *
 * @module
 */
import { LEAF_BYTES } from "shared/limits.ts";
import type { HealParts } from "./heal.ts";
import type { Ledger } from "./ledger.ts";
import type { Reporter } from "./reporter.ts";
import type { GatewayRecords } from "./scrub.ts";
import { Upkeep, type UpkeepParts } from "./upkeep.ts";

/** The upkeep of a gateway, from the gateway's parts. */
export function upkeepOf(
  parts: Omit<HealParts, "leafBytes"> & Pick<UpkeepParts, "ecus" | "log"> & {
    readonly journal: GatewayRecords;
    readonly leafBytes?: number;
  },
  ledger: Ledger,
  { reporter, mayRestart }: {
    readonly reporter: Reporter;
    readonly mayRestart: () => boolean;
  },
): Upkeep {
  return new Upkeep({
    ...parts,
    mayRestart,
    roll: ledger.roll,
    leafBytes: parts.leafBytes ?? LEAF_BYTES,
    records: parts.journal,
    state: () => ledger.state,
    remember: (changes) => ledger.remember(changes),
    stateOf: (ecu) => ledger.state.ecus[ecu]?.state ?? "idle",
    event: (ecu, state, more) => reporter.event(ecu, state, more),
    changed: () => ledger.told(),
    progressed: () => {
      reporter.progressed();
      ledger.show();
    },
  });
}
