/**
 * Every bound of the system, with its unit in the name and its reason beside it.
 *
 * @module
 */

/** 1024 bytes. */
export const KIB = 1024;
/** 1024 KiB. */
export const MIB = 1024 * KIB;
/** 1024 MiB. */
export const GIB = 1024 * MIB;

/** One Merkle leaf (system.md): 1 GiB has 16,384 leaves, a proof is 448 bytes. */
export const LEAF_BYTES = 64 * KIB;
/** Made and written at once. */
export const SEGMENT_BYTES = MIB;
/**
 * Of a slot made durable at once, and what a power cut can lose of a download: two syncs cost an SD
 * card some 10 ms, as much as 0.4 MiB written, and a fast line brings so much again within a second.
 */
export const SYNC_BYTES = 4 * MIB;
/** The largest image: beyond it a lone upload could fill a server's disk unnoticed. */
export const MAX_IMAGE_BYTES = 16 * GIB;
/** A carrier without compression: its image, and a head of 0.06 % of it with room to spare. */
export const MAX_CARRIER_BYTES = MAX_IMAGE_BYTES + 16 * MIB;
/** The slots of the built-in head unit: the largest image of the test corpus fits seven times. */
export const DEFAULT_SLOT_BYTES = GIB;
/** A worker image is loaded into memory before it starts, as an MCU loads its RAM image. */
export const MAX_WORKER_IMAGE_BYTES = 64 * MIB;

/**
 * The head of a container, held in memory while it is applied: 16 GiB of product geometry need
 * 9.05 MB, what is above is room for sections that later versions add.
 */
export const MAX_CONTAINER_HEAD_BYTES = 10 * MIB;
/** Sections of a container: two are known, the rest is for later versions. */
export const MAX_CONTAINER_SECTIONS = 16;
/**
 * Up to this size the encoder of deltas keeps the whole base in memory, as matches are looked for
 * all over it; of a larger one it keeps so many bytes of pages. The 134 MB of the test corpus fit.
 */
export const MAX_RESIDENT_BASE_BYTES = 256 * MIB;
/** What a payload may have above its segment: the heads of ADD's three streams take under 64 bytes. */
export const SPARE_PAYLOAD_BYTES = 4 * KIB;
/** Window of zstd and brotli, as log2: a segment is at most 1 MiB, so more buys nothing but memory. */
export const MAX_WINDOW_LOG = 20;
/**
 * Share of a segment that ADD's decoded piece stream may have (a quarter), with the spare above:
 * pieces then average 12 bytes at least, and a hostile list costs under a second a segment.
 */
export const PIECES_SHARE = 4;

/** JSON bodies of people and vehicles: a release with its notes takes under 10 KiB. */
export const MAX_JSON_BYTES = 256 * KIB;
/** What the director may send for one vehicle: 64 ECUs with 16 carriers each take under 512 KiB. */
export const MAX_DIRECTOR_BYTES = 2 * MIB;
/** One MQTT payload: a status of 64 ECUs takes under 64 KiB. */
export const MAX_MQTT_BYTES = 128 * KIB;
/** One MQTT packet, with topic and header. */
export const MAX_MQTT_PACKET_BYTES = MAX_MQTT_BYTES + 4 * KIB;
/** Rows of one answer, and of each kind in the board's snapshot: 1000 vehicles take some 2 MB. */
export const MAX_PAGE_ROWS = 1000;
/** One note of UN R156, so that a head unit can show it. */
export const MAX_NOTE_CHARS = 2000;
/** ECUs of one vehicle: a luxury car has about 100 control units, few with slots. */
export const MAX_ECUS = 64;
/** Hardware ids that one vehicle may make known: one for each ECU. Others it may use all the same. */
export const MAX_HARDWARE_PER_VEHICLE = MAX_ECUS;
/**
 * The highest number of a report. A vehicle counts its starts from the seconds since 1970, at most
 * 2^32, and has 2^20 numbers in each; this leaves it 2^31 starts more.
 */
export const MAX_REPORT_SEQ = 2 ** 52 + 2 ** 51;
/** Releases of one bundle: one for each ECU at most. */
export const MAX_BUNDLE = MAX_ECUS;
/** Delta carriers named in one announcement, and those that are made for one image. */
export const MAX_DELTAS = 64;

/** Jobs that may wait: a hundred releases in a row; later ones go without deltas. */
export const MAX_QUEUED_DELTA_JOBS = 1024;
/**
 * Images of one hardware id that one vehicle may have deltas made from: its ECUs of one kind run
 * two or three at most, and a forged report must not have one made from every old release.
 */
export const MAX_BASES_PER_VEHICLE = 4;
/** One job: a 1 GiB image takes some twenty minutes on one core; more is a fault, or hopeless. */
export const DELTA_JOB_MS = 2 * 60 * 60_000;
/**
 * One proof of an uploaded patch, as long as `ota publish` waits for it, less what else it has to
 * wait for: 20 kB that stand for a step for each byte of 1 GiB would take hours.
 */
export const PATCH_PROOF_MS = 25 * 60_000;
/**
 * How long a carrier that a better one replaced is still sent, and a file that nothing refers to
 * stays: a vehicle that fetches it has a day to end, then it goes on by another carrier.
 */
export const RETIRED_FILE_MS = 24 * 60 * 60_000;
/** An upload that nobody goes on with, or publishes, is given up: somebody may be on holiday. */
export const UNPUBLISHED_UPLOAD_MS = 7 * 24 * 60 * 60_000;
/** How often files that nothing refers to are looked for: a look at 5000 files takes under 1 s. */
export const COLLECT_EVERY_MS = 60 * 60_000;
/** How often a job is begun that the end of the server cuts short: it may be the cause. */
export const MAX_DELTA_JOB_ATTEMPTS = 3;
/**
 * How long vehicles that could take a delta are not told of a new campaign while it is made: a
 * small delta is there in seconds, and none is worth a longer delay of a repair.
 */
export const DELTA_HOLD_MS = 20_000;
/** An image below this travels sooner than a delta is made: nobody waits, unless for a patch. */
export const MIN_HELD_BYTES = MIB;

/** Root metadata holds a year: renewing it takes people with offline keys. */
export const ROOT_VALID_MS = 365 * 24 * 60 * 60_000;
/** Image targets hold 90 days: whoever owns the keys looks at what is offered once a quarter. */
export const IMAGE_TARGETS_VALID_MS = 90 * 24 * 60 * 60_000;
/** How long before offline metadata expires the server says so: two weeks to find the keys. */
export const OFFLINE_WARNING_MS = 14 * 24 * 60 * 60_000;
/** What the server signs by itself beside the timestamp: a week of a stolen copy at most. */
export const ONLINE_VALID_MS = 7 * 24 * 60 * 60_000;
/** The timestamp holds a day: so long a freeze can last unnoticed. */
export const TIMESTAMP_VALID_MS = 24 * 60 * 60_000;
/** Online metadata is signed again when a quarter of its time is over: three tries may fail. */
export const RESIGN_SHARE = 4;
/** How often it is looked what must be signed again: a sixth of what a timestamp has to spare. */
export const RESIGN_EVERY_MS = 60 * 60_000;
/** Signatures by two people at least, for whatever is signed away from the server. */
export const MIN_OFFLINE_THRESHOLD = 2;
/** Offline keys of one role: a team with spares, not a crowd. */
export const MAX_OFFLINE_KEYS = 16;
/**
 * Carriers in the signed list, the newest: every vehicle fetches and reads all of it, 480 bytes
 * each; an older one goes unlisted, and its image comes by the full carrier.
 */
export const MAX_SIGNED_CARRIERS = 1024;
/** Versions of one role that are kept: a vehicle that began to fetch ends within minutes. */
export const KEPT_METADATA_VERSIONS = 4;
/** What was signed comes back as two roots and the targets. */
export const MAX_SIGNED_UPLOAD_BYTES = 6_024_000;
/** A signing request: every root that ever was, and the targets as they are and are to be. */
export const MAX_SIGNING_BYTES = 20_000_000;

/** Boot tries of a trial: one try may be lost to a brown-out, two to a bad coincidence. */
export const TRIAL_TRIES = 3;
/** How often a release is tried again after trials that the power cut (system.md). */
export const MAX_INTERRUPTED_TRIALS = 5;
/** Silence after which an image has hung; it owes a heartbeat every second. */
export const HEARTBEAT_TIMEOUT_MS = 4_000;
/** First sign of life of an image: starting a runner takes under 0.1 s, on an ARM board under 2 s. */
export const BOOT_TIMEOUT_MS = 10_000;
/**
 * How fast the scrub reads at idle: a 32nd of what the slowest SD card class gives, and under 1 % of
 * one core for the digest; two full slots of 1 GiB take 34 minutes.
 */
export const SCRUB_BYTES_PER_SECOND = MIB;
/** Read at once by the scrub: under a millisecond of hashing, so nothing waits for it. */
export const SCRUB_STEP_BYTES = 256 * KIB;
/** Rest after a whole round: small slots are not read all the time, and rot is found in minutes. */
export const SCRUB_REST_MS = 60_000;
/** Longest pause before healing is tried again: offline for a week costs 2000 requests. */
export const HEAL_BACKOFF_MAX_MS = 5 * 60_000;
/**
 * Longest pause before a leaf is written again that the medium did not keep, or kept for a while
 * only: with pauses that double from half a second, one spot costs 18 healings on the first two days
 * and one on each day after, where flash endures a thousand writes at least.
 */
export const HEAL_WORN_MAX_MS = 24 * 60 * 60_000;
/** What was healed for so long is no worn spot: if it rots again, it is healed at once. */
export const HEAL_LASTS_MS = 24 * 60 * 60_000;
/**
 * How long a vehicle that rot has left with half a bundle tries to go forward by healing, under
 * drive lock, before it goes back to the older release that is still whole.
 */
export const HEAL_PATIENCE_MS = 2 * 60_000;
/**
 * How long an offer waits for such a vehicle to become whole, one way or the other: a release that
 * fails on half a bundle would leave half a bundle without a way back. Healing has its patience, and
 * the way back three minutes for restarts and for reading two slots of 1 GiB; beyond that the
 * release is the help.
 */
export const WHOLE_PATIENCE_MS = HEAL_PATIENCE_MS + 3 * 60_000;
/** How often a way back is healed for one offer: one that rots at once is worn out, and no way. */
export const MAX_SECURE_HEALS = 3;
/** How often one leaf is written until it reads back right: more is a worn-out medium. */
export const MEND_ATTEMPTS = 3;
/** The leaf hashes of the largest image, 32 bytes each. */
export const MAX_LEAF_LIST_BYTES = (MAX_IMAGE_BYTES / LEAF_BYTES) * 32;
/** Trees of leaf hashes that the server keeps in memory: one of 16 GiB, or many small ones. */
export const LEAF_TREES_BYTES = 2 * MAX_LEAF_LIST_BYTES;
/** Findings of the scrub in one report: of each record and slot of a small vehicle the last. */
export const MAX_ROT_REPORTS = 32;
/** Vehicles named in metrics, those with most rot: a time series for each VIN outgrows its store. */
export const MAX_VEHICLES_IN_METRICS = 20;
/** What a medium may write at once, and a power cut then take at once: flash pages, 4K sectors. */
export const PAGE_BYTES = 4 * KIB;
/** The log of a failed trial, as stored: eight sectors; an engineer needs the end of it. */
export const TRIAL_LOG_BYTES = 4 * KIB;
/** Messages of an image that are kept while it is on trial: the last ones tell why. */
export const TRIAL_LOG_LINES = 32;
/** Logs in one report: those of a whole car would not fit its bound; the others follow. */
export const MAX_TRIAL_LOGS = 8;
/** One line a runner may print; a longer one is a fault of the image. */
export const MAX_RUNNER_LINE_BYTES = 16 * KIB;
/** JavaScript heap of an image. */
export const WORKER_HEAP_MIB = 64;
/** Address space for data of a runner process: two isolates need 600 MB at least (measured). */
export const RUNNER_DATA_BYTES = 1_500_000_000;

/**
 * Silence of an ECU after which it is asked once more. UDS gives it 5 s (P2* of ISO 14229-2); here
 * an ECU that works says so every second, so that a word may be lost before it counts as silent.
 */
export const BUS_SILENCE_MS = 2_500;
/** How often an ECU that works says so. */
export const BUS_WORKING_MS = 1_000;
/** How often a request is sent before its ECU counts as lost: it has 7.5 s, a boot of most ECUs. */
export const BUS_SENDS = 3;
/** The longest work for one request: reading 16 GiB back at 20 MB/s takes 14 minutes. */
export const BUS_WORK_MS = 20 * 60_000;
/** How long an update that changed nothing yet waits for a lost ECU: a sleeping bus wakes sooner. */
export const ECU_ABSENT_MS = 10 * 60_000;
/** The same once slots are marked: the vehicle may not be driven, and the way back is open. */
export const ECU_ABSENT_COMMITTED_MS = 2 * 60_000;

/** Silence of a download after which the line counts as cut. */
export const DOWNLOAD_STALL_MS = 15_000;
/** A download that brings less than this in {@linkcode DOWNLOAD_WINDOW_MS} counts as cut too. */
export const DOWNLOAD_WINDOW_BYTES = 64 * KIB;
/** One KiB a second is under the slowest mobile network; whoever sends less wants to hold us. */
export const DOWNLOAD_WINDOW_MS = 60_000;
/** A request without a body must be answered within this. */
export const REQUEST_TIMEOUT_MS = 15_000;
/**
 * The answer to a release may take so long: the server reads the image twice, or proves a patch
 * first, and 1 GiB of that takes minutes on a small machine.
 */
export const PUBLISH_TIMEOUT_MS = PATCH_PROOF_MS + 5 * 60_000;
/** First pause before a failed request is repeated. */
export const BACKOFF_MIN_MS = 500;
/** Longest pause: a vehicle comes back within a minute of its server. */
export const BACKOFF_MAX_MS = 60_000;
/** How often a carrier may turn out damaged before it is given up. */
export const MAX_CARRIER_ATTEMPTS = 3;
/** How often storage may fail while one slot is filled: it has 3.5 s to come back. */
export const MAX_STORAGE_ATTEMPTS = 4;
/**
 * How often in a row an answer for a carrier may contradict itself or the release: a captive portal
 * or a proxy that meddles goes away within some seconds, or stays.
 */
export const MAX_ODD_ANSWERS = 6;
/** The vehicle asks for its assignment at least this often, lest a lost hint delay it for ever. */
export const POLL_MS = 60_000;
/** A postponed update is offered again after this. */
export const POSTPONE_MS = 60 * 60_000;
/** Battery needed to install and, if need be, to go back (UN R156 7.2.2.1.2). */
export const MIN_BATTERY_PERCENT = 30;
/** Events a vehicle keeps for the server while it cannot reach it; older ones go first. */
export const MAX_QUEUED_EVENTS = 256;
/**
 * Silence after which a supervised program has hung. The vehicle digests a slot in one go before it
 * boots it: a full one of 1 GiB takes 50 s on a slow SD card, and a sync there up to a minute.
 */
export const VEHICLE_SILENCE_MS = 300_000;
/** The same for the server: a commit that its disk holds up is all it ever waits for. */
export const SERVER_SILENCE_MS = 120_000;
/** How often a supervisor asks for a sign of life. */
export const SIGN_OF_LIFE_MS = 5_000;

/** Root metadata, a role's keys: the bound of TUF clients; ours take under 4 KiB. */
export const MAX_ROOT_BYTES = 512_000;
/** Root rotations that one refresh follows (TUF 5.3.3): one a month for twenty years. */
export const MAX_ROOT_ROTATIONS = 256;
/** Timestamp metadata: the bound of TUF clients, and small enough to travel in an announcement. */
export const MAX_TIMESTAMP_BYTES = 16_384;
/** Snapshot metadata: the bound of TUF clients; ours names two roles. */
export const MAX_SNAPSHOT_BYTES = 2_000_000;
/** Targets metadata, delegated ones too: the bound of TUF clients; 3000 releases with long notes. */
export const MAX_TARGETS_BYTES = 5_000_000;
/** Delegated roles that one search of a target visits (TUF 5.6.7.1); ours has one. */
export const MAX_DELEGATIONS = 32;
/** Keys of one role, and signatures of one file: each may cost a verification of the whole file. */
export const MAX_ROLE_KEYS = 64;
/** Name of a delegated role: percent-encoded it is part of a file name, which has 255 bytes. */
export const MAX_ROLE_NAME_CHARS = 64;
/** Nesting of metadata: ours needs 7, what later versions add may be some levels deeper. */
export const MAX_METADATA_DEPTH = 16;
/** Server and vehicle may be so far apart by honest means: an hour is a wrong time zone's, or a day's drift. */
export const CLOCK_SKEW_MS = 60 * 60_000;
