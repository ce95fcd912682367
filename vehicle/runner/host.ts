/**
 * The process that stands between the vehicle and an image: it starts the image in a
 * Web Worker without any permission, passes its messages on, and says how it ended.
 *
 * It runs as a child of the vehicle process, one for each running image, because a
 * worker alone can take its process down (exhausted heap, signals to itself), cannot
 * be ended in a busy loop, and reads local files by literal imports with the rights of
 * the process around it. As a child it has one right, to read the image, and SIGKILL
 * always works. It imports nothing, so that it can be embedded in a compiled program.
 *
 * - stdin: one line, a {@linkcode HostOrder} as JSON; then silence. Its end means that
 *   the vehicle process is gone, and ends this one.
 * - stdout: lines that begin with the order's nonce and go on with a {@linkcode HostLine}
 *   as JSON. An image can write to stdout as well, but it never learns the nonce: stdin
 *   is read before the image starts, and memory is not shared.
 * - exit code: 70 after an `end` line, 71 when the vehicle process is gone, 72 without
 *   a readable order.
 *
 * @module
 */

/** What the vehicle process writes to stdin. */
export interface HostOrder {
  /** Begins every line of the host; secret from the image. */
  readonly nonce: string;
  /** The message the image is started with. */
  readonly boot: unknown;
  /** The longest message, in bytes of JSON. */
  readonly maxLineBytes: number;
  /** The most messages in one second. */
  readonly maxMessagesPerSecond: number;
}

/** How an image ended, as seen from inside its process. */
export interface HostEnd {
  readonly kind: "crash" | "syntax" | "import" | "memory";
  readonly detail: string;
}

/** What a line of the host says. */
export type HostLine =
  | { readonly message: unknown }
  | { readonly end: HostEnd };

/** The image failed, and the last line says how. */
const EXIT_ENDED = 70;
/** The vehicle process is gone. */
const EXIT_ORPHANED = 71;
/** No order came. */
const EXIT_NO_ORDER = 72;
/** An order holds a nonce, four numbers and a boot message: under 1 KiB. */
const MAX_ORDER_BYTES = 16 * 1024;
/** Characters of an error's text that are passed on. */
const MAX_DETAIL_CHARS = 1000;
/** Rates are counted in windows of this length. */
const WINDOW_MS = 1000;

/** What Deno says of an import that it refuses or does not find. */
const IMPORT_WORDS = new RegExp(
  "Requires (read|import|net) access|--no-(npm|remote)|Unsupported scheme|not a dependency" +
    "|not prefixed with|Module not found|Cannot find (module|package)|Cannot load module" +
    "|is not a valid (URL|module)|does not provide an export|Expected a .*module" +
    "|Attempted to load",
);
/** What V8 says when memory outside its heap is refused. */
const MEMORY_WORDS =
  /^RangeError: (Array buffer allocation failed|WebAssembly\.Memory\(\): could not allocate)/;

/**
 * Tells from the text of a worker's error event how the image ended.
 *
 * Errors before the first statement come without a file name and without "Uncaught";
 * they are refused imports, or text that is no program. Errors of running code come as
 * "Uncaught …". An image can throw texts that mislead this, about itself only.
 *
 * @param text The event's message.
 * @param running Whether the image sent a message before: then it was a program.
 * @returns What kind of end it is, with the text as detail.
 */
export function endOfError(text: string, running: boolean): HostEnd {
  // deno-lint-ignore no-control-regex -- colours of the terminal, which have no place in a record
  const plain = text.replaceAll(/\x1b\[[0-9;]*m/g, "").trim();
  const detail = plain.slice(0, MAX_DETAIL_CHARS);
  const uncaught = /^Uncaught (\(in promise\) )?/.exec(plain);
  if (uncaught === null) {
    return { kind: plain.startsWith("SyntaxError") ? "syntax" : "import", detail };
  }
  const error = plain.slice(uncaught[0].length);
  if (MEMORY_WORDS.test(error)) return { kind: "memory", detail };
  // A refused `import()` is a TypeError; other things without permission are NotCapable.
  const [head = ""] = error.split("\n", 1);
  if (/^(TypeError|SyntaxError): /.test(head) && IMPORT_WORDS.test(head)) {
    return { kind: "import", detail };
  }
  // Found by V8 when it compiles the module: no promise is rejected yet.
  const compiling = uncaught[1] === undefined && !running && head.startsWith("SyntaxError: ");
  return { kind: compiling ? "syntax" : "crash", detail };
}

/** A worker that an image is to run in. */
export interface ImageWorker {
  readonly worker: Worker;
  /** What it is sent before the boot message, once somebody listens to it. */
  readonly text?: string;
}

/** Makes the worker of an image's file. The compiled program has its own way: `sealed_worker.ts`. */
export type MakeWorker = (url: URL) => ImageWorker | Promise<ImageWorker>;

/** The way under `deno run`, where this process has the right to read the image only. */
const plainWorker: MakeWorker = (url) => ({
  worker: new Worker(url, { type: "module", deno: { permissions: "none" } }),
});

/**
 * Runs an image until it fails, or until stdin ends. Never returns: the process ends.
 *
 * @param file The image, an absolute path that this process may read.
 * @param makeWorker How its worker is made.
 */
export async function runHost(
  file: string,
  makeWorker: MakeWorker = plainWorker,
): Promise<void> {
  const stdin = Deno.stdin.readable.getReader();
  const order = await readOrder(stdin);
  if (order === undefined) Deno.exit(EXIT_NO_ORDER);
  const url = new URL(file, "file:///");
  const made = makeWorker(url);
  // Not awaited without need: a fast image's first words would find nobody listening.
  startImage(url, made instanceof Promise ? await made : made, order);
  try {
    while (!(await stdin.read()).done);
  } finally {
    Deno.exit(EXIT_ORPHANED);
  }
}

/** Starts the image; its events do the rest. */
function startImage(url: URL, { worker, text }: ImageWorker, order: HostOrder): void {
  const { nonce, maxLineBytes, maxMessagesPerSecond } = order;
  const encoder = new TextEncoder();
  let running = false;
  let windowAtMs = performance.now();
  let inWindow = 0;

  function say(line: HostLine): void {
    // Begins with a line feed, which ends whatever the image wrote to stdout itself.
    const bytes = encoder.encode(`\n${nonce}${JSON.stringify(line)}\n`);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  }
  function end(kind: HostEnd["kind"], detail: string): never {
    say({ end: { kind, detail } });
    Deno.exit(EXIT_ENDED);
  }

  worker.onerror = (event) => {
    event.preventDefault();
    // Where the copy lay is of no use to who reads the record.
    const { kind, detail } = endOfError(event.message.replaceAll(url.href, "image"), running);
    end(kind, detail);
  };
  worker.onmessageerror = () => end("crash", "Cannot read a message of the image");
  worker.onmessage = (event) => {
    running = true;
    const nowMs = performance.now();
    if (nowMs - windowAtMs >= WINDOW_MS) [windowAtMs, inWindow] = [nowMs, 0];
    if (++inWindow > maxMessagesPerSecond) {
      // The queue between worker and host has no bound of its own.
      end("crash", `Message flood: more than ${maxMessagesPerSecond} messages in a second`);
    }
    const json = textOf(event.data);
    if (json === undefined) end("crash", "Cannot pass on a message of the image: it is no JSON");
    const lengthBytes = encoder.encode(json).length;
    if (lengthBytes > maxLineBytes) {
      end("crash", `Message of ${lengthBytes} bytes, at most ${maxLineBytes}`);
    }
    say({ message: JSON.parse(json) });
  };
  if (text !== undefined) worker.postMessage(text);
  worker.postMessage(order.boot);
}

/** A message as JSON, or `undefined`: cycles, bigints and plain `undefined` have none. */
function textOf(message: unknown): string | undefined {
  try {
    return JSON.stringify(message);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The first line of stdin, or `undefined` if it is too long, no JSON, or missing. */
async function readOrder(
  stdin: ReadableStreamDefaultReader<Uint8Array>,
): Promise<HostOrder | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await stdin.read();
    if (done) return undefined;
    text += decoder.decode(value, { stream: true });
    if (text.length > MAX_ORDER_BYTES) return undefined;
  }
  try {
    return JSON.parse(text.slice(0, text.indexOf("\n"))) as HostOrder;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

if (import.meta.main) await runHost(Deno.args[0] ?? "");
