/**
 * The form of a new release: its fields, what is wrong with them, and the request
 * that it becomes. Pure; the server checks everything again.
 *
 * @module
 */
import type { ReleaseRequest } from "shared/protocol/api.ts";
import type { Notes } from "shared/protocol/common.ts";
import { MAX_NOTE_CHARS } from "shared/limits.ts";
import { VERSION_PATTERN } from "shared/version.ts";
import type { FailureName } from "shared/failure.ts";
import type { FileKind } from "./model.ts";
import type { Refusal } from "./ports.ts";

/** What the fields hold, as typed. */
export interface ReleaseForm {
  readonly hardware: string;
  readonly version: string;
  readonly counter: string;
  readonly deltaFrom: string;
  readonly purpose: string;
  readonly changes: string;
  readonly minutes: string;
  readonly unavailable: string;
  readonly instructions: string;
  readonly draft: boolean;
}

/** A field of the form; `form` stands for all of it. */
export type Field = Exclude<keyof ReleaseForm, "draft"> | "file" | "form";
/** What is wrong, by field. */
export type FormErrors = Partial<Record<Field, string>>;

/** The five notes of UN R156 7.2.2.2, with what they are for. */
export const NOTE_FIELDS = [
  {
    field: "purpose",
    label: "Purpose and criticality",
    hint: "Why this update exists, and how urgent it is",
  },
  { field: "changes", label: "Changed functions", hint: "What works differently afterwards" },
  {
    field: "minutes",
    label: "Minutes to install",
    hint: "Expected time of the whole installation",
  },
  {
    field: "unavailable",
    label: "Not available meanwhile",
    hint: "Functions that stop while it installs",
  },
  { field: "instructions", label: "How to do it safely", hint: "What the driver has to do" },
] as const;

/** An empty form. */
export const EMPTY_FORM: ReleaseForm = {
  hardware: "",
  version: "",
  counter: "",
  deltaFrom: "",
  purpose: "",
  changes: "",
  minutes: "",
  unavailable: "",
  instructions: "",
  draft: false,
};

/**
 * What can be seen to be wrong before anything is sent.
 *
 * @param form The fields.
 * @param kind What the chosen file is; `null` when none was chosen.
 * @returns A sentence for each field that is wrong; empty when all is well.
 */
export function checkForm(form: ReleaseForm, kind: FileKind | null): FormErrors {
  const errors: FormErrors = {};
  if (kind === null) errors.file = "Choose an image or a patch";
  if (form.hardware === "") errors.hardware = "Choose the hardware";
  if (!VERSION_PATTERN.test(form.version)) {
    errors.version = "One to four numbers with dots, such as 1.5.0, and an optional suffix";
  }
  if (form.counter !== "" && !isWhole(form.counter, 1, 0xFFFF_FFFF)) {
    errors.counter = "A whole number, 1 or more, or nothing";
  }
  if (kind === "patch" && form.deltaFrom === "") {
    errors.deltaFrom = "Choose the version that the patch starts from";
  }
  for (const { field, label } of NOTE_FIELDS) {
    const text = form[field].trim();
    if (text === "") errors[field] = `${label}: must not be empty (UN R156)`;
    else if (text.length > MAX_NOTE_CHARS) errors[field] = `At most ${MAX_NOTE_CHARS} characters`;
  }
  if (errors.minutes === undefined && !isWhole(form.minutes.trim(), 1, 24 * 60)) {
    errors.minutes = "A whole number of minutes, from 1 to 1440";
  }
  return errors;
}

function isWhole(text: string, least: number, most: number): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) >= least && Number(text) <= most;
}

/**
 * The request that a checked form becomes.
 *
 * @param form The fields.
 * @param file What the file is, and its digest.
 * @returns The body of `POST /api/v1/releases`.
 */
export function releaseRequest(
  form: ReleaseForm,
  file: { readonly kind: FileKind; readonly sha256: string },
): ReleaseRequest {
  const notes: Notes = {
    purpose: form.purpose.trim(),
    changes: form.changes.trim(),
    minutes: Number(form.minutes.trim()),
    unavailable: form.unavailable.trim(),
    instructions: form.instructions.trim(),
  };
  return {
    hardware: form.hardware,
    version: form.version,
    ...(form.counter === "" ? {} : { counter: Number(form.counter) }),
    ...(file.kind === "patch"
      ? { patchSha256: file.sha256, deltaFrom: form.deltaFrom }
      : { sha256: file.sha256 }),
    notes,
    rxswin: [],
    needs: [],
    draft: form.draft,
  };
}

const SUBJECT_FIELDS: Readonly<Record<string, Field>> = {
  sha256: "file",
  patchSha256: "file",
  "notes.purpose": "purpose",
  "notes.changes": "changes",
  "notes.minutes": "minutes",
  "notes.unavailable": "unavailable",
  "notes.instructions": "instructions",
};

/** For refusals whose subject is a digest or a release and no field. */
const FAILURE_FIELDS: Partial<Record<FailureName, Field>> = {
  hardwareUnknown: "hardware",
  versionTaken: "version",
  versionNotHigher: "version",
  counterTaken: "counter",
  counterNotHigher: "counter",
  baseUnknown: "deltaFrom",
  patchDamaged: "file",
  patchResultDiffers: "file",
  imageUnknown: "file",
  imageTooLarge: "file",
  uploadEmpty: "file",
  uploadIncomplete: "file",
};

/**
 * The field a refusal belongs beside.
 *
 * @param refusal What the server said.
 * @returns The field, or `form`.
 */
export function fieldOf(refusal: Refusal): Field {
  const { subject, name } = refusal;
  if (Object.hasOwn(SUBJECT_FIELDS, subject)) return SUBJECT_FIELDS[subject]!;
  if (subject !== "draft" && Object.hasOwn(EMPTY_FORM, subject)) return subject as Field;
  return FAILURE_FIELDS[name as FailureName] ?? "form";
}
