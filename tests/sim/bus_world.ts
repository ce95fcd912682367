/**
 * A simulated vehicle on a bus, watched: at no moment may it call itself drivable while it is mixed.
 *
 * @module
 */
import { SimBus } from "./sim_bus.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** Turns of the world between two looks at least: three heartbeats a second, twelve judges. */
const LOOK_EVERY = 16;

/** A vehicle on a bus, release 1 on all; and what watches it. */
export async function busWorld(): Promise<{ bus: SimBus; vehicle: SimVehicle }> {
  const bus = new SimBus();
  const vehicle = await SimVehicle.running({ consent: "auto", wire: bus.wire });
  return { bus, vehicle };
}

/** Lets time pass until something holds; at every moment a mixed vehicle must be locked. */
export async function watched(
  vehicle: SimVehicle,
  condition: () => boolean,
  what: string,
  limitMs = 600_000,
): Promise<void> {
  if (await drive(vehicle, condition, limitMs)) return;
  await vehicle.until(condition, what, 0); // Fails, and says how it stands.
}

/** Lets time pass; at every moment a mixed vehicle must be locked. */
export async function lasts(vehicle: SimVehicle, ms: number): Promise<void> {
  await drive(vehicle, () => false, ms);
}

function drive(vehicle: SimVehicle, condition: () => boolean, limitMs: number): Promise<boolean> {
  let [seen, looks] = ["", 0];
  return vehicle.clock.drive(() => {
    const runs = vehicle.on ? Object.values(vehicle.runs()) : [];
    // As the ECUs themselves know it: two releases, or one that is not confirmed.
    const mixed = new Set(runs).size > 1 || runs.some((version) => version?.startsWith("trial"));
    const changed = seen !== (seen = runs.join());
    // Screen and journal take time: whenever something runs that did not before, and now and then.
    if (!changed && ++looks % LOOK_EVERY !== 0) return false;
    if (mixed && !vehicle.screen().driveLock) throw new Error(`drivable: ${seen}`);
    return condition();
  }, limitMs);
}

/** Whether a campaign has come to its end, and the vehicle to rest. */
export function concluded(vehicle: SimVehicle, campaign: string): () => boolean {
  return () => {
    const { phase, concluded } = vehicle.journal();
    return phase === "idle" && concluded === campaign;
  };
}
