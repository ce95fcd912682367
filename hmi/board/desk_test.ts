import { assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import type { ReleaseRequest } from "shared/protocol/api.ts";
import { BOARD } from "../../tests/board_fixtures.ts";
import { createDesk } from "./desk.ts";
import { type Api, ApiError } from "./ports.ts";

const SHA = "a".repeat(64);
const NOTES = {
  purpose: "Security",
  changes: "Bluetooth",
  minutes: "6",
  unavailable: "Radio",
  instructions: "Park",
};

/** An API whose answers the test decides; anything else is an error of the test. */
function api(change: Partial<Api>): Api {
  const never = () => Promise.reject(new Error("not expected to be called"));
  return {
    ...{ login: never, logout: never, session: never, publish: never, addHardware: never },
    ...{
      offer: never,
      steer: never,
      cancelDelta: never,
      enrol: never,
      trials: never,
      hash: never,
      upload: never,
    },
    ...change,
  };
}

const refusal = (name: string, subject: string) =>
  new ApiError({ detail: "Cannot publish", remedy: "Do better", name, subject }, 409);

Deno.test("desk.publish() waits for the file to be hashed and sent, then asks once", async () => {
  const steps: string[] = [];
  const desk = createDesk(api({
    hash: (file) => Promise.resolve(steps.push(`hash ${file.name}`)).then(() => SHA),
    upload: (_file, sha256) => Promise.resolve(void steps.push(`upload ${sha256.length}`)),
    publish: (body: ReleaseRequest) => {
      steps.push(`publish ${body.hardware}/${body.version} ${body.sha256 === SHA}`);
      return Promise.resolve({
        release: "ivi-rpi4/1.6.0",
        campaign: "c14",
        counter: 9,
        sha256: SHA,
        carrierAdded: false,
      });
    },
  }));
  desk.chooseHardware("ivi-rpi4", BOARD.releases);
  assertEquals(desk.form.value.version, "1.6.0");
  desk.edit(NOTES);
  await desk.take(new File([new Uint8Array(9)], "ivi.bin"));
  await desk.publish();
  assertEquals(steps, ["hash ivi.bin", "upload 64", "publish ivi-rpi4/1.6.0 true"]);
  assertEquals(desk.published.value?.campaign, "c14");
  assertEquals([desk.job.value, desk.form.value.purpose, desk.busy.value], [null, "", false]);
});

Deno.test("desk.publish() asks nothing of the server while a field is wrong", async () => {
  const desk = createDesk(api({}));
  await desk.publish();
  assertEquals(Object.keys(desk.errors.value).length, 8);
  desk.edit({ purpose: "Security" });
  assertEquals(desk.errors.value.purpose, undefined);
  assertEquals(Object.keys(desk.errors.value).length, 7);
});

Deno.test("desk.publish() keeps everything and shows the refusal beside its field", async () => {
  const desk = createDesk(api({
    hash: () => Promise.resolve(SHA),
    upload: () => Promise.resolve(),
    publish: () => Promise.reject(refusal("versionTaken", "version")),
  }));
  desk.edit({ ...NOTES, hardware: "ivi-rpi4", version: "1.5.0" });
  await desk.take(new File([new Uint8Array(9)], "ivi.bin"));
  await desk.publish();
  assertEquals(desk.errors.value, { version: "Cannot publish. Do better" });
  assertEquals(desk.form.value.version, "1.5.0");
  assertEquals(desk.job.value?.state.value.phase, "done");
});

Deno.test("desk.take() refuses an empty file and shows a failed upload at the file", async () => {
  const desk = createDesk(api({
    hash: () => Promise.resolve(SHA),
    upload: () => Promise.reject(refusal("storeFull", SHA)),
  }));
  await desk.take(new File([], "empty.bin"));
  assertEquals(desk.errors.value.file, "Cannot take empty.bin: the file is empty");
  assertEquals(desk.job.value, null);
  desk.edit({ ...NOTES, hardware: "ivi-rpi4", version: "1.5.0" });
  await desk.take(new File(["BSDIFF40 and so on"], "a.patch"));
  assertEquals(desk.job.value?.kind, "patch");
  desk.edit({ deltaFrom: "1.4.0" });
  await desk.publish();
  assertStringIncludes(desk.errors.value.file ?? "", "Cannot publish");
  assertEquals(desk.job.value?.state.value.phase, "failed");
});

Deno.test("desk.refuse() says why, and keeps the file that was taken before", async () => {
  const desk = createDesk(
    api({ hash: () => Promise.resolve(SHA), upload: () => Promise.resolve() }),
  );
  await desk.take(new File(["x"], "x.bin"));
  desk.refuse("Cannot take 2 files at once");
  assertEquals(desk.errors.value.file, "Cannot take 2 files at once");
  assertEquals(desk.job.value?.name, "x.bin");
  await desk.take(new File(["y"], "y.bin"));
  assertEquals([desk.errors.value.file, desk.job.value?.name], [undefined, "y.bin"]);
});

Deno.test("desk.drop() gives the file up, so that its work ends", async () => {
  let given: unknown;
  const desk = createDesk(api({
    hash: (_file, { signal }) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(given = signal.reason))
      ),
  }));
  await desk.take(new File(["x"], "x.bin"));
  desk.drop();
  await Promise.resolve();
  assertEquals((given as Error).message, "Given up");
  assertEquals(desk.job.value, null);
});
