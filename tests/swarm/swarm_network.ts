/**
 * The network between a vehicle and the server's HTTP: requests and answers that are late, lost,
 * doubled; bodies that stall, break, are damaged, too short or too long.
 *
 * @module
 */
import type { LifeClock } from "../sim/sim_clock.ts";
import type { Dice } from "./dice.ts";
import type { Fault } from "./plan.ts";
import type { Story } from "./story.ts";
import type { SwarmServer } from "./swarm_server.ts";

/** What a network works with. */
export interface NetworkParts {
  readonly server: SwarmServer;
  readonly dice: Dice;
  readonly story: Story;
  readonly may: (fault: Fault) => boolean;
  /** Told of the targets that really arrived. */
  readonly onTargets: (text: string) => void;
}

const PIECE_BYTES = 16 * 1024;

/** The network. */
export class SwarmNetwork {
  readonly #parts: NetworkParts;

  constructor(parts: NetworkParts) {
    this.#parts = parts;
  }

  /**
   * One request, as `fetch` would make it. What the answer is waited for with is the life's clock:
   * a vehicle without power hears nothing of it.
   *
   * @param url Where.
   * @param init What.
   * @param life The power-on that asks.
   */
  async fetch(url: URL, init: RequestInit, life: LifeClock): Promise<Response> {
    const { server, dice, story } = this.#parts;
    const signal = init.signal!;
    await life.sleep(this.#tripMs(), signal);
    if (this.#happens("httpLoss", 0.15)) await this.#lost(life, signal);
    if (!server.up) throw new TypeError("simulated: connection refused");
    const { method = "GET", headers, body } = init;
    const request = () => new Request(url, { method, headers: headers!, body: body ?? null });
    if (method === "PUT" && this.#happens("httpDuplicate", 0.3)) await server.device(request());
    if (!server.up) throw new TypeError("simulated: connection reset");
    const answer = await server.device(request());
    const bytes = new Uint8Array(await answer.arrayBuffer());
    await life.sleep(this.#tripMs(), signal);
    if (this.#happens("httpLoss", 0.15)) await this.#lost(life, signal);
    story.tell("http", `${method} ${short(url.pathname)} ${answer.status} ${bytes.length}`);
    if (!url.pathname.startsWith("/carriers/")) {
      if (url.pathname.endsWith("targets.json") && answer.ok) {
        this.#parts.onTargets(new TextDecoder().decode(bytes));
      }
      return new Response(bytes, { status: answer.status, headers: answer.headers });
    }
    const body2 = this.#damaged(bytes);
    const stallsAt = this.#happens("httpStall", 0.2) ? dice.between(0, body2.length) : Infinity;
    const stream = this.#stream(body2, { life, signal, stallsAt, up: () => server.up });
    return new Response(stream, { status: answer.status, headers: answer.headers });
  }

  #happens(fault: Fault, probability: number): boolean {
    const { may, dice, story } = this.#parts;
    if (!may(fault) || !dice.chance(probability)) return false;
    story.mark(fault);
    return true;
  }

  #tripMs(): number {
    const { dice } = this.#parts;
    return this.#happens("httpSlow", 0.3) ? dice.between(100, 20_000) : dice.between(1, 30);
  }

  /** Either somebody says so, or nobody ever does. */
  async #lost(life: LifeClock, signal: AbortSignal): Promise<never> {
    if (this.#parts.dice.chance(0.6)) throw new TypeError("simulated: connection reset");
    await life.sleep(Infinity, signal);
    throw new Error("unreachable");
  }

  #damaged(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const { dice } = this.#parts;
    if (bytes.length === 0) return bytes;
    let body = bytes.slice();
    if (this.#happens("httpFlip", 0.2)) {
      for (let flips = dice.between(1, 3); flips > 0; flips--) {
        body[dice.between(0, body.length - 1)]! ^= 1 << dice.between(0, 7);
      }
    }
    if (this.#happens("httpShort", 0.2)) body = body.slice(0, dice.between(0, body.length - 1));
    if (this.#happens("httpLong", 0.2)) {
      const longer = new Uint8Array(body.length + dice.between(1, 70_000));
      longer.set(body);
      body = longer;
    }
    return body;
  }

  #stream(
    bytes: Uint8Array<ArrayBuffer>,
    { life, signal, stallsAt, up }: {
      readonly life: LifeClock;
      readonly signal: AbortSignal;
      readonly stallsAt: number;
      readonly up: () => boolean;
    },
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    let at = 0;
    return new ReadableStream({
      pull: async (controller) => {
        await life.sleep(at >= stallsAt ? Infinity : this.#tripMs(), signal);
        if (!up()) return controller.error(new TypeError("simulated: connection reset"));
        if (at >= bytes.length) return controller.close();
        const end = Math.min(at + PIECE_BYTES, bytes.length, Math.max(at + 1, stallsAt));
        controller.enqueue(bytes.slice(at, end));
        at = end;
      },
    }, { highWaterMark: 0 });
  }
}

function short(path: string): string {
  return path.replace(/[0-9a-f]{64}/, (digest) => digest.slice(0, 8));
}
