/**
 * `ota watch`: every change of state, until the wanted one is reached or cannot be any more.
 *
 * @module
 */
import { failureByCode, FAILURES } from "shared/failure.ts";
import { CampaignId, Vin } from "shared/protocol/common.ts";
import { boardFeed } from "./board_feed.ts";
import type { ApiClient } from "./client.ts";
import { argument, type Context } from "./context.ts";
import { CommandError, commandError, EXIT, usageError } from "./exit.ts";
import type { Progress } from "./progress.ts";
import { type Verdict, WatchLedger, type WatchLine } from "./watch_ledger.ts";

/** Options of `ota watch`, as typed. */
export interface WatchCommandOptions {
  readonly vin?: string;
  readonly campaign?: string;
  readonly until: string;
  readonly timeout?: string;
}

/** A timer of the runtime holds at most 2^31 - 1 ms. */
const MAX_TIMEOUT_S = 2_000_000;

/**
 * Watches a campaign.
 *
 * @param context Server and output.
 * @param options What to watch, and until when.
 * @throws {CommandError} Rolled back (6), failed or late (1), unreachable (3), refused (4).
 */
export async function watch(context: Context, options: WatchCommandOptions): Promise<void> {
  const { until } = options;
  if (until !== "confirmed" && until !== "rolledBack") {
    throw usageError(
      `Cannot watch until "${until}": it is neither confirmed nor rolledBack`,
      "Give --until confirmed or --until rolledBack",
    );
  }
  const seconds = options.timeout === undefined ? undefined : secondsOf(options.timeout);
  const vin = options.vin === undefined ? undefined : argument(Vin, options.vin, "VIN");
  const named = options.campaign === undefined
    ? undefined
    : argument(CampaignId, options.campaign, "campaign");
  const client = await context.client();
  const campaign = named ?? await newestCampaign(client);
  const ledger = new WatchLedger({ campaign, until, ...(vin === undefined ? {} : { vin }) });
  ledger.take({ campaigns: [await client.campaign(campaign)], vehicles: [] });

  const abort = new AbortController();
  const timer = seconds === undefined
    ? undefined
    : setTimeout(() => abort.abort(new DOMException("", "TimeoutError")), seconds * 1000);
  const screen = new Screen(context, ledger);
  const target = `campaign ${campaign} ${until}`;
  context.output.note(`Watching ${target}: ${ledger.standing()}`);
  try {
    const note = (text: string) => screen.note(text);
    for await (const update of boardFeed(client, { signal: abort.signal, note })) {
      screen.show(ledger.take(update));
      if (ledger.verdict() !== undefined) break;
    }
    const verdict = ledger.verdict();
    if (verdict !== undefined) return await conclude(client, verdict, { ledger, screen, target });
  } finally {
    clearTimeout(timer);
    screen.end();
  }
  throw commandError(
    EXIT.failed,
    "wrongState",
    `Cannot see ${target} within ${seconds} s: ${ledger.standing()}`,
    { remedy: "Look with `ota vehicles`, and give more time with --timeout" },
  );
}

function secondsOf(typed: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(typed) ? Number(typed) : NaN;
  if (seconds > 0 && seconds <= MAX_TIMEOUT_S) return seconds;
  throw usageError(
    `Cannot use "${typed}" as timeout: it is no number of seconds up to ${MAX_TIMEOUT_S}`,
    "Leave --timeout out to wait without end",
  );
}

async function newestCampaign(client: ApiClient): Promise<string> {
  const ids = (await client.campaigns()).map((row) => row.campaign);
  const newest = ids.sort((a, b) => Number(b.slice(1)) - Number(a.slice(1)))[0];
  if (newest !== undefined) return newest;
  throw commandError(
    EXIT.refused,
    "campaignUnknown",
    "Cannot watch the newest campaign: there is none yet",
    { remedy: "Publish or offer a release first" },
  );
}

/** Prints the last changes, then ends as the verdict says. */
async function conclude(
  client: ApiClient,
  verdict: Verdict,
  watched: {
    readonly ledger: WatchLedger;
    readonly screen: Screen;
    readonly target: string;
  },
): Promise<void> {
  const { ledger, screen, target } = watched;
  try {
    // The campaign may tell of the end before the vehicle's own last change came through.
    screen.show(ledger.take({ campaigns: [], vehicles: await client.vehicles() }));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    screen.note(`${error.message}; the last lines may be missing`);
  }
  if (verdict.exit === EXIT.done) return;
  const { exit, failure } = verdict;
  const found = verdict.vin === undefined
    ? "it was withdrawn before any vehicle joined it"
    : `${verdict.vin} ended ${verdict.state}`;
  if (failure === undefined) {
    throw commandError(exit, "wrongState", `Cannot see ${target}: ${found}`, {
      remedy: "See `ota vehicles`, and offer the release again if it is still wanted",
    });
  }
  const { code, name, message } = failure;
  const remedy = FAILURES[failureByCode(code) ?? name].remedy;
  throw new CommandError(
    exit,
    { code, name, remedy },
    `Cannot see ${target}: ${found} (${message})`,
  );
}

/** Lines on stdout, progress of downloads on stderr. */
class Screen {
  readonly #context: Context;
  readonly #ledger: WatchLedger;
  #progress: { readonly totalBytes: number; readonly bar: Progress } | undefined;

  constructor(context: Context, ledger: WatchLedger) {
    this.#context = context;
    this.#ledger = ledger;
  }

  show(lines: readonly WatchLine[]): void {
    if (lines.length > 0) this.#progress?.bar.end();
    for (const line of lines) this.#context.output.result(line, inWords(line));
    const transfer = this.#ledger.transfer();
    if (transfer === undefined) return this.end();
    const { doneBytes, totalBytes } = transfer;
    if (this.#progress?.totalBytes !== totalBytes) {
      this.end();
      const bar = this.#context.output.progress("Downloading to the vehicle", totalBytes);
      this.#progress = { totalBytes, bar };
    }
    this.#progress.bar.update(doneBytes);
  }

  note(text: string): void {
    this.#progress?.bar.end();
    this.#context.output.note(text);
  }

  end(): void {
    this.#progress?.bar.end();
    this.#progress = undefined;
  }
}

function inWords({ at, vin, serial, state, version, failure, heldUntil }: WatchLine): string {
  const held = heldUntil === undefined ? "" : `, waits for its delta until ${heldUntil} at most`;
  const words = `${at}  ${vin}  ${serial}  ${state}  (runs ${version ?? "nothing"}${held})`;
  return failure === undefined
    ? words
    : `${words}  ${failure.code} ${failure.name}: ${failure.message}`;
}
