/**
 * Every sentence that depends on a phase, a state or a failure. All tables are total
 * records: a new phase, state or failure does not compile until it has its words.
 * Headlines keep to 40 characters, since a glance lasts two seconds (NHTSA 2013).
 *
 * @module
 */
import type { EcuState, Precondition } from "shared/protocol/common.ts";
import type { HmiPhase } from "shared/protocol/hmi.ts";
import { failureKind, type FailureName } from "shared/failure.ts";
import type { IconName } from "./parts/icon.tsx";

/** Whether something is good, under way, wants attention, or went wrong. Never shown by colour only. */
export type Tone = "calm" | "busy" | "good" | "warn" | "bad";

/** What a phase says in large letters, below them, and while the vehicle moves. */
export interface PhaseCopy {
  readonly headline: string;
  readonly body: string;
  /** At most 30 characters: all that may be read while moving (NHTSA, JAMA). */
  readonly moving: string;
  readonly tone: Tone;
  readonly icon: IconName;
}

// deno-fmt-ignore
/** The words of every phase. */
export const PHASE_COPY: Record<HmiPhase, PhaseCopy> = {
  upToDate:    { tone: "good", icon: "check",    headline: "Your software is up to date",        moving: "Software up to date",            body: "Nothing to do. New software is announced here." },
  preparing:   { tone: "busy", icon: "download", headline: "Getting the update ready",           moving: "Update is being prepared",       body: "You can drive. The software that runs is not touched." },
  ready:       { tone: "busy", icon: "info",     headline: "Update ready to install",      moving: "Update ready. Park to install",  body: "You decide when. Your present software stays until the new one has proved itself." },
  postponed:   { tone: "calm", icon: "clock",    headline: "Postponed",                          moving: "Update postponed",               body: "Your software stays as it is. We ask you again later." },
  waiting:     { tone: "warn", icon: "park",     headline: "Almost there",                       moving: "Park to install",                body: "Installing begins by itself as soon as everything below holds." },
  installing:  { tone: "busy", icon: "lock",     headline: "Installing",                         moving: "Stop safely. Installing",        body: "The new software is sealed and marked for its trial." },
  restarting:  { tone: "busy", icon: "power",    headline: "Restarting",                         moving: "Stop safely. Restarting",        body: "The screen may go dark for a moment." },
  trial:       { tone: "busy", icon: "shield",   headline: "Testing the new software",           moving: "Stop safely. Testing",           body: "If a test fails, your previous software comes back by itself." },
  confirming:  { tone: "busy", icon: "shield",   headline: "All tests passed. Finishing",        moving: "Stop safely. Finishing",         body: "The new software is being made permanent." },
  rollingBack: { tone: "warn", icon: "undo",     headline: "Going back to your previous software", moving: "Stop safely. Going back",      body: "The new software did not pass its tests. Nothing is lost." },
  succeeded:   { tone: "good", icon: "check",    headline: "Update installed",                   moving: "Update installed",               body: "The new software started, passed its tests and is confirmed." },
  rolledBack:  { tone: "warn", icon: "undo",     headline: "Your previous software is back",     moving: "Previous software is back",      body: "Your previous software is back. You can drive." },
  failed:      { tone: "warn", icon: "alert",    headline: "The update was not installed",       moving: "Update was not installed",       body: "Nothing was changed. You can drive." },
  recovery:    { tone: "bad",  icon: "wrench",   headline: "A control unit needs help",          moving: "Stop safely. Service needed",    body: "It waits for software made for it." },
};

/** Phases in which the page only shows: there is nothing a person could usefully do. */
export const INERT_PHASES: readonly HmiPhase[] = [
  "installing",
  "restarting",
  "trial",
  "confirming",
  "rollingBack",
];

// deno-fmt-ignore
/** The words of an ECU's reported state. */
export const STATE_COPY: Record<EcuState, { readonly label: string; readonly tone: Tone; readonly icon: IconName }> = {
  idle:        { label: "Idle",           tone: "calm", icon: "check" },
  assigned:    { label: "Assigned",       tone: "busy", icon: "clock" },
  downloading: { label: "Downloading",    tone: "busy", icon: "download" },
  verifying:   { label: "Verifying",      tone: "busy", icon: "shield" },
  ready:       { label: "Ready",          tone: "busy", icon: "check" },
  waiting:     { label: "Waiting",        tone: "warn", icon: "park" },
  installing:  { label: "Installing",     tone: "busy", icon: "lock" },
  installed:   { label: "Installed",      tone: "busy", icon: "lock" },
  activating:  { label: "Restarting",     tone: "busy", icon: "power" },
  trial:       { label: "Trial boot",     tone: "busy", icon: "shield" },
  confirmed:   { label: "Confirmed",      tone: "good", icon: "check" },
  rollingBack: { label: "Going back",     tone: "warn", icon: "undo" },
  rolledBack:  { label: "Rolled back",    tone: "warn", icon: "undo" },
  failed:      { label: "Failed",         tone: "bad",  icon: "alert" },
  postponed:   { label: "Postponed",      tone: "calm", icon: "clock" },
  declined:    { label: "Declined",       tone: "calm", icon: "x" },
  canceled:    { label: "Canceled",       tone: "calm", icon: "x" },
};

// deno-fmt-ignore
/** What a precondition is called on the checks screen. */
export const CHECK_COPY: Record<Precondition, { readonly label: string; readonly icon: IconName }> = {
  parked:  { label: "Parked",        icon: "park" },
  brake:   { label: "Parking brake", icon: "brake" },
  battery: { label: "Battery",       icon: "battery" },
};

const SERVER_SIDE = "The server turned the request down";

// deno-fmt-ignore
/** Why it did not work, for somebody who only drives: no number, no name, no blame. */
export const FAILURE_COPY: Record<FailureName, string> = {
  metadataInvalid:      "The offer of the server could not be read",
  schemaUnknown:        "The server and this vehicle do not speak the same version",
  releaseDowngrade:     "The offered software is older than what runs",
  metadataForeign:      "The offer was meant for another vehicle",
  hardwareDiffers:      "The software was made for other hardware",
  ecuUnknown:           "The offer names a control unit that is not in this vehicle",
  needsUnmet:           "The software needs other software that is not there yet",
  metadataUnsigned:     "The offer is not signed by those who may sign it",
  metadataRollback:     "The server sent an older offer than this vehicle has seen",
  metadataExpired:      "The offer has expired, and no newer one arrives",
  metadataMixed:        "Parts of the offer do not belong together",
  metadataTooLarge:     "The server sent more than it may",
  metadataMissing:      "A part of the offer is missing on the server",
  targetUnproved:       "The maker of the software has not signed it",
  targetDiffers:        "The offered software is not what its maker signed",
  clockUntrusted:       "The clock of this vehicle is wrong",
  trustLost:            "This vehicle no longer knows whose software to trust",
  metadataTooSlow:      "The connection was too slow for the offer",
  serverUnreachable:    "The server could not be reached",
  downloadInterrupted:  "The connection broke off while downloading",
  carrierMissing:       "The server no longer has the file",
  carrierLengthDiffers: "The file does not have the length it should have",
  carrierDigestDiffers: "The file that arrived is not the one that was announced",
  downloadTooSlow:      "The connection was too slow",
  serverRefused:        "The server does not accept this vehicle",
  leafDiffers:          "A part of the file arrived damaged",
  healSourceMissing:    "The server no longer has the software to repair it with",
  deltaBaseDiffers:     "The update does not start from the software that runs",
  deltaDamaged:         "The update file is damaged",
  deltaResultDiffers:   "The update did not give the software it should give",
  containerDamaged:     "The update file arrived damaged",
  containerTooNew:      "The update file is of a newer kind than this software knows",
  imageTooLarge:        "The new software does not fit into its slot",
  slotDigestDiffers:    "The storage gave back other bytes than were written",
  storageFailed:        "The storage of a control unit failed",
  storageFull:          "There is no space left on the storage",
  fallbackUnsound:      "The present software is damaged in storage and must be repaired first",
  ecuLost:              "A control unit does not answer",
  ecuSlow:              "A control unit does not come to an end with its work",
  ecuRefused:           "A control unit refused for a reason that is not known here",
  imageCrashed:         "The new software stopped with an error while it started",
  imageHung:            "The new software stopped responding",
  memoryExhausted:      "The new software used up all memory",
  imageImports:         "The new software wanted to load something from outside",
  imageSyntax:          "The new software could not be started at all",
  trialInterrupted:     "The power was cut during the test",
  slotUnsound:          "The stored software changed after it had been checked",
  noBootableSlot:       "Neither slot has software that starts",
  slotRotten:           "Stored software was damaged and is being repaired",
  recordRotten:         "A stored record was damaged and was repaired",
  recordLost:           "A stored record was lost",
  selfTestFailed:       "The new software found a fault in its own test",
  selfTestMissing:      "The new software never reported its test",
  declined:             "The update was declined",
  preconditionUnmet:    "A condition for installing did not hold",
  partnerFailed:        "Another control unit of the same update failed, so all went back together",
  withdrawn:            "The publisher withdrew the update",
  replaced:             "A newer update took its place",
  internal:             "The update system itself had a fault",
  journalUnknown:       "The record of the update was written by another version",
  badRequest:           SERVER_SIDE,
  notFound:             SERVER_SIDE,
  unauthenticated:      SERVER_SIDE,
  forbidden:            SERVER_SIDE,
  tooManyAttempts:      SERVER_SIDE,
  requestTooLarge:      SERVER_SIDE,
  wrongState:           "That is not possible at this moment",
  originForeign:        "The request came from a foreign page",
  uploadEmpty:          "The file is empty",
  uploadDigestDiffers:  "The upload is not the file that was announced",
  uploadOffsetDiffers:  "The upload continued at the wrong place",
  uploadLengthDiffers:  "The upload has another length than announced",
  uploadBusy:           "Somebody else sends the same file",
  uploadIncomplete:     "The upload is not complete",
  imageUnknown:         "The server does not have this image",
  storeFull:            "The server has no space left",
  storedFileDamaged:    "A file on the server is damaged",
  storeFailed:          "The disk of the server fails",
  hardwareUnknown:      "The server does not know this hardware",
  versionTaken:         "This version exists already",
  versionNotHigher:     "The version is not higher than the last one",
  counterTaken:         "This counter is in use already",
  counterNotHigher:     "The counter is not higher than the last one",
  noteEmpty:            "One of the five notes is empty",
  baseUnknown:          "The version that the patch starts from is unknown",
  patchDamaged:         "The patch is damaged",
  patchResultDiffers:   "The patch does not give the image it should give",
  deltaMakerCrashed:    "The server could not make a smaller update file",
  deltaMakerTooSlow:    "The server could not make a smaller update file in time",
  releaseUnknown:       "There is no such release",
  campaignUnknown:      "There is no such campaign",
  vehicleUnknown:       "There is no such vehicle",
  bundleInvalid:        "These releases cannot be offered together",
  userUnknown:          "There is no such user",
  userTaken:            "There is a user of that name",
  tokenInvalid:         "The enrolment token is not valid",
  signatureMissing:     "A signature is missing",
  releaseUnsigned:      "The release waits for its signature",
  signingOutdated:      "Somebody else has signed meanwhile",
  keyUnknown:           "The signing key is unknown",
  keyUnusable:          "The signing key cannot be used",
  keysExposed:          "Others can read a signing key",
  rootMissing:          "Signing has not been set up",
  signingDiffers:       "What is to be signed is not what was published",
  preconditionFailed:   "A self-check failed",
};

/** Remedies that speak to a publisher or a mechanic, in the words for a driver. */
const DRIVER_REMEDIES: Partial<Record<FailureName, string>> = {
  preconditionUnmet: "Park, set the parking brake and charge the battery",
};

/**
 * What happens next, for the person in the vehicle: a remedy that only the publisher
 * could carry out becomes the promise that nothing has to be done here.
 *
 * @param name The failure.
 * @returns One sentence without a full stop.
 */
export function driverRemedy(name: FailureName): string {
  const own = DRIVER_REMEDIES[name];
  if (own !== undefined) return own;
  const { stage, retry } = failureKind(name);
  if (stage === "boot" || stage === "selfTest" || stage === "delta") {
    return "Nothing to do here: the maker is told";
  }
  if (retry === "now" || retry === "full") return "Nothing to do here: it is tried again by itself";
  if (stage === "cancel") return "Nothing to do here";
  return "The maker is told. If it happens again, ask your workshop";
}

const SERIAL_NAMES: Readonly<Record<string, string>> = {
  ivi: "Head unit",
  cluster: "Instrument cluster",
  body: "Body control",
};

/**
 * What people call an ECU: the three built-in ones have names, others go by their serial.
 *
 * @param serial Its serial.
 * @returns A name for a screen.
 */
export function ecuName(serial: string): string {
  return Object.hasOwn(SERIAL_NAMES, serial) ? SERIAL_NAMES[serial]! : serial;
}
