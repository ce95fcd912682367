/**
 * What the plan does to the vehicle's disks, power and clocks, and to the server, when its time
 * comes.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import type { Disk } from "vehicle/ports.ts";
import { PARKED } from "vehicle/gateway/signals.ts";
import type { LifeClock, SimClock } from "../sim/sim_clock.ts";
import type { CutChoice } from "../sim/sim_disk.ts";
import type { Dice } from "./dice.ts";
import type { CutPlan, DiskPlan, Fault, Plan } from "./plan.ts";
import type { Story } from "./story.ts";
import type { SwarmBroker } from "./swarm_broker.ts";
import type { SwarmServer } from "./swarm_server.ts";
import type { SwarmVehicle } from "./swarm_vehicle.ts";

/** What troubles work on. */
export interface TroubleParts {
  readonly plan: Plan;
  readonly world: SimClock;
  readonly clock: LifeClock;
  readonly dice: Dice;
  /** How a sector is torn: a stream of its own, since it came later. */
  readonly tears: Dice;
  readonly story: Story;
  readonly server: SwarmServer;
  readonly broker: SwarmBroker;
  readonly vehicle: SwarmVehicle;
  readonly may: (fault: Fault) => boolean;
  /** Told after each cut, while the vehicle has no power. */
  readonly onCut: () => void;
}

/** A cut at a time takes the power at an operation of a disk, but waits for one no longer than this. */
const CUT_WAITS_MS = 1000;

/** The troubles of one world. */
export class Troubles {
  readonly #parts: TroubleParts;
  readonly #active = new Set<DiskPlan>();
  /** Cuts whose time has come, and that wait for their phase. */
  #waiting: CutPlan[] = [];
  /** The cut whose operation is counted down. */
  #armed: CutPlan | undefined;
  #again: number | undefined;
  /** When a disk last failed, by name; the time of the world, in milliseconds. */
  readonly failedAtMs = new Map<string, number>();
  /** Times that the power or the process went. */
  cuts = 0;

  constructor(parts: TroubleParts) {
    this.#parts = parts;
  }

  /** Everything of the plan comes when its time comes. */
  begin(): void {
    const { plan, vehicle, server, broker, story, dice } = this.#parts;
    const soon = (atMs: number, act: () => unknown) => void this.#parts.clock.sleep(atMs).then(act);
    const forAWhile = (
      { atMs, lastsMs }: { readonly atMs: number; readonly lastsMs: number },
      begins: () => unknown,
      ends: () => unknown,
    ) => {
      soon(atMs, begins);
      soon(Math.min(atMs + lastsMs, plan.quietAtMs), ends);
    };
    for (const cut of plan.cuts) soon(cut.atMs, () => this.#arm(cut));
    for (const disk of plan.disks) {
      forAWhile(disk, () => this.#active.add(disk), () => this.#active.delete(disk));
    }
    for (const one of plan.breaks) {
      forAWhile(one, () => {
        story.mark("mqttBreak");
        broker.down = true;
        broker.break();
      }, () => broker.down = !server.up && plan.broker === "embedded");
    }
    for (const { crash, ...one } of plan.serverEnds) {
      forAWhile(one, async () => {
        if (server.up) story.mark(crash ? "serverCrash" : "serverStop");
        await server.end(crash);
      }, () => server.up || server.start());
    }
    for (const one of plan.serverFull) {
      forAWhile(one, () => server.blobs.full = true, () => server.blobs.full = false);
    }
    for (const { atMs, stepMs } of plan.steps) {
      soon(atMs, () => {
        story.mark("clockStep");
        story.tell("clock", `steps by ${stepMs} ms`);
        vehicle.skewMs += stepMs;
      });
    }
    for (const one of plan.habits) {
      forAWhile(
        one,
        () => vehicle.habits.set(one.serial, one.does),
        () => vehicle.habits.delete(one.serial),
      );
    }
    for (const one of plan.signals) {
      forAWhile(one, () => {
        story.mark("preconditions");
        const signals = dice.pick([
          { ...PARKED, speedKmh: 50, parked: false },
          { ...PARKED, brake: false },
          { ...PARKED, batteryPercent: dice.between(0, 29) },
          { ...PARKED, speedKmh: null, batteryPercent: null },
        ]);
        vehicle.command({ command: "signals", signals });
      }, () => vehicle.command({ command: "signals", signals: PARKED }));
    }
    if (plan.faults.has("wornSectors")) this.#wear();
    soon(plan.quietAtMs, () => this.#quiet());
  }

  /** A disk as the troubles leave it. */
  trouble(disk: Disk, name: string): Disk {
    const { plan, world, story } = this.#parts;
    const refuse = (action: DiskPlan["action"]) => {
      for (const one of this.#active) {
        if (one.disk !== name || one.action !== action) continue;
        story.mark(one.failure === "storageFull" ? "diskFull" : "diskError");
        this.failedAtMs.set(name, world.elapsedMs);
        throw new UpdateFailure(one.failure, name, `Cannot ${action} ${name}: simulated fault`);
      }
    };
    return {
      sectorBytes: disk.sectorBytes,
      sectors: disk.sectors,
      read: (sector, count) => {
        refuse("read");
        return disk.read(sector, count);
      },
      readInto: (sector, target) => {
        refuse("read");
        disk.readInto(sector, target);
      },
      write: (sector, data) => {
        refuse("write");
        disk.write(sector, data);
      },
      sync: () => {
        refuse("sync");
        disk.sync();
        if (plan.syncMs > 0 && this.#parts.may("diskSlow")) {
          story.mark("diskSlow");
          world.block(plan.syncMs);
        }
      },
    };
  }

  /** Something became durable: a cut may wait for the phase that it says. */
  synced(): void {
    const { vehicle } = this.#parts;
    if (this.#waiting.length === 0 || this.#armed !== undefined) return;
    const { phase } = vehicle.journal();
    const next = this.#waiting.find((cut) => cut.phase === phase);
    if (next === undefined) return;
    this.#waiting = this.#waiting.filter((cut) => cut !== next);
    this.#armed = next;
    vehicle.power.cutAt = vehicle.power.operations + next.operations;
  }

  /** Asked after every event: the power may have gone before an operation. */
  look(): void {
    const { vehicle } = this.#parts;
    if (!vehicle.on && !vehicle.off && vehicle.power.operations >= vehicle.power.cutAt) this.#cut();
  }

  #arm(cut: CutPlan): void {
    const { vehicle, clock } = this.#parts;
    if (cut.phase !== undefined) return void this.#waiting.push(cut);
    if (this.#armed !== undefined || vehicle.off) return;
    this.#armed = cut;
    vehicle.power.cutAt = vehicle.power.operations + cut.operations;
    void clock.sleep(CUT_WAITS_MS).then(() => {
      if (this.#armed === cut && !vehicle.off) this.#cut();
    });
  }

  #cut(): void {
    const { vehicle, story, clock, onCut, may, dice } = this.#parts;
    const armed = this.#armed;
    const processOnly = armed?.processOnly ?? false;
    this.#armed = undefined;
    this.cuts++;
    const again = armed === undefined && this.#again !== undefined;
    story.mark(again ? "cutAgain" : processOnly ? "processCrash" : "powerCut");
    const { phase } = vehicle.journal();
    story.mark(`cut in ${phase}`);
    story.tell("vehicle", `${processOnly ? "its process ends" : "loses its power"} in ${phase}`);
    vehicle.cut(processOnly ? undefined : this.#loss());
    vehicle.off = true;
    onCut();
    this.#again = armed?.again;
    void clock.sleep(armed?.offMs ?? dice.between(50, 5000)).then(() => {
      vehicle.off = false;
      if (may("clockReset") && !processOnly) {
        story.mark("clockReset");
        vehicle.skewMs = -vehicle.wallMs(); // A clock without a battery begins in 1970.
      }
      if (this.#again !== undefined) {
        vehicle.power.cutAt = vehicle.power.operations + this.#again;
      }
      vehicle.powerOn();
    });
  }

  /** What the cut leaves of each cached sector. */
  #loss(): CutChoice {
    const { dice, tears } = this.#parts;
    const all = dice.pick(["old", "new", "any", "any"] as const);
    if (all !== "any") return () => all;
    return () => {
      const fate = dice.pick(["old", "new", "torn"] as const);
      return fate === "torn" && tears.chance(0.5) ? "garbage" : fate;
    };
  }

  /** Some sectors of the slots keep something else than what is written, once or twice. */
  #wear(): void {
    const { vehicle, dice, story } = this.#parts;
    for (const [name, disk] of vehicle.disks) {
      if (!/\.[AB]$/.test(name) || dice.chance(0.6)) continue;
      const worn = disk.worn;
      worn.set(dice.between(0, Math.floor(disk.sectors / 2)), dice.between(1, 2));
      story.tell("disk", `${name}: a sector is worn`);
    }
  }

  #quiet(): void {
    const { vehicle, story } = this.#parts;
    story.tell("world", "from now on nothing goes wrong");
    for (const disk of vehicle.disks.values()) disk.worn.clear();
    [this.#waiting, this.#armed, this.#again] = [[], undefined, undefined];
    if (vehicle.on) vehicle.power.cutAt = Infinity;
    vehicle.habits.clear();
    vehicle.touched = true;
  }
}
