/**
 * What the notice board remembers: who is logged in, everything the server told, and
 * which page is open.
 *
 * @module
 */
import { batch, type Signal, signal } from "@preact/signals";
import type {
  BoardSnapshot,
  Campaign,
  DeltaJob,
  Hardware,
  Release,
  Session,
  Vehicle,
} from "shared/protocol/api.ts";
import { upsert } from "./model.ts";
import type { Api, Refusal } from "./ports.ts";
import { createDesk, type Desk } from "./desk.ts";

/** The pages, as they stand in the address after `#/`. */
export const PAGES = ["releases", "new", "vehicles", "campaigns"] as const;
/** A page of the board. */
export type Page = typeof PAGES[number];

/** Everything the pages read, and what they can do. */
export interface Board {
  readonly api: Api;
  /** The form of a new release; it outlives a look at another page. */
  readonly desk: Desk;
  /** `undefined` until the server answered who we are; `null`: nobody. */
  readonly session: Signal<Session | null | undefined>;
  readonly link: Signal<"connecting" | "open" | "lost">;
  readonly page: Signal<Page>;
  readonly releases: Signal<readonly Release[]>;
  readonly campaigns: Signal<readonly Campaign[]>;
  readonly vehicles: Signal<readonly Vehicle[]>;
  readonly hardware: Signal<readonly Hardware[]>;
  /** Carriers that the server makes. */
  readonly deltas: Signal<readonly DeltaJob[]>;
  readonly server: Signal<BoardSnapshot["server"] | null>;
  /** How long the lists are on the server; a snapshot holds the first rows only. */
  readonly totals: Signal<BoardSnapshot["totals"]>;
  /** The last refusal that belongs to no field. */
  readonly refusal: Signal<Refusal | null>;
  /** Milliseconds since the Unix epoch, every few seconds. */
  readonly nowMs: Signal<number>;
}

/**
 * An empty board.
 *
 * @param api The server.
 * @param start The time in milliseconds since the Unix epoch, and the page of the address.
 * @returns The state.
 */
export function createBoard(
  api: Api,
  { nowMs, page }: { readonly nowMs: number; readonly page: Page },
): Board {
  return {
    api,
    desk: createDesk(api),
    session: signal(undefined),
    link: signal("connecting"),
    page: signal(page),
    releases: signal([]),
    campaigns: signal([]),
    vehicles: signal([]),
    hardware: signal([]),
    deltas: signal([]),
    server: signal(null),
    totals: signal(undefined),
    refusal: signal(null),
    nowMs: signal(nowMs),
  };
}

/**
 * Takes a whole snapshot in.
 *
 * @param board The state.
 * @param snapshot What the server knows.
 */
export function takeSnapshot(board: Board, snapshot: BoardSnapshot): void {
  batch(() => {
    board.releases.value = snapshot.releases;
    board.campaigns.value = snapshot.campaigns;
    board.vehicles.value = snapshot.vehicles;
    board.hardware.value = snapshot.hardware;
    board.deltas.value = snapshot.deltas;
    board.server.value = snapshot.server;
    board.totals.value = snapshot.totals;
  });
}

/**
 * How many entries of the open page's list the board does not show.
 *
 * @param board The state.
 * @returns Shown and all, or `null` where nothing is missing.
 */
export function cutShort(board: Board): { readonly shown: number; readonly all: number } | null {
  const page = board.page.value;
  if (page === "new") return null;
  const [shown, all] = [board[page].value.length, board.totals.value?.[page] ?? 0];
  return all > shown ? { shown, all } : null;
}

/** A change: the name of its event, and the whole entity. */
export type Change =
  | { readonly kind: "release"; readonly value: Release }
  | { readonly kind: "campaign"; readonly value: Campaign }
  | { readonly kind: "vehicle"; readonly value: Vehicle }
  | { readonly kind: "hardware"; readonly value: Hardware }
  | { readonly kind: "delta"; readonly value: DeltaJob };

/** The kinds of change, for the stream. */
export const CHANGE_KINDS = ["release", "campaign", "vehicle", "hardware", "delta"] as const;

/**
 * Takes one change in: the entity replaces its older self or is added.
 *
 * @param board The state.
 * @param change What changed.
 */
export function takeChange(board: Board, change: Change): void {
  const { releases, campaigns, vehicles, hardware, deltas } = board;
  if (change.kind === "release") {
    releases.value = upsert(releases.value, change.value, (it) => it.release);
  } else if (change.kind === "campaign") {
    campaigns.value = upsert(campaigns.value, change.value, (it) => it.campaign);
  } else if (change.kind === "vehicle") {
    vehicles.value = upsert(vehicles.value, change.value, (it) => it.vin);
  } else if (change.kind === "delta") {
    deltas.value = upsert(deltas.value, change.value, (it) => it.job);
  } else {
    hardware.value = upsert(hardware.value, change.value, (it) => it.hardware);
  }
}
