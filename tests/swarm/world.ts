/**
 * One world: server, broker, network, vehicle, publisher and driver under one clock and one seed.
 *
 * @module
 */
import { SimClock } from "../sim/sim_clock.ts";
import { type CheckerParts, Checkers, type Violation } from "./checkers.ts";
import { Dice } from "./dice.ts";
import { Driver } from "./driver.ts";
import { checkEnd } from "./end_checks.ts";
import { drawPlan, type Fault, type Plan } from "./plan.ts";
import { Publisher, type SwarmCampaign, type SwarmRelease } from "./publisher.ts";
import { Story } from "./story.ts";
import { SwarmBroker } from "./swarm_broker.ts";
import { swarmBus } from "./swarm_bus.ts";
import { SwarmNetwork } from "./swarm_network.ts";
import { SwarmServer } from "./swarm_server.ts";
import { SwarmVehicle, type Wrappers } from "./swarm_vehicle.ts";
import { Troubles } from "./troubles.ts";
import { Writes } from "./writes.ts";

/** What became of a world. */
export interface WorldResult {
  readonly plan: Plan;
  readonly violations: readonly Violation[];
  /** Of the whole story. */
  readonly digest: string;
  readonly lines: readonly string[];
  readonly marks: ReadonlyMap<string, number>;
  /** Timers and answers of the virtual clock, each followed by a look at every law. */
  readonly events: number;
  readonly virtualMs: number;
}

/** How a world is run. */
export interface WorldOptions {
  /** Keep the story's lines. */
  readonly keep?: boolean;
  /** Deliberate breakages, from when the faults begin. */
  readonly mutant?: (world: World) => Wrappers;
  /** Another plan than the seed's. */
  readonly plan?: Plan;
}

/** The vehicle of every world. */
const VIN = "SIMVEHICLE0000001";
/** The first campaign has this time; no faults are on its way. */
const FIRST_MS = 5 * 60_000;
/** When nothing goes wrong any more, all must have come to rest within this. */
const REST_MS = 30 * 60_000;
/** What rests stays so: the longest pause of a poll, and a trip. */
const STILL_MS = 75_000;

/** One world. */
export class World {
  readonly vin = VIN;
  readonly plan: Plan;
  readonly story: Story;
  readonly clock = new SimClock();
  readonly broker: SwarmBroker;
  readonly server: SwarmServer;
  readonly vehicle: SwarmVehicle;
  readonly troubles: Troubles;
  readonly checkers: Checkers;
  readonly writes: Writes;
  readonly #publisher: Publisher;
  readonly #driver: Driver;
  /** The campaign that brought the vehicle's first images, if it had any. */
  first: string | undefined;
  /** When the plan began; the time of the world, in milliseconds. */
  #beganMs: number | undefined;
  #wrap: Wrappers = {};
  #trouble: unknown;
  #events = 0;

  private constructor(plan: Plan, keep: boolean) {
    this.plan = plan;
    const { seed } = plan;
    const { clock } = this;
    const story = this.story = new Story(() => clock.elapsedMs, keep);
    const dice = (stream: string) => new Dice(seed, stream);
    const may = (fault: Fault) => this.#may(fault);
    const life = clock.life();
    const spoils = () => {
      const bad = may("badDelta") && spoiling.chance(0.5);
      if (bad) story.mark("badDelta");
      return bad;
    };
    const spoiling = dice("spoil");
    const broker = this.broker = new SwarmBroker({
      ...{ vin: VIN, clock: life, dice: dice("broker"), story, may },
    });
    const server = this.server = new SwarmServer({
      ...{ clock, broker, story, spoils, dice: dice("server"), outside: plan.broker === "outside" },
    });
    const publisher = this.#publisher = new Publisher({
      ...{ plan, server, story, clock: life, dice: dice("publisher") },
    });
    const parts: CheckerParts = {
      ...{ plan, world: clock, vehicle: () => this.vehicle, troubles: () => this.troubles },
      ...{ releases: publisher.releases, campaigns: publisher.campaigns },
    };
    const checkers = this.checkers = new Checkers(parts);
    const writes = this.writes = new Writes();
    const network = new SwarmNetwork({
      ...{ server, story, may, dice: dice("network") },
      onTargets: (text) => checkers.offered(text),
    });
    const vehicle = this.vehicle = new SwarmVehicle({
      ...{ vin: VIN, ecus: plan.ecus, slotBytes: plan.slotBytes, clock, broker, network, story },
      secret: () => this.#secret,
      wire: swarmBus({ dice: dice("bus"), story, may }).wire,
      wrap: () => this.#wrap,
      onStart: (start, bytes) => {
        story.tell(start.serial, `starts ${start.version} from slot ${start.slot}`);
        const habit = vehicle.habits.get(start.serial);
        if (habit !== undefined) story.mark(habit === "noRoom" ? "noRoom" : "imageTurnsBad");
        const does = publisher.releases.get(start.sha256)?.does ?? "good";
        if (does !== "good") story.mark("imageFaulty");
        checkers.start(start, bytes);
      },
      count: (disk, name) => writes.count(disk, name),
      trouble: (disk, name) => this.troubles.trouble(disk, name),
      onSync: () => this.troubles.synced(),
    });
    this.troubles = new Troubles({
      ...{ plan, world: clock, clock: life, story, server, broker, vehicle, may },
      ...{ dice: dice("troubles"), tears: dice("tears") },
      onCut: () => checkers.medium(),
    });
    this.#driver = new Driver({ vehicle, clock: life, dice: dice("driver"), story, may });
  }

  #secret = "";

  /** Runs a world to its end. */
  static async run(seed: number, options: WorldOptions = {}): Promise<WorldResult> {
    const world = new World(options.plan ?? drawPlan(seed), options.keep ?? false);
    const { story, checkers, plan } = world;
    try {
      await world.#begin();
      if (checkers.violations.length === 0) {
        world.#wrap = options.mutant?.(world) ?? {};
        await world.#live();
      }
    } catch (error) {
      checkers.violate("noBug", (error as Error).stack ?? String(error));
    } finally {
      world.server.records.close();
    }
    for (const { law, what } of checkers.violations) story.tell("LAW", `${law}: ${what}`);
    return {
      ...{ plan, violations: checkers.violations, lines: story.lines, marks: story.marks },
      ...{ events: world.#events, virtualMs: world.clock.elapsedMs, digest: story.end() },
    };
  }

  /** Everything that was published, by digest of the image. */
  get releases(): ReadonlyMap<string, SwarmRelease> {
    return this.#publisher.releases;
  }

  get campaigns(): ReadonlyMap<string, SwarmCampaign> {
    return this.#publisher.campaigns;
  }

  #may(fault: Fault): boolean {
    return this.#beganMs !== undefined && this.plan.faults.has(fault) &&
      this.clock.elapsedMs - this.#beganMs < this.plan.quietAtMs;
  }

  /** Has the vehicle come into being, with its first images. */
  async #begin(): Promise<void> {
    const { plan, vehicle, server } = this;
    const begin = async () => {
      await server.start();
      this.#secret = await this.#publisher.enrol(VIN);
      vehicle.powerOn();
      const serials = plan.ecus.filter(({ empty }) => !empty).map(({ serial }) => serial);
      if (serials.length === 0) return;
      const first = { atMs: 0, serials, does: {}, needs: false, apart: false };
      [this.first] = (await this.#publisher.carryOut(first)).map(({ campaign }) => campaign);
    };
    let begun = false;
    this.#spawn(begin().then(() => begun = true));
    await this.#drive(
      async () =>
        begun && await this.#rests() && this.vehicle.journal().concluded === (this.first ?? null),
      FIRST_MS,
      "the first images run",
    );
  }

  async #live(): Promise<void> {
    const { plan, vehicle, clock, story, checkers, troubles } = this;
    vehicle.cut(() => "new");
    vehicle.consent = plan.consent;
    this.#beganMs = clock.elapsedMs;
    this.writes.begin();
    story.tell("world", `${[...plan.faults].join(" ")}`);
    troubles.begin();
    vehicle.powerOn();
    const publish = async () => {
      const life = clock.life();
      for (const campaign of plan.campaigns) {
        await life.sleep(this.#beganMs! + campaign.atMs - clock.elapsedMs);
        await this.#publisher.carryOut(campaign);
      }
      await life.sleep(this.#beganMs! + plan.quietAtMs - clock.elapsedMs);
      if (!this.server.up) await this.server.start();
      await this.#publisher.resumeAll();
    };
    let published = false;
    this.#spawn(publish().then(() => published = true));
    const rest = async () => published && await this.#rests();
    await this.#drive(rest, plan.quietAtMs + REST_MS, "all comes to rest");
    if (checkers.violations.length > 0) return;
    // A late double or a poll may still come.
    await this.#drive(() => Promise.resolve(false), STILL_MS, undefined);
    await this.#drive(rest, REST_MS, "it stays at rest");
    await clock.drive(() => false, 200);
    checkers.medium();
    await checkEnd(this, checkers, story);
    this.writes.check(this, checkers);
  }

  #spawn(work: Promise<unknown>): void {
    work.catch((error) => this.#trouble ??= error);
  }

  /** Lets time pass until something holds. It is only asked when the vehicle rests. */
  async #drive(
    until: () => Promise<boolean>,
    limitMs: number,
    what: string | undefined,
  ): Promise<void> {
    const endMs = this.clock.elapsedMs + limitMs;
    while (this.clock.elapsedMs < endMs) {
      await this.clock.drive(() => this.#event(), Math.min(4000, endMs - this.clock.elapsedMs));
      if (this.checkers.violations.length > 0) return;
      if (this.#trouble !== undefined) throw this.#trouble;
      if (await until()) return;
    }
    if (what === undefined) return;
    const { vehicle } = this;
    const now = vehicle.on
      ? JSON.stringify([vehicle.journal().phase, Object.fromEntries(vehicle.runs)])
      : "off";
    const row = await this.server.vehicle(VIN);
    const director = JSON.stringify([row?.director?.campaign, vehicle.journal().concluded]);
    this.checkers.violate("boundedTime", `not within ${limitMs} ms: ${what}: ${now} ${director}`);
  }

  /** After every event. */
  #event(): boolean {
    this.#events++;
    this.troubles.look();
    const screen = this.checkers.look();
    if (screen !== undefined) this.#driver.look(screen);
    return this.checkers.violations.length > 0;
  }

  /** Nothing is pending on the vehicle, and the server knows it. */
  async #rests(): Promise<boolean> {
    const { vehicle, server } = this;
    if (!vehicle.on || !server.up || vehicle.journal().phase !== "idle") return false;
    const row = await server.vehicle(VIN);
    if (row?.director && row.director.campaign !== null) return false;
    const jobs = await server.records.read((tables) => tables.queuedDeltaJobs());
    return jobs === 0 && row?.current === null;
  }
}
