/**
 * The phases of the gateway's table in which a person, or a precondition, is waited for: every ECU
 * holds a verified image, and what boots is untouched. That may take weeks, so the vehicle is kept
 * sound meanwhile, as at idle.
 *
 * @module
 */
import { type Clock, isoTime } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { POLL_MS, POSTPONE_MS } from "shared/limits.ts";
import type { Precondition } from "shared/protocol/common.ts";
import type { Consent } from "./consent.ts";
import type { Ledger } from "./ledger.ts";
import { failureReport } from "./report.ts";

/** What these phases need. */
export interface ConsentParts {
  readonly ledger: Ledger;
  readonly consent: Consent;
  /** It agrees by itself. */
  readonly auto: boolean;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly mayRestart: (preconditions: readonly Precondition[]) => boolean;
  /** Keeps the vehicle sound a little; milliseconds until there is more to do. */
  readonly keep: () => Promise<number>;
  /** Waits for news. */
  readonly wait: (ms: number) => Promise<unknown>;
}

/** Asks the driver. */
export async function ready(parts: ConsentParts): Promise<void> {
  const { ledger, consent, clock } = parts;
  ledger.setAll("ready");
  if (parts.auto) return ledger.take("accepted");
  const answer = consent.answer(ledger.state.campaign);
  if (answer === "accept") return ledger.take("accepted");
  if (answer === "decline") return decline(ledger);
  if (answer === "postpone") {
    return ledger.take("postponed", { postponedUntil: isoTime(clock.now() + POSTPONE_MS) });
  }
  await rest(parts, POLL_MS);
}

/** Lets the time pass that the driver wanted. */
export async function postponed(parts: ConsentParts): Promise<void> {
  const { ledger, consent, clock } = parts;
  ledger.setAll("postponed");
  const answer = consent.answer(ledger.state.campaign);
  if (answer === "accept") return ledger.take("accepted", { postponedUntil: null });
  if (answer === "decline") return decline(ledger);
  const leftMs = Date.parse(ledger.state.postponedUntil ?? "") - clock.now();
  // A clock that was set back must not postpone for ever.
  if (!(leftMs > 0) || leftMs > POSTPONE_MS) return ledger.take("due", { postponedUntil: null });
  await rest(parts, Math.min(leftMs, POLL_MS));
}

/** Waits until the vehicle stands safely. */
export async function waiting(parts: ConsentParts): Promise<void> {
  const { ledger, consent, mayRestart } = parts;
  ledger.setAll("waiting");
  if (consent.answer(ledger.state.campaign) === "cancel") return ledger.take("canceled");
  if (mayRestart(ledger.targets?.preconditions ?? [])) return ledger.take("satisfied");
  await rest(parts, POLL_MS);
}

function decline(ledger: Ledger): void {
  ledger.setAll("declined", failureReport("declined"));
  ledger.take("declined", { concluded: ledger.state.campaign });
}

/** Whatever keeps the vehicle from being kept sound, an answer is heard all the same. */
async function rest({ keep, wait, log }: ConsentParts, longestMs: number): Promise<void> {
  let pauseMs = longestMs;
  try {
    pauseMs = Math.min(pauseMs, await keep());
  } catch (error) {
    if (!(error instanceof UpdateFailure)) throw error;
    log(`upkeep: ${error.failure}: ${error.message}`);
  }
  await wait(pauseMs);
}
