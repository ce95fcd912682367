import { assertEquals, assertRejects } from "@std/assert/mod.js";
import type { Campaign } from "shared/protocol/api.ts";
import { boardFeed, type BoardUpdate } from "./board_feed.ts";
import { ApiClient } from "./client.ts";
import { CommandError, EXIT } from "./exit.ts";

const AT = "2026-01-01T00:00:00.000Z";

function campaign(state: Campaign["state"]): Campaign {
  return {
    ...{ v: 1, campaign: "c1", state, releases: ["a/1"], vehicles: [] },
    ...{ createdAt: AT, createdBy: "admin" },
  };
}

function frame(event: string, data: unknown): string {
  return `event: ${event}\nid: x-1\ndata: ${JSON.stringify(data)}\n\n`;
}

const SNAPSHOT = {
  ...{ v: 1, releases: [], vehicles: [], hardware: [], campaigns: [campaign("running")] },
  server: { state: "running", since: AT },
};

/** The three routes that the feed asks, with answers on demand. */
async function withServer(
  events: () => Response,
  test: (
    follow: (signal: AbortSignal, unreachableMs?: number) => AsyncGenerator<BoardUpdate>,
    asked: {
      readonly paths: string[];
      shutdown(): Promise<void>;
    },
  ) => Promise<void>,
): Promise<void> {
  const paths: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    paths.push(pathname);
    if (pathname === "/events") return events();
    return Response.json(pathname.endsWith("/campaigns") ? [campaign("halted")] : []);
  });
  const client = new ApiClient(`http://127.0.0.1:${server.addr.port}`, "t");
  const follow = (signal: AbortSignal, unreachableMs = 60_000) =>
    boardFeed(client, { signal, note: () => {}, unreachableMs });
  try {
    await test(follow, { paths, shutdown: () => server.shutdown() });
  } finally {
    await server.shutdown();
  }
}

function states(update: BoardUpdate): string[] {
  return update.campaigns.map(({ state }) => state);
}

Deno.test("boardFeed() gives the snapshot, then each change, and ends with its signal", async () => {
  const text = frame("snapshot", SNAPSHOT) + frame("hardware", {}) +
    frame("campaign", campaign("withdrawn"));
  const open = () => {
    const start = (to: ReadableStreamDefaultController) => {
      to.enqueue(new TextEncoder().encode(text)); // And stays open.
    };
    return new Response(new ReadableStream({ start }));
  };
  await withServer(open, async (follow, { paths }) => {
    const abort = new AbortController();
    const seen: string[] = [];
    for await (const update of follow(abort.signal)) {
      seen.push(...states(update));
      if (seen.length === 2) abort.abort();
    }
    assertEquals([seen, paths], [["running", "withdrawn"], ["/events"]]);
  });
});

Deno.test("boardFeed() asks again and again where no stream gets through", async () => {
  await withServer(() => new Response("no", { status: 502 }), async (follow, { paths }) => {
    const seen: string[] = [];
    for await (const update of follow(new AbortController().signal)) {
      seen.push(...states(update));
      if (seen.length === 2) break;
    }
    assertEquals(seen, ["halted", "halted"]);
    assertEquals(paths.filter((path) => path === "/events").length, 2);
  });
});

Deno.test("boardFeed() is refused at once", async () => {
  await withServer(() => new Response("no", { status: 401 }), async (follow) => {
    const error = await assertRejects(
      async () => await follow(new AbortController().signal).next(),
      CommandError,
    );
    assertEquals([error.exit, error.facts.name], [EXIT.refused, "unauthenticated"]);
  });
});

Deno.test("boardFeed() bears a server that is away for a while, and no longer", async () => {
  const once = () => new Response(frame("snapshot", SNAPSHOT));
  await withServer(once, async (follow, { shutdown }) => {
    const feed = follow(new AbortController().signal, 600);
    assertEquals(states((await feed.next()).value!), ["running"]);
    assertEquals(states((await feed.next()).value!), ["halted"]); // The stream ended: it asks.
    await shutdown();
    const error = await assertRejects(async () => await feed.next(), CommandError, "Cannot reach");
    assertEquals(error.exit, EXIT.unreachable);
  });
});
