/**
 * Gives every test a deadline. `deno test` has none: one test that waits for ever would hold
 * the whole suite, and nothing would say which. Preloaded by `deno task test`.
 *
 * @module
 */

/** Many times the longest test, so that one which is merely slow on a busy machine does not meet it, ms. */
const DEADLINE_MS = 10 * 60_000;

// Kept from before any test puts a clock of its own in their place.
const { setTimeout, clearTimeout } = globalThis;

type Run = (context: Deno.TestContext) => void | Promise<void>;

/** Has a test fail by its deadline, ms. What it holds open stays open: its own ending never came. */
function inTime(run: Run, deadlineMs: number): Run {
  return async (context) => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`The test did not end within ${deadlineMs / 1000} s`)),
      deadlineMs,
    );
    try {
      await Promise.race([run(context), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Puts a deadline on every test that is registered from now on, ms. */
export function withDeadlines(deadlineMs: number): void {
  const register = Deno.test as (...args: unknown[]) => void;
  const wrapped = (...args: unknown[]) => {
    const given = args.map((arg) => {
      if (typeof arg === "function") {
        // A test without a name given is called by its function's.
        return Object.defineProperty(inTime(arg as Run, deadlineMs), "name", { value: arg.name });
      }
      const { fn } = (typeof arg === "object" ? arg : {}) as { fn?: Run };
      return fn === undefined ? arg : { ...arg as object, fn: inTime(fn, deadlineMs) };
    });
    register(...given);
  };
  (Deno as { test: unknown }).test = Object.assign(wrapped, Deno.test);
}

withDeadlines(DEADLINE_MS);
