/**
 * Whether a broker really does QoS 2. MQTT 3.1.1 has no way to ask: a broker without it grants less
 * to a subscription, or hands messages on with less, or ends the line when it is sent one.
 *
 * @module
 */
import type { MqttClient } from "mqtt";
import { SERVER_PROBE_TOPIC } from "shared/protocol/topics.ts";
import { type Outgoing, within } from "./announcer_mqtt_outgoing.ts";

/** How long the message may take to come back. */
const BACK_MS = 5000;

/**
 * Sends a QoS 2 message to the server itself.
 *
 * @param client The line.
 * @param outgoing Sends it.
 * @returns Why QoS 2 cannot be had, or `undefined` if it can.
 */
export async function probeQos2(
  client: MqttClient,
  outgoing: Outgoing,
): Promise<string | undefined> {
  const word = crypto.randomUUID();
  const back = Promise.withResolvers<number>();
  const hear = (topic: string, payload: Uint8Array, { qos }: { readonly qos: number }) => {
    if (topic === SERVER_PROBE_TOPIC && new TextDecoder().decode(payload) === word) {
      back.resolve(qos);
    }
  };
  client.on("message", hear);
  try {
    const [grant] = await client.subscribeAsync(SERVER_PROBE_TOPIC, { qos: 2 });
    // 128 and above mean refused; a broker that does not let the server read this tells nothing.
    if (grant !== undefined && grant.qos < 2) return `it grants a subscription QoS ${grant.qos}`;
    await outgoing.send(SERVER_PROBE_TOPIC, word, { qos: 2, retain: false });
    const qos = await within(back.promise, BACK_MS, "the message did not come back");
    return qos === 2 ? undefined : `it hands a message on with QoS ${qos}`;
  } catch (error) {
    if (!client.connected) return "it ends the line when it is sent a message";
    return `a message was sent with it, and ${(error as Error).message}`;
  } finally {
    client.off("message", hear);
  }
}
