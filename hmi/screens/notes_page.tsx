/**
 * U2: the five notes, where the screen below them has no room for them.
 *
 * @module
 */
import type { VNode } from "preact";
import { invariant } from "shared/assert.ts";
import type { ScreenProps } from "./app.tsx";
import { Icon } from "../parts/icon.tsx";
import { NotesHead, NotesPages, NotesTurn, usePaging } from "../parts/notes.tsx";

/** The screen. */
export function NotesPage({ hmi, snapshot }: ScreenProps): VNode {
  const { offer } = snapshot;
  const paging = usePaging();
  invariant(offer !== null, "notes are open without an offer");
  return (
    <div class="page">
      <div class="page-head">
        <NotesHead title="What's new" offer={offer} paging={paging} />
        <NotesTurn paging={paging} />
        <button
          type="button"
          class="button"
          data-testid="back"
          onClick={() => hmi.notesOpen.value = false}
        >
          <Icon name="back" />Back
        </button>
      </div>
      <NotesPages offer={offer} paging={paging} choice={false} />
    </div>
  );
}
