/**
 * A vehicle that learns whom to believe, keeps it on its disk, and is not talked out of it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { Clock } from "shared/clock.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { Backend } from "vehicle/ports.ts";
import { TRUST_DISK_BYTES } from "vehicle/storage/metadata_area.ts";
import { SimDisk } from "../../tests/sim/sim_disk.ts";
import { DAY_MS, sha256, TestFleet, VIN } from "../../tests/trust/fleet.ts";
import { daysOn, NOW, TestRepository } from "../../tests/trust/repository.ts";
import { outcome } from "../../tests/trust/world.ts";
import { TrustingBackend } from "./trust_http.ts";

const SECRET = "s".repeat(43);
const IVI = "ivi-rpi4/1.3.0";
const signal = new AbortController().signal;

/** What the interim server says, without a signature. */
const UNSIGNED = { campaign: "c99" } as unknown as DirectorTargets;

class TrustHttpWorld {
  readonly fleet = new TestFleet();
  readonly disk = new SimDisk(TRUST_DISK_BYTES / 512);
  readonly log: string[] = [];
  readonly asked: string[] = [];
  nowAt = NOW;
  /** What the network makes of an answer. */
  meddle: (path: string, answer: Response) => Response | Promise<Response> = (_, answer) => answer;

  constructor() {
    for (const [digit, path] of [["1", IVI], ["2", "body-sim/1.3.0"]] as const) {
      this.fleet.image.target("carriers", digit.repeat(64), new Uint8Array(9), {
        ...{ v: 1, format: "container", sha256: sha256(path) },
        merkle: { alg: "sha256-rfc6962", leafBytes: 65_536, root: "b".repeat(64) },
      });
    }
    for (const repository of [this.fleet.director, this.fleet.image]) {
      repository.part("timestamp").expires = daysOn(1); // As the server signs them.
    }
    this.fleet.publish();
  }

  /** As after a start. */
  backend(): TrustingBackend {
    return new TrustingBackend({
      disk: this.disk,
      identity: { vin: VIN, secret: SECRET } as never,
      places: {
        endpoints: () => Promise.resolve({ device: "http://device.test:1/" } as never),
        forget: () => {},
      },
      line: {
        fetch: (url, init) => this.#answer(url, init),
        timeout: () => new AbortController().signal,
      },
      clock: { now: () => this.nowAt } as Clock,
      plain: { targets: () => Promise.resolve(UNSIGNED) } as unknown as Backend,
      ecus: new Map(
        [...this.fleet.ecus].map(([serial, { hardware }]) => [
          serial,
          { hardware, counterFloor: 0, runningCounter: null },
        ]),
      ),
      log: (line) => this.log.push(line),
    });
  }

  async targets(): Promise<string> {
    let campaign = "";
    const failure = await outcome(async () => {
      campaign = (await this.backend().targets(signal)).campaign ?? "none";
    });
    return failure === "trusted" ? campaign : failure;
  }

  async #answer({ pathname }: URL, init: RequestInit): Promise<Response> {
    this.asked.push(pathname);
    const headers = new Headers(init.headers);
    assertEquals([headers.get("authorization"), init.redirect], [`Bearer ${SECRET}`, "error"]);
    const [, , repository, ...rest] = pathname.split("/");
    const files = this.fleet[repository as "image" | "director"].files;
    const bytes = files.get(rest.at(-1)!);
    const answer = bytes === undefined
      ? new Response("{}", { status: 404 })
      : new Response(new Uint8Array(bytes));
    return await this.meddle(pathname, answer);
  }
}

Deno.test("a vehicle takes the first roots once, then believes signed targets alone", async () => {
  const world = new TrustHttpWorld();
  assertEquals(await world.targets(), "c1");
  assertEquals(world.log, ["trust: the first roots of both repositories are taken"]);
  assert(world.asked.includes(`/metadata/director/${VIN}/timestamp.json`), world.asked.join());
  assert(world.asked.includes("/metadata/image/timestamp.json"));
  world.asked.length = 0;
  assertEquals(await world.targets(), "c1");
  assert(!world.asked.some((path) => path.endsWith("/1.root.json")), "not after a restart");
  assertEquals(world.log.length, 1);
});

Deno.test("a server without roots is asked for unsigned targets, but never again after roots were seen", async () => {
  const world = new TrustHttpWorld();
  world.meddle = () => new Response(null, { status: 404 });
  assertEquals(await world.targets(), "c99");
  world.meddle = (path, answer) =>
    path.includes("director") ? answer : new Response(null, { status: 404 });
  assertEquals(await world.targets(), "c99", "one repository alone is none");
  world.meddle = (_, answer) => answer;
  assertEquals(await world.targets(), "c1");
  world.meddle = () => new Response(null, { status: 404 });
  assertEquals(await world.targets(), "metadataMissing");
});

Deno.test("roots of a stranger are not taken in place of those that were seen", async () => {
  const world = new TrustHttpWorld();
  assertEquals(await world.targets(), "c1");
  const stranger = new TestRepository();
  stranger.part("root").version = 1;
  stranger.publish("root", "timestamp");
  world.meddle = (path, answer) => {
    const bytes = stranger.files.get(path.split("/").at(-1)!);
    return bytes === undefined ? answer : new Response(new Uint8Array(bytes));
  };
  assertEquals(await world.targets(), "metadataUnsigned");
});

Deno.test("a trust disk on which nothing can be read is trust lost, not a first contact", async () => {
  const world = new TrustHttpWorld();
  assertEquals(await world.targets(), "c1");
  for (const sector of [0, 32]) world.disk.flip(sector, 100);
  assertEquals(await world.targets(), "trustLost");
  assertEquals(world.log.slice(1), [
    "trust: recordLost: metadata on the trust disk was found lost",
  ]);
});

Deno.test("one rotten sector is healed at the start, and said", async () => {
  const world = new TrustHttpWorld();
  assertEquals(await world.targets(), "c1");
  world.disk.flip(32, 100);
  assertEquals(await world.targets(), "c1");
  assertEquals(world.log.slice(1), [
    "trust: recordRotten: metadata on the trust disk was found rotten",
  ]);
  assertEquals(await world.targets(), "c1");
  assertEquals(world.log.length, 2);
});

Deno.test("prove() holds what is installed against what is stored, also when it has expired", async () => {
  const world = new TrustHttpWorld();
  const { ecus } = await world.backend().targets(signal);
  const { release } = ecus.ivi!;
  world.meddle = () => Promise.reject(new TypeError("no network"));
  world.nowAt += 1000 * DAY_MS;
  await world.backend().prove(new Map([["ivi", release]]), NOW);
  const other = { ...release, sha256: "0".repeat(64) };
  const prove = () => world.backend().prove(new Map([["ivi", other]]), NOW);
  assertEquals(await outcome(prove), "targetUnproved");
});

Deno.test("metadata that is too long, too slow or refused has its name", async () => {
  const cases: [string, () => Response | Promise<Response>][] = [
    ["metadataTooLarge", () => new Response(new Uint8Array(600_000))],
    ["serverRefused", () => new Response(null, { status: 403 })],
    ["serverUnreachable", () => new Response(null, { status: 503 })],
    ["serverUnreachable", () => Promise.reject(new TypeError("connection reset"))],
  ];
  for (const [failure, answer] of cases) {
    const world = new TrustHttpWorld();
    assertEquals(await world.targets(), "c1");
    world.meddle = answer;
    assertEquals(await world.targets(), failure);
  }
});
