/**
 * Makes carriers in a process of its own: this very program once more. The encoder works without
 * a pause for minutes and takes memory as it likes, and a worker thread that does so can be
 * neither stopped (`terminate()` leaves a busy loop running in Deno 2.9) nor bounded (when its heap
 * is full the whole process dies). A process ends by SIGKILL, at once and with all it took.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { GIB, KIB } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import type { DeltaMaker, DeltaTask, MadeCarrier } from "../ports_delta.ts";
import { blobPath, temporaryPath } from "./blobs_fs.ts";
import { type ChildTask, ChildWord, DELTA_CHILD } from "./delta_task.ts";

/**
 * Memory for data of a maker: the encoder keeps a base and its index, about three times the base;
 * a job that needs more fails alone, before the machine has no more for the server.
 */
const DATA_BYTES = 4 * GIB;
/** What lies outside that bound is JavaScript's own: tables of segments, not images. */
const HEAP_MIB = 1024;
/** One line of the maker. */
const MAX_LINE_CHARS = 8 * KIB;
/** What is kept of what it says when it dies. */
const MAX_STDERR_CHARS = 1000;
/** A program of Debian's essential package util-linux; without it there is no bound but the heap's. */
const PRLIMIT = "/usr/bin/prlimit";
/** This very program: see `supervisor.ts`. */
const SELF = "/proc/self/exe";

/**
 * A maker for files of a data folder.
 *
 * @param folder The data folder.
 * @returns The maker.
 */
export function childDeltaMaker(folder: string): DeltaMaker {
  return { make: (task, options) => make(folder, task, options) };
}

async function make(
  folder: string,
  { image, base, effort, maxBytes, target }: DeltaTask,
  options: Parameters<DeltaMaker["make"]>[1],
): Promise<MadeCarrier | null> {
  options.signal.throwIfAborted();
  const file = ({ sha256, lengthBytes }: typeof image) => ({
    ...{ path: blobPath(folder, sha256), sha256, lengthBytes },
  });
  const child = spawn({
    image: { ...file(image), root: image.merkleRoot },
    base: base && file(base),
    ...{ effort, out: temporaryPath(target), maxBytes },
  });
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch (error) { // It has ended by itself.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  };
  options.signal.addEventListener("abort", kill, { once: true });
  try {
    const bounded = boundMemory(child.pid);
    const stderr = tailOf(child.stderr);
    const last = await lastWord(child.stdout, options.onProgress).catch((error) => {
      kill();
      return error as Error;
    });
    const { code, signal } = await child.status;
    await bounded;
    options.signal.throwIfAborted();
    return verdict(last, { code, signal, stderr: await stderr });
  } finally {
    options.signal.removeEventListener("abort", kill);
  }
}

/** Under Deno with the rights of the task alone; a compiled program has those baked in. */
function spawn(task: ChildTask): Deno.ChildProcess {
  const text = JSON.stringify(task);
  const pipes = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
  if (Deno.build.standalone) {
    return new Deno.Command(SELF, { args: [DELTA_CHILD, text], clearEnv: true, ...pipes }).spawn();
  }
  const read = [task.image.path, task.out, ...(task.base === null ? [] : [task.base.path])];
  const list = (paths: string[]) => paths.map((path) => path.replaceAll(",", ",,")).join(",");
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", `--v8-flags=--max-old-space-size=${HEAP_MIB}`],
      ...[`--allow-read=${list(read)}`, `--allow-write=${list([task.out])}`],
      ...["--allow-sys=setPriority", new URL("./delta_child.ts", import.meta.url).href, text],
    ],
    ...pipes,
  }).spawn();
}

/** From outside, so that a machine without the program still makes carriers. */
async function boundMemory(pid: number): Promise<void> {
  const args = ["--pid", String(pid), `--data=${DATA_BYTES}`, "--core=0"];
  const options = { args, clearEnv: true, stdin: "null", stdout: "null", stderr: "null" } as const;
  try {
    await new Deno.Command(PRLIMIT, options).output();
  } catch (error) {
    const absent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotCapable;
    if (!absent) throw error;
  }
}

/** Tells of progress, and keeps the last word. */
async function lastWord(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onProgress: (doneBytes: number) => void,
): Promise<ChildWord | undefined> {
  let rest = "";
  let last: ChildWord | undefined;
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    if (rest.length > MAX_LINE_CHARS) throw new Error("it writes a line without end");
    for (const line of lines) {
      last = parseJsonAs(ChildWord, line, { what: "maker", maxBytes: MAX_LINE_CHARS * 4 });
      if ("doneBytes" in last) onProgress(last.doneBytes);
    }
  }
  return last;
}

async function tailOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let tail = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    tail = (tail + text).slice(-MAX_STDERR_CHARS);
  }
  return tail.trim();
}

function verdict(
  last: ChildWord | Error | undefined,
  end: { readonly code: number; readonly signal: string | null; readonly stderr: string },
): MadeCarrier | null {
  if (last !== undefined && !(last instanceof Error) && end.code === 0) {
    if ("carrierSha256" in last) return last;
    if ("tooLong" in last) return null;
    if ("failure" in last) throw new UpdateFailure(last.failure, last.subject, last.message);
  }
  const how = end.signal === null ? `code ${end.code}` : `signal ${end.signal}`;
  const why = last instanceof Error ? last.message : end.stderr;
  throw new UpdateFailure(
    "deltaMakerCrashed",
    "maker",
    `Cannot make a carrier: the process that makes it ended with ${how}${why && `: ${why}`}`,
  );
}
