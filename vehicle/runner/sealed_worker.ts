/**
 * Starts an image in a compiled program, where the runtime's own walls are lower.
 *
 * Under `deno run` the host is a process of its own that may read one file. A compiled
 * program starts itself as host instead, with the permissions that were baked into it, and
 * its module loader asks none of them: a worker with `permissions: "none"` still imports any
 * local file that is JavaScript or JSON, the vehicle's identity among them (measured, Deno
 * 2.6.8). So the host seals itself before the image is let in:
 *
 * 1. A bootstrap of ours starts in the worker, so that all its descriptors are open.
 * 2. The host reads the image, then has `prlimit` set its own limit of open files to the three
 *    that it talks by: nothing in this process opens a file or a socket any more. What would
 *    (an import of a file, a nested worker) fails or ends the process.
 * 3. The host gives up every permission.
 * 4. The image reaches the worker as text and is imported from a `data:` URL.
 *
 * What remains open to an image: modules embedded in the program itself and `node:` modules
 * can be imported, and find themselves without any right.
 *
 * @module
 */

import type { ImageWorker } from "./host.ts";

/** Standard input, output and error: a new descriptor needs a number below the limit. */
const OPEN_FILES = 3;

/** Rights that can be given up. */
const RIGHTS: readonly Deno.PermissionName[] =
  // deno-fmt-ignore
  ["run", "write", "net", "env", "sys", "ffi", "import", "read"] as Deno.PermissionName[];

/**
 * The program that first runs in the worker. It takes the image's text, imports it, and holds
 * later messages back until the image listens. Whether the image's first statement ran tells
 * a text that is no program, or imports what it may not, from a program that fails.
 */
const BOOTSTRAP = `
  const held = [];
  let loading = false;
  function take(event) {
    event.stopImmediatePropagation();
    if (loading) return void held.push(event.data);
    loading = true;
    let ran = false;
    globalThis.__begun = () => { ran = true; delete globalThis.__begun; };
    const text = "__begun();" + event.data + "\\n//# sourceURL=image";
    import("data:text/javascript," + encodeURIComponent(text)).then(() => {
      removeEventListener("message", take);
      for (const data of held) dispatchEvent(new MessageEvent("message", { data }));
    }, (error) => {
      if (ran) throw error;
      const known = error instanceof SyntaxError && !/does not provide/.test(error.message);
      const cause = known ? error : new TypeError("Cannot load module: " + error.message);
      setTimeout(() => { throw cause; });
    });
  }
  addEventListener("message", take);
  postMessage("ready");`;

/**
 * Makes a worker for an image, and seals this process around it.
 *
 * @param url The image's file.
 * @returns The worker, and the image, which it is to be sent first.
 * @throws {Error} If this process cannot be sealed; then the image was not started.
 */
export async function sealedWorker(url: URL): Promise<ImageWorker> {
  const bootstrap = `data:text/javascript,${encodeURIComponent(BOOTSTRAP)}`;
  const worker = new Worker(bootstrap, { type: "module", deno: { permissions: "none" } });
  await new Promise((resolve) => worker.onmessage = resolve);
  worker.onmessage = null;
  const text = Deno.readTextFileSync(url);
  seal();
  return { worker, text };
}

/** From here on this process opens nothing more, and has no right to. */
function seal(): void {
  const { code, stderr } = new Deno.Command("/usr/bin/prlimit", {
    args: ["--pid", String(Deno.pid), `--nofile=${OPEN_FILES}:${OPEN_FILES}`],
    clearEnv: true,
  }).outputSync();
  if (code !== 0) {
    throw new Error(`Cannot seal the process: prlimit says ${new TextDecoder().decode(stderr)}`);
  }
  for (const name of RIGHTS) {
    const { state } = Deno.permissions.revokeSync({ name } as Deno.PermissionDescriptor);
    if (state === "granted") throw new Error(`Cannot seal the process: it keeps ${name} rights`);
  }
}
