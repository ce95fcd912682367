/**
 * The frame of the board: who is logged in, the strip, and the open page.
 *
 * @module
 */
import type { VNode } from "preact";
import { type Board, cutShort, type Page } from "./state.ts";
import { Icon, type IconName } from "../parts/icon.tsx";
import { refusalFrom } from "./ports.ts";
import { Login } from "./parts/login.tsx";
import { Strip } from "./parts/strip.tsx";
import { RefusalNote } from "./parts/refusal_note.tsx";
import { CampaignsPage } from "./campaigns_page.tsx";
import { NewRelease } from "./new_release.tsx";
import { ReleasesPage } from "./releases_page.tsx";
import { VehiclesPage } from "./vehicles_page.tsx";

/** What every page is handed. */
export interface PageProps {
  readonly board: Board;
}

const TABS: Record<Page, { label: string; icon: IconName; View: (props: PageProps) => VNode }> = {
  releases: { label: "Releases", icon: "layers", View: ReleasesPage },
  new: { label: "New release", icon: "upload", View: NewRelease },
  vehicles: { label: "Vehicles", icon: "car", View: VehiclesPage },
  campaigns: { label: "Campaigns", icon: "play", View: CampaignsPage },
};

/** The whole page. */
export function App({ board }: PageProps): VNode {
  const session = board.session.value;
  if (session === undefined) return <Asking board={board} />;
  if (session === null) return <Login board={board} />;
  const { label: title, View } = TABS[board.page.value];
  const short = cutShort(board);
  return (
    <>
      <div class="above">
        <header class="top">
          <a class="brand" href="#/releases">
            <Icon name="layers" /> Notice board
          </a>
          <nav aria-label="Pages">
            {Object.entries(TABS).map(([page, { label, icon }]) => (
              <a
                key={page}
                href={`#/${page}`}
                data-testid={`page-${page}`}
                aria-current={board.page.value === page ? "page" : undefined}
              >
                <Icon name={icon} />
                {label}
              </a>
            ))}
          </nav>
          <button type="button" class="quiet" data-testid="logout" onClick={() => leave(board)}>
            <Icon name="logout" />
            {session.user}
            <span class="role">{session.role}</span>
            <span class="spoken">, log out</span>
          </button>
        </header>
        {board.link.value === "lost" && (
          <p class="banner" role="status" data-testid="link-lost">
            <Icon name="offline" />{" "}
            Connection to the server lost. What you see may be old. Connecting again …
          </p>
        )}
      </div>
      <main>
        <h1 class="spoken">{title}</h1>
        {board.refusal.value !== null && (
          <RefusalNote
            refusal={board.refusal.value}
            onClose={() => board.refusal.value = null}
          />
        )}
        <Strip board={board} />
        <View board={board} />
        {short !== null && (
          <p data-testid="cut-short">
            {short.shown} of {short.all} are shown. All of them: <code>ota {board.page.value}</code>
          </p>
        )}
      </main>
    </>
  );
}

async function leave(board: Board): Promise<void> {
  try {
    await board.api.logout();
    board.session.value = null;
  } catch (error) {
    board.refusal.value = refusalFrom(error);
  }
}

function Asking({ board }: PageProps): VNode {
  return (
    <main class="login">
      {board.refusal.value === null
        ? <p>Loading the notice board.</p>
        : <RefusalNote refusal={board.refusal.value} />}
    </main>
  );
}
