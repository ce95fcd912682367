/**
 * For tests of runners: images from text, and a listener that remembers.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { assert } from "@std/assert/mod.js";
import type { BootMessage, ImageMessage } from "shared/protocol/ecu.ts";
import type { ImageEnd, ImageListener, ProvedImage, Runner, RunningImage } from "vehicle/ports.ts";
import { WorkerRunner, type WorkerRunnerOptions } from "./runner_worker.ts";

/** What images of these tests are told. */
export const BOOT: BootMessage = { type: "boot", serial: "body", slot: "B", version: "1.2.3" };

/** An image of these bytes, as the loader would hand it over. */
export function imageOf(content: string | Uint8Array, slotPath = "/nowhere/slot"): ProvedImage {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return {
    lengthBytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    slotPath,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
}

/** Remembers what an image said, and lets tests wait for it. */
export class Recorder implements ImageListener {
  readonly messages: ImageMessage[] = [];
  readonly ends: ImageEnd[] = [];
  #wake = Promise.withResolvers<void>();

  message(message: ImageMessage): void {
    this.messages.push(message);
    this.#ring();
  }

  ended(end: ImageEnd): void {
    this.ends.push(end);
    this.#ring();
  }

  /** The self-test's message, if it came. */
  get selfTest(): Extract<ImageMessage, { type: "selfTest" }> | undefined {
    return this.messages.find((message) => message.type === "selfTest");
  }

  /** The heartbeats so far. */
  get beats(): number {
    return this.messages.filter((message) => message.type === "heartbeat").length;
  }

  /** The titles shown so far: what the images of these tests speak by. */
  get titles(): string[] {
    return this.messages.flatMap((message) => message.type === "display" ? [message.title!] : []);
  }

  /** Waits until something holds. */
  async until(holds: () => boolean, timeoutMs = 20_000): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#ring();
    }, timeoutMs);
    while (!holds() && !late) await this.#wake.promise;
    clearTimeout(timer);
    assert(
      holds(),
      `still not after ${timeoutMs} ms: ${holds}, messages ` +
        `${JSON.stringify(this.messages.slice(-5))}, ends ${JSON.stringify(this.ends)}`,
    );
  }

  #ring(): void {
    const { resolve } = this.#wake;
    this.#wake = Promise.withResolvers<void>();
    resolve();
  }
}

/** What a test body works with. */
export interface Bench {
  readonly runDir: string;
  readonly runner: Runner;
  /** Starts an image; it is killed at the end of the test. */
  start(content: string | Uint8Array): { readonly recorder: Recorder; readonly run: RunningImage };
}

/** Gives a test a worker runner with its folder, and checks that nothing is left behind. */
export async function withWorkerRunner(
  body: (bench: Bench) => Promise<void>,
  options: Omit<WorkerRunnerOptions, "runDir"> = {},
): Promise<void> {
  const runDir = await Deno.makeTempDir({ prefix: "runner-" });
  const started: RunningImage[] = [];
  const runner = new WorkerRunner({ ...options, runDir });
  try {
    await body({
      runDir,
      runner,
      start(content) {
        const recorder = new Recorder();
        const run = runner.start(imageOf(content), BOOT, recorder);
        started.push(run);
        return { recorder, run };
      },
    });
  } finally {
    await Promise.all(started.map((run) => run.kill()));
    const left = imagesIn(runDir);
    await Deno.remove(runDir, { recursive: true });
    assert(left.length === 0, `copies left behind: ${left.join(", ")}`);
  }
}

/** Copies of images in a folder. */
export function imagesIn(runDir: string): string[] {
  return [...Deno.readDirSync(runDir)].map((entry) => entry.name).filter((n) => n.endsWith(".mjs"));
}

/** Processes whose command line names this folder, by `/proc`. */
export function processesNaming(runDir: string): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const line = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      if (line.includes(runDir)) found.push(Number(name));
    } catch (error) {
      // Ended while we looked.
      if (!(error instanceof Deno.errors.NotFound) && !/ESRCH|os error 3/.test(String(error))) {
        throw error;
      }
    }
  }
  return found;
}
