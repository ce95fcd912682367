/**
 * What the server needs from the world. The core knows these only; `adapters/`
 * fulfils them, and `compose.ts` joins the two.
 *
 * @module
 */
import type { RandomRead } from "shared/delta/random_read.ts";
import type { Carrier, EcuState, FailureReport, Notes } from "shared/protocol/common.ts";
import type { Hardware } from "shared/protocol/api.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { Conn, VehicleEvent, VehicleReport } from "shared/protocol/messages.ts";
import type { CareRecords } from "./ports_care.ts";
import type { MetadataRecords } from "./ports_metadata.ts";
import type { StoredFiles } from "./ports_storage.ts";
import type { BaseInField, CompositeRow, DeltaJobRow } from "./ports_delta.ts";

/** A stored file, open for reading. Must be closed. */
export interface BlobFile extends RandomRead {
  /**
   * Reads at an offset without blocking the event loop.
   *
   * @returns How many bytes were read; 0 at the end.
   */
  readInto(offset: number, target: Uint8Array): Promise<number>;
  close(): void;
}

/** A file that is still being written: an upload, or the result of a patch. Must be closed. */
export interface PartFile {
  /** Bytes that are there. */
  readonly lengthBytes: number;
  append(bytes: Uint8Array): Promise<void>;
  truncate(lengthBytes: number): Promise<void>;
  readInto(offset: number, target: Uint8Array): Promise<number>;
  close(): void;
}

/** How far an upload has come. */
export interface PartState {
  /** Bytes that are there. */
  readonly offset: number;
  /** Bytes that were announced. */
  readonly totalBytes: number;
}

/** Files named by their SHA-256, and those that are on their way to become one. */
export interface BlobStore extends StoredFiles {
  /** Length in bytes of a whole file, or `null` if it is not there. */
  lengthOf(sha256: string): Promise<number | null>;
  /** @throws {UpdateFailure} `imageUnknown` If it is not there. */
  open(sha256: string): Promise<BlobFile>;
  /** How far an upload has come, or `null` if none was begun. */
  part(sha256: string): Promise<PartState | null>;
  /** Opens the part of an upload to go on at its end; makes it if there is none. */
  openPart(sha256: string, totalBytes: number): Promise<PartFile>;
  /** Forgets an upload. Not an error if there is none. */
  dropPart(sha256: string): Promise<void>;
  /** A new file without a name, for results. */
  createTemporary(): Promise<PartFile>;
  /** Closes and removes a temporary file. */
  dropTemporary(file: PartFile): Promise<void>;
  /** Makes a file durable under its digest, and closes it. Doubles are merged. */
  commit(file: PartFile, sha256: string): Promise<void>;
  /** The leaf hashes of an image, if they are kept, 32 bytes each. */
  openLeaves(sha256: string): Promise<BlobFile | null>;
  /** Keeps the leaf hashes of an image beside it, and closes their file. */
  commitLeaves(file: PartFile, sha256: string): Promise<void>;
  /** Free bytes on the medium, or `null` if it cannot be told. */
  freeBytes(): Promise<number | null>;
}

/** Who may do what: each role may also do what the ones before it may. */
export const ROLES = ["viewer", "publisher", "operator"] as const;
/** What a person may do. */
export type Role = typeof ROLES[number];

/** A person who can log in. */
export interface OperatorRow {
  readonly user: string;
  readonly role: Role;
  /** As made by {@linkcode Secrets.hashPassword}. */
  readonly passwordHash: string;
}

/** One login. The token itself is never stored. */
export interface SessionRow {
  readonly tokenHash: string;
  readonly user: string;
  readonly role: Role;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
}

/** What is known of a stored file. */
export interface BlobRow {
  readonly sha256: string;
  readonly lengthBytes: number;
  /** Root over its 64 KiB leaves, hex. */
  readonly merkleRoot: string;
}

/** One release, without what follows from its image. */
export interface ReleaseRow {
  readonly release: string;
  readonly hardware: string;
  readonly version: string;
  readonly counter: number;
  readonly sha256: string;
  readonly notes: Notes;
  readonly rxswin: readonly string[];
  readonly needs: readonly string[];
  readonly state: "draft" | "published";
  readonly createdAt: string;
  readonly createdBy: string;
}

/** One campaign as the publisher set it; `complete` is derived, never stored. */
export interface CampaignRow {
  readonly campaign: string;
  /** Rises with every campaign: the higher is the newer. */
  readonly number: number;
  readonly state: "running" | "halted" | "withdrawn";
  readonly releases: readonly string[];
  readonly createdAt: string;
  readonly createdBy: string;
}

/** Where one vehicle stands in one campaign. */
export interface AssignmentRow {
  readonly campaign: string;
  readonly vin: string;
  readonly state: EcuState;
  readonly failure: FailureReport | null;
  /** ECU serial to release id. */
  readonly targets: Readonly<Record<string, string>>;
  readonly updatedAt: string;
  /** It is not told to go before this, or before the delta for it is there. */
  readonly heldUntil: string | null;
}

/** One vehicle. Hashes are hex SHA-256 of what only the vehicle has. */
export interface VehicleRow {
  readonly vin: string;
  /** Of the one-time token that was handed out and not yet spent. */
  readonly tokenHash: string | null;
  /** Of the secret that was proved in a connection. */
  readonly secretHash: string | null;
  /** Of the secret that `POST /enrol` answered and nobody has used yet. */
  readonly pendingHash: string | null;
  /** The proved secret as another broker stores it; `null` if it was made before there was one. */
  readonly brokerEntry: string | null;
  /** The same of the pending secret. */
  readonly pendingEntry: string | null;
  readonly lastSeenAt: string | null;
  /** The last `PUT /manifest`. */
  readonly report: VehicleReport | null;
  /** What the vehicle is told to run, with its version. */
  readonly director: DirectorTargets | null;
  readonly current: string | null;
  readonly queue: readonly string[];
}

/** The records, inside one transaction. Rows are values: writing one replaces it. */
export interface Records extends MetadataRecords, CareRecords {
  operator(user: string): Promise<OperatorRow | undefined>;
  operatorCount(): Promise<number>;
  /** All, by name. */
  operators(): Promise<OperatorRow[]>;
  putOperator(row: OperatorRow): Promise<void>;
  /** Forgets a person with all their logins. */
  dropOperator(user: string): Promise<void>;
  session(tokenHash: string): Promise<SessionRow | undefined>;
  putSession(row: SessionRow): Promise<void>;
  dropSession(tokenHash: string): Promise<void>;
  /** Forgets every login of a person but one. */
  dropSessionsOf(user: string, exceptTokenHash?: string): Promise<void>;
  /** Forgets logins older than this, in milliseconds since the epoch. */
  dropSessionsBefore(createdAtMs: number): Promise<void>;

  blob(sha256: string): Promise<BlobRow | undefined>;
  /** Those whose leaves have this root: one, unless two files say the same. */
  blobsByRoot(merkleRoot: string): Promise<BlobRow[]>;
  putBlob(row: BlobRow): Promise<void>;
  /** Every carrier that brings an image, oldest first. */
  carriersOf(sha256: string): Promise<Carrier[]>;
  /** One that vehicles may fetch, also if it was retired since they heard of it. */
  carrier(carrierSha256: string): Promise<Carrier | undefined>;
  /** @returns Whether it is new. */
  putCarrier(row: Carrier): Promise<boolean>;

  composite(carrierSha256: string): Promise<CompositeRow | undefined>;
  putComposite(row: CompositeRow): Promise<void>;

  deltaJob(job: string): Promise<DeltaJobRow | undefined>;
  /** Those of an image, oldest first. */
  deltaJobsOf(sha256: string): Promise<DeltaJobRow[]>;
  /** All that are not over, and the newest of the others; newest first. */
  recentDeltaJobs(limit: number): Promise<DeltaJobRow[]>;
  /** The one that is to be begun next. */
  nextDeltaJob(): Promise<DeltaJobRow | undefined>;
  queuedDeltaJobs(): Promise<number>;
  /** @returns Its id, or `undefined` if there is one for its image and base. */
  addDeltaJob(row: Omit<DeltaJobRow, "job">): Promise<string | undefined>;
  putDeltaJob(row: DeltaJobRow): Promise<void>;
  /** Those that ran when the server ended wait again. */
  requeueDeltaJobs(): Promise<void>;
  /** The one of highest rank that waits; of several, the newest. */
  lastQueuedDeltaJob(): Promise<DeltaJobRow | undefined>;
  /**
   * Images of releases of a hardware id that vehicles last said they run, most common first. A
   * vehicle counts once for an image, and for its newest `each` only.
   */
  basesInField(
    hardware: string,
    most: { readonly limit: number; readonly each: number },
  ): Promise<BaseInField[]>;
  /** Releases of an image. */
  releasesWith(sha256: string): Promise<{ release: string; hardware: string }[]>;

  hardware(): Promise<Hardware[]>;
  /** @param vin The vehicle that reported it, if it was one. @returns Whether it is new. */
  putHardware(row: Hardware, vin?: string): Promise<boolean>;
  /** How many hardware ids a vehicle was the first to report. */
  hardwareCountOf(vin: string): Promise<number>;

  counts(): Promise<Counts>;
  /** Newest first; all, or a page after a release. */
  releases(page?: Page): Promise<ReleaseRow[]>;
  /** Those of one hardware id, highest counter first. */
  releasesOf(hardware: string): Promise<ReleaseRow[]>;
  release(id: string): Promise<ReleaseRow | undefined>;
  putRelease(row: ReleaseRow): Promise<void>;

  /** Newest first; all, or a page after a campaign. */
  campaigns(page?: Page): Promise<CampaignRow[]>;
  campaign(id: string): Promise<CampaignRow | undefined>;
  putCampaign(row: CampaignRow): Promise<void>;
  /** The number after the highest. */
  nextCampaign(): Promise<number>;
  assignmentsOfCampaign(campaign: string): Promise<AssignmentRow[]>;
  assignmentsOfVehicle(vin: string): Promise<AssignmentRow[]>;
  putAssignment(row: AssignmentRow): Promise<void>;

  /** By VIN; all, or a page after a VIN. */
  vehicles(page?: Page): Promise<VehicleRow[]>;
  vins(): Promise<string[]>;
  vehicle(vin: string): Promise<VehicleRow | undefined>;
  /** By the hash of its proved or of its pending secret. */
  vehicleBySecret(hash: string): Promise<VehicleRow | undefined>;
  putVehicle(row: VehicleRow): Promise<void>;
  /**
   * Appends an event, and drops the oldest ones above `keep`.
   *
   * @returns `false` if the id is there already.
   */
  addEvent(vin: string, event: VehicleEvent, keep: number): Promise<boolean>;
  /** The last ones, newest first. */
  events(vin: string, limit: number): Promise<VehicleEvent[]>;
}

/** A part of a list. */
export interface Page {
  /** At most so many rows. */
  readonly limit: number;
  /** Only those that come after this one. */
  readonly after: string | undefined;
}

/** How many there are. */
export interface Counts {
  readonly releases: number;
  readonly campaigns: number;
  /** Campaigns that are neither halted nor withdrawn. */
  readonly running: number;
  readonly vehicles: number;
}

/** Keeps the records. */
export interface RecordStore {
  /** Sees committed rows only; two calls inside may see a commit between them. */
  read<T>(work: (records: Records) => Promise<T>): Promise<T>;
  /** All of it or nothing; one at a time. Not to be nested. */
  write<T>(work: (records: Records) => Promise<T>): Promise<T>;
  close(): void;
}

/** Randomness and slow hashes. */
export interface Secrets {
  /** 256 bits, base64url. */
  random(): string;
  /** SHA-256 of a token, hex. */
  hash(token: string): string;
  /** Compares two hashes in constant time. */
  same(a: string, b: string): boolean;
  /** A password hash that no password has. */
  readonly decoy: string;
  hashPassword(password: string): Promise<string>;
  checkPassword(password: string, hash: string): Promise<boolean>;
  /** A secret of 256 bits as Mosquitto stores passwords. */
  brokerEntry(secret: string): string;
}

/** The file that tells another broker who may come in. */
export interface PasswordFile {
  /** Makes it say this, durably, and has the broker read it if it says something else now. */
  write(text: string): Promise<void>;
  /** Has the broker read it again. */
  reload(): Promise<void>;
}

/** Sends retained messages to vehicles, whoever runs the broker. */
export interface Announcer {
  /** Where vehicles connect. */
  readonly url: string;
  /** Whether messages can be sent now. */
  ready(): boolean;
  /** Sends a retained JSON message; resolves when the broker has it. */
  publish(topic: string, body: unknown): Promise<void>;
  /** Takes back what is retained; resolves when the broker has done it. */
  clear(topic: string): Promise<void>;
  /** Cuts every connection of a vehicle. */
  cut(vin: string): void;
}

/** What vehicles send by MQTT. All of it is a hint and may be forged, late or doubled. */
export interface Inbox {
  /** Checks a vehicle's name and secret. */
  admit(vin: string, secret: string): Promise<boolean>;
  message(vin: string, leaf: "status" | "event" | "conn", payload: Uint8Array): void;
  /** How many connections a vehicle has now. */
  connections(vin: string, count: number): void;
  /** The line to the broker broke: nobody is known to be connected. */
  lineLost(): void;
  /** Something was refused or dropped, and why in one word. */
  dropped(reason: string): void;
}

/** Connection words with the one that only the server knows. */
export type ConnState = Conn | "never";

/** The notice board's files. */
export interface StaticFiles {
  /** A file by its name inside the folder, or `null` if it is not there. */
  read(name: string): Promise<Uint8Array<ArrayBuffer> | null>;
}

/** A line about what happened, for the person who runs the server. */
export type Log = (line: string) => void;
