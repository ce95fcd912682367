/**
 * Release cards, the newest first; drafts can be gathered and offered as one bundle.
 *
 * @module
 */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { Campaign, Release } from "shared/protocol/api.ts";
import type { PageProps } from "./app.tsx";
import type { Board } from "./state.ts";
import { type Refusal, refusalFrom } from "./ports.ts";
import { formatAgo, formatBytes } from "../format.ts";
import { Chip } from "../parts/frame.tsx";
import { Icon } from "../parts/icon.tsx";
import { Carriers } from "./parts/carriers.tsx";
import { CampaignProgress } from "./parts/chips.tsx";
import { RefusalNote } from "./parts/refusal_note.tsx";

/** The page. */
export function ReleasesPage({ board }: PageProps): VNode {
  const chosen = useSignal<readonly string[]>([]);
  const releases = board.releases.value.toSorted((a, b) =>
    Date.parse(b.createdAt) - Date.parse(a.createdAt) || b.counter - a.counter
  );
  if (releases.length === 0) return <FirstSteps />;
  const mayPublish = board.session.value?.role !== "viewer";
  // A draft that was offered meanwhile, by somebody else, is no longer one to choose.
  const drafts = releases.filter((it) => it.state === "draft").map((it) => it.release);
  const marked = chosen.value.filter((it) => drafts.includes(it));
  return (
    <>
      {mayPublish && drafts.length > 0 && (
        <OfferBar
          board={board}
          marked={marked}
          drafts={drafts.length}
          onDone={() => chosen.value = []}
        />
      )}
      <ul class="cards">
        {releases.map((release) => (
          <ReleaseCard
            key={release.release}
            board={board}
            release={release}
            marked={marked.includes(release.release)}
            onMark={!mayPublish || release.state !== "draft" ? undefined : (on) => {
              const rest = chosen.value.filter((it) => it !== release.release);
              chosen.value = on ? [...rest, release.release] : rest;
            }}
          />
        ))}
      </ul>
    </>
  );
}

interface OfferBarProps {
  readonly board: Board;
  readonly marked: readonly string[];
  readonly drafts: number;
  readonly onDone: () => void;
}

function OfferBar({ board, marked, drafts, onDone }: OfferBarProps): VNode {
  const refusal = useSignal<Refusal | null>(null);
  const busy = useSignal(false);
  const send = async () => {
    busy.value = true;
    refusal.value = null;
    try {
      await board.api.offer(marked);
      onDone();
    } catch (error) {
      refusal.value = refusalFrom(error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <section class="card offer-bar">
      <p>
        {drafts === 1 ? "One draft is" : `${drafts} drafts are`}{" "}
        not offered yet. Mark what belongs together: it is installed together, or not at all.
      </p>
      <button
        type="button"
        class="primary"
        data-testid="offer"
        disabled={busy.value || marked.length === 0}
        onClick={send}
      >
        <Icon name="play" />
        {marked.length > 1 ? `Offer ${marked.length} as one bundle` : "Offer marked draft"}
      </button>
      {refusal.value !== null && <RefusalNote refusal={refusal.value} />}
    </section>
  );
}

interface CardProps {
  readonly board: Board;
  readonly release: Release;
  readonly marked: boolean;
  readonly onMark: ((on: boolean) => void) | undefined;
}

function ReleaseCard({ board, release, marked, onMark }: CardProps): VNode {
  const campaigns = board.campaigns.value.filter((it) => it.releases.includes(release.release))
    .toSorted(newestFirst);
  const draft = release.state === "draft";
  return (
    <li class="card release" data-testid={`release-${release.release}`}>
      <div class="card-head">
        <h2>
          {release.hardware} <span class="big">{release.version}</span>
        </h2>
        <Chip icon={draft ? "file" : "check"} tone={draft ? "calm" : "good"}>
          {draft ? "Draft" : "Published"}
        </Chip>
        {onMark !== undefined && (
          <label class="check-line">
            <input
              type="checkbox"
              data-testid={`mark-${release.release}`}
              checked={marked}
              onChange={(event) => onMark(event.currentTarget.checked)}
            />{" "}
            Offer
          </label>
        )}
      </div>
      <p class="muted">
        Counter {release.counter}, {formatBytes(release.lengthBytes)},{" "}
        <time dateTime={release.createdAt} title={release.createdAt}>
          {formatAgo(release.createdAt, board.nowMs.value)}
        </time>{" "}
        by {release.createdBy}
      </p>
      <p class="purpose">{release.notes.purpose}</p>
      <Carriers board={board} release={release} />
      <Details release={release} />
      {campaigns.map((campaign) => (
        <CampaignProgress
          key={campaign.campaign}
          campaign={campaign}
          vehicles={board.vehicles.value}
        />
      ))}
    </li>
  );
}

/** Campaign numbers only rise. */
function newestFirst(a: Campaign, b: Campaign): number {
  return Number(b.campaign.slice(1)) - Number(a.campaign.slice(1));
}

function Details({ release }: { readonly release: Release }): VNode {
  const { notes } = release;
  const rows: readonly [string, string][] = [
    ["Changed functions", notes.changes],
    ["Time to install", `${notes.minutes} min`],
    ["Not available meanwhile", notes.unavailable],
    ["How to do it safely", notes.instructions],
    ["SHA-256 of the image", release.sha256],
  ];
  return (
    <details>
      <summary>Notes and digest</summary>
      <dl>
        {rows.map(([label, text]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function FirstSteps(): VNode {
  return (
    <section class="card empty">
      <h2>No release yet</h2>
      <ol>
        <li>
          <a href="#/vehicles">Enrol a vehicle</a>: it gets a token and connects.
        </li>
        <li>
          <a href="#/new">Upload an image</a>, say what it changes, and publish it.
        </li>
        <li>Watch the head unit offer it, and read “Confirmed” here.</li>
      </ol>
    </section>
  );
}
