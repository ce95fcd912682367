/**
 * What `--help` says at length, and the words it offers. Apart from the commands, so that help, and
 * a command that needs little, load none of the others.
 *
 * @module
 */
import type { UserRole } from "shared/protocol/api.ts";
import type { Notes } from "shared/protocol/common.ts";
import type { z } from "zod";
import { MAX_IMAGE_BYTES } from "shared/limits.ts";

/** Behind the list of commands. */
export const ABOUT = `
Server: --server URL, else OTA_SERVER, else that of the last login.
Rights: OTA_TOKEN, else what \`ota login\` kept under OTA_HOME
        (default: headunit-ota in the user's configuration folder).
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 server not reachable, 4 refused,
            5 a precondition does not hold, 6 rolled back.`;

/** The names of the notes, in the order of the regulation. */
export const NOTE_NAMES = ["purpose", "changes", "minutes", "unavailable", "instructions"] as const;

/** What a one-line note says of the other four. */
export const NOTE_DEFAULTS: Omit<Notes, "purpose"> = {
  changes: "See the purpose; no other function changes",
  minutes: 10,
  unavailable: "The functions of the updated control unit, while it restarts",
  instructions: "Park safely, set the brake, and do not drive until the display reports the result",
};

/** Behind the options of `ota publish`. */
export const ABOUT_PUBLISH: string = `
IMAGE is the file that an ECU runs, at most ${MAX_IMAGE_BYTES} bytes. With --delta-from it is a
patch from that version, made by bsdiff or \`ota delta\`; for a version that exists, the patch is
added to it. The server makes deltas by itself, from what vehicles still run.
An upload that was cut goes on where it stopped when the command is run again.

A release is signed by its owners' offline keys: --keys DIR or OTA_KEYS, where as many keys lie as
must sign. Without them, and for a patch without --image, it waits on the server until it is signed
(ota keys --help), and the exit code is 5; unless the server has no root yet: it signs nothing.

Notes, as UN R156 wants them: ${NOTE_NAMES.join(", ")}.
A FILE is JSON with these five keys, or lines of "key: value"; none may be empty.
TEXT fills the purpose; the others then say:
  changes       ${NOTE_DEFAULTS.changes}
  minutes       ${NOTE_DEFAULTS.minutes}
  unavailable   ${NOTE_DEFAULTS.unavailable}
  instructions  ${NOTE_DEFAULTS.instructions}`;

/** Behind the list of `ota keys` commands. */
export const ABOUT_KEYS = `
Once:            ota keys setup DIR        (keys, first roots, all that waits; OTA_KEYS_PASSPHRASE
                                           seals the keys)
Key by key, away from the server:
                 ota keys fetch FILE       on a machine with a login
                 ota keys root DIR FILE    the first time, and after \`ota keys renew\`
                 ota keys sign DIR FILE    each holder of a key in turn, without a network
                 ota keys upload FILE      on a machine with a login
A key was stolen: ota keys fetch FILE; ota keys revoke DIR FILE KEY; ota keys upload FILE
The server was:   ota keys renew ROLE...; then fetch, root, sign, upload`;

/** Behind the options of `ota broker mosquitto`. */
export const ABOUT_BROKER = `
Start the server with --broker URL, OTA_BROKER_USER and OTA_BROKER_PASSWORD first: the files let
in that user and every enrolled vehicle. With --broker-passwords DIR/passwords and
--broker-pid DIR/mosquitto.pid the server keeps the passwords up to date by itself; else run this
again and have Mosquitto reload after each enrolment. Then: mosquitto -c DIR/mosquitto.conf`;

/** The roles, lowest first; the protocol knows no other, and none is missing here. */
export const ROLES: readonly string[] = Object.keys(
  { viewer: true, publisher: true, operator: true } satisfies Record<
    z.infer<typeof UserRole>,
    true
  >,
);
