/**
 * The five notes of UN R156 7.2.2.2, all on one screen, for each release of the offer.
 *
 * @module
 */
import type { VNode } from "preact";
import type { HmiOffer } from "shared/protocol/hmi.ts";
import { ecuName } from "../copy.ts";
import { formatBytes, formatSpan } from "../format.ts";

/** The notes of every release of an offer, in a part of the screen that scrolls. */
export function NotesList({ offer }: { readonly offer: HmiOffer }): VNode {
  return (
    // Focusable, so that it scrolls by keyboard and rotary knob as well.
    <div class="notes" tabIndex={0} role="region" aria-label="What the update does">
      {offer.releases.map((release) => <Release key={release.serial} release={release} />)}
    </div>
  );
}

function Release({ release }: { readonly release: HmiOffer["releases"][number] }): VNode {
  const { notes } = release;
  return (
    <section>
      <h2>
        {ecuName(release.serial)}{" "}
        <span class="versions">
          {release.from === null ? "" : `${release.from} → `}
          {release.to}
        </span>
      </h2>
      <dl>
        <Note label="Why" text={notes.purpose} />
        <Note label="What changes" text={notes.changes} />
        <Note
          label="Time"
          text={`About ${formatSpan(notes.minutes * 60)}, ${formatBytes(release.transferBytes)}`}
        />
        <Note label="Not available meanwhile" text={notes.unavailable} />
        <Note label="How to do it safely" text={notes.instructions} />
      </dl>
    </section>
  );
}

function Note({ label, text }: { readonly label: string; readonly text: string }): VNode {
  return (
    <div class="note">
      <dt>{label}</dt>
      <dd>{text}</dd>
    </div>
  );
}
