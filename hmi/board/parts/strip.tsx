/**
 * The strip: the fleet and the server at a glance.
 *
 * @module
 */
import type { VNode } from "preact";
import type { Board } from "../state.ts";
import { formatAgo, formatSpan } from "../../format.ts";
import { fleetVersions, needsAttention } from "../model.ts";
import { Icon } from "../../parts/icon.tsx";

/** How many versions the strip names before it only counts. */
const MAX_VERSIONS = 6;

/** The strip. */
export function Strip({ board }: { readonly board: Board }): VNode {
  const vehicles = board.vehicles.value;
  const online = vehicles.filter((vehicle) => vehicle.online).length;
  const troubled = vehicles.filter(needsAttention).length;
  const versions = fleetVersions(vehicles);
  const server = board.server.value;
  const healthy = server?.state === "running" && server.lastError === undefined;
  return (
    <section class="strip" aria-label="Fleet">
      <div>
        <b>{online} / {vehicles.length}</b>
        <span>vehicles online</span>
      </div>
      <div data-tone={troubled > 0 ? "warn" : "calm"}>
        <b>
          {troubled > 0 && <Icon name="alert" />}
          {troubled}
        </b>
        <span>need attention</span>
      </div>
      <div class="grow">
        <ul class="versions">
          {versions.length === 0 && <li class="muted">No vehicle has reported yet</li>}
          {versions.slice(0, MAX_VERSIONS).map(({ hardware, version, count }) => (
            <li key={`${hardware}/${version}`}>
              {hardware} <b>{version}</b> × {count}
            </li>
          ))}
          {versions.length > MAX_VERSIONS && <li>and {versions.length - MAX_VERSIONS} more</li>}
        </ul>
        <span>versions in the field</span>
      </div>
      {server !== null && (
        <div data-tone={healthy ? "good" : "warn"}>
          <b class="server">
            <Icon name={healthy ? "check" : "alert"} />
            {server.state}
          </b>
          <span>
            server, for{" "}
            {formatSpan(Math.max(0, board.nowMs.value - Date.parse(server.since)) / 1000)}
          </span>
          {server.lastError !== undefined && (
            <span class="crash" data-testid="server-error">
              {server.lastErrorAt !== undefined &&
                `restarted ${formatAgo(server.lastErrorAt, board.nowMs.value)}: `}
              {server.lastError}
            </span>
          )}
        </div>
      )}
    </section>
  );
}
