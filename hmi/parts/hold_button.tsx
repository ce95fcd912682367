/**
 * A button that must be held: consent that no accidental touch can give (hmi.md 5, U6).
 * Works by pointer and by keyboard alike.
 *
 * @module
 */
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Icon } from "./icon.tsx";

/** How long it must be held, in milliseconds. */
export const HOLD_MS = 1500;

interface HoldProps {
  readonly label: string;
  /** What it says while it is held. */
  readonly holding: string;
  readonly testId: string;
  readonly disabled: boolean;
  /** Called once, when it was held long enough. */
  readonly onHeld: () => void;
}

/** The button. Letting go, leaving it, or losing the focus starts over. */
export function HoldButton(props: HoldProps): VNode {
  const share = useSignal(0);
  const frame = useRef(0);
  const begin = () => {
    if (props.disabled || frame.current !== 0) return;
    let startedAt: number | undefined;
    // Frames, not timers: a page that is not shown cannot give consent.
    const step = (atMs: number) => {
      startedAt ??= atMs;
      share.value = Math.min(1, (atMs - startedAt) / HOLD_MS);
      if (share.value < 1) {
        frame.current = requestAnimationFrame(step);
        return;
      }
      end();
      props.onHeld();
    };
    frame.current = requestAnimationFrame(step);
  };
  const end = () => {
    cancelAnimationFrame(frame.current);
    frame.current = 0;
    share.value = 0;
  };
  useEffect(() => end, []);
  const isPress = (event: KeyboardEvent) => event.key === "Enter" || event.key === " ";
  return (
    <button
      type="button"
      class="button hold"
      data-testid={props.testId}
      disabled={props.disabled}
      aria-describedby="hold-help"
      onPointerDown={(event) => {
        if (event.button === 0) begin();
      }}
      onPointerUp={end}
      onPointerLeave={end}
      onPointerCancel={end}
      onBlur={end}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (!isPress(event)) return;
        event.preventDefault();
        if (!event.repeat) begin();
      }}
      onKeyUp={(event) => {
        if (isPress(event)) end();
      }}
    >
      <span class="hold-fill" style={{ transform: `scaleX(${share.value})` }} />
      <span class="hold-label">
        <Icon name="lock" />
        {share.value > 0 ? props.holding : props.label}
      </span>
    </button>
  );
}
