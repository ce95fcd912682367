/**
 * A line with an icon that says what the vehicle does for itself, or what must not be done with it.
 *
 * @module
 */
import type { VNode } from "preact";
import type { CareNote } from "../care.ts";
import { Icon } from "./icon.tsx";

/** The line. */
export function CareLine({ note }: { readonly note: CareNote }): VNode {
  return (
    <p class="assurance" data-tone={note.tone} data-testid="care">
      <Icon name={note.icon} />
      {note.text}
    </p>
  );
}
