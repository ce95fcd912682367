/**
 * Messages on their way to another broker. The client would send again, on the next line, what was
 * not acknowledged on this one. Here that is forgotten: all of it is said anew from the records,
 * and a broker that ends the line because of a message would end every line.
 *
 * @module
 */
import type { MqttClient } from "mqtt";

/** A message that was not acknowledged by then counts as not sent. */
const PUBLISH_TIMEOUT_MS = 10_000;

/** What is on its way. */
export class Outgoing {
  readonly #ids = new Set<number>();

  /** @param client The client that sends. */
  constructor(readonly client: MqttClient) {}

  /**
   * Sends a message.
   *
   * @param topic Where to.
   * @param payload The bytes, as text.
   * @param options Quality of service and retention.
   * @throws {Error} If it is not acknowledged in time, or the line breaks.
   */
  async send(
    topic: string,
    payload: string,
    options: { readonly qos: 1 | 2; readonly retain: boolean },
  ): Promise<void> {
    const sent = this.client.publishAsync(topic, payload, options);
    const id = this.client.getLastMessageId();
    this.#ids.add(id);
    try {
      await within(sent, PUBLISH_TIMEOUT_MS, "the broker did not acknowledge");
    } catch (error) {
      this.#drop(id);
      sent.catch(() => {}); // It was given up.
      throw error;
    } finally {
      this.#ids.delete(id);
    }
  }

  /** The line broke: nothing is on its way any more. */
  forget(): void {
    for (const id of this.#ids) this.#drop(id);
    this.#ids.clear();
  }

  #drop(id: number): void {
    this.client.removeOutgoingMessage(id); // Rejects the promise of `publishAsync`.
  }
}

/**
 * Bounds a wait.
 *
 * @param work What is waited for.
 * @param ms How long.
 * @param otherwise What to say if it takes longer.
 * @returns What the work resolves with.
 * @throws {Error} If it takes longer.
 */
export function within<T>(work: Promise<T>, ms: number, otherwise: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
