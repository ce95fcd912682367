/**
 * A refusal of the server: what happened, and what helps.
 *
 * @module
 */
import type { VNode } from "preact";
import type { Refusal } from "../ports.ts";
import { Icon } from "../../parts/icon.tsx";

interface RefusalProps {
  readonly refusal: Refusal;
  readonly onClose?: () => void;
}

/** The note. */
export function RefusalNote({ refusal, onClose }: RefusalProps): VNode {
  return (
    <div class="refusal" role="alert">
      <Icon name="alert" />
      <div>
        <b>{refusal.detail}</b>
        <p>{refusal.remedy}</p>
      </div>
      {onClose !== undefined && (
        <button type="button" class="quiet" aria-label="Close" onClick={onClose}>
          <Icon name="x" />
        </button>
      )}
    </div>
  );
}
