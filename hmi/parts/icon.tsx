/**
 * Icons as strokes on a 24 by 24 grid; always beside words, so hidden from screen readers.
 *
 * @module
 */
import type { VNode } from "preact";

const PATHS = {
  alert: "M12 3.5 2 20.5h20zM12 10v4.5M12 17.5h.01",
  arrow: "M5 12h14m-6-6 6 6-6 6",
  back: "M19 12H5m6-6-6 6 6 6",
  battery: "M3 8h15v8H3zM21 11v2M6 11v2M9 11v2",
  brake:
    "M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM4.2 5.5a10 10 0 0 0 0 13M19.8 5.5a10 10 0 0 1 0 13M12 8.5v4M12 15.3h.01",
  car: "M3.5 16.5v-4l2.5-6h12l2.5 6v4zM3.5 12.5h17M6 16.5V19M18 16.5V19M7 14.6h.01M17 14.6h.01",
  check: "M20 6.5 9.5 17.5 4 12",
  chip: "M7 7h10v10H7zM10 3.5V7M14 3.5V7M10 17v3.5M14 17v3.5M3.5 10H7M3.5 14H7M17 10h3.5M17 14h3.5",
  clock: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5V12l3 2",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  download: "M12 3.5v11.5m-5-5 5 5 5-5M4 20h16",
  file: "M6 3.5h8l4 4v13H6zM14 3.5v4h4",
  info: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 11v5M12 8h.01",
  layers: "M12 3.5 3 8.5l9 5 9-5zM3 13l9 5 9-5",
  lock: "M6 11h12v9.5H6zM8.5 11V7.5a3.5 3.5 0 0 1 7 0V11",
  logout: "M14 4h5v16h-5M9.5 8l-4 4 4 4M6 12h9",
  moon: "M20 14.5A8.2 8.2 0 0 1 9.5 4a8.2 8.2 0 1 0 10.5 10.5z",
  offline:
    "M5 12.5a10 10 0 0 1 4-2.3M19 12.5a10 10 0 0 0-4.5-2.5M8.5 16a5 5 0 0 1 7 0M12 19.5h.01M3 4l18 17",
  online: "M5 12.5a10 10 0 0 1 14 0M8.5 16a5 5 0 0 1 7 0M12 19.5h.01",
  park: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM10 17V7.5h3a2.8 2.8 0 0 1 0 5.6h-3",
  pause: "M8 5v14M16 5v14",
  play: "M7 4.5 19 12 7 19.5z",
  plus: "M12 5v14M5 12h14",
  power: "M12 3v9M6.5 7a8 8 0 1 0 11 0",
  refresh: "M20 12a8 8 0 1 1-2.4-5.7L20 8.5M20 3.5v5h-5",
  shield: "M12 3 4.5 6v6c0 4.6 3.2 7.6 7.5 9 4.3-1.4 7.5-4.4 7.5-9V6zM8.5 12l2.5 2.5 4.5-4.5",
  sun:
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2.5M12 19.5V22M5 5l1.7 1.7M17.3 17.3 19 19M2 12h2.5M19.5 12H22M5 19l1.7-1.7M17.3 6.7 19 5",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13.5h10L18 7",
  undo: "M4.5 9H14a5.5 5.5 0 0 1 0 11H9M4.5 9l4.5-4.5M4.5 9 9 13.5",
  upload: "M12 16V4m-5 5 5-5 5 5M4 20h16",
  wrench: "M14.8 6.2a4 4 0 0 0-5.5 5L3.5 17 7 20.5l5.8-5.8a4 4 0 0 0 5-5.5L15 12l-3-3z",
  x: "M18 6 6 18M6 6l12 12",
} as const;

/** The name of an icon. */
export type IconName = keyof typeof PATHS;

/** One icon; its size is that of the text around it unless the style says otherwise. */
export function Icon({ name }: { readonly name: IconName }): VNode {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
