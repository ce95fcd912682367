/**
 * What surrounds every screen: status bar, rail, and the notices above them.
 *
 * @module
 */
import type { ComponentChildren, VNode } from "preact";
import type { HmiSnapshot } from "shared/protocol/hmi.ts";
import type { Hmi, Page, Theme } from "../state.ts";
import type { Tone } from "../copy.ts";
import { Icon, type IconName } from "./icon.tsx";

/** The bar above: what this is, the time, and whether vehicle and server can be reached. */
export function StatusBar(
  { hmi, snapshot }: { readonly hmi: Hmi; readonly snapshot: HmiSnapshot },
): VNode {
  const time = new Date(hmi.nowMs.value).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
  });
  const reachable = snapshot.serverReachable && snapshot.brokerConnected;
  const server = !snapshot.serverReachable
    ? "Server not reachable"
    : reachable
    ? "Server connected"
    : "No live news from the server";
  return (
    <header class="status">
      <span class="brand">Software update</span>
      <span class="vin">{snapshot.vin}</span>
      <span class="reach" data-ok={reachable}>
        <Icon name={reachable ? "online" : "offline"} />
        {server}
      </span>
      <time class="clock">{time}</time>
    </header>
  );
}

const PAGES: readonly { page: Page; label: string; icon: IconName }[] = [
  { page: "update", label: "Update", icon: "download" },
  { page: "vehicle", label: "Vehicle", icon: "car" },
  { page: "workshop", label: "Service", icon: "wrench" },
];
const NEXT_THEME: Record<Theme, Theme> = { auto: "day", day: "night", night: "auto" };
const THEME_LABEL: Record<Theme, string> = { auto: "Auto", day: "Day", night: "Night" };

/** The rail at the side: three pages and the theme, each 100 px high on the 7" panel. */
export function Rail({ hmi }: { readonly hmi: Hmi }): VNode {
  const theme = hmi.theme.value;
  return (
    <nav class="rail" aria-label="Pages">
      {PAGES.map(({ page, label, icon }) => (
        <button
          type="button"
          key={page}
          data-testid={`page-${page}`}
          aria-current={hmi.page.value === page ? "page" : undefined}
          onClick={() => hmi.page.value = page}
        >
          <Icon name={icon} />
          {label}
        </button>
      ))}
      <button
        type="button"
        data-testid="theme"
        aria-label={`Brightness: ${THEME_LABEL[theme]}`}
        onClick={() => hmi.theme.value = NEXT_THEME[theme]}
      >
        <Icon name={theme === "day" ? "sun" : "moon"} />
        {THEME_LABEL[theme]}
      </button>
    </nav>
  );
}

/** Notices that lie over the top of any screen: the line is dead, or a wish was refused. */
export function Notices({ hmi }: { readonly hmi: Hmi }): VNode {
  const { link, problem } = hmi;
  return (
    <div class="notices" role="status">
      {link.value === "lost" && (
        <p class="notice" data-tone="bad" data-testid="link-lost">
          <Icon name="offline" />
          Connection to the vehicle lost. What you see may be old. Connecting again …
        </p>
      )}
      {problem.value !== null && (
        <p class="notice" data-tone="warn" data-testid="problem">
          <Icon name="alert" />
          <span>{problem.value}</span>
          <button type="button" class="button" onClick={() => problem.value = null}>Close</button>
        </p>
      )}
    </div>
  );
}

/** A round mark with an icon: the tone is shown by icon and word as well as by colour. */
export function Mark({ icon, tone }: { readonly icon: IconName; readonly tone: Tone }): VNode {
  return (
    <span class="mark" data-tone={tone}>
      <Icon name={icon} />
    </span>
  );
}

/** A small label with an icon. */
export function Chip(
  { icon, tone, children }: {
    readonly icon: IconName;
    readonly tone: Tone;
    readonly children: ComponentChildren;
  },
): VNode {
  return (
    <span class="chip" data-tone={tone}>
      <Icon name={icon} />
      {children}
    </span>
  );
}
