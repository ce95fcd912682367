/**
 * The board's connection: who we are, then the live stream (system.md, HTTP).
 *
 * @module
 */
import { effect } from "@preact/signals";
import type { BoardSnapshot } from "shared/protocol/api.ts";
import {
  type Board,
  type Change,
  CHANGE_KINDS,
  createBoard,
  type Page,
  PAGES,
  takeChange,
  takeSnapshot,
} from "./state.ts";
import { refusalFrom } from "./ports.ts";
import { API } from "./adapters/api.ts";

/** How long to wait before a server that does not answer is asked again. */
const REOPEN_MS = 2000;
/** "3 min ago" needs no second hand. */
const TICK_MS = 5000;

/**
 * Makes the board and keeps it up to date for as long as the page is open.
 *
 * @returns The state; it fills by itself from now on.
 */
export function connect(): Board {
  const board = createBoard(API, { nowMs: Date.now(), page: pageOf(location.hash) });
  addEventListener("hashchange", () => {
    board.page.value = pageOf(location.hash);
    scrollTo(0, 0); // Another page begins at its top, however far down the last one was read.
  });
  setInterval(() => board.nowMs.value = Date.now(), TICK_MS);
  void recognise(board);
  const stream = new Stream(board);
  let user: string | undefined;
  effect(() => {
    // A session that is renewed for the same person keeps its stream.
    const present = board.session.value?.user;
    if (present === user) return;
    user = present;
    stream.close();
    if (present !== undefined) stream.open();
  });
  return board;
}

function pageOf(hash: string): Page {
  const name = hash.replace(/^#\//, "");
  return PAGES.find((page) => page === name) ?? "releases";
}

async function recognise(board: Board): Promise<void> {
  try {
    board.session.value = await board.api.session();
    board.refusal.value = null;
  } catch (error) {
    board.refusal.value = refusalFrom(error);
    setTimeout(() => void recognise(board), REOPEN_MS);
  }
}

/** The live stream: at most one is open, and it comes back for as long as somebody is logged in. */
class Stream {
  readonly #board: Board;
  #source: EventSource | null = null;

  constructor(board: Board) {
    this.#board = board;
  }

  open(): void {
    const board = this.#board;
    const source = new EventSource("/events");
    this.#source = source;
    board.link.value = "connecting";
    source.addEventListener("open", () => board.link.value = "open");
    source.addEventListener("snapshot", (event) => {
      takeSnapshot(board, JSON.parse((event as MessageEvent<string>).data) as BoardSnapshot);
    });
    for (const kind of CHANGE_KINDS) {
      source.addEventListener(kind, (event) => {
        const value = JSON.parse((event as MessageEvent<string>).data);
        takeChange(board, { kind, value } as Change);
      });
    }
    source.addEventListener("error", () => {
      board.link.value = "lost";
      // The browser reconnects by itself unless the answer was no event stream at all.
      if (source.readyState === EventSource.CLOSED) {
        setTimeout(() => this.#again(source), REOPEN_MS);
      }
    });
  }

  close(): void {
    this.#source?.close();
    this.#source = null;
  }

  /** Perhaps the session has ended, and then nothing is opened. */
  async #again(source: EventSource): Promise<void> {
    await recognise(this.#board);
    if (this.#source === source) this.open();
  }
}
