/**
 * Runs images that say in their first line what they do: `good`, `silent`,
 * `selfTestMissing`, `noRoom`, or a fault with the time it happens at, such as `crash@6000`,
 * `hang@2000`, `memory@700`, `selfTestFails@300`. Everything else is filling.
 *
 * @module
 */
import type { ImageMessage } from "shared/protocol/ecu.ts";
import type { ImageEnd, ImageListener, ProvedImage, Runner, RunningImage } from "vehicle/ports.ts";
import type { LifeClock } from "./sim_clock.ts";
import { PowerCut } from "./sim_disk.ts";

const HEARTBEAT_EVERY_MS = 1000;
const FIRST_WORD_MS = 100;
const SELF_TEST_MS = 200;

/** What an image does. */
export type Behaviour =
  | "good"
  | "silent"
  | "selfTestMissing"
  | `${Exclude<ImageEnd["kind"], "unloaded"> | "hang" | "selfTestFails"}@${number}`
  /** It never runs: there is no room to load it. */
  | "noRoom";

/** A start that happened. */
export interface Start {
  readonly serial: string;
  readonly version: string;
  readonly slot: string;
  readonly atMs: number;
}

/** Starts simulated images through the virtual clock. */
export class SimRunner implements Runner {
  readonly #clock: LifeClock;
  readonly #onStart: (start: Start) => void;
  readonly #habits: ReadonlyMap<string, Behaviour>;

  /**
   * @param clock The clock of this power-on.
   * @param onStart Told of every start.
   * @param habits What images do on an ECU now, whatever they say themselves: software that
   * was good for years can meet what it cannot bear.
   */
  constructor(
    clock: LifeClock,
    onStart: (start: Start) => void,
    habits: ReadonlyMap<string, Behaviour> = new Map(),
  ) {
    this.#clock = clock;
    this.#onStart = onStart;
    this.#habits = habits;
  }

  start(
    image: ProvedImage,
    boot: { readonly serial: string; readonly version: string; readonly slot: string },
    listener: ImageListener,
  ): RunningImage {
    const { serial, version, slot } = boot;
    this.#onStart({ serial, version, slot, atMs: this.#clock.now() });
    const stop = new AbortController();
    const later = (ms: number, run: () => void) =>
      void this.#clock.sleep(ms, stop.signal).then(run, () => {}).catch(onlyPowerCuts);
    const say = (message: ImageMessage) => stop.signal.aborted || listener.message(message);
    const end = (kind: Exclude<ImageEnd["kind"], "unloaded">) => {
      stop.abort();
      listener.ended({ kind, detail: `simulated ${kind}` });
    };
    const killed = async () => {
      stop.abort();
      await this.#clock.sleep(3);
    };
    const [what, at] = split(this.#habits.get(serial) ?? firstLine(image));
    if (what === "noRoom") {
      later(FIRST_WORD_MS, () => {
        stop.abort();
        const detail = "simulated full medium";
        listener.ended({ kind: "unloaded", failure: "storageFull", detail });
      });
      return { loading: true, kill: killed };
    }
    const ends = what === "crash" || what === "syntax" || what === "import" ||
      what === "memory" || what === "exit";
    if (what !== "silent" && what !== "syntax" && what !== "import") {
      const beat = () => {
        if (what === "hang" && this.#clock.monotonic() - bornMs >= at) return;
        say({ type: "heartbeat" });
        later(HEARTBEAT_EVERY_MS, beat);
      };
      const bornMs = this.#clock.monotonic();
      later(FIRST_WORD_MS, beat);
      const tested = what !== "selfTestMissing" && what !== "selfTestFails" &&
        !(what === "hang" && at <= SELF_TEST_MS);
      if (tested) {
        later(SELF_TEST_MS, () => say({ type: "selfTest", ok: true, detail: "all checks passed" }));
        later(SELF_TEST_MS, () => say({ type: "display", title: serial, lines: [version] }));
      }
    }
    if (what === "selfTestFails") {
      later(at, () => say({ type: "selfTest", ok: false, detail: "simulated fault" }));
    }
    if (ends) later(at, () => end(what));
    return { kill: killed };
  }
}

/** What hears an image may write a verdict down, and the power may go there. */
function onlyPowerCuts(error: unknown): void {
  if (!(error instanceof PowerCut)) throw error;
}

function firstLine(image: ProvedImage): string {
  return new TextDecoder().decode(image.read(0, 64)).split("\n")[0]!;
}

function split(behaviour: string): [string, number] {
  const [what, at] = behaviour.split("@");
  return [what!, Number(at ?? 0)];
}
