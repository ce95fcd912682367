/**
 * The head unit's page: joins the feed and the screens.
 *
 * @module
 */
import { render } from "preact";
import { invariant } from "shared/assert.ts";
import { connect } from "./feed.ts";
import { App } from "./screens/app.tsx";

const root = document.getElementById("app");
invariant(root !== null, "index.html has no element with the id app");
const hmi = connect();
root.replaceChildren();
render(<App hmi={hmi} />, root);
