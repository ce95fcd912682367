/**
 * Peak resident memory of server and vehicle while a large image is uploaded and
 * installed, and the seconds from publish to confirmed for the real esbuild pair.
 *
 * Usage: deno run -A tests/bench/memory.ts [MEGABYTES]     (default 400; Linux: reads /proc)
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { ecu, JourneyWorld } from "../journey_world.ts";
import { debianBsdiff, esbuildPair } from "../real_images.ts";

const MB = 1_000_000;
const megabytes = Number(Deno.args[0] ?? 400);

/** The kernel's high-water mark of a process, in MB. */
function peakMb(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024 / MB;
}

async function timed(world: JourneyWorld, publish: () => Promise<{ campaign: string }>) {
  const begun = performance.now();
  const { campaign } = await publish();
  await world.watch(campaign, 0);
  return (performance.now() - begun) / 1000;
}

{
  const opaque = { runner: "opaque", trialSeconds: 0, slotBytes: 2 ** 30 } as const;
  await using world = await new JourneyWorld([ecu("ivi", "ivi-rpi4", opaque)]).start();
  const idle = [peakMb(world.server.pid), peakMb(world.vehicle.pid)];
  const image = `${world.folder}/image`;
  {
    using file = await Deno.open(image, { write: true, create: true });
    const piece = new Uint8Array(MB);
    for (let i = 0; i < megabytes; i++) {
      for (let at = 0; at < MB; at += 62_500) {
        crypto.getRandomValues(piece.subarray(at, at + 62_500));
      }
      await file.write(piece);
    }
  }
  const seconds = await timed(world, () => world.publish(image, "ivi-rpi4", "1.0.0"));
  const peak = [peakMb(world.server.pid), peakMb(world.vehicle.pid)];
  const show = ([server, vehicle]: number[]) =>
    `server ${server!.toFixed(0)} MB, vehicle ${vehicle!.toFixed(0)} MB`;
  console.log(`${megabytes} MB image: publish to confirmed ${seconds.toFixed(1)} s`);
  console.log(`peak resident memory: idle ${show(idle)}; after it ${show(peak)}`);
}

const pair = await esbuildPair();
if (typeof pair === "string") console.log(`skipped: ${pair}`);
else {
  const opaque = { runner: "opaque", trialSeconds: 0 } as const;
  const seconds: Record<string, number[]> = { first: [], full: [], bsdiff40: [] };
  for (let round = 0; round < 3; round++) {
    await using world = await new JourneyWorld([
      ecu("ivi", "ivi-rpi4", opaque),
      ecu("cluster", "cluster-sim", opaque),
    ]).start();
    const [oldImage, newImage] = pair.paths;
    const [oldVersion, newVersion] = pair.versions;
    seconds.first!.push(
      await timed(world, () => world.publish(oldImage, "ivi-rpi4", oldVersion)),
    );
    await timed(world, () => world.publish(oldImage, "cluster-sim", oldVersion));
    seconds.full!.push(await timed(world, () => world.publish(newImage, "ivi-rpi4", newVersion)));
    const patch = `${world.folder}/patch`;
    if (!await debianBsdiff(oldImage, newImage, patch)) continue;
    const from = ["--delta-from", oldVersion];
    seconds.bsdiff40!.push(
      await timed(world, () => world.publish(patch, "cluster-sim", newVersion, ...from)),
    );
  }
  for (const [name, all] of Object.entries(seconds)) {
    const sorted = all.toSorted((a, b) => a - b).map((one) => one.toFixed(2));
    console.log(`esbuild 9.7 MB, ${name}: publish to confirmed ${sorted.join(" / ")} s`);
  }
}
