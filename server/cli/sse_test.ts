import { assertEquals, assertRejects } from "@std/assert/mod.js";
import fc from "fast-check";
import { readEvents, type ServerEvent } from "./sse.ts";

function streamOf(bytes: Uint8Array<ArrayBuffer>, cut: number) {
  let at = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + cut));
      at += cut;
    },
  });
}

async function events(text: string, cut = 1000): Promise<ServerEvent[]> {
  const found: ServerEvent[] = [];
  for await (const event of readEvents(streamOf(new TextEncoder().encode(text), cut))) {
    found.push(event);
  }
  return found;
}

const TEXT = ': hello\n\nevent: campaign\nid: 7\ndata: {"a":\ndata: "ä"}\n\ndata:x\n\n' +
  "event: empty\n\nid: 8\nretry: 1\nother\ndata\n\ndata: cut off";
const EVENTS = [
  { event: "campaign", data: '{"a":\n"ä"}', id: "7" },
  { event: "message", data: "x", id: "7" },
  { event: "message", data: "", id: "8" },
];

Deno.test("readEvents() reads names, ids and data of several lines; what is cut off is dropped", async () => {
  assertEquals(await events(TEXT), EVENTS);
});

Deno.test("readEvents() reads the same whatever the pieces and the line ends are", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.constantFrom("\n", "\r\n", "\r"), async (
      cut,
      end,
    ) => assertEquals(await events(TEXT.replaceAll("\n", end), cut), EVENTS)),
  );
});

Deno.test("readEvents() cancels the body when the reader has enough", async () => {
  let canceled = false;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: x\n\n")),
    cancel: () => void (canceled = true),
  });
  for await (const event of readEvents(body)) {
    assertEquals(event.data, "x");
    break;
  }
  assertEquals(canceled, true);
});

Deno.test("readEvents() passes on that the line broke", async () => {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.error(new TypeError("connection reset")),
  });
  await assertRejects(async () => {
    for await (const _ of readEvents(body)) { /* None comes. */ }
  }, TypeError);
});
