/**
 * What "boot" means for each ECU of a profile.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import type { RunnerFactory } from "vehicle/ports.ts";
import { OpaqueRunner } from "./runner_opaque.ts";
import { emptyRunDir } from "./runner_ram.ts";
import { WorkerRunner, type WorkerRunnerOptions } from "./runner_worker.ts";

/**
 * Makes runners. Empties the folder for running images: call it once a process, before
 * the first image starts.
 *
 * @param options Where and how images run.
 * @returns The factory. It throws `badRequest` for a runner this version does not have.
 */
export function runnerFactory(options: WorkerRunnerOptions): RunnerFactory {
  emptyRunDir(options.runDir);
  return (profile) => {
    switch (profile.runner) {
      case "worker":
        return new WorkerRunner(options);
      case "opaque":
        return new OpaqueRunner(
          profile.selfTest === undefined ? {} : { selfTest: profile.selfTest },
        );
      case "process":
        throw new UpdateFailure(
          "badRequest",
          profile.serial,
          `Cannot make the runner of "${profile.serial}": "process" comes with the ` +
            'Raspberry Pi work, this version has "worker" and "opaque"',
        );
    }
  };
}
