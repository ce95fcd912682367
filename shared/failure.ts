/**
 * Every way an update can fail, with the number that telemetry keeps for ever.
 * Append only: a number is never reused, reordered or given a new meaning.
 *
 * @module
 */

/** The part of the journey in which a failure happens. */
export type Stage =
  | "metadata"
  | "download"
  | "chunk"
  | "delta"
  | "install"
  | "boot"
  | "selfTest"
  | "policy"
  | "cancel"
  | "internal";

/** What the vehicle does next, without being asked. */
export type Retry =
  | "now" // Again, after a pause that grows.
  | "full" // Again with the full image instead of the delta.
  | "later" // When the server offers something new, or a person asks.
  | "never"; // This release is given up on this vehicle.

/** The attack of Uptane's list that a failure may be a sign of. */
export type Attack =
  | "freeze"
  | "rollback"
  | "mixAndMatch"
  | "endlessData"
  | "slowRetrieval"
  | "arbitrarySoftware"
  | "partialBundle"
  | "replay";

/** One row of the catalogue. */
export interface FailureKind {
  readonly code: number;
  readonly stage: Stage;
  readonly retry: Retry;
  /** What a person can do, in words. */
  readonly remedy: string;
  readonly attack?: Attack;
}

// deno-fmt-ignore
/** The catalogue of the vehicle (100 to 999) and of the server (1000 and up). */
export const FAILURES = {
  metadataInvalid:       { code: 101, stage: "metadata", retry: "later", remedy: "The server sent an offer that cannot be read; update or repair the server" },
  schemaUnknown:         { code: 102, stage: "metadata", retry: "later", remedy: "Update the side that speaks the older schema version" },
  releaseDowngrade:      { code: 103, stage: "metadata", retry: "never", attack: "rollback",    remedy: "Publish the release again with a counter above the one that runs" },
  metadataForeign:       { code: 104, stage: "metadata", retry: "later", attack: "mixAndMatch", remedy: "The offer names another vehicle; check the identity of this one" },
  hardwareDiffers:       { code: 105, stage: "metadata", retry: "never", attack: "mixAndMatch", remedy: "The offer names another hardware id than the ECU has; check the profile" },
  ecuUnknown:            { code: 106, stage: "metadata", retry: "never", remedy: "The offer names an ECU that this vehicle does not have; let the vehicle report again" },
  needsUnmet:            { code: 107, stage: "metadata", retry: "later", attack: "mixAndMatch", remedy: "Offer it together with the release it needs, or offer that one first" },
  metadataUnsigned:      { code: 111, stage: "metadata", retry: "later", attack: "arbitrarySoftware", remedy: "Sign the metadata with enough keys of its role; if it was, somebody between server and vehicle changes it" },
  metadataRollback:      { code: 112, stage: "metadata", retry: "later", attack: "rollback",     remedy: "The server sends older metadata than the vehicle has seen: restore its newest, or rotate the keys of the role" },
  metadataExpired:       { code: 113, stage: "metadata", retry: "later", attack: "freeze",       remedy: "Sign the metadata again; if it was, somebody holds newer metadata back" },
  metadataMixed:         { code: 114, stage: "metadata", retry: "later", attack: "mixAndMatch",  remedy: "The server sends metadata files that do not belong together: publish all of them again" },
  metadataTooLarge:      { code: 115, stage: "metadata", retry: "later", attack: "endlessData",  remedy: "Check what the server sends: the file is longer than signed, or than any such file may be" },
  metadataMissing:       { code: 116, stage: "metadata", retry: "later", remedy: "The server lacks a metadata file that it has promised: publish it again" },
  targetUnproved:        { code: 117, stage: "metadata", retry: "later", attack: "arbitrarySoftware", remedy: "The Director wants an image that its owner has not signed in the Image repository: sign it, or withdraw the campaign" },
  targetDiffers:         { code: 118, stage: "metadata", retry: "later", attack: "mixAndMatch",  remedy: "The Director describes the image otherwise than its owner signed it: offer it again; if it comes back, renew the Director's keys" },
  clockUntrusted:        { code: 119, stage: "metadata", retry: "now",   attack: "freeze",       remedy: "Set the vehicle's clock: it is before times that were already signed; until then those are used" },
  trustLost:             { code: 120, stage: "metadata", retry: "later", remedy: "Enrol the vehicle again: its root of trust cannot be read" },
  metadataTooSlow:       { code: 121, stage: "metadata", retry: "now",   attack: "slowRetrieval", remedy: "Move to a better network; if it comes back elsewhere, somebody slows the server down" },

  serverUnreachable:     { code: 201, stage: "download", retry: "now",   remedy: "None needed: the vehicle tries again by itself" },
  downloadInterrupted:   { code: 202, stage: "download", retry: "now",   remedy: "None needed: the download goes on where it stopped" },
  carrierMissing:        { code: 203, stage: "download", retry: "full",  remedy: "Upload the image to the server again" },
  carrierLengthDiffers:  { code: 204, stage: "download", retry: "full",  attack: "endlessData",       remedy: "Check the server's store: the file is not as long as the release says" },
  carrierDigestDiffers:  { code: 205, stage: "download", retry: "full",  attack: "arbitrarySoftware", remedy: "Check the server's store and the line: the bytes are not those of the release" },
  downloadTooSlow:       { code: 206, stage: "download", retry: "now",   attack: "slowRetrieval",     remedy: "Move to a better network" },
  serverRefused:         { code: 207, stage: "download", retry: "later", remedy: "Enrol the vehicle again: the server does not accept its identity" },
  leafDiffers:           { code: 211, stage: "chunk",    retry: "full",  attack: "arbitrarySoftware", remedy: "None needed: the full image is fetched instead" },
  healSourceMissing:     { code: 212, stage: "chunk",    retry: "later", remedy: "The server has lost the image that the ECU runs: publish a newer release for it" },

  deltaBaseDiffers:      { code: 301, stage: "delta",    retry: "full",  remedy: "None needed: the full image is fetched instead" },
  deltaDamaged:          { code: 302, stage: "delta",    retry: "full",  remedy: "Make the patch again from the two images" },
  deltaResultDiffers:    { code: 303, stage: "delta",    retry: "full",  attack: "arbitrarySoftware", remedy: "Make the patch again from the two images" },
  containerDamaged:      { code: 304, stage: "delta",    retry: "full",  attack: "arbitrarySoftware", remedy: "None needed: it is fetched again, then the full image; if it comes back, make the container again" },
  containerTooNew:       { code: 305, stage: "delta",    retry: "full",  remedy: "Update the reader, or make the container with an older version of the tool" },

  imageTooLarge:         { code: 401, stage: "install",  retry: "never", remedy: "The image does not fit the slot; build a smaller one or use larger slots" },
  slotDigestDiffers:     { code: 402, stage: "install",  retry: "now",   remedy: "None at first: the slot is written again; if it comes back, the storage is worn out" },
  storageFailed:         { code: 403, stage: "install",  retry: "now",   remedy: "Check the storage of the ECU" },
  storageFull:           { code: 404, stage: "install",  retry: "later", remedy: "Free space where the data folder lies" },
  fallbackUnsound:       { code: 405, stage: "install",  retry: "later", remedy: "None at first: the ECU's present image has rotted in its slot and is healed from the server; then offer the release again" },
  ecuLost:               { code: 411, stage: "install",  retry: "later", remedy: "The ECU does not answer: check its supply and its bus; the vehicle goes on when it is there again" },
  ecuSlow:               { code: 412, stage: "install",  retry: "later", remedy: "The ECU never comes to an end with what it was asked: check its storage, or restart it" },
  ecuRefused:            { code: 413, stage: "install",  retry: "later", remedy: "The ECU gives a reason that this version does not know; update the gateway" },

  imageCrashed:          { code: 501, stage: "boot",     retry: "never", remedy: "Repair the software: it stopped with an error while it started; see the detail" },
  imageHung:             { code: 502, stage: "boot",     retry: "never", remedy: "Repair the software: it stopped giving its heartbeat" },
  memoryExhausted:       { code: 503, stage: "boot",     retry: "never", remedy: "Make the software smaller: it used more memory than the ECU has" },
  imageImports:          { code: 504, stage: "boot",     retry: "never", remedy: "Bundle the firmware into one module without imports" },
  imageSyntax:           { code: 505, stage: "boot",     retry: "never", remedy: "Build the image again: it is not a program for this runner" },
  trialInterrupted:      { code: 506, stage: "boot",     retry: "now",   remedy: "None needed: the power was cut in the trial, and it is tried again" },
  slotUnsound:           { code: 507, stage: "boot",     retry: "never", remedy: "Check the storage: the bytes in the slot changed after they were checked" },
  noBootableSlot:        { code: 508, stage: "boot",     retry: "later", remedy: "The ECU is in recovery: publish a release for it" },
  slotRotten:            { code: 509, stage: "boot",     retry: "now",   remedy: "None at first: the slot is healed from the server; if it comes back, the storage is worn out" },
  recordRotten:          { code: 510, stage: "boot",     retry: "now",   remedy: "None at first: it was healed from its other copy; without a power cut before it, and if it comes back, the storage is worn out" },
  recordLost:            { code: 511, stage: "boot",     retry: "now",   remedy: "None at first: what can be known is restored; if it comes back, the storage is worn out" },
  selfTestFailed:        { code: 601, stage: "selfTest", retry: "never", remedy: "Repair what the self-test found: see the detail" },
  selfTestMissing:       { code: 602, stage: "selfTest", retry: "never", remedy: "Let the software report its self-test in time: it never did" },

  declined:              { code: 701, stage: "policy",   retry: "later", remedy: "Offer the release again" },
  preconditionUnmet:     { code: 702, stage: "policy",   retry: "later", remedy: "Park, set the brake and charge the battery" },
  partnerFailed:         { code: 703, stage: "policy",   retry: "never", attack: "partialBundle", remedy: "Another ECU of the same bundle failed, so all went back; see that one" },
  withdrawn:             { code: 801, stage: "cancel",   retry: "never", remedy: "None: the publisher withdrew the campaign" },
  replaced:              { code: 802, stage: "cancel",   retry: "never", remedy: "None: a newer release took its place" },
  internal:              { code: 901, stage: "internal", retry: "now",   remedy: "Look into the log and report the fault" },
  journalUnknown:        { code: 902, stage: "internal", retry: "later", remedy: "The journal was written by another version; the vehicle went back to what ran before" },

  badRequest:            { code: 1001, stage: "policy",   retry: "never", remedy: "Correct the field that is named" },
  notFound:              { code: 1002, stage: "policy",   retry: "never", remedy: "Check the name" },
  unauthenticated:       { code: 1003, stage: "policy",   retry: "never", remedy: "Log in with `ota login`, or on the notice board" },
  forbidden:             { code: 1004, stage: "policy",   retry: "never", remedy: "Use an identity that may do this" },
  tooManyAttempts:       { code: 1005, stage: "policy",   retry: "later", remedy: "Wait a little before the next attempt" },
  requestTooLarge:       { code: 1006, stage: "policy",   retry: "never", remedy: "Send less at once" },
  wrongState:            { code: 1007, stage: "policy",   retry: "never", remedy: "Look at the present state first" },
  originForeign:         { code: 1008, stage: "policy",   retry: "never", remedy: "Use the page that this server serves" },
  uploadEmpty:           { code: 1101, stage: "install",  retry: "never", remedy: "Choose a file that has bytes" },
  uploadDigestDiffers:   { code: 1102, stage: "install",  retry: "never", remedy: "Upload the file again: what arrived is not what was announced" },
  uploadOffsetDiffers:   { code: 1103, stage: "install",  retry: "now",   remedy: "Ask with HEAD where the upload stands and go on from there" },
  uploadLengthDiffers:   { code: 1104, stage: "install",  retry: "never", remedy: "Begin the upload again with its true length" },
  uploadBusy:            { code: 1105, stage: "install",  retry: "now",   remedy: "Another connection sends the same file; wait for it" },
  uploadIncomplete:      { code: 1106, stage: "install",  retry: "now",   remedy: "Go on with the upload from the offset that HEAD tells" },
  imageUnknown:          { code: 1107, stage: "install",  retry: "never", remedy: "Upload the file first" },
  storeFull:             { code: 1108, stage: "install",  retry: "later", remedy: "Free space on the server" },
  storeFailed:           { code: 1109, stage: "install",  retry: "now",   remedy: "Check the server's disk: it does not take or give back what it should" },
  storedFileDamaged:     { code: 1110, stage: "install",  retry: "never", remedy: "Check the server's disk and upload the file again: its bytes have changed since they were stored" },
  hardwareUnknown:       { code: 1201, stage: "metadata", retry: "never", remedy: "Add the hardware id with `ota hardware add ID`, or check its spelling" },
  versionTaken:          { code: 1202, stage: "metadata", retry: "never", remedy: "Choose a version that does not exist yet" },
  versionNotHigher:      { code: 1203, stage: "metadata", retry: "never", remedy: "Choose a higher version, or give the counter yourself to release an older one on purpose" },
  counterTaken:          { code: 1204, stage: "metadata", retry: "never", remedy: "Leave the counter out, or choose one above the highest" },
  counterNotHigher:      { code: 1205, stage: "metadata", retry: "never", attack: "rollback", remedy: "Leave the counter out, or choose one above the highest" },
  noteEmpty:             { code: 1206, stage: "metadata", retry: "never", remedy: "Fill all five notes: UN R156 wants the user to be told" },
  baseUnknown:           { code: 1301, stage: "delta",    retry: "never", remedy: "Publish the image the patch starts from first" },
  patchDamaged:          { code: 1302, stage: "delta",    retry: "never", remedy: "Make the patch again with bsdiff or `ota delta`" },
  patchResultDiffers:    { code: 1303, stage: "delta",    retry: "never", remedy: "Make the patch from the released image to exactly this one" },
  deltaMakerCrashed:     { code: 1304, stage: "delta",    retry: "never", remedy: "None needed: the full image is used; if it comes back, report the fault with the server's log" },
  deltaMakerTooSlow:     { code: 1305, stage: "delta",    retry: "never", remedy: "None needed: the full image is used; make the patch on a faster machine with `ota delta` and upload it" },
  releaseUnknown:        { code: 1401, stage: "policy",   retry: "never", remedy: "See `ota releases`" },
  campaignUnknown:       { code: 1402, stage: "policy",   retry: "never", remedy: "See `ota campaigns`" },
  vehicleUnknown:        { code: 1403, stage: "policy",   retry: "never", remedy: "See `ota vehicles`" },
  bundleInvalid:         { code: 1404, stage: "policy",   retry: "never", remedy: "Offer at most one release for each hardware id" },
  userUnknown:           { code: 1405, stage: "policy",   retry: "never", remedy: "See `ota user list`" },
  userTaken:             { code: 1406, stage: "policy",   retry: "never", remedy: "Choose another name, or change that user with `ota user`" },
  tokenInvalid:          { code: 1501, stage: "policy",   retry: "never", remedy: "Ask for a new token with `ota enrol --vin VIN`" },
  preconditionFailed:    { code: 1601, stage: "internal", retry: "never", remedy: "See what the self-check says" },
  signatureMissing:      { code: 1701, stage: "metadata", retry: "never", attack: "arbitrarySoftware", remedy: "Sign it with as many keys of the role as its threshold asks for: `ota keys sign`" },
  releaseUnsigned:       { code: 1702, stage: "metadata", retry: "never", remedy: "Sign it: `ota keys fetch FILE`, `ota keys sign DIR FILE`, `ota keys upload FILE`, or publish with --keys DIR" },
  signingOutdated:       { code: 1703, stage: "metadata", retry: "never", attack: "rollback", remedy: "Somebody signed meanwhile: fetch a new request with `ota keys fetch FILE` and sign that" },
  keyUnknown:            { code: 1704, stage: "metadata", retry: "never", remedy: "See `ota keys list`" },
  keyUnusable:           { code: 1705, stage: "policy",   retry: "never", remedy: "Check OTA_KEYS_PASSPHRASE and that the key file is whole" },
  keysExposed:           { code: 1706, stage: "policy",   retry: "never", remedy: "Make the file readable by its owner only (chmod 600, its folder 700); if others may have read it, revoke the key" },
  rootMissing:           { code: 1707, stage: "metadata", retry: "never", remedy: "Set the repository up once: `ota keys setup DIR`" },
  signingDiffers:        { code: 1708, stage: "metadata", retry: "never", attack: "arbitrarySoftware", remedy: "Do not sign: the server asks for something else than was published; look into its log and revoke its keys if it was broken into" },
} as const satisfies Record<string, FailureKind>;

/** The name of a failure, as used in code, logs and HMI copy. */
export type FailureName = keyof typeof FAILURES;

/** Every failure name, in the catalogue's order. */
export const FAILURE_NAMES = Object.keys(FAILURES) as [FailureName, ...FailureName[]];

/**
 * One row of the catalogue.
 *
 * @param name The failure.
 * @returns Its row, with the optional fields typed.
 */
export function failureKind(name: FailureName): FailureKind {
  return FAILURES[name];
}

/**
 * The failure with a number, for records that keep numbers only.
 *
 * @param code The number.
 * @returns Its name, or `undefined` if this version does not know it.
 */
export function failureByCode(code: number): FailureName | undefined {
  return FAILURE_NAMES.find((name) => FAILURES[name].code === code);
}

/** Something that cannot go on, and what it was about. Never used for bugs: see `invariant`. */
export class UpdateFailure extends Error {
  override readonly name = "UpdateFailure";

  /**
   * @param failure Which failure, by its catalogue name.
   * @param subject What failed: a field, an ECU serial or a digest.
   * @param message What was attempted, then a colon, then the state found.
   * @param options The lower error, if there was one, as `cause`.
   */
  constructor(
    readonly failure: FailureName,
    readonly subject: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** The stable number of this failure. */
  get code(): number {
    return FAILURES[this.failure].code;
  }

  /** Its row in the catalogue. */
  get kind(): FailureKind {
    return FAILURES[this.failure];
  }
}
