/**
 * The publisher of a world: uploads, publishes, offers, halts and withdraws through the server's
 * own routes, and tries again when the server is away or full.
 *
 * @module
 */
import { sha256Hex } from "shared/node/digest.ts";
import type { Notes } from "shared/protocol/common.ts";
import type { LifeClock } from "../sim/sim_clock.ts";
import type { Behaviour } from "../sim/sim_runner.ts";
import type { Dice } from "./dice.ts";
import { firstImage, nextImage } from "./images.ts";
import type { CampaignPlan, EcuPlan, Plan } from "./plan.ts";
import type { Story } from "./story.ts";
import { PASSWORD, PEOPLE, type SwarmServer } from "./swarm_server.ts";

/** A release as the publisher made it. */
export interface SwarmRelease {
  readonly release: string;
  readonly serial: EcuPlan["serial"];
  readonly hardware: string;
  readonly counter: number;
  readonly sha256: string;
  readonly does: Behaviour;
  readonly needs: readonly string[];
}

/** A campaign as the publisher made it. */
export interface SwarmCampaign {
  readonly campaign: string;
  readonly releases: readonly SwarmRelease[];
  state: "running" | "halted" | "withdrawn";
}

/** What a publisher works with. */
export interface PublisherParts {
  readonly plan: Plan;
  readonly server: SwarmServer;
  readonly clock: LifeClock;
  readonly dice: Dice;
  readonly story: Story;
}

const NOTES: Notes = {
  purpose: "Repairs a fault",
  changes: "Nothing that is seen",
  minutes: 2,
  unavailable: "The screen",
  instructions: "Park first",
};
/** How long a person waits before the next attempt. */
const AGAIN_MS = 3000;

/** What the publisher reads of the server's answers; which fields are there depends on the route. */
interface Answer {
  readonly token: string;
  readonly secret: string;
  readonly release: string;
  readonly campaign: string;
  readonly complete?: boolean;
  readonly offset?: number;
}

/** The publisher. */
export class Publisher {
  readonly #parts: PublisherParts;
  #token = "";
  readonly #images = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #counters = new Map<string, number>();
  /** Everything that was ever published, by digest of the image. */
  readonly releases = new Map<string, SwarmRelease>();
  readonly campaigns = new Map<string, SwarmCampaign>();

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    for (const { serial } of parts.plan.ecus) {
      this.#images.set(serial, firstImage(parts.dice, parts.plan.imageBytes));
    }
  }

  /** Enrols the vehicle; answers its secret. */
  async enrol(vin: string): Promise<string> {
    const { token } = await this.#ask("POST", "/api/v1/enrolments", { vin });
    return (await this.#ask("POST", "/enrol", { v: 1, vin, token })).secret;
  }

  /** Carries out one campaign of the plan; answers what was offered. */
  async carryOut({ serials, does, needs, apart, then }: CampaignPlan): Promise<SwarmCampaign[]> {
    const made: SwarmRelease[] = [];
    for (const serial of serials) {
      const first = made[0];
      made.push(
        await this.#release(
          serial,
          does[serial] ?? "good",
          needs && first !== undefined ? [first.release] : [],
        ),
      );
    }
    // Those that need the first one are offered before it, and have to wait.
    const groups = apart ? made.toReversed().map((one) => [one]) : [made];
    const offered: SwarmCampaign[] = [];
    for (const group of groups) offered.push(await this.#offer(group));
    if (then !== undefined) void this.#later(offered.at(-1)!, then);
    return offered;
  }

  /** Lets every halted campaign go on. */
  async resumeAll(): Promise<void> {
    for (const one of this.campaigns.values()) {
      if (one.state === "halted") await this.#act(one, "resume", "running");
    }
  }

  async #release(
    serial: EcuPlan["serial"],
    does: Behaviour,
    needs: readonly string[],
  ): Promise<SwarmRelease> {
    const { plan, dice } = this.#parts;
    const { hardware } = plan.ecus.find((ecu) => ecu.serial === serial)!;
    const bytes = nextImage(dice, this.#images.get(serial)!, does);
    this.#images.set(serial, bytes);
    const counter = (this.#counters.get(serial) ?? 0) + 1;
    this.#counters.set(serial, counter);
    const sha256 = await this.#upload(bytes);
    const body = { hardware, version: `${counter}.0.0`, notes: NOTES, sha256, needs, draft: true };
    const { release } = await this.#ask("POST", "/api/v1/releases", body);
    const made = { release, serial, hardware, counter, sha256, does, needs };
    this.releases.set(sha256, made);
    return made;
  }

  async #upload(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const { clock } = this.#parts;
    const sha256 = sha256Hex(bytes);
    const path = `/api/v1/uploads/${sha256}`;
    for (;;) {
      const state = await this.#ask("GET", path, undefined, [404]);
      if (state.complete === true) return sha256;
      const from = state.offset ?? 0;
      const end = from === 0 ? Math.ceil(bytes.length / 2) : bytes.length;
      const range = `bytes ${from}-${end - 1}/${bytes.length}`;
      await this.#ask("PUT", path, bytes.slice(from, end), [409], { "content-range": range });
      await clock.sleep(200);
    }
  }

  async #offer(releases: readonly SwarmRelease[]): Promise<SwarmCampaign> {
    const ids = releases.map(({ release }) => release);
    const { campaign } = await this.#ask("POST", "/api/v1/campaigns", { releases: ids });
    const made: SwarmCampaign = { campaign, releases, state: "running" };
    this.campaigns.set(campaign, made);
    this.#parts.story.tell("publisher", `offers ${campaign}: ${releases.map(words).join(", ")}`);
    return made;
  }

  async #later(one: SwarmCampaign, then: NonNullable<CampaignPlan["then"]>): Promise<void> {
    await this.#parts.clock.sleep(then.afterMs);
    if (one.state !== "running") return;
    await this.#act(one, then.verb, then.verb === "halt" ? "halted" : "withdrawn");
    this.#parts.story.mark(then.verb === "halt" ? "halted" : "withdrawn");
  }

  async #act(one: SwarmCampaign, verb: string, state: SwarmCampaign["state"]): Promise<void> {
    one.state = state;
    this.#parts.story.tell("publisher", `${verb} ${one.campaign}`);
    await this.#ask("POST", `/api/v1/campaigns/${one.campaign}/${verb}`, undefined, [409]);
  }

  /** Asks until it is answered well, or with one of these. */
  async #ask(
    method: string,
    path: string,
    body?: unknown,
    fine: number[] = [],
    more = {},
  ): Promise<Answer> {
    const { server, clock, story } = this.#parts;
    for (;; await clock.sleep(AGAIN_MS)) {
      if (!server.up) continue;
      const headers = { authorization: `Bearer ${this.#token}`, ...more };
      const raw = body instanceof Uint8Array
        ? body as Uint8Array<ArrayBuffer>
        : JSON.stringify(body);
      const init = { method, headers, ...(body === undefined ? {} : { body: raw }) };
      const answer = await server.people(new Request(PEOPLE + path, init));
      const read = await answer.json();
      if (answer.ok || fine.includes(answer.status)) return read;
      story.tell("publisher", `${method} ${path.slice(0, 40)}: ${answer.status} ${read.name}`);
      if (answer.status === 401) await this.#login();
      else if (read.name === "storeFull") story.mark("serverFull");
      else throw new Error(`Cannot publish: ${method} ${path}: ${read.detail}`);
    }
  }

  async #login(): Promise<void> {
    const { server } = this.#parts;
    const body = JSON.stringify({ user: "admin", password: PASSWORD });
    const answer = await server.people(
      new Request(`${PEOPLE}/api/v1/login`, { method: "POST", body }),
    );
    if (!answer.ok) throw new Error(`Cannot log in: ${await answer.text()}`);
    this.#token = (await answer.json()).token;
  }
}

function words({ release, does, needs }: SwarmRelease): string {
  return `${release} (${does}${needs.length > 0 ? `, needs ${needs}` : ""})`;
}
