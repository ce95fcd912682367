/**
 * A port that cannot be opened, in words that say what to do.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";

/** Where a listener listens. */
interface Place {
  readonly host: string;
  readonly port: number;
}

/**
 * Makes the failure for a listener that could not be opened.
 *
 * @param address Where it was to listen.
 * @param flag The option that sets the address.
 * @param cause What went wrong.
 * @returns The failure.
 */
export function cannotListen(address: Place, flag: string, cause: Error): UpdateFailure {
  const where = `${address.host}:${address.port}`;
  const reason = /EADDRINUSE|in use|os error 98/i.test(cause.message)
    ? "another program has this port; end it, or choose another port"
    : /EACCES|denied|os error 13/i.test(cause.message)
    ? "this user may not open it; choose a port above 1023"
    : cause.message;
  return new UpdateFailure(
    "preconditionFailed",
    flag,
    `Cannot listen on ${where} (${flag}): ${reason}`,
    { cause },
  );
}

/**
 * Opens a listener.
 *
 * @param address Where.
 * @param flag The option that sets the address.
 * @param open Opens it.
 * @returns What `open` returns.
 * @throws {UpdateFailure} `preconditionFailed` If it throws.
 */
export function portTaken<T>(address: Place, flag: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    throw cannotListen(address, flag, cause as Error);
  }
}
