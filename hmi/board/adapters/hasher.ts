/**
 * SHA-256 of a file, in a worker.
 *
 * @module
 */
import type { HashMessage } from "../hash_worker.ts";
import type { FileWatch } from "../ports.ts";

/** The worker's address; its name carries a hash, so the build fills it in. */
declare const HASH_WORKER_URL: string;

/**
 * Hashes a file.
 *
 * @param file The file.
 * @param watch Progress and the signal that ends it.
 * @returns Lower-case hex.
 * @throws {Error} If the file cannot be read to its end, or the signal's reason.
 */
export function hashFile(file: File, watch: FileWatch): Promise<string> {
  const { signal, onProgress } = watch;
  const worker = new Worker(HASH_WORKER_URL, { type: "module" });
  return new Promise<string>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    worker.addEventListener("error", (event) => {
      reject(new Error(`Cannot hash ${file.name}: ${event.message || "the worker did not start"}`));
    });
    worker.addEventListener("message", ({ data }: MessageEvent<HashMessage>) => {
      if ("doneBytes" in data) onProgress(data.doneBytes);
      else if ("sha256" in data) resolve(data.sha256);
      else reject(new Error(`Cannot read ${file.name}: ${data.error}`));
    });
    worker.postMessage(file);
  }).finally(() => worker.terminate());
}
