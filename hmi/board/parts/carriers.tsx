/**
 * The ways a release travels as a table; what is still being made with its progress, and a button
 * that cancels it.
 *
 * @module
 */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { Release } from "shared/protocol/api.ts";
import { formatBytes } from "../../format.ts";
import { Icon } from "../../parts/icon.tsx";
import { carrierRows, type JobRow, jobRows } from "../carriers.ts";
import { type Refusal, refusalFrom } from "../ports.ts";
import type { Board } from "../state.ts";
import { Progress } from "./field.tsx";
import { RefusalNote } from "./refusal_note.tsx";

/** The carriers of a release. */
export function Carriers(
  { board, release }: { readonly board: Board; readonly release: Release },
): VNode {
  const refusal = useSignal<Refusal | null>(null);
  const releases = board.releases.value;
  const rows = jobRows(release, releases, board.deltas.value);
  const mayCancel = board.session.value?.role !== "viewer";
  const cancel = async (job: string) => {
    refusal.value = null;
    try {
      await board.api.cancelDelta(job);
    } catch (error) {
      refusal.value = refusalFrom(error);
    }
  };
  return (
    <>
      <table>
        <thead>
          <tr>
            <th scope="col">Carrier</th>
            <th scope="col" class="number">Size</th>
            <th scope="col" class="number">Saved</th>
          </tr>
        </thead>
        <tbody>
          {carrierRows(release, releases).map((row) => (
            <tr key={row.id}>
              <td>{row.label}</td>
              <td class="number">{formatBytes(row.lengthBytes)}</td>
              <td class="number">{row.savedPercent === 0 ? "–" : `${row.savedPercent} %`}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > 0 && (
        <ul class="rows jobs" aria-label={`Carriers in the making for ${release.release}`}>
          {rows.map((row) => (
            <Job
              key={row.id}
              row={row}
              onCancel={mayCancel && row.state !== "dropped"
                ? () => cancel(row.id)
                : undefined}
            />
          ))}
        </ul>
      )}
      {refusal.value !== null && <RefusalNote refusal={refusal.value} />}
    </>
  );
}

function Job(
  { row, onCancel }: { readonly row: JobRow; readonly onCancel: (() => void) | undefined },
): VNode {
  return (
    <li data-testid={`job-${row.id}`} data-state={row.state}>
      <span>
        {row.label}
        <span class="muted">{row.text}</span>
      </span>
      {onCancel !== undefined && (
        <button
          type="button"
          class="quiet"
          data-testid={`cancel-${row.id}`}
          aria-label={`Cancel: ${row.label}`}
          onClick={onCancel}
        >
          <Icon name="x" />
          Cancel
        </button>
      )}
      {row.state === "running" && (
        <span class="with-number">
          <Progress percent={row.percent} label={row.label} />
          <span>{row.percent} %</span>
        </span>
      )}
    </li>
  );
}
