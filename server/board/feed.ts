/**
 * The live feed of the notice board: server-sent events with a snapshot first, then numbered
 * changes, each with the whole entity.
 *
 * Many changes of one entity within a tenth of a second are one event. A subscriber that does not
 * read loses its queue, not the server's memory: it gets a fresh snapshot instead. An id is
 * `{run}-{number}`, so that a page that comes back after a restart of the server cannot mistake
 * old numbers for new ones.
 *
 * @module
 */
import type { Clock, Millis } from "shared/clock.ts";
import type { BOARD_CHANGES } from "shared/protocol/api.ts";
import type { Log, SessionRow } from "../ports.ts";

/** The name of a change. */
export type ChangeName = keyof typeof BOARD_CHANGES;

/** Changes are gathered for so long: at most ten batches a second. */
const BATCH_MS: Millis = 100;
/** A comment after so much silence keeps proxies from closing the line. */
const PING_MS: Millis = 15_000;
/** Changes kept for pages that come back. */
const RING = 1000;
/** Events a subscriber may owe. */
const MAX_QUEUE = 500;
/** Watchers at once: each costs a connection and a queue. */
const MAX_SUBSCRIBERS = 200;

/** Where the feed gets what it sends. */
export interface FeedSource {
  /** Everything. */
  snapshot(): Promise<unknown>;
  /** One entity as it is now, or `undefined` if it is gone. */
  load(name: ChangeName, key: string): Promise<unknown>;
}

interface Subscriber {
  /** Whose login it rests on. */
  readonly login: SessionRow | undefined;
  /** Ends it from this side. */
  readonly over: AbortController;
  queue: string[];
  /** It must begin with a snapshot. */
  stale: boolean;
  wake: (() => void) | undefined;
}

/** The feed of one server. */
export class Feed {
  readonly #dirty = new Map<string, readonly [ChangeName, string]>();
  readonly #ring: { readonly number: number; readonly text: string }[] = [];
  readonly #subscribers = new Set<Subscriber>();
  readonly #stopping = new AbortController();
  #number = 0;
  #loop: Promise<void> | undefined;

  /**
   * @param source Where entities come from.
   * @param clock Timers.
   * @param run What tells this run of the server from others.
   * @param log Told of faults while loading.
   */
  constructor(
    readonly source: FeedSource,
    readonly clock: Clock,
    readonly run: string,
    readonly log: Log,
  ) {}

  /** Subscribers that are connected now. */
  get watchers(): number {
    return this.#subscribers.size;
  }

  /** Whether one more may watch. */
  get full(): boolean {
    return this.#subscribers.size >= MAX_SUBSCRIBERS;
  }

  /**
   * Something changed; it is loaded and sent soon.
   *
   * @param name What kind of thing.
   * @param key Which one.
   */
  changed(name: ChangeName, key: string): void {
    if (this.#stopping.signal.aborted) return;
    this.#dirty.set(`${name}/${key}`, [name, key]);
    this.#loop ??= this.#drain().finally(() => this.#loop = undefined);
  }

  /**
   * Subscribes.
   *
   * @param lastEventId The `Last-Event-ID` of a page that comes back.
   * @param login Whose login lets them watch.
   * @returns The body of the answer. Canceling it ends the subscription.
   */
  subscribe(lastEventId: string | null, login?: SessionRow): ReadableStream<Uint8Array> {
    const over = new AbortController();
    const subscriber: Subscriber = { login, over, queue: [], stale: true, wake: undefined };
    const missed = this.#since(lastEventId);
    if (missed !== undefined) {
      subscriber.stale = false;
      subscriber.queue = [": welcome back\n\n", ...missed];
    }
    this.#subscribers.add(subscriber);
    const encoder = new TextEncoder();
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, over.signal, this.#stopping.signal]);
    return new ReadableStream({
      pull: async (controller) => {
        const text = await this.#next(subscriber, signal).catch((error) => {
          this.#subscribers.delete(subscriber); // The page comes back by itself.
          throw error;
        });
        if (text !== undefined) return controller.enqueue(encoder.encode(text));
        this.#subscribers.delete(subscriber);
        if (!gone.signal.aborted) controller.close();
      },
      cancel: () => {
        this.#subscribers.delete(subscriber);
        gone.abort();
      },
    }, { highWaterMark: 0 });
  }

  /** Ends the subscriptions that rest on logins which ended. */
  end(ended: (login: SessionRow) => boolean): void {
    for (const { login, over } of this.#subscribers) {
      if (login !== undefined && ended(login)) over.abort();
    }
  }

  /** Ends every subscription, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  /** The next text for one subscriber, or `undefined` when it is over. */
  async #next(subscriber: Subscriber, signal: AbortSignal): Promise<string | undefined> {
    if (signal.aborted) return undefined;
    if (!subscriber.stale && subscriber.queue.length === 0) {
      const woken = new Promise<void>((resolve) => subscriber.wake = resolve);
      const timer = new AbortController();
      const over = AbortSignal.any([signal, timer.signal]);
      const slept = this.clock.sleep(PING_MS, over).then(() => "ping", () => "over");
      const first = await Promise.race([woken.then(() => "woken"), slept]);
      timer.abort();
      if (signal.aborted) return undefined;
      if (first === "ping") return ": ping\n\n";
    }
    if (subscriber.stale) {
      subscriber.stale = false;
      subscriber.queue = []; // Older than the snapshot that comes now.
      const number = this.#number;
      return frame("snapshot", `${this.run}-${number}`, await this.source.snapshot());
    }
    return subscriber.queue.splice(0).join("");
  }

  /** The changes after an id, or `undefined` if they are not known any more. */
  #since(lastEventId: string | null): string[] | undefined {
    const match = /^([0-9a-z]+)-(\d{1,15})$/.exec(lastEventId ?? "");
    if (match === null || match[1] !== this.run) return undefined;
    const after = Number(match[2]);
    const oldest = this.#ring[0]?.number ?? this.#number + 1;
    if (after > this.#number || after < oldest - 1) return undefined;
    return this.#ring.filter(({ number }) => number > after).map(({ text }) => text);
  }

  async #drain(): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#dirty.size > 0 && !signal.aborted) {
      await this.clock.sleep(BATCH_MS, signal).catch(() => undefined); // Stopping is no failure.
      if (signal.aborted) return;
      const batch = [...this.#dirty.values()];
      this.#dirty.clear();
      for (const [name, key] of batch) await this.#send(name, key);
    }
  }

  async #send(name: ChangeName, key: string): Promise<void> {
    try {
      const entity = await this.source.load(name, key);
      if (entity === undefined) return;
      const number = ++this.#number;
      const text = frame(name, `${this.run}-${number}`, entity);
      this.#ring.push({ number, text });
      if (this.#ring.length > RING) this.#ring.shift();
      for (const subscriber of this.#subscribers) {
        subscriber.queue.push(text);
        if (subscriber.queue.length > MAX_QUEUE) [subscriber.queue, subscriber.stale] = [[], true];
        subscriber.wake?.();
      }
    } catch (error) {
      this.log(`Cannot send ${name} ${key} to the notice board: ${(error as Error).stack}`);
      for (const subscriber of this.#subscribers) {
        subscriber.stale = true; // They must not miss it.
        subscriber.wake?.();
      }
    }
  }
}

function frame(event: string, id: string, data: unknown): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
