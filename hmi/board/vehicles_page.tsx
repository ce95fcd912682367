/**
 * Vehicles with their control units, live; and enrolment of further ones.
 *
 * @module
 */
import type { VNode } from "preact";
import type { Vehicle } from "shared/protocol/api.ts";
import type { EcuReport } from "shared/protocol/messages.ts";
import type { EcuState } from "shared/protocol/common.ts";
import { failureKind } from "shared/failure.ts";
import type { PageProps } from "./app.tsx";
import { formatAgo, formatBytes, percent } from "../format.ts";
import { Chip } from "../parts/frame.tsx";
import { Icon, type IconName } from "../parts/icon.tsx";
import type { Tone } from "../copy.ts";
import { type EcuRot, failureBeside, rotOf } from "./care.ts";
import { LastTrial, Rot } from "./parts/care.tsx";
import { StateChip } from "./parts/chips.tsx";
import { Enrol } from "./parts/enrol.tsx";
import { Progress } from "./parts/field.tsx";
import type { Board } from "./state.ts";

/** The page. */
export function VehiclesPage({ board }: PageProps): VNode {
  const vehicles = board.vehicles.value.toSorted((a, b) =>
    Number(b.online) - Number(a.online) || (a.vin < b.vin ? -1 : 1)
  );
  return (
    <>
      {board.session.value?.role === "operator" && <Enrol board={board} />}
      {vehicles.length === 0
        ? (
          <section class="card empty">
            <h2>No vehicle yet</h2>
            <p>Enrol one, then start it with the token.</p>
          </section>
        )
        : (
          <ul class="cards">
            {vehicles.map((vehicle) => (
              <VehicleCard key={vehicle.vin} board={board} vehicle={vehicle} />
            ))}
          </ul>
        )}
    </>
  );
}

const CONN: Record<Vehicle["conn"], { label: string; tone: Tone; icon: IconName }> = {
  online: { label: "Online", tone: "good", icon: "online" },
  rebooting: { label: "Restarting", tone: "busy", icon: "power" },
  offline: { label: "Offline", tone: "calm", icon: "offline" },
  never: { label: "Never connected", tone: "calm", icon: "clock" },
};

interface CardProps {
  readonly board: Board;
  readonly vehicle: Vehicle;
}

function VehicleCard({ board, vehicle }: CardProps): VNode {
  const nowMs = board.nowMs.value;
  const conn = CONN[vehicle.conn];
  return (
    <li class="card" data-testid={`vehicle-${vehicle.vin}`}>
      <div class="card-head">
        <h2 class="mono">{vehicle.vin}</h2>
        <Chip icon={conn.icon} tone={conn.tone}>{conn.label}</Chip>
      </div>
      <p class="muted">
        {vehicle.lastSeenAt === null
          ? "Not seen yet"
          : `Last seen ${formatAgo(vehicle.lastSeenAt, nowMs)}`}
        {vehicle.campaign !== null && `, campaign ${vehicle.campaign}`}
        {vehicle.queue.length > 0 && `, then ${vehicle.queue.join(", ")}`}
      </p>
      {vehicle.lastError !== undefined && (
        <p class="error" data-testid={`error-${vehicle.vin}`}>
          <Icon name="alert" />
          <span>
            <b>Restarted after a crash</b> {formatAgo(vehicle.lastError.at, nowMs)}:{" "}
            {vehicle.lastError.message}
            {vehicle.lastError.restarts > 1 && ` (restart ${vehicle.lastError.restarts})`}
          </span>
        </p>
      )}
      <Rot rot={rotOf(vehicle, "gateway")} of="gateway" nowMs={nowMs} />
      <ul class="ecu-cards">
        {vehicle.ecus.map((ecu) => (
          <EcuCard key={ecu.serial} ecu={ecu} board={board} vehicle={vehicle} />
        ))}
      </ul>
    </li>
  );
}

/** States in which the version that was wanted is no longer on its way. */
const OVER: readonly EcuState[] = [
  "idle",
  "confirmed",
  "rolledBack",
  "failed",
  "declined",
  "canceled",
];

function EcuCard({ ecu, board, vehicle }: CardProps & { readonly ecu: EcuReport }): VNode {
  const { progress } = ecu;
  const nowMs = board.nowMs.value;
  const rot = rotOf(vehicle, ecu.serial);
  const failure = failureBeside(ecu, rot);
  const trial = vehicle.failedTrials?.find((one) => one.ecu === ecu.serial);
  const done = progress === null ? 0 : percent(progress.doneBytes, progress.totalBytes);
  return (
    <li>
      <div class="card-head">
        <h3>{ecu.serial}</h3>
        <StateChip state={ecu.state} />
      </div>
      <p>
        <span class="muted">{ecu.hardware}</span> <b>{ecu.version ?? "empty"}</b>
        {ecu.counter !== null && <span class="muted">, counter {ecu.counter}</span>}
        {ecu.desired !== null && !OVER.includes(ecu.state) && (
          <span>
            {" "}
            → <b>{ecu.desired.version}</b>
          </span>
        )}
      </p>
      <div class="slot-pair">
        <SlotCell ecu={ecu} slot="A" rot={rot} />
        <SlotCell ecu={ecu} slot="B" rot={rot} />
      </div>
      {progress !== null && ecu.state === "downloading" && (
        <div class="with-number">
          <Progress percent={done} label={`Download of ${ecu.serial}`} />
          <span>
            {done} %, {formatBytes(progress.doneBytes)}, {progress.via}
          </span>
        </div>
      )}
      {failure !== null && (
        <p class="error">
          <Icon name="alert" />
          <span>
            <b>{failure.code} {failure.name}</b>: {failure.message}. {failureKind(failure.name)
              .remedy}
          </span>
        </p>
      )}
      <Rot rot={rot} of={ecu.serial} nowMs={nowMs} />
      {trial !== undefined && (
        <LastTrial key={trial.id} api={board.api} vin={vehicle.vin} trial={trial} nowMs={nowMs} />
      )}
    </li>
  );
}

interface SlotProps {
  readonly ecu: EcuReport;
  readonly slot: "A" | "B";
  readonly rot: EcuRot;
}

function SlotCell({ ecu, slot, rot }: SlotProps): VNode {
  const rotten = rot.open.some(({ what }) => what === `slot ${slot}`);
  const { version, unbootable, successful, triesRemaining } = ecu.slots[slot];
  const runs = ecu.slot === slot;
  const word = runs
    ? successful ? "runs" : "runs on trial"
    : version === null
    ? "empty"
    : unbootable
    ? "not bootable"
    : successful
    ? "spare"
    : triesRemaining > 0
    ? `${triesRemaining} tries left`
    : "written";
  return (
    <span class="slot-cell" data-runs={runs} data-rotten={rotten}>
      <b>{slot}</b> {version ?? ""} <span>{rotten ? `${word}, rotten` : word}</span>
    </span>
  );
}
