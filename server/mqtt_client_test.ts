/**
 * A vehicle's MQTT client for tests.
 *
 * @module
 */
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import type { TestServer } from "./fixture_test.ts";
import { VIN } from "./samples_test.ts";

/** A client with its own inbox. */
export class TestVehicle implements AsyncDisposable {
  readonly heard: { topic: string; text: string; retain: boolean; qos: number }[] = [];
  closed = 0;

  private constructor(readonly client: MqttClient) {
    client.on("message", (topic, payload, { retain, qos }) => {
      this.heard.push({ topic, text: payload.toString(), retain, qos });
    });
    client.on("close", () => this.closed++);
    client.on("error", () => {});
  }

  static async connect(
    test: TestServer,
    secret: string,
    more: IClientOptions = {},
  ): Promise<TestVehicle> {
    const options = { username: VIN, password: secret, reconnectPeriod: 0, ...more };
    const client = mqtt.connect(test.server.urls.mqtt, { protocolVersion: 4, ...options });
    const vehicle = new TestVehicle(client);
    await new Promise<void>((resolve, reject) => {
      client.once("connect", () => resolve());
      client.once("error", reject);
      client.once("close", () => reject(new Error("closed")));
    }).catch(async (error) => {
      await client.endAsync(true);
      throw error;
    });
    return vehicle;
  }

  publish(topic: string, body: unknown, retain = false): Promise<unknown> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return this.client.publishAsync(topic, text, { qos: 1, retain });
  }

  last<T>(topic: string): T | undefined {
    const text = this.heard.findLast((each) => each.topic === topic)?.text;
    return text === undefined ? undefined : JSON.parse(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.endAsync(true);
  }
}
