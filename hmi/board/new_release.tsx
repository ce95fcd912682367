/**
 * The form of a new release: file, hardware, version, the five notes of UN R156.
 *
 * @module
 */
import type { VNode } from "preact";
import type { PageProps } from "./app.tsx";
import type { Desk } from "./desk.ts";
import { formatBytes } from "../format.ts";
import { Icon } from "../parts/icon.tsx";
import { releasesOf } from "./model.ts";
import { control, FieldFrame } from "./parts/field.tsx";
import { DropZone } from "./parts/drop_zone.tsx";
import { HardwareField } from "./parts/hardware_field.tsx";
import { NoteFields } from "./parts/note_fields.tsx";

/** The page. */
export function NewRelease({ board }: PageProps): VNode {
  const { desk } = board;
  const { published, errors, busy } = desk;
  if (board.session.value?.role === "viewer") {
    return <p class="card">Your account may look, but not publish.</p>;
  }
  return (
    <form
      class="card new-release"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        void desk.publish().then(() => requestAnimationFrame(() => showWrong(form)));
      }}
    >
      <h2>New release</h2>
      <DropZone desk={desk} />
      <div class="grid">
        <HardwareField board={board} />
        <Version desk={desk} />
        <Counter desk={desk} />
        {desk.job.value?.kind === "patch" && <Base board={board} />}
      </div>
      <NoteFields board={board} />
      <div class="submit">
        <label class="check-line">
          <input
            type="checkbox"
            data-testid="draft"
            checked={desk.form.value.draft}
            onChange={(event) => desk.edit({ draft: event.currentTarget.checked })}
          />
          Keep as a draft: neither announced nor offered yet
        </label>
        <button type="submit" class="primary" data-testid="publish" disabled={busy.value}>
          <Icon name="upload" />
          {busy.value ? "Publishing …" : desk.form.value.draft ? "Save draft" : "Publish"}
        </button>
      </div>
      {published.value !== null && <PublishedNote desk={desk} />}
      {errors.value.form !== undefined && (
        <p class="error" role="alert" data-testid="error-form">
          <Icon name="alert" />
          {errors.value.form}
        </p>
      )}
      {Object.keys(errors.value).some((field) => field !== "form") && (
        <p class="error" role="status">
          <Icon name="alert" />
          Not published: see the marked fields
        </p>
      )}
    </form>
  );
}

/** What is wrong may be far above the button that was pressed. */
function showWrong(form: HTMLFormElement): void {
  form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
}

function PublishedNote({ desk }: { readonly desk: Desk }): VNode | null {
  const published = desk.published.value;
  if (published === null) return null;
  const { release, campaign, counter, draft } = published;
  return (
    <p class="done" role="status" data-testid="published">
      <Icon name="check" />
      <span>
        <b>{release}</b> {published.carrierAdded
          ? "got another carrier."
          : `${draft ? "is kept as a draft" : "is released"}, counter ${counter}.`}
        {campaign !== null && ` Campaign ${campaign} offers it.`}{" "}
        <a href="#/releases">See it on the board</a>
      </span>
    </p>
  );
}

function Version({ desk }: { readonly desk: Desk }): VNode {
  const error = desk.errors.value.version;
  return (
    <FieldFrame id="version" label="Version" hint="For people, such as 1.5.0" error={error}>
      <input
        {...control("version", error)}
        value={desk.form.value.version}
        maxLength={48}
        autocomplete="off"
        onInput={(event) => desk.edit({ version: event.currentTarget.value })}
      />
    </FieldFrame>
  );
}

function Counter({ desk }: { readonly desk: Desk }): VNode {
  const error = desk.errors.value.counter;
  return (
    <FieldFrame
      id="counter"
      label="Counter, optional"
      hint="Decides newer or older; left out, it is the highest plus one"
      error={error}
    >
      <input
        {...control("counter", error)}
        value={desk.form.value.counter}
        inputMode="numeric"
        autocomplete="off"
        onInput={(event) => desk.edit({ counter: event.currentTarget.value.trim() })}
      />
    </FieldFrame>
  );
}

function Base({ board }: PageProps): VNode {
  const { desk } = board;
  const error = desk.errors.value.deltaFrom;
  const bases = releasesOf(board.releases.value, desk.form.value.hardware);
  return (
    <FieldFrame
      id="delta-from"
      label="Patch starts from"
      hint="The version the patch was made from"
      error={error}
    >
      <select
        {...control("delta-from", error)}
        value={desk.form.value.deltaFrom}
        onChange={(event) => desk.edit({ deltaFrom: event.currentTarget.value })}
      >
        <option value="">{bases.length === 0 ? "No release yet" : "Choose …"}</option>
        {bases.map(({ release, version, lengthBytes }) => (
          <option key={release} value={version}>{version}, {formatBytes(lengthBytes)}</option>
        ))}
      </select>
    </FieldFrame>
  );
}
