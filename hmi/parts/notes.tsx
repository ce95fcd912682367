/**
 * The five notes of UN R156 7.2.2.2 for each release of an offer. They are laid out in
 * pages, as a book is, so that no line is ever cut in half: one page a release where
 * that fits, in smaller letters if it must be, on further pages if it still does not.
 *
 * @module
 */
import type { VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Signal, useSignal } from "@preact/signals";
import type { HmiOffer } from "shared/protocol/hmi.ts";
import { ecuName } from "../copy.ts";
import { offerFacts, timeNote } from "../model.ts";
import { Icon } from "./icon.tsx";

/** Which page of the notes is open. */
export interface Paging {
  /** Counted from 0. */
  readonly page: Signal<number>;
  /** How many there are on this panel; 0 until it was measured. */
  readonly pages: Signal<number>;
}

/** Starts at the first page. */
export function usePaging(): Paging {
  return { page: useSignal(0), pages: useSignal(0) };
}

/**
 * Whether the last page is open, so that nothing is left to read.
 *
 * @param paging The pages.
 * @returns False also as long as nothing was measured.
 */
export function atEnd({ page, pages }: Paging): boolean {
  return pages.value > 0 && page.value >= pages.value - 1;
}

interface NotesProps {
  readonly offer: HmiOffer;
  readonly paging: Paging;
  /** Whether the person may decide now; then it says what waiting means (EU 2019/771 7(4)). */
  readonly choice: boolean;
}

/** The notes of every release of an offer, one page of them. */
export function NotesPages({ offer, paging, choice }: NotesProps): VNode {
  const box = useRef<HTMLDivElement>(null);
  const { releases } = offer;
  // After each rendering, since any text may have changed, and whenever the panel does.
  useLayoutEffect(() => layOut(box.current!, releases.length, paging));
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(() => layOut(box.current!, releases.length, paging));
    watcher.observe(box.current!);
    return () => watcher.disconnect();
  }, [releases.length]);
  const page = paging.page.value; // Read here, so that turning the page renders.
  return (
    <div class="notes" ref={box} data-page={page} role="region" aria-label="What the update does">
      {releases.map((release, at) => (
        <section key={release.serial} aria-label={ecuName(release.serial)}>
          {releases.length > 1 && <h2>{releaseTitle(release)}</h2>}
          <dl>
            <Note label="Why" text={release.notes.purpose} />
            <Note label="What changes" text={release.notes.changes} />
            <Note label="Time" text={timeNote(offer, release)} />
            <Note label="Not available" text={release.notes.unavailable} />
            <Note label="Do it safely" text={release.notes.instructions} />
            {choice && at === releases.length - 1 && (
              <Note
                label="If you wait"
                text="Nothing changes and you can drive. We ask you again"
              />
            )}
          </dl>
        </section>
      ))}
    </div>
  );
}

/** From the largest letters and widest lines to the smallest that may be read in a vehicle. */
const SETTINGS = ["wide", "large", "medium", "airy", "small"];
/** A note that is longer may be broken over pages: it would leave too much of one empty. */
const LONG_CHARS = 300;

/** Chooses the letters, counts the pages, and opens the one that is wanted. */
function layOut(box: HTMLElement, releases: number, { page, pages }: Paging): void {
  let count = 1;
  for (const setting of SETTINGS) {
    box.dataset.setting = setting;
    count = pagesOf(box);
    if (count <= releases) break;
  }
  pages.value = count;
  page.value = Math.min(page.value, count - 1);
  box.scrollLeft = page.value * stepPx(box);
}

/** From the left edge of a page to that of the next. */
function stepPx(box: HTMLElement): number {
  const gapPx = parseFloat(getComputedStyle(box).columnGap) || 0;
  return box.getBoundingClientRect().width + gapPx;
}

function pagesOf(box: HTMLElement): number {
  const gapPx = parseFloat(getComputedStyle(box).columnGap) || 0;
  return Math.max(1, Math.round((box.scrollWidth + gapPx) / Math.max(1, stepPx(box))));
}

/** What the offer is for, and which page of its notes is open. */
export function NotesHead(
  { title, offer, paging }: {
    readonly title: string;
    readonly offer: HmiOffer;
    readonly paging: Paging;
  },
): VNode {
  const [first] = offer.releases;
  const pages = paging.pages.value;
  return (
    <>
      <h1>{title}</h1>
      <p class="offer-what grow">
        {offer.releases.length === 1 && first !== undefined
          ? releaseTitle(first)
          : `${offer.releases.length} control units, ${offerFacts(offer).transfer}`}
      </p>
      {pages > 1 && (
        <p class="page-number" role="status">
          <span class="spoken">Page</span> {paging.page.value + 1} of {pages}
        </p>
      )}
    </>
  );
}

/** Turns the pages; not there when all of it fits on one. */
export function NotesTurn({ paging }: { readonly paging: Paging }): VNode | null {
  const { page, pages } = paging;
  if (pages.value <= 1) return null;
  return (
    <div class="turn">
      <button
        type="button"
        class="button"
        data-testid="notes-previous"
        aria-label="Previous page"
        disabled={page.value === 0}
        onClick={() => page.value--}
      >
        <Icon name="back" />
      </button>
      <button
        type="button"
        class="button"
        data-testid="notes-next"
        aria-label="Next page"
        disabled={atEnd(paging)}
        onClick={() => page.value++}
      >
        <Icon name="arrow" />
      </button>
    </div>
  );
}

function releaseTitle({ serial, from, to }: HmiOffer["releases"][number]): VNode {
  return (
    <>
      <b>{ecuName(serial)}</b> <span class="versions">{from === null ? "" : `${from} → `}{to}</span>
    </>
  );
}

function Note({ label, text }: { readonly label: string; readonly text: string }): VNode {
  return (
    <div class="note" data-long={text.length > LONG_CHARS}>
      <dt>{label}</dt>
      <dd>{text}</dd>
    </div>
  );
}
