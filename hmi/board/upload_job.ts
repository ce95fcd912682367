/**
 * What is being done with the chosen file: hashed, then sent, then there.
 *
 * @module
 */
import { type Signal, signal } from "@preact/signals";
import type { FileKind } from "./model.ts";
import { percent } from "../format.ts";
import { type FileWatch, refusalFrom } from "./ports.ts";

/** How far a file is. */
export interface JobState {
  readonly phase: "hashing" | "sending" | "done" | "failed";
  readonly doneBytes: number;
  /** Why it waits, or why it failed. */
  readonly note: string;
  /** Set once the file is hashed. */
  readonly sha256: string | null;
}

/** One chosen file on its way to the server. */
export interface UploadJob {
  readonly name: string;
  readonly sizeBytes: number;
  readonly kind: FileKind;
  readonly state: Signal<JobState>;
  /** The digest, once the server has every byte. Rejects when it failed or was given up. */
  readonly finished: Promise<string>;
  /** Gives it up. What the server has stays there and is gone on with next time. */
  cancel(): void;
}

/** What does the work. */
export interface JobTools {
  hash(watch: FileWatch): Promise<string>;
  upload(sha256: string, watch: FileWatch): Promise<void>;
}

/**
 * Starts hashing and then sending a file.
 *
 * @param file Its name, length and kind.
 * @param tools What does the work.
 * @returns The job; its state changes until it is done or failed.
 */
export function startJob(
  file: { readonly name: string; readonly sizeBytes: number; readonly kind: FileKind },
  tools: JobTools,
): UploadJob {
  const state = signal<JobState>({ phase: "hashing", doneBytes: 0, note: "", sha256: null });
  const change = (next: Partial<JobState>) => state.value = { ...state.peek(), ...next };
  const control = new AbortController();
  const watch: FileWatch = {
    signal: control.signal,
    onProgress: (doneBytes) => change({ doneBytes, note: "" }),
    onRetry: (reason) => change({ note: `${reason}. Trying again …` }),
  };
  const run = async () => {
    const sha256 = await tools.hash(watch);
    change({ phase: "sending", doneBytes: 0, sha256 });
    await tools.upload(sha256, watch);
    change({ phase: "done", doneBytes: file.sizeBytes, note: "" });
    return sha256;
  };
  const finished = run();
  // Shown by the state; whoever publishes awaits it as well and hears of it there.
  finished.catch((error) => change({ phase: "failed", note: refusalFrom(error).detail }));
  return { ...file, state, finished, cancel: () => control.abort(new Error("Given up")) };
}

/**
 * A job in words.
 *
 * @param job The job.
 * @returns Whole percent of the present phase, and a word for it.
 */
export function jobView(job: UploadJob): { readonly percent: number; readonly label: string } {
  const { phase, doneBytes } = job.state.value;
  const share = percent(doneBytes, job.sizeBytes);
  if (phase === "hashing") return { percent: share, label: `Hashing, ${share} %` };
  if (phase === "sending") return { percent: share, label: `Uploading, ${share} %` };
  if (phase === "failed") return { percent: share, label: "Stopped" };
  return { percent: 100, label: "On the server, digest checked" };
}
