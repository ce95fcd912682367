/**
 * Keeps other sites' pages from acting with a person's cookie, and names that an attacker points
 * at loopback (DNS rebinding) from reaching the server at all. Pure.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Checks the Host of a request to a listener on loopback.
 *
 * @param host What the request says it is for.
 * @throws {UpdateFailure} `originForeign` If it is no name of this machine.
 */
export function checkHost(host: string): void {
  if (LOOPBACK.has(host.replace(/:\d+$/, "").toLowerCase())) return;
  throw new UpdateFailure(
    "originForeign",
    "Host",
    `Cannot answer: the Host is "${
      (host ?? "").slice(0, 80)
    }", and this server listens on loopback`,
  );
}

/**
 * Checks that a request comes from this server's own page.
 *
 * @param headers `Origin` and `Sec-Fetch-Site` of the request, and the host it is for.
 * @param options Whether a request that names no origin passes, as of a program without cookies.
 * @throws {UpdateFailure} `originForeign` If it does not.
 */
export function checkOrigin(
  headers: {
    readonly origin: string | null;
    readonly site: string | null;
    readonly host: string;
  },
  options: { readonly absentPasses: boolean },
): void {
  const { origin, site, host } = headers;
  if (origin === null) {
    if (site === "same-origin" || (site === null && options.absentPasses)) return;
  } else if (URL.canParse(origin)) {
    const { protocol, host: from } = new URL(origin);
    // The default port is written out in one of them at most: bring both to one form.
    if (URL.canParse(`${protocol}//${host}`) && new URL(`${protocol}//${host}`).host === from) {
      return;
    }
  }
  throw new UpdateFailure(
    "originForeign",
    "Origin",
    `Cannot act: the request comes from "${(origin ?? site ?? "no page").slice(0, 80)}"`,
  );
}
