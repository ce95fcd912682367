/**
 * Firmware that fails, each kind in one way: what a vehicle must survive.
 *
 * Two kinds have no code here, since they fail before any code runs: `syntax` and
 * `import` are made by the build.
 *
 * @module
 */
import { onBoot, say } from "./lib.ts";

/** Every kind of fault. */
export const FAULTS = [
  "throw", // While it starts.
  "lateThrow", // After its self-test, within the trial.
  "hang", // A busy loop after its self-test: the heartbeat stops.
  "silent", // Runs, and passes its self-test, but never gives a heartbeat.
  "memory", // Fills the heap.
  "buffers", // Fills memory outside the heap.
  "import", // Wants a local file.
  "syntax", // Is no program.
  "selfTest", // Finds a fault in itself.
  "exit", // Ends itself without an error.
  "flood", // Sends messages without end.
] as const;
/** A kind of fault. */
export type Fault = typeof FAULTS[number];

/** From the self-test to the fault, in milliseconds: late, but within the shortest trial. */
const LATE_MS = 400;
/** One buffer of the hog, in bytes. */
const BUFFER_BYTES = 32 * 1024 * 1024;

/**
 * Entry of the image.
 *
 * @param fault How it fails.
 */
export function main(fault: Fault): void {
  if (fault === "throw") throw new Error("Cannot start: fuse 7 is missing");
  onBoot(() => {
    if (fault !== "silent") beat();
    if (fault === "memory") return fillHeap([]);
    if (fault === "buffers") fillBuffers();
    const ok = fault !== "selfTest";
    say({ type: "selfTest", ok, detail: ok ? "All is well" : "Lamp 3 draws no current" });
    setTimeout(() => failLate(fault), LATE_MS);
  });
}

function beat(): void {
  say({ type: "heartbeat" });
  setInterval(() => say({ type: "heartbeat" }), 1000);
}

function failLate(fault: Fault): void {
  switch (fault) {
    case "lateThrow":
      throw new Error("Cannot go on: the bus fell silent");
    case "hang":
      for (;;);
    case "exit":
      globalThis.close();
      return;
    case "flood":
      for (;;) say({ type: "display", title: "Flood", lines: ["x".repeat(100)] });
    default:
      setInterval(() => say({ type: "display", title: "Faulty", lines: [fault] }), 1000);
  }
}

/** Leaks while it goes on beating: on a busy machine a loop without a pause would pass for a hang. */
function fillHeap(kept: number[][]): void {
  for (let i = 0; i < 8; i++) kept.push(new Array(100_000).fill(kept.length + 0.5));
  setTimeout(() => fillHeap(kept));
}

function fillBuffers(): never {
  const kept: Uint8Array[] = [];
  for (;;) kept.push(new Uint8Array(BUFFER_BYTES).fill(1));
}
