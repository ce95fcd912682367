/**
 * Which hardware a release is for; an id that is not there yet can be added.
 *
 * @module
 */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { Board } from "../state.ts";
import { refusalFrom } from "../ports.ts";
import { Icon } from "../../parts/icon.tsx";
import { control, FieldFrame } from "./field.tsx";

/** The field. */
export function HardwareField({ board }: { readonly board: Board }): VNode {
  const { desk } = board;
  const adding = useSignal(false);
  const error = desk.errors.value.hardware;
  const ids = board.hardware.value.map(({ hardware }) => hardware).toSorted();
  return (
    <FieldFrame
      id="hardware"
      label="Hardware"
      hint="Exactly one kind of control unit"
      error={error}
    >
      <div class="with-button">
        <select
          {...control("hardware", error)}
          value={desk.form.value.hardware}
          onChange={(event) => desk.chooseHardware(event.currentTarget.value, board.releases.value)}
        >
          <option value="">Choose …</option>
          {ids.map((id) => <option key={id} value={id}>{id}</option>)}
        </select>
        {board.session.value?.role === "operator" && (
          <button
            type="button"
            data-testid="add-hardware"
            aria-expanded={adding.value}
            onClick={() => adding.value = !adding.value}
          >
            <Icon name="plus" />Add
          </button>
        )}
      </div>
      {adding.value && <AddHardware board={board} onDone={() => adding.value = false} />}
    </FieldFrame>
  );
}

function AddHardware(
  { board, onDone }: { readonly board: Board; readonly onDone: () => void },
): VNode {
  const id = useSignal("");
  const error = useSignal<string | undefined>(undefined);
  const add = async () => {
    try {
      const { hardware } = await board.api.addHardware(id.value.trim());
      board.desk.chooseHardware(hardware, board.releases.value);
      onDone();
    } catch (cause) {
      const { detail, remedy } = refusalFrom(cause);
      error.value = `${detail}. ${remedy}`;
    }
  };
  return (
    <FieldFrame id="new-hardware" label="New hardware id" error={error.value}>
      <div class="with-button">
        <input
          {...control("new-hardware", error.value)}
          value={id.value}
          maxLength={63}
          autocomplete="off"
          onInput={(event) => id.value = event.currentTarget.value}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault(); // Enter adds the id here; it does not publish.
            void add();
          }}
        />
        <button type="button" data-testid="save-hardware" onClick={add}>Add</button>
      </div>
    </FieldFrame>
  );
}
