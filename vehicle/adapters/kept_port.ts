/**
 * The head-unit screen's port that was free last time, in the data folder.
 *
 * @module
 */

/**
 * The port that was taken last time.
 *
 * @param dataDir The folder.
 * @returns The port, or `undefined`.
 */
export function keptPort(dataDir: string): number | undefined {
  try {
    const port = Number(Deno.readTextFileSync(`${dataDir}/hmi-port`));
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Remembers the port for the next start. */
export function keepPort(dataDir: string, port: number): void {
  // Written once: on a full medium, writing it again would lose it.
  if (keptPort(dataDir) !== port) Deno.writeTextFileSync(`${dataDir}/hmi-port`, `${port}\n`);
}
