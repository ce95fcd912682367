/**
 * D1: sets the simulated vehicle's signals. A real vehicle gets them from its bus.
 *
 * @module
 */
import type { VNode } from "preact";
import type { Signals } from "shared/protocol/hmi.ts";
import type { ScreenProps } from "./app.tsx";
import { MIN_BATTERY_PERCENT } from "shared/limits.ts";
import { Icon, type IconName } from "../parts/icon.tsx";

const SPEEDS: readonly { label: string; value: number | null }[] = [
  { label: "0", value: 0 },
  { label: "50", value: 50 },
  { label: "Unknown", value: null },
];
const STEP_PERCENT = 10;

/** The page. */
export function Workshop({ hmi, snapshot }: ScreenProps): VNode {
  const { signals } = snapshot;
  const set = (change: Partial<Signals>) =>
    hmi.ask({ command: "signals", signals: { ...signals, ...change } });
  return (
    <div class="page">
      <div>
        <h1>Service</h1>
        <p class="small">Signals of the simulated vehicle. A real one reads them from its bus.</p>
      </div>
      <div class="signals">
        <Switch
          icon="park"
          label="Parked"
          on={signals.parked}
          onSet={(parked) => set({ parked })}
        />
        <Switch
          icon="brake"
          label="Parking brake"
          on={signals.brake}
          onSet={(brake) => set({ brake })}
        />
        <Battery
          value={signals.batteryPercent}
          onSet={(batteryPercent) => set({ batteryPercent })}
        />
        <fieldset class="signal">
          <legend>Speed, km/h</legend>
          <div class="actions">
            {SPEEDS.map(({ label, value }) => (
              <button
                type="button"
                key={label}
                class="button"
                data-testid={`speed-${label.toLowerCase()}`}
                aria-pressed={signals.speedKmh === value}
                onClick={() => set({ speedKmh: value })}
              >
                {label}
              </button>
            ))}
          </div>
        </fieldset>
      </div>
    </div>
  );
}

interface SwitchProps {
  readonly icon: IconName;
  readonly label: string;
  readonly on: boolean;
  readonly onSet: (on: boolean) => void;
}

function Switch({ icon, label, on, onSet }: SwitchProps): VNode {
  return (
    <button
      type="button"
      class="button switch"
      role="switch"
      aria-checked={on}
      data-testid={`signal-${icon}`}
      onClick={() => onSet(!on)}
    >
      <Icon name={icon} />
      <span class="grow">{label}</span>
      <b>{on ? "Yes" : "No"}</b>
    </button>
  );
}

interface BatteryProps {
  readonly value: number | null;
  readonly onSet: (percent: number) => void;
}

function Battery({ value, onSet }: BatteryProps): VNode {
  const present = value ?? 0;
  const low = present < MIN_BATTERY_PERCENT;
  return (
    <fieldset class="signal">
      <legend>Battery, at least {MIN_BATTERY_PERCENT} % needed</legend>
      <div class="actions">
        <button
          type="button"
          class="button"
          data-testid="battery-less"
          aria-label="Less battery"
          onClick={() => onSet(Math.max(0, present - STEP_PERCENT))}
        >
          −
        </button>
        <output class="reading" data-ok={!low}>
          <Icon name={low ? "alert" : "battery"} />
          {value === null ? "Unknown" : `${value} %`}
        </output>
        <button
          type="button"
          class="button"
          data-testid="battery-more"
          aria-label="More battery"
          onClick={() => onSet(Math.min(100, present + STEP_PERCENT))}
        >
          +
        </button>
      </div>
    </fieldset>
  );
}
