/**
 * A delta that was kept, until the full carrier turned out smaller.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { MIB } from "shared/limits.ts";
import { childDeltaMaker } from "../adapters/delta_maker.ts";
import { TestServer } from "../fixture_test.ts";
import type { DeltaMaker } from "../ports_delta.ts";
import { sampleBytes, vehicleReport } from "../samples_test.ts";
import { edited, ivi, jobs, published, told } from "./delta_world_test.ts";
import { FakeMaker } from "./fake_maker_test.ts";

Deno.test("a delta that is no smaller than the full carrier made after it is offered no longer", async () => {
  const fake = new FakeMaker(); // Its deltas have every changed segment as it is.
  let old = "";
  const makers = (folder: string): DeltaMaker => {
    const [plain, real] = [fake.of(folder), childDeltaMaker(folder)];
    return {
      make(task, options) {
        const isFull = task.base === null && task.effort === "best";
        return (isFull && old !== "" ? real : plain).make(task, options);
      },
    };
  };
  await using test = await TestServer.start({}, makers);
  const secret = await test.enrol();
  const image = sampleBytes(MIB + 200_000, 1).map((byte) => byte >> 6);
  old = await published(test, "1.0.0", image);
  await test.report(secret, vehicleReport(1, [ivi(old, 1)]));
  await published(test, "1.1.0", edited(image, 7));
  const [best, delta] = await jobs(test);
  assertEquals([best!.effort, best!.state, best!.baseSha256], ["best", "kept", null]);
  assertEquals([delta!.baseSha256, delta!.state, delta!.reason], [old, "dropped", "larger"]);
  assertEquals([delta!.carrierSha256, delta!.fullBytes], [null, best!.lengthBytes]);
  const { carriers } = (await told(test, secret)).ecus.ivi!;
  assert(carriers.every(({ baseSha256 }) => baseSha256 === undefined), "the delta is offered");
  assert(carriers.some(({ carrierSha256 }) => carrierSha256 === best!.carrierSha256));
});
