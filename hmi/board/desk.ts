/**
 * The desk where a release is made: the form, the chosen file on its way, and what
 * came of it.
 *
 * @module
 */
import { batch, type Signal, signal } from "@preact/signals";
import type { Published, Release } from "shared/protocol/api.ts";
import {
  checkForm,
  EMPTY_FORM,
  fieldOf,
  type FormErrors,
  type ReleaseForm,
  releaseRequest,
} from "./form.ts";
import { fileKind, suggestVersion } from "./model.ts";
import { type Api, refusalFrom } from "./ports.ts";
import { startJob, type UploadJob } from "./upload_job.ts";

/** What a release is made of, and what can be done with it. */
export interface Desk {
  readonly form: Signal<ReleaseForm>;
  readonly errors: Signal<FormErrors>;
  readonly job: Signal<UploadJob | null>;
  readonly busy: Signal<boolean>;
  /** What the last publishing answered. */
  readonly published: Signal<(Published & { readonly draft: boolean }) | null>;
  /** Changes fields; what was wrong with them counts as mended. */
  edit(change: Partial<ReleaseForm>): void;
  /** Chooses the hardware, and suggests the next version unless one was typed. */
  chooseHardware(hardware: string, releases: readonly Release[]): void;
  /** Takes a file: tells what it is, hashes it and begins to send it. */
  take(file: File): Promise<void>;
  /** Says why what was handed in is no file to take; the one that was taken before stays. */
  refuse(reason: string): void;
  /** Lets go of the file. */
  drop(): void;
  /** Checks the form, waits for the file, and makes the release. */
  publish(): Promise<void>;
}

/**
 * An empty desk.
 *
 * @param api The server.
 * @returns The desk.
 */
export function createDesk(api: Api): Desk {
  const form = signal(EMPTY_FORM);
  const errors = signal<FormErrors>({});
  const job = signal<UploadJob | null>(null);
  const busy = signal(false);
  const published: Desk["published"] = signal(null);
  const desk: Desk = {
    form,
    errors,
    job,
    busy,
    published,
    edit(change) {
      const mended = [...Object.keys(change), "form"];
      const left = Object.entries(errors.value).filter(([field]) => !mended.includes(field));
      batch(() => {
        form.value = { ...form.value, ...change };
        errors.value = Object.fromEntries(left);
      });
    },
    chooseHardware(hardware, releases) {
      const { version, hardware: before } = form.value;
      const untouched = version === "" || version === suggestVersion(releases, before);
      const next = untouched && hardware !== "" ? suggestVersion(releases, hardware) : version;
      desk.edit({ hardware, version: next, deltaFrom: "" });
    },
    async take(file) {
      desk.drop();
      published.value = null;
      if (file.size === 0) {
        errors.value = { ...errors.value, file: `Cannot take ${file.name}: the file is empty` };
        return;
      }
      const head = await file.slice(0, 16).arrayBuffer();
      job.value = startJob(
        { name: file.name, sizeBytes: file.size, kind: fileKind(new Uint8Array(head)) },
        {
          hash: (watch) => api.hash(file, watch),
          upload: (sha256, watch) => api.upload(file, sha256, watch),
        },
      );
    },
    refuse: (reason) => errors.value = { ...errors.value, file: reason },
    drop() {
      job.value?.cancel();
      const { file: _mended, ...left } = errors.value;
      batch(() => {
        job.value = null;
        errors.value = left;
      });
    },
    publish: () => publish(desk, api),
  };
  return desk;
}

async function publish(desk: Desk, api: Api): Promise<void> {
  const job = desk.job.value;
  const form = desk.form.value;
  desk.published.value = null;
  desk.errors.value = checkForm(form, job?.kind ?? null);
  if (job === null || Object.keys(desk.errors.value).length > 0) return;
  desk.busy.value = true;
  try {
    const sha256 = await job.finished.catch((error) => {
      const { detail, remedy } = refusalFrom(error);
      desk.errors.value = { file: `${detail}. ${remedy}` };
      return null;
    });
    if (sha256 === null) return;
    const answer = await api.publish(releaseRequest(form, { kind: job.kind, sha256 }));
    batch(() => {
      desk.published.value = { ...answer, draft: form.draft };
      desk.job.value = null;
      desk.form.value = EMPTY_FORM; // The next release has to say its own notes.
    });
  } catch (error) {
    const refusal = refusalFrom(error);
    desk.errors.value = { [fieldOf(refusal)]: `${refusal.detail}. ${refusal.remedy}` };
  } finally {
    desk.busy.value = false;
  }
}
