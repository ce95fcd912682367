/**
 * Which image runs on each ECU, told by its runner and by nobody else: the truth that reports,
 * records and screens are held against.
 *
 * @module
 */
import type { Runner } from "vehicle/ports.ts";
import type { LifeClock } from "../sim/sim_clock.ts";

/** An image that runs. */
export interface RunsNow {
  readonly serial: string;
  readonly version: string;
  readonly slot: "A" | "B";
  readonly sha256: string;
}

/** A beat comes every second: an image that is killed after such a silence hung, as good as ended. */
const SILENT_MS = 2000;

/**
 * Notes what a runner runs.
 *
 * @param runner The runner.
 * @param watch Where it is noted, and who is told of every start with the bytes that are started.
 * @returns The runner, watched.
 */
export function watchedRunner(runner: Runner, watch: {
  readonly runs: Map<string, RunsNow>;
  /** The same, and those that ended by themselves or hung, and are about to be started again. */
  readonly booted: Map<string, RunsNow>;
  readonly life: LifeClock;
  readonly onStart: (start: RunsNow, bytes: Uint8Array) => void;
}): Runner {
  const { runs, booted, life, onStart } = watch;
  return {
    start(image, boot, listener) {
      const { serial, version, slot } = boot;
      const now: RunsNow = { serial, version, slot, sha256: image.sha256 };
      onStart(now, image.read(0, image.lengthBytes));
      runs.set(serial, now);
      booted.set(serial, now);
      const ends = () => {
        if (runs.get(serial) === now) runs.delete(serial);
      };
      let heardMs = life.monotonic();
      const running = runner.start(image, boot, {
        message: (message) => {
          heardMs = life.monotonic();
          if (!life.ended) listener.message(message);
        },
        ended: (end) => {
          ends();
          if (!life.ended) listener.ended(end);
        },
      });
      return {
        ...(running.loading === undefined ? {} : { loading: running.loading }),
        kill: () => {
          const hung = life.monotonic() - heardMs >= SILENT_MS;
          if (runs.get(serial) === now && !hung) booted.delete(serial);
          ends();
          return running.kill();
        },
      };
    },
  };
}
