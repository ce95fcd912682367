import { assertEquals, assertMatch } from "@std/assert/mod.js";
import { BOARD_CHANGES, BoardSnapshot } from "shared/protocol/api.ts";
import { systemClock } from "shared/host/clock_system.ts";
import { TestServer } from "../fixture_test.ts";
import { sampleBytes } from "../samples_test.ts";
import { Feed, type FeedSource } from "./feed.ts";

/** Reads frames from a feed. */
class Page {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  async next(): Promise<{ event: string; id: string; data: string }> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const frame = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        if (frame.startsWith(":")) continue;
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(frame)![1]!;
        return { event: field("event"), id: field("id"), data: field("data") };
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("Cannot read on: the feed ended");
      this.#text += new TextDecoder().decode(value);
    }
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

function feedOf(loads: string[] = []): Feed {
  const source: FeedSource = {
    snapshot: () => Promise.resolve({ all: true }),
    load: (_name, key) => {
      loads.push(key);
      return Promise.resolve(key === "gone" ? undefined : { key });
    },
  };
  return new Feed(source, systemClock, "run1", () => {});
}

Deno.test("Feed begins with a snapshot, then gathers changes of one entity into one event", async () => {
  const loads: string[] = [];
  const feed = feedOf(loads);
  const page = new Page(feed.subscribe(null));
  assertEquals(await page.next(), { event: "snapshot", id: "run1-0", data: '{"all":true}' });
  for (let i = 0; i < 50; i++) feed.changed("vehicle", "a");
  feed.changed("vehicle", "gone");
  feed.changed("release", "b");
  assertEquals(await page.next(), { event: "vehicle", id: "run1-1", data: '{"key":"a"}' });
  assertEquals(await page.next(), { event: "release", id: "run1-2", data: '{"key":"b"}' });
  assertEquals(loads, ["a", "gone", "b"]);
  await page.cancel();
  assertEquals(feed.watchers, 0);
  await feed.stop();
});

Deno.test("Feed gives a page that comes back what it missed, or a snapshot if it cannot", async () => {
  const feed = feedOf();
  const first = new Page(feed.subscribe(null));
  await first.next();
  for (const key of ["a", "b", "c"]) feed.changed("release", key);
  for (let i = 0; i < 3; i++) await first.next();
  const back = new Page(feed.subscribe("run1-1"));
  assertEquals([(await back.next()).id, (await back.next()).id], ["run1-2", "run1-3"]);
  for (const id of ["run0-1", "run1-99", "nonsense", "run1--1"]) {
    const page = new Page(feed.subscribe(id));
    assertEquals((await page.next()).event, "snapshot", id);
    await page.cancel();
  }
  const quiet = feed.subscribe("run1-3").getReader();
  assertMatch(new TextDecoder().decode((await quiet.read()).value), /^: welcome back/);
  for (const each of [first, back, quiet]) await each.cancel();
  await feed.stop();
});

Deno.test("Feed drops the queue of a page that does not read, and gives it a snapshot", async () => {
  const feed = feedOf();
  const slow = new Page(feed.subscribe(null));
  const fast = new Page(feed.subscribe(null));
  await slow.next();
  await fast.next();
  for (let i = 0; i < 600; i++) feed.changed("vehicle", `v${i}`);
  for (let i = 0; i < 600; i++) {
    const { event, id } = await fast.next();
    // Nobody read in the middle of the batch, so even the fast page may be given a snapshot.
    if (event === "snapshot") break;
    assertEquals(id, `run1-${i + 1}`);
  }
  assertEquals((await slow.next()).event, "snapshot");
  await slow.cancel();
  await fast.cancel();
  await feed.stop();
});

Deno.test("Feed ends its pages when the server stops", async () => {
  const feed = feedOf();
  const reader = feed.subscribe(null).getReader();
  await reader.read();
  const last = reader.read();
  await feed.stop();
  assertEquals((await last).done, true);
  assertEquals(feed.watchers, 0);
});

Deno.test("GET /events speaks the contract: a snapshot, then whole entities", async () => {
  await using test = await TestServer.start();
  const answer = await test.ask("/events");
  assertEquals(answer.headers.get("content-type"), "text/event-stream");
  const page = new Page(answer.body!);
  const snapshot = await page.next();
  assertEquals(snapshot.event, "snapshot");
  assertEquals(BoardSnapshot.parse(JSON.parse(snapshot.data)).server.state, "running");
  await test.publish("ivi-rpi4", "1.0.0", { sha256: await test.upload(sampleBytes(10)) });
  await test.enrol();
  const seen = new Set<string>();
  while (seen.size < 4) {
    const { event, data } = await page.next();
    BOARD_CHANGES[event as keyof typeof BOARD_CHANGES].parse(JSON.parse(data));
    seen.add(event);
  }
  assertEquals([...seen].sort(), ["campaign", "delta", "release", "vehicle"]);
  await page.cancel();
});
