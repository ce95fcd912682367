/**
 * The page's way to the gateway: server-sent events down, commands up (hmi.md 10).
 *
 * @module
 */
import { batch } from "@preact/signals";
import type { HmiSnapshot } from "shared/protocol/hmi.ts";
import { toHex } from "shared/bytes.ts";
import { createHmi, type Hmi, takeSnapshot, type Theme, type Wish } from "./state.ts";

/** A gateway that answers anything but an event stream is asked again after this. */
const REOPEN_MS = 2000;
/** The gateway answers at once or not at all. */
const COMMAND_TIMEOUT_MS = 8000;
const THEME_KEY = "theme";

/**
 * Connects a fresh state to the vehicle that serves this page.
 *
 * @returns The state; it fills by itself from now on.
 */
export function connect(): Hmi {
  const hmi = createHmi(Date.now(), (state, wish) => void send(state, wish));
  hmi.theme.value = storedTheme();
  hmi.theme.subscribe((theme) => {
    document.documentElement.dataset.theme = theme;
    // Private windows may refuse storage; the theme then lasts as long as the page.
    try {
      localStorage.setItem(THEME_KEY, theme);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
  });
  setInterval(() => hmi.nowMs.value = Date.now(), 1000);
  open(hmi);
  return hmi;
}

function open(hmi: Hmi): void {
  const source = new EventSource("/api/events");
  source.addEventListener("open", () => hmi.link.value = "open");
  source.addEventListener("snapshot", (event) => {
    const snapshot = JSON.parse((event as MessageEvent<string>).data) as HmiSnapshot;
    batch(() => {
      hmi.link.value = "open";
      // A gateway that was replaced while the page stayed open may speak a newer version.
      if (snapshot.v === 1) takeSnapshot(hmi, snapshot, Date.now());
      else hmi.problem.value = "The vehicle runs a newer version than this page: reload the page";
    });
  });
  source.addEventListener("error", () => {
    hmi.link.value = "lost";
    // The browser reconnects by itself unless the answer was no event stream at all.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => open(hmi), REOPEN_MS);
  });
}

async function send(hmi: Hmi, wish: Wish): Promise<void> {
  batch(() => {
    hmi.busy.value = wish.command;
    hmi.problem.value = null;
  });
  try {
    const answer = await fetch("/api/commands", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ v: 1, commandId: commandId(), ...wish }),
      signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS),
    });
    if (!answer.ok) hmi.problem.value = await refusal(answer);
  } catch {
    // The lost stream shows the same; the gateway has not heard the wish, so say so.
    hmi.problem.value = "The vehicle did not answer. Please try again";
  } finally {
    hmi.busy.value = null;
  }
}

async function refusal(answer: Response): Promise<string> {
  const problem = await answer.json().catch(() => ({})) as { detail?: unknown };
  return typeof problem.detail === "string"
    ? problem.detail
    : `The vehicle refused: ${answer.status}`;
}

/** UUID version 4 (RFC 9562); `randomUUID` is missing where the page came over plain HTTP. */
function commandId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0F) | 0x40;
  bytes[8] = (bytes[8]! & 0x3F) | 0x80;
  const hex = toHex(bytes);
  return [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]].map(([a, b]) => hex.slice(a, b)).join("-");
}

function storedTheme(): Theme {
  try {
    const theme = localStorage.getItem(THEME_KEY);
    return theme === "day" || theme === "night" ? theme : "auto";
  } catch {
    return "auto"; // Storage is refused: as the device says.
  }
}
