/**
 * What a vehicle process has started ends with it, also when it is killed and can end nothing.
 *
 * @module
 */
import { imageProcesses, noProc, runs } from "./image_processes.ts";
import { ecu, firmware, JourneyWorld } from "./journey_world.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test({
  name: `a self-test that never ends is over when its vehicle is killed${noProc()}`,
  ignore: noProc() !== "",
  async fn() {
    const pidFile = await Deno.makeTempFile();
    // What it starts itself is to end as well.
    const selfTest = `sh -c 'echo $$ >> ${pidFile}; exec sleep 3600' & ` +
      `echo $$ >> ${pidFile}; exec sleep 3600`;
    const slow = ecu("ivi", "ivi-rpi4", { runner: "opaque", selfTest, trialSeconds: 60 });
    await using world = await new JourneyWorld([slow]).start();
    await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
    const started = () => Deno.readTextFileSync(pidFile).split("\n").filter((line) => line !== "");
    while (started().length < 2) await pause(50);
    await world.vehicle.kill();
    for (const pid of started()) while (sleeps(pid)) await pause(50);
    await Deno.remove(pidFile);
  },
});

/** Whether that number is still that of the command; not, if it is another's or a zombie's. */
function sleeps(pid: string): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).startsWith("sleep\u00003600");
  } catch {
    return false;
  }
}

Deno.test({
  name: `an image in a loop without end is over when its vehicle is killed${noProc()}`,
  ignore: noProc() !== "",
  async fn() {
    await using world = await new JourneyWorld([ecu("ivi", "ivi-rpi4")]).start();
    await world.publish(firmware("faulty-hang"), "ivi-rpi4", "1.0.0");
    const running = () => imageProcesses(world.vehicleData);
    while (running().length === 0) await pause(50);
    // It loops from 0.4 s after its self-test on, and is found out 4 s later.
    await world.hmi(({ ecus }) => ecus[0]!.state === "trial");
    await pause(1500);
    const left = running();
    await world.vehicle.kill();
    for (const one of left) while (runs(one, world.vehicleData)) await pause(50);
  },
});
