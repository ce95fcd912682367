/**
 * The notice board's page: joins the feed and the pages.
 *
 * @module
 */
import { render } from "preact";
import { invariant } from "shared/assert.ts";
import { connect } from "./feed.ts";
import { App } from "./app.tsx";
import { refuseStrayDrops } from "./adapters/stray_drop.ts";

const root = document.getElementById("app");
invariant(root !== null, "index.html has no element with the id app");
const board = connect();
refuseStrayDrops();
root.replaceChildren();
render(<App board={board} />, root);
