/**
 * The five notes of UN R156 7.2.2.2; publishing is refused while one is empty.
 *
 * @module
 */
import type { VNode } from "preact";
import { MAX_NOTE_CHARS } from "shared/limits.ts";
import type { Board } from "../state.ts";
import { NOTE_FIELDS } from "../form.ts";
import { releasesOf } from "../model.ts";
import { Icon } from "../../parts/icon.tsx";
import { control, FieldFrame } from "./field.tsx";

/** The five fields. */
export function NoteFields({ board }: { readonly board: Board }): VNode {
  const { desk } = board;
  const form = desk.form.value;
  const latest = releasesOf(board.releases.value, form.hardware)[0];
  return (
    <fieldset class="notes">
      <legend>What the driver is told (UN R156 7.2.2.2): all five are required</legend>
      {latest !== undefined && (
        <button
          type="button"
          class="quiet"
          data-testid="copy-notes"
          onClick={() => desk.edit({ ...latest.notes, minutes: String(latest.notes.minutes) })}
        >
          <Icon name="copy" />Start from the notes of {latest.version}
        </button>
      )}
      {NOTE_FIELDS.map(({ field, label, hint }) => {
        const error = desk.errors.value[field];
        const id = `note-${field}`;
        return (
          <FieldFrame key={field} id={id} label={label} hint={hint} error={error}>
            {field === "minutes"
              ? (
                <input
                  {...control(id, error)}
                  class="short"
                  inputMode="numeric"
                  autocomplete="off"
                  value={form.minutes}
                  onInput={(event) => desk.edit({ minutes: event.currentTarget.value })}
                />
              )
              : (
                <textarea
                  {...control(id, error)}
                  rows={2}
                  maxLength={MAX_NOTE_CHARS}
                  value={form[field]}
                  onInput={(event) => desk.edit({ [field]: event.currentTarget.value })}
                />
              )}
          </FieldFrame>
        );
      })}
    </fieldset>
  );
}
