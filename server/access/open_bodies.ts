/**
 * Bounds the requests whose bodies have not come yet: whoever sends a byte now and then holds
 * their place only, and nobody else's.
 *
 * There is no deadline, since it would make things worse: under `Deno.serve` a request that is
 * answered while its body is being read never frees that read, not even when the line ends, which
 * costs 65 KB each (measured with 2.9.5). One that waits is freed with its line, and one that is
 * refused unread costs nothing. The devices' listener has timeouts of its own.
 *
 * @module
 */
import { tooMany } from "../routes/route.ts";

/** Bodies of one address: an office behind one address has a few at a time. */
const MAX_PER_ADDRESS = 64;
/** Bodies at all: 33 MB. */
const MAX_BODIES = 512;

/** The bodies under way of one server. */
export class OpenBodies {
  readonly #byAddress = new Map<string, number>();
  #all = 0;

  /**
   * Gives a request a place until its body has been read.
   *
   * @param request The request; its body is not read yet.
   * @param address Where it comes from.
   * @returns The request to go on with, and what gives the place back at the latest.
   * @throws {UpdateFailure} `tooManyAttempts` If there is no place.
   */
  enter(request: Request, address: string): { readonly request: Request; leave(): void } {
    if (request.body === null) return { request, leave() {} };
    const own = this.#byAddress.get(address) ?? 0;
    if (own >= MAX_PER_ADDRESS || this.#all >= MAX_BODIES) throw tooMany("request", 5);
    this.#byAddress.set(address, own + 1);
    this.#all++;
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      this.#all--;
      const others = this.#byAddress.get(address)! - 1;
      if (others > 0) this.#byAddress.set(address, others);
      else this.#byAddress.delete(address);
    };
    // Not a copy of the request: that would take its signal along, of which Deno warns on stderr.
    const { url, method, headers } = request;
    const body = telling(request.body, leave);
    return { request: new Request(url, { method, headers, body }), leave };
  }
}

/** The same stream; tells when it has ended. */
function telling(stream: ReadableStream<Uint8Array>, ended: () => void): ReadableStream {
  const reader = stream.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { value, done } = await reader.read();
        if (!done) return controller.enqueue(value);
        ended();
        controller.close();
      } catch (error) {
        ended();
        controller.error(error);
      }
    },
    async cancel(reason) {
      ended();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
