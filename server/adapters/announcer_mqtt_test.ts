import { assertEquals, assertMatch } from "@std/assert/mod.js";
import { Aedes } from "aedes";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { SERVER_PROBE_TOPIC, SERVER_STATUS_TOPIC } from "shared/protocol/topics.ts";
import { TestServer, until } from "../fixture_test.ts";

/** A broker of the test that does something badly. */
async function withBroker(
  spoil: (broker: Aedes) => void,
  work: (url: string, broker: Aedes, cut: () => void) => Promise<void>,
): Promise<void> {
  const broker = await Aedes.createBroker();
  spoil(broker);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    void broker.handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const cut = () => sockets.forEach((socket) => socket.destroy());
  try {
    await work(`mqtt://127.0.0.1:${port}`, broker, cut);
  } finally {
    cut();
    await new Promise<void>((resolve) => broker.close(resolve));
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** What the broker has kept of the server's status. */
function statuses(broker: Aedes): { qos: number; body: { state: string; lastError?: string } }[] {
  const seen: { qos: number; body: { state: string; lastError?: string } }[] = [];
  broker.on("publish", ({ topic, qos, payload }) => {
    if (topic === SERVER_STATUS_TOPIC) seen.push({ qos, body: JSON.parse(payload.toString()) });
  });
  return seen;
}

Deno.test("a broker that ends the line at QoS 2 is not asked again on the next line, but on the one after", async () => {
  let refuses = true;
  let probes = 0;
  await withBroker((broker) => {
    broker.authorizePublish = (_client, { qos, topic }, done) => {
      if (topic === SERVER_PROBE_TOPIC) probes++;
      done(refuses && qos === 2 ? new Error("QoS 2 is not for us") : null);
    };
  }, async (url, broker, cut) => {
    const seen = statuses(broker);
    await using test = await TestServer.start({ broker: { url }, qos: 2 });
    await until("the status", () => seen.some(({ body }) => body.state === "running"));
    const { qos, body } = seen.find(({ body }) => body.state === "running")!;
    assertEquals([qos, probes], [1, 1]);
    assertMatch(body.lastError!, /without QoS 2: it ends the line/);
    assertMatch(test.log.join("\n"), /Cannot publish with QoS 2/);
    refuses = false; // It was mended; the line after this one finds out.
    const before = seen.length;
    cut();
    await until("QoS 2", () => seen.slice(before).some(({ qos }) => qos === 2));
    const last = seen.findLast(({ body }) => body.state === "running")!;
    assertEquals([last.qos, last.body.lastError, probes], [2, undefined, 2]);
  });
});

Deno.test("a broker that hands QoS 2 on with less is noticed", async () => {
  await withBroker((broker) => {
    broker.authorizeForward = (_client, packet) => Object.assign(packet, { qos: 1 });
  }, async (url, broker) => {
    const seen = statuses(broker);
    await using _ = await TestServer.start({ broker: { url }, qos: 2 });
    await until("the status", () => seen.some(({ body }) => body.state === "running"));
    const { qos, body } = seen.find(({ body }) => body.state === "running")!;
    assertEquals(qos, 1);
    assertMatch(body.lastError!, /hands a message on with QoS 1/);
  });
});
