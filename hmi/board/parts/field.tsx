/**
 * A field with its label, what it is for, and what is wrong with it, all tied together
 * for screen readers.
 *
 * @module
 */
import type { ComponentChildren, VNode } from "preact";
import { Icon } from "../../parts/icon.tsx";

interface FieldProps {
  readonly id: string;
  readonly label: string;
  readonly hint?: string;
  readonly error: string | undefined;
  readonly children: ComponentChildren;
}

/** The frame around one control; the control itself takes {@linkcode control}. */
export function FieldFrame({ id, label, hint, error, children }: FieldProps): VNode {
  return (
    <div class="field" data-wrong={error !== undefined}>
      <label for={id}>{label}</label>
      {hint !== undefined && <p class="hint" id={`${id}-hint`}>{hint}</p>}
      {children}
      {error !== undefined && (
        <p class="error" id={`${id}-error`} role="alert" data-testid={`error-${id}`}>
          <Icon name="alert" />
          {error}
        </p>
      )}
    </div>
  );
}

/** The attributes that tie a control to its frame. */
export interface ControlAttributes {
  readonly id: string;
  readonly "data-testid": string;
  readonly "aria-invalid": boolean;
  readonly "aria-describedby": string;
}

/**
 * The attributes of a control.
 *
 * @param id Its id, also its test id.
 * @param error What is wrong with it.
 * @returns Attributes to spread.
 */
export function control(id: string, error: string | undefined): ControlAttributes {
  return {
    id,
    "data-testid": id,
    "aria-invalid": error !== undefined,
    "aria-describedby": `${id}-hint ${id}-error`,
  };
}

/** Progress with a number beside it. */
export function Progress(
  { percent, label }: { readonly percent: number; readonly label: string },
): VNode {
  return (
    <div
      class="bar"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <span style={{ width: `${percent}%` }} />
    </div>
  );
}
