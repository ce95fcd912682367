/**
 * The publisher's tool: `ota COMMAND`. Joins the commands; each lies in a file of its own.
 *
 * @module
 */
import { Command, CommanderError, Option } from "commander";
import { MAX_IMAGE_BYTES } from "shared/limits.ts";
import { ABOUT_BROKER, brokerMosquitto, type BrokerOptions } from "./broker.ts";
import { offer, steer } from "./campaign.ts";
import { type CommonOptions, Context } from "./context.ts";
import { delta, type DeltaOptions } from "./delta.ts";
import { asCommandError, EXIT, usageError } from "./exit.ts";
import { addHardware, listCampaigns, listHardware, listReleases, listVehicles } from "./lists.ts";
import { enrol, login, type LoginOptions } from "./login.ts";
import { NOTE_DEFAULTS, NOTE_NAMES } from "./notes.ts";
import { Output } from "./output.ts";
import { patch } from "./patch.ts";
import { publish, type PublishOptions } from "./publish.ts";
import { showStorage } from "./storage.ts";
import { addUser, listUsers, removeUser, ROLES, setPassword, type UserOptions } from "./users.ts";
import { watch, type WatchCommandOptions } from "./watch.ts";

const ABOUT = `
Server: --server URL, else OTA_SERVER, else that of the last login.
Rights: OTA_TOKEN, else what \`ota login\` kept under OTA_HOME
        (default: headunit-ota in the user's configuration folder).
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 server not reachable, 4 refused,
            5 a precondition does not hold, 6 rolled back.`;

const ABOUT_PUBLISH = `
IMAGE is the file that an ECU runs, at most ${MAX_IMAGE_BYTES} bytes. With --delta-from it is a
patch from that version, made by bsdiff or \`ota delta\`; for a version that exists, the patch is
added to it. The server makes deltas by itself, from what vehicles still run.
An upload that was cut goes on where it stopped when the command is run again.

Notes, as UN R156 wants them: ${NOTE_NAMES.join(", ")}.
A FILE is JSON with these five keys, or lines of "key: value"; none may be empty.
TEXT fills the purpose; the others then say:
  changes       ${NOTE_DEFAULTS.changes}
  minutes       ${NOTE_DEFAULTS.minutes}
  unavailable   ${NOTE_DEFAULTS.unavailable}
  instructions  ${NOTE_DEFAULTS.instructions}`;

/** Runs one command with its arguments as typed, `Command` included. */
type Action = (context: Context, args: string[], options: never) => Promise<void> | void;

function add(parent: Command, usage: string, options: {
  readonly about: string;
  readonly action: Action;
  /** It talks to no server. */
  readonly local?: boolean;
}): Command {
  const command = parent.command(usage).description(options.about);
  if (options.local !== true) {
    command.option("--server <url>", "the server to talk to, like http://127.0.0.1:8080");
  }
  command.option("--json", "print one JSON object a line on stdout");
  command.option("--quiet", "no progress and no notes on stderr");
  return command.action(async () => {
    const context = new Context(command.opts<CommonOptions>());
    await options.action(context, command.processedArgs as string[], command.opts() as never);
  });
}

function several(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function addPeople(ota: Command): void {
  add(ota, "login", {
    about: "log in, and keep the token for the other commands",
    action: (context, _args, options: LoginOptions) => login(context, options),
  })
    .option("--user <name>", "who logs in", "admin")
    .option("--plain-http", "log in over an unencrypted network")
    .addHelpText("after", "\nAsks for the password on a terminal; takes OTA_PASSWORD if set.");
  add(ota, "enrol", {
    about: "make a one-time token for a vehicle",
    action: (context, _args, options: { vin: string }) => enrol(context, options.vin),
  }).requiredOption("--vin <vin>", "the vehicle: 17 capital letters and digits");
}

function addUsers(ota: Command): void {
  const user = ota.command("user").description("who can log in");
  const asks = "\nAsks for the new password on a terminal; takes OTA_NEW_PASSWORD if set.";
  add(user, "list", { about: "list them", action: listUsers });
  add(user, "add <name>", {
    about: "add somebody",
    action: (context, [name], options: UserOptions) => addUser(context, name!, options),
  })
    .addOption(
      new Option("--role <role>", "what they may do; each may also do what those before it may")
        .choices(ROLES).makeOptionMandatory(),
    )
    .option("--plain-http", "send the password over an unencrypted network")
    .addHelpText("after", asks);
  add(user, "remove <name>", {
    about: "remove somebody; their logins end at once",
    action: (context, [name]) => removeUser(context, name!),
  });
  add(user, "password [name]", {
    about: "set a password, by default one's own; other logins of that user end",
    action: (context, [name], options: UserOptions) => setPassword(context, name, options),
  })
    .option("--plain-http", "send the password over an unencrypted network")
    .addHelpText("after", `${asks}\nOne's own also wants the present one: OTA_PASSWORD if set.`);
}

function addReleases(ota: Command): void {
  add(ota, "publish <image>", {
    about: "upload an image or a patch, make a release of it and offer it",
    action: (context, [image], options: PublishOptions) => publish(context, image!, options),
  })
    .requiredOption("--hardware <id>", "the hardware id it is built for")
    .requiredOption("--version <version>", "its version, like 1.2.0")
    .requiredOption("--notes <file|text>", "what the driver is told before the update")
    .option("--counter <number>", "the release counter (default: the highest plus one)")
    .option("--delta-from <version>", "IMAGE is a patch that starts from this version")
    .option("--draft", "keep it back until `ota offer`")
    .option("--rxswin <id>", "an RXSWIN it belongs to (UN R156); may be repeated", several)
    .option(
      "--needs <release>",
      "a release that must run beside it, it or a newer one; may be repeated",
      several,
    )
    .addHelpText("after", ABOUT_PUBLISH);
  add(ota, "offer <release...>", {
    about: "offer releases, drafts or not, as one bundle",
    action: (context, [releases]) => offer(context, releases as unknown as string[]),
  }).addHelpText("after", "\nA RELEASE is written HARDWARE/VERSION, like ivi-rpi4/1.2.0.");
  add(ota, "releases", { about: "list the releases", action: listReleases });
  add(ota, "delta <old> <new> <patch>", {
    about: "make a container that leads from one image to another",
    local: true,
    action: (context, [old, image, patch], options: DeltaOptions) => {
      delta(context, { old: old!, new: image!, patch: patch! }, options);
    },
  })
    .addOption(
      new Option("--effort <effort>", "how hard to try").choices(["fast", "best"]).default("best"),
    )
    .addHelpText("after", "\nOLD may be -: then PATCH is NEW by itself, compressed.");
  add(ota, "patch <old> <patch> <new>", {
    about: "apply a container or a BSDIFF40 patch to a file; a full container takes - as OLD",
    local: true,
    action: (context, [old, file, target]) => {
      patch(context, { old: old!, patch: file!, new: target! });
    },
  });
}

function addFleet(ota: Command): void {
  add(ota, "vehicles", { about: "list the vehicles and their ECUs", action: listVehicles });
  add(ota, "storage", { about: "what is stored, and what was freed", action: showStorage });
  const hardware = ota.command("hardware").description("the known hardware ids");
  add(hardware, "list", { about: "list them", action: listHardware });
  add(hardware, "add <id>", {
    about: "make one known",
    action: (context, [id]) => addHardware(context, id!),
  });
}

function addBroker(ota: Command): void {
  const broker = ota.command("broker").description("the files of an outside MQTT broker");
  add(broker, "mosquitto", {
    about: "write Mosquitto's configuration, passwords and access list",
    action: (context, _args, options: BrokerOptions) => brokerMosquitto(context, options),
  })
    .requiredOption("--out <dir>", "where to; made if it is not there")
    .option("--listen <host:port>", "where Mosquitto listens (default: as the server's --broker)")
    .option("--user <name>", "who Mosquitto becomes when root starts it (default: its own)")
    .addHelpText("after", ABOUT_BROKER);
}

function addCampaigns(ota: Command): void {
  add(ota, "campaigns", { about: "list the campaigns", action: listCampaigns });
  add(ota, "watch", {
    about: "follow a campaign until it is confirmed",
    action: (context, _args, options: WatchCommandOptions) => watch(context, options),
  })
    .option("--vin <vin>", "only this vehicle")
    .option("--campaign <id>", "which one (default: the newest)")
    .option("--until <state>", "confirmed or rolledBack", "confirmed")
    .option("--timeout <seconds>", "give up after so long (default: never)");
  const verbs = {
    halt: "offer it to nobody who has not begun to install",
    resume: "go on with a halted campaign",
    withdraw: "end it for all who have not begun to install",
  } as const;
  for (const verb of ["halt", "resume", "withdraw"] as const) {
    add(ota, `${verb} <campaign>`, {
      about: verbs[verb],
      action: (context, [id]) => steer(context, verb, id!),
    });
  }
}

/**
 * The whole tool.
 *
 * @returns The command to be parsed; it throws instead of ending the process.
 */
export function otaCommand(): Command {
  const ota = new Command("ota")
    .description("Publish updates for head units, and watch them arrive.")
    .exitOverride()
    // What is wrong is printed once, by the one place that prints errors.
    .configureOutput({ outputError: () => {} })
    .addHelpText("after", ABOUT);
  addPeople(ota);
  addUsers(ota);
  addReleases(ota);
  addFleet(ota);
  addBroker(ota);
  addCampaigns(ota);
  return ota;
}

/**
 * Runs the tool.
 *
 * @param args What was typed after `ota`.
 * @returns The exit code; everything is printed.
 */
export async function run(args: readonly string[]): Promise<number> {
  try {
    await otaCommand().parseAsync([...args], { from: "user" });
    return EXIT.done;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return EXIT.done; // --help.
    // No command was named: the help on stderr says it all.
    if (thrown instanceof CommanderError && thrown.code === "commander.help") return EXIT.usage;
    const error = thrown instanceof CommanderError
      ? usageError(
        `Cannot understand the arguments: ${thrown.message.replace(/^error: /, "")}`,
        "See --help of the command",
      )
      : asCommandError(thrown);
    new Output({ json: args.includes("--json"), quiet: false }).error(error);
    return error.exit;
  }
}

if (import.meta.main) Deno.exit(await run(Deno.args));
