/**
 * Lists that are longer than one page: routes, the publisher's tool and the notice board.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import { MAX_PAGE_ROWS } from "shared/limits.ts";
import type { Campaign, Release, Vehicle } from "shared/protocol/api.ts";
import { ApiClient } from "./cli/client.ts";
import { assertRefused, TestServer } from "./fixture_test.ts";
import { sampleBytes, VIN } from "./samples_test.ts";

/** Follows `Link` from page to page. */
async function pages<T>(test: TestServer, path: string): Promise<T[][]> {
  const found: T[][] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const answer = await test.ask(next);
    assertEquals(answer.status, 200, next);
    found.push(await answer.json());
    next = /^<(.+)>; rel="next"$/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  return found;
}

Deno.test("releases, campaigns and vehicles come page by page, none twice and none left out", async () => {
  await using test = await TestServer.start();
  const sha256 = await test.upload(sampleBytes(1000));
  for (const n of [1, 2, 3, 4, 5]) await test.publish("ivi-rpi4", `1.${n}.0`, { sha256 });
  for (const n of [3, 1, 2]) await test.enrol(VIN.slice(0, -1) + n);
  const releases = await pages<Release>(test, "/api/v1/releases?limit=2");
  assertEquals(
    releases.map((page) => page.map(({ version }) => version)),
    [["1.5.0", "1.4.0"], ["1.3.0", "1.2.0"], ["1.1.0"]],
  );
  const campaigns = await pages<Campaign>(test, "/api/v1/campaigns?limit=3");
  assertEquals(
    campaigns.map((page) => page.map(({ campaign }) => campaign)),
    [["c5", "c4", "c3"], ["c2", "c1"]],
  );
  const vehicles = await pages<Vehicle>(test, "/api/v1/vehicles?limit=1");
  assertEquals(vehicles.map((page) => page[0]!.vin.at(-1)), ["1", "2", "3"]);
  assertEquals((await pages(test, "/api/v1/vehicles?limit=3")).length, 1, "no empty last page");
  for (const query of ["limit=0", "limit=-1", "limit=x", `limit=${MAX_PAGE_ROWS + 1}`]) {
    await assertRefused(await test.ask(`/api/v1/vehicles?${query}`), 400, "badRequest");
  }
  for (const list of ["vehicles", "campaigns", "releases"]) {
    const trick = await test.ask(`/api/v1/${list}?after=${encodeURIComponent("' OR 1=1 --")}`);
    await assertRefused(trick, 400, "badRequest");
  }
});

Deno.test("a fleet beyond one page is listed whole by the tool and in part by the board", async () => {
  await using test = await TestServer.start();
  const fleet = MAX_PAGE_ROWS + 5;
  await test.server.core.ports.records.write(async (tables) => {
    for (let n = 0; n < fleet; n++) {
      await tables.putVehicle({
        ...{ tokenHash: null, secretHash: null, pendingHash: null, lastSeenAt: null },
        ...{ brokerEntry: null, pendingEntry: null, report: null, director: null },
        ...{ vin: `WVWZZZ1JZXW${String(n).padStart(6, "0")}`, current: null, queue: [] },
      });
    }
  });
  const client = new ApiClient(test.http, test.token);
  const vins = (await client.vehicles()).map(({ vin }) => vin);
  assertEquals([vins.length, new Set(vins).size], [fleet, fleet]);
  const { vehicles, totals } = await test.server.core.view.snapshot();
  assertEquals([vehicles.length, totals?.vehicles], [MAX_PAGE_ROWS, fleet]);
});
