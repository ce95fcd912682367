/**
 * A scripted vehicle behind the built head-unit page: it says what a test wants and
 * remembers what it is told.
 *
 * @module
 */
import type { Browser, Page } from "playwright-core";
import { HmiCommand, type HmiSnapshot } from "shared/protocol/hmi.ts";
import { build } from "../scripts/build.ts";
import { EventStream, launch, serveDist, watchFaults } from "./browser.ts";
import { FIXTURES } from "./hmi_fixtures.ts";

/** A vehicle that says what the test wants and remembers what it is told. */
export class ScriptedVehicle {
  snapshot: HmiSnapshot = FIXTURES.upToDate!.snapshot;
  readonly commands: HmiCommand[] = [];
  refuse: Record<string, unknown> | null = null;
  silent = false;
  readonly #events = new EventStream(() => [["snapshot", this.snapshot]]);
  readonly #server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => this.#answer(request),
  );

  /** Where the page is. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** Says something new to whoever listens. */
  say(snapshot: HmiSnapshot): void {
    this.snapshot = snapshot;
    this.#events.send("snapshot", snapshot);
  }

  /** Ends all streams and takes no new one. */
  hangUp(): void {
    this.silent = true;
    this.#events.close();
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#events.close();
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/api/events") {
      return this.silent ? new Response(null, { status: 503 }) : this.#events.response();
    }
    if (pathname !== "/api/commands") return await serveDist("hmi", pathname);
    const command = HmiCommand.parse(await request.json()); // As strict as the vehicle is.
    if (this.refuse !== null) return Response.json(this.refuse, { status: 400 });
    this.commands.push(command);
    return new Response(null, { status: 202 });
  }
}

/** Runs a test against the built page and a scripted vehicle, and closes all of it. */
export async function withPage(
  run: (page: Page, vehicle: ScriptedVehicle, faults: string[]) => Promise<void>,
): Promise<void> {
  await build();
  const vehicle = new ScriptedVehicle();
  let browser: Browser | undefined;
  try {
    browser = await launch();
    const page = await browser.newPage({
      viewport: { width: 1024, height: 600 },
      colorScheme: "dark",
      reducedMotion: "reduce",
    });
    page.setDefaultTimeout(10_000);
    await run(page, vehicle, watchFaults(page));
  } finally {
    await browser?.close();
    await vehicle.close();
  }
}

/** Opens a screen of the fixtures by its name. */
export async function show(
  page: Page,
  vehicle: ScriptedVehicle,
  name: string,
): Promise<void> {
  const { snapshot, open } = FIXTURES[name]!;
  vehicle.snapshot = snapshot;
  await page.goto(vehicle.url);
  if (open === "accept") await readNotes(page);
  if (open !== undefined) await page.getByTestId(open).click();
  await page.locator("[data-mode]").waitFor();
}

/** Turns the pages of an offer to the last: only then may it be accepted. */
export async function readNotes(page: Page): Promise<void> {
  const choice = page.getByTestId("read-on").or(page.getByTestId("accept"));
  await choice.waitFor();
  while (await page.getByTestId("accept").count() === 0) {
    const before = await page.locator(".notes").getAttribute("data-page");
    await page.getByTestId("read-on").click();
    await page.locator(`.notes:not([data-page="${before}"])`).waitFor();
  }
}
