/**
 * Server-sent events (HTML Standard 9.2), read from a body.
 *
 * @module
 */
import { MIB } from "shared/limits.ts";

/** The first event carries everything the board shows: 10,000 vehicles take under 40 MiB. */
const MAX_EVENT_CHARS = 64 * MIB;

/** One event. */
export interface ServerEvent {
  /** Its name; `message` if it has none. */
  readonly event: string;
  readonly data: string;
  /** The id last seen in the stream, for `Last-Event-ID`. */
  readonly id: string;
}

/**
 * Reads events until the body ends. An event that the end cuts off is dropped (9.2.6).
 *
 * @param body The body of the answer; cancelled when the reader stops early.
 * @param options Called at every sign of life, comments included.
 * @returns The events, in order.
 * @throws {RangeError} If one event is longer than 64 MiB.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  options: { readonly onBytes?: () => void } = {},
): AsyncGenerator<ServerEvent> {
  const fields = { event: "", data: [] as string[], id: "" };
  let chars = 0;
  for await (const line of readLines(body, options)) {
    chars += line.length;
    if (chars > MAX_EVENT_CHARS) {
      throw new RangeError(`Cannot read an event: longer than ${MAX_EVENT_CHARS} characters`);
    }
    if (line !== "") {
      takeField(fields, line);
      continue;
    }
    const { event, data, id } = fields;
    if (data.length > 0) yield { event: event || "message", data: data.join("\n"), id };
    fields.event = "";
    fields.data = [];
    chars = 0;
  }
}

function takeField(fields: { event: string; data: string[]; id: string }, line: string): void {
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (name === "event") fields.event = value;
  else if (name === "data") fields.data.push(value);
  else if (name === "id" && !value.includes("\0")) fields.id = value;
}

async function* readLines(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  options: { readonly onBytes?: () => void },
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    options.onBytes?.();
    // A line may end with CR LF; a CR at the end of the piece waits for what follows it.
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    if (rest.length > MAX_EVENT_CHARS) {
      throw new RangeError(`Cannot read an event: longer than ${MAX_EVENT_CHARS} characters`);
    }
    yield* lines;
  }
  if (rest.endsWith("\r")) yield rest.slice(0, -1);
}
