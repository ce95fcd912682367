/**
 * The care for one ECU: what has rotted and how far its healing is, and the last failed trial with
 * its log, which is fetched when somebody opens it.
 *
 * @module
 */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import { careLine } from "shared/care.ts";
import { failureKind, FAILURES } from "shared/failure.ts";
import type { FailedTrial } from "shared/protocol/api.ts";
import type { RotReport, TrialLog } from "shared/protocol/messages.ts";
import { formatAgo, percent } from "../../format.ts";
import { Chip } from "../../parts/frame.tsx";
import { careChip, type EcuRot } from "../care.ts";
import { type Api, type Refusal, refusalFrom } from "../ports.ts";
import { Progress } from "./field.tsx";
import { RefusalNote } from "./refusal_note.tsx";

interface RotProps {
  readonly rot: EcuRot;
  /** Whose it is. */
  readonly of: string;
  readonly nowMs: number;
}

/** What has rotted: open findings in full, healed ones folded. */
export function Rot({ rot: { open, healed }, of, nowMs }: RotProps): VNode | null {
  if (open.length + healed.length === 0) return null;
  return (
    <div class="care" data-testid={`care-${of}`}>
      {open.map((rot) => <OpenRot key={rot.what} rot={rot} of={of} nowMs={nowMs} />)}
      {healed.length > 0 && (
        <details>
          <summary>
            {of === "gateway" ? "Gateway: healed" : "Healed"} since power-on: {healed.length}
          </summary>
          <ul>
            {healed.map((rot) => (
              <li key={`${rot.what} ${rot.at}`}>
                <span class="upper">{careLine(rot)}</span>, {formatAgo(rot.healedAt!, nowMs)}
                <span class="muted">{rot.failure.code} {rot.failure.name}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function OpenRot(
  { rot, of, nowMs }: { readonly rot: RotReport; readonly of: string; readonly nowMs: number },
): VNode {
  const { icon, label, tone } = careChip(rot);
  const { failure, waits, healing } = rot;
  return (
    <div class="rot">
      <p class="rot-head">
        <b class="upper">{rot.what}</b>
        <Chip icon={icon} tone={tone}>{label}</Chip>
        <span class="muted">found {formatAgo(rot.at, nowMs)}</span>
      </p>
      {healing !== undefined && (
        <div class="with-number">
          <Progress
            percent={percent(healing.doneLeaves, healing.totalLeaves)}
            label={`Healing of ${rot.what} of ${of}`}
          />
          <span>{healing.doneLeaves} of {healing.totalLeaves} leaves</span>
        </div>
      )}
      <p>
        <b>{failure.code} {failure.name}</b>: {failure.message}
      </p>
      <p class="muted">To do: {lowered(failureKind(failure.name).remedy)}</p>
      {waits !== undefined && waits.message !== failure.message && (
        <p class="muted">Last try: {waits.code} {waits.name}: {waits.message}</p>
      )}
    </div>
  );
}

function lowered(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

interface TrialProps {
  readonly api: Api;
  readonly vin: string;
  readonly trial: FailedTrial;
  readonly nowMs: number;
}

/** The last failed trial; its log is fetched when it is opened. */
export function LastTrial({ api, vin, trial, nowMs }: TrialProps): VNode {
  const log = useSignal<TrialLog | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  const load = async () => {
    refusal.value = null;
    try {
      log.value = (await api.trials(vin)).find(({ id }) => id === trial.id) ?? null;
    } catch (error) {
      refusal.value = refusalFrom(error);
    }
  };
  const { code } = FAILURES[trial.failure];
  const words = log.value?.lines ?? [];
  return (
    <details
      class="trial"
      data-testid={`trial-${trial.ecu}`}
      onToggle={(event) => {
        if (event.currentTarget.open && log.value === null) void load();
      }}
    >
      <summary>
        <span>
          Last failed trial: <b>{trial.version}</b>, {code} {trial.failure},{" "}
          {formatAgo(trial.at, nowMs)}
        </span>
      </summary>
      <p>{trial.detail}</p>
      {log.value !== null && (
        <pre tabIndex={0} aria-label={`Last words of ${trial.ecu} ${trial.version}`}>
          {words.length === 0 ? "The image said nothing" : words.join("\n")}
        </pre>
      )}
      {refusal.value !== null && <RefusalNote refusal={refusal.value} />}
    </details>
  );
}
