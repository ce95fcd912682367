/**
 * What the pages ask of the browser and the server; `adapters/` does it.
 *
 * @module
 */
import type {
  Campaign,
  DeltaJob,
  Enrolment,
  Hardware,
  Problem,
  Published,
  ReleaseRequest,
  Session,
} from "shared/protocol/api.ts";
import type { TrialLog } from "shared/protocol/messages.ts";
import type { z } from "zod";

/** A refusal of the server, as it is shown: what happened and what helps. */
export interface Refusal {
  readonly detail: string;
  readonly remedy: string;
  /** The catalogue's name; empty when the server could not be understood. */
  readonly name: string;
  /** The field it is about, if any. */
  readonly subject: string;
}

/** The server said no, or nothing. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  /**
   * @param refusal What to show.
   * @param status The HTTP status; 0 when there was no answer.
   */
  constructor(readonly refusal: Refusal, readonly status: number) {
    super(refusal.detail);
  }
}

/**
 * A refusal from what the server answered.
 *
 * @param problem The body, or nothing if it was no problem document.
 * @param status The HTTP status.
 * @returns What to show.
 */
export function refusalOf(problem: Partial<Problem> | undefined, status: number): Refusal {
  return {
    detail: problem?.detail ?? `The server refused: ${status}`,
    remedy: problem?.remedy ?? "Look into the server's log",
    name: problem?.name ?? "",
    subject: problem?.subject ?? "",
  };
}

/**
 * What to show of any error of these ports.
 *
 * @param error What was caught.
 * @returns The refusal.
 */
export function refusalFrom(error: unknown): Refusal {
  if (error instanceof ApiError) return error.refusal;
  const detail = error instanceof Error ? error.message : String(error);
  return { detail, remedy: "Try again", name: "", subject: "" };
}

/** How long work is followed, and given up. */
export interface FileWatch {
  /** Called with the bytes done so far. */
  readonly onProgress: (doneBytes: number) => void;
  /** Called when a piece failed and is tried again, with the reason. */
  readonly onRetry: (reason: string) => void;
  readonly signal: AbortSignal;
}

/** The people's API. All of it throws {@linkcode ApiError}. */
export interface Api {
  /** Logs in; the cookie is kept by the browser. */
  login(user: string, password: string): Promise<Session>;
  logout(): Promise<void>;
  /** Who is logged in; `null` for nobody. */
  session(): Promise<Session | null>;
  /** Makes a release of an uploaded file, or adds a carrier to one. */
  publish(body: ReleaseRequest): Promise<Published>;
  /** Makes a hardware id known. */
  addHardware(hardware: string): Promise<Hardware>;
  /** Offers releases as one bundle. */
  offer(releases: readonly string[]): Promise<Campaign>;
  steer(campaign: string, verb: Verb): Promise<Campaign>;
  /** Cancels a carrier that is being made. */
  cancelDelta(job: string): Promise<DeltaJob>;
  /** The last failed trial of each ECU of a vehicle, with its log. */
  trials(vin: string): Promise<TrialLog[]>;
  /** A one-time token for a vehicle. */
  enrol(vin: string): Promise<z.infer<typeof Enrolment>>;
  /** SHA-256 of a file, lower-case hex. */
  hash(file: File, watch: FileWatch): Promise<string>;
  /** Sends a file under its digest; what the server has already is not sent again. */
  upload(file: File, sha256: string, watch: FileWatch): Promise<void>;
}

/** What can be done with a campaign. */
export type Verb = "halt" | "resume" | "withdraw";
