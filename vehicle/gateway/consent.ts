/**
 * What people at the head unit asked for, and the signals the vehicle gave: kept until
 * the loop comes to ask.
 *
 * @module
 */
import type { HmiCommand, Signals } from "shared/protocol/hmi.ts";

/** Commands remembered, so that one that is sent twice counts once. */
const REMEMBERED = 64;

/** An answer to an offer. */
export type Answer = "accept" | "postpone" | "decline" | "cancel";

/** The driver's side. */
export class Consent {
  #signals: Signals;
  #seen: string[] = [];
  #answer: { readonly answer: Answer; readonly campaign: string } | null = null;

  /** @param signals The signals to begin with. */
  constructor(signals: Signals) {
    this.#signals = signals;
  }

  /** The vehicle's signals. */
  get signals(): Signals {
    return this.#signals;
  }

  /**
   * Takes a command.
   *
   * @param command What a person asked for.
   * @returns Whether it is new.
   */
  take(command: HmiCommand): boolean {
    if (this.#seen.includes(command.commandId)) return false;
    this.#seen = [...this.#seen.slice(1 - REMEMBERED), command.commandId];
    if (command.command === "signals") this.#signals = command.signals;
    if ("campaign" in command) {
      this.#answer = { answer: command.command, campaign: command.campaign };
    }
    return true;
  }

  /**
   * The waiting answer; it is taken by asking.
   *
   * @param campaign The campaign that is offered now: consent to another one is void.
   * @returns The answer, or `null`.
   */
  answer(campaign: string | null): Answer | null {
    const waiting = this.#answer;
    this.#answer = null;
    return waiting !== null && waiting.campaign === campaign ? waiting.answer : null;
  }
}
