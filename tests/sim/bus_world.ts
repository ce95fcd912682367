/**
 * A simulated vehicle on a bus, watched: at no moment may it call itself drivable while it is mixed.
 *
 * @module
 */
import { SimBus } from "./sim_bus.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** A vehicle on a bus, release 1 on all; and what watches it. */
export async function busWorld(): Promise<{ bus: SimBus; vehicle: SimVehicle }> {
  const bus = new SimBus();
  const vehicle = await SimVehicle.running({ consent: "auto", wire: bus.wire });
  return { bus, vehicle };
}

/** What the ECUs run, as they themselves know it, confirmed or not: one release, or a mix. */
function isMixed(vehicle: SimVehicle): boolean {
  return new Set(Object.values(vehicle.runs())).size > 1 ||
    Object.values(vehicle.runs()).some((version) => version?.startsWith("trial"));
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
  return vehicle.clock.drive(() => {
    if (vehicle.on && isMixed(vehicle) && !vehicle.screen().driveLock) {
      throw new Error(`drivable: ${JSON.stringify(vehicle.runs())}`);
    }
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
