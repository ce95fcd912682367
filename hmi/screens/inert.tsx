/**
 * U7, U8, U9: full screen without anything to touch, while the vehicle is locked.
 *
 * @module
 */
import type { VNode } from "preact";
import type { ScreenProps } from "./app.tsx";
import { PHASE_COPY } from "../copy.ts";
import { countdown, type Step, stepsOf } from "../model.ts";
import { Icon, type IconName } from "../parts/icon.tsx";
import { EcuColumn } from "./preparing.tsx";

/** The screen. */
export function Inert({ hmi, snapshot }: ScreenProps): VNode {
  const { phase, trial, driveLock } = snapshot;
  const copy = PHASE_COPY[phase];
  const steps = stepsOf(phase);
  const left = trial === null
    ? ""
    : `, ${countdown(trial.secondsLeft, hmi.nowMs.value - hmi.heardMs.value)} s left`;
  return (
    <main class="inert-content">
      <div class="columns">
        <section class="column">
          <h1>{copy.headline}</h1>
          <p>{copy.body}</p>
          {steps.length > 0 && (
            <ol class="steps">
              {steps.map((step) => <StepLine key={step.label} step={step} left={left} />)}
            </ol>
          )}
        </section>
        <EcuColumn snapshot={snapshot} />
      </div>
      <footer class="lockbar" data-locked={driveLock}>
        <Icon name={driveLock ? "lock" : "car"} />
        <b>{driveLock ? "Do not drive." : "The vehicle is not locked."}</b>
        <span class="small">
          {driveLock
            ? "Stay parked until this is finished. If power is lost, the vehicle finds its way back by itself."
            : "If power is lost now, your present software goes on."}
        </span>
      </footer>
    </main>
  );
}

const STEP_ICON: Record<Step["state"], IconName> = { done: "check", now: "arrow", next: "clock" };
const STEP_WORD: Record<Step["state"], string> = {
  done: "done",
  now: "under way",
  next: "to come",
};

interface StepProps {
  readonly step: Step;
  /** What is left of the step under way. */
  readonly left: string;
}

function StepLine({ step, left }: StepProps): VNode {
  return (
    <li data-state={step.state} aria-current={step.state === "now" ? "step" : undefined}>
      <Icon name={STEP_ICON[step.state]} />
      <span>
        {step.label}
        {step.state === "now" && <span role="timer">{left}</span>}
      </span>
      <span class="spoken">, {STEP_WORD[step.state]}</span>
    </li>
  );
}
