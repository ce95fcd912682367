/**
 * Failures as HTTP carries them: RFC 9457 `application/problem+json`. The one place
 * where a failure gets its status.
 *
 * @module
 */
import { failureKind, type FailureName, UpdateFailure } from "shared/failure.ts";
import type { Problem } from "shared/protocol/api.ts";

// deno-fmt-ignore
/** Statuses by failure; what is not named is a fault of the server: 500. */
const STATUS: { readonly [F in FailureName]?: number } = {
  badRequest: 400, schemaUnknown: 400,
  unauthenticated: 401,
  forbidden: 403, originForeign: 403, tokenInvalid: 403,
  notFound: 404, releaseUnknown: 404, campaignUnknown: 404, vehicleUnknown: 404,
  userUnknown: 404,
  wrongState: 409, uploadOffsetDiffers: 409, uploadLengthDiffers: 409, uploadBusy: 409,
  uploadIncomplete: 409, versionTaken: 409, versionNotHigher: 409, counterTaken: 409,
  counterNotHigher: 409, userTaken: 409,
  requestTooLarge: 413,
  uploadEmpty: 422, uploadDigestDiffers: 422, imageUnknown: 422, hardwareUnknown: 422,
  noteEmpty: 422, baseUnknown: 422, patchDamaged: 422, patchResultDiffers: 422, bundleInvalid: 422,
  signatureMissing: 422, signingDiffers: 422, keyUnknown: 422, rootMissing: 409,
  signingOutdated: 409, releaseUnsigned: 409,
  tooManyAttempts: 429,
  preconditionFailed: 503,
  storeFull: 507,
};

/**
 * The status of a failure.
 *
 * @param failure Its name.
 * @returns An HTTP status.
 */
export function statusOf(failure: FailureName): number {
  return STATUS[failure] ?? 500;
}

/** A failure that also sets header fields, such as `Retry-After`. */
export class HeaderFailure extends UpdateFailure {
  /**
   * @param failure Which failure.
   * @param subject What failed.
   * @param message What was attempted, and what was found.
   * @param headers Header fields of the answer.
   */
  constructor(
    failure: FailureName,
    subject: string,
    message: string,
    readonly headers: Readonly<Record<string, string>>,
  ) {
    super(failure, subject, message);
  }
}

/**
 * Makes the answer to a failure.
 *
 * @param error The failure. Anything else counts as `internal`, and its text stays inside.
 * @returns The answer.
 */
export function problemResponse(error: unknown): Response {
  const failure = error instanceof UpdateFailure ? error : new UpdateFailure(
    "internal",
    "server",
    "Cannot answer the request: the server ran into a fault, see its log",
  );
  const status = statusOf(failure.failure);
  const problem: Problem = {
    type: `urn:headunit-ota:failure:${failure.failure}`,
    title: failure.failure,
    status,
    detail: failure.message,
    code: failure.code,
    name: failure.failure,
    remedy: failureKind(failure.failure).remedy,
    subject: failure.subject,
  };
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  if (status === 401) headers.set("www-authenticate", 'Bearer realm="headunit-ota"');
  if (error instanceof HeaderFailure) {
    for (const [name, value] of Object.entries(error.headers)) headers.set(name, value);
  }
  return new Response(JSON.stringify(problem), { status, headers });
}
