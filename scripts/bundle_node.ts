/**
 * What libraries written for Node find in a bundle.
 *
 * @module
 */

/**
 * They ask a timer to `refresh()` itself. Deno gives them such timers while they lie in
 * `node_modules`, but not in a bundle (Deno 2.6.8).
 */
export {
  clearImmediate,
  clearInterval,
  clearTimeout,
  setImmediate,
  setInterval,
  setTimeout,
} from "node:timers";

/** Their environment: none, so that the program needs the right to read its own names only. */
export const libraryEnvironment: Readonly<Record<string, string>> = {};
