/**
 * The publisher's tool: `ota COMMAND`. Joins the commands; each lies in a file of its own.
 *
 * @module
 */
import { Command, CommanderError, Option } from "commander";
import type { BrokerOptions } from "./broker.ts";
import { type CommonOptions, Context } from "./context.ts";
import type { DeltaOptions } from "./delta.ts";
import { asCommandError, EXIT, usageError } from "./exit.ts";
import { ABOUT, ABOUT_BROKER, ABOUT_PUBLISH, ROLES } from "./help.ts";
import { load } from "./load.ts";
import { addKeys } from "./keys_commands.ts";
import type { LoginOptions } from "./login.ts";
import { Output } from "./output.ts";
import type { PublishOptions } from "./publish.ts";
import type { UserOptions } from "./users.ts";
import type { WatchCommandOptions } from "./watch.ts";

// A command is loaded when it runs: `ota patch` on a small machine has no use for the rest.
const login = () => load<typeof import("./login.ts")>("./login.ts");
const users = () => load<typeof import("./users.ts")>("./users.ts");
const lists = () => load<typeof import("./lists.ts")>("./lists.ts");
const publishCommand = () => load<typeof import("./publish.ts")>("./publish.ts");
const deltaCommand = () => load<typeof import("./delta.ts")>("./delta.ts");
const patchCommand = () => load<typeof import("./patch.ts")>("./patch.ts");
const brokerCommand = () => load<typeof import("./broker.ts")>("./broker.ts");
const watchCommand = () => load<typeof import("./watch.ts")>("./watch.ts");
const campaign = () => load<typeof import("./campaign.ts")>("./campaign.ts");

/** Runs one command with its arguments as typed, `Command` included. */
export type Action = (context: Context, args: string[], options: never) => Promise<void>;

/** What a command is. */
export interface CommandOptions {
  readonly about: string;
  readonly action: Action;
  /** It talks to no server. */
  readonly local?: boolean;
}

function add(parent: Command, usage: string, options: CommandOptions): Command {
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
    action: async (context, _args, options: LoginOptions) =>
      await (await login()).login(context, options),
  })
    .option("--user <name>", "who logs in", "admin")
    .option("--plain-http", "log in over an unencrypted network")
    .addHelpText("after", "\nAsks for the password on a terminal; takes OTA_PASSWORD if set.");
  add(ota, "enrol", {
    about: "make a one-time token for a vehicle",
    action: async (context, _args, options: { vin: string }) =>
      await (await login()).enrol(context, options.vin),
  }).requiredOption("--vin <vin>", "the vehicle: 17 capital letters and digits");
}

function addUsers(ota: Command): void {
  const user = ota.command("user").description("who can log in");
  const asks = "\nAsks for the new password on a terminal; takes OTA_NEW_PASSWORD if set.";
  add(user, "list", {
    about: "list them",
    action: async (context) => await (await users()).listUsers(context),
  });
  add(user, "add <name>", {
    about: "add somebody",
    action: async (context, [name], options: UserOptions) =>
      await (await users()).addUser(context, name!, options),
  })
    .addOption(
      new Option("--role <role>", "what they may do; each may also do what those before it may")
        .choices(ROLES).makeOptionMandatory(),
    )
    .option("--plain-http", "send the password over an unencrypted network")
    .addHelpText("after", asks);
  add(user, "remove <name>", {
    about: "remove somebody; their logins end at once",
    action: async (context, [name]) => await (await users()).removeUser(context, name!),
  });
  add(user, "password [name]", {
    about: "set a password, by default one's own; other logins of that user end",
    action: async (context, [name], options: UserOptions) =>
      await (await users()).setPassword(context, name, options),
  })
    .option("--plain-http", "send the password over an unencrypted network")
    .addHelpText("after", `${asks}\nOne's own also wants the present one: OTA_PASSWORD if set.`);
}

function addReleases(ota: Command): void {
  add(ota, "publish <image>", {
    about: "upload an image or a patch, make a release of it and offer it",
    action: async (context, [image], options: PublishOptions) =>
      await (await publishCommand()).publish(context, image!, options),
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
    .option("--keys <dir>", "sign it with the offline keys of this folder (default: OTA_KEYS)")
    .option("--image <file>", "what a patch gives, so that it can be signed with --keys")
    .addHelpText("after", ABOUT_PUBLISH);
  add(ota, "offer <release...>", {
    about: "offer releases, drafts or not, as one bundle",
    action: async (context, [releases]) =>
      await (await campaign()).offer(context, releases as unknown as string[]),
  }).addHelpText("after", "\nA RELEASE is written HARDWARE/VERSION, like ivi-rpi4/1.2.0.");
  add(ota, "releases", {
    about: "list the releases",
    action: async (context) => await (await lists()).listReleases(context),
  });
  add(ota, "delta <old> <new> <patch>", {
    about: "make a container that leads from one image to another",
    local: true,
    action: async (context, [old, image, patch], options: DeltaOptions) => {
      const { delta } = await deltaCommand();
      await delta(context, { old: old!, new: image!, patch: patch! }, options);
    },
  })
    .addOption(
      new Option("--effort <effort>", "how hard to try").choices(["fast", "best"]).default("best"),
    )
    .addHelpText("after", "\nOLD may be -: then PATCH is NEW by itself, compressed.");
  add(ota, "patch <old> <patch> <new>", {
    about: "apply a container or a BSDIFF40 patch to a file; a full container takes - as OLD",
    local: true,
    action: async (context, [old, file, target]) => {
      const { patch } = await patchCommand();
      await patch(context, { old: old!, patch: file!, new: target! });
    },
  });
}

function addFleet(ota: Command): void {
  add(ota, "vehicles", {
    about: "list the vehicles and their ECUs",
    action: async (context) => await (await lists()).listVehicles(context),
  });
  add(ota, "storage", {
    about: "what is stored, and what was freed",
    action: async (context) =>
      await (await load<typeof import("./storage.ts")>("./storage.ts")).showStorage(context),
  });
  const hardware = ota.command("hardware").description("the known hardware ids");
  add(hardware, "list", {
    about: "list them",
    action: async (context) => await (await lists()).listHardware(context),
  });
  add(hardware, "add <id>", {
    about: "make one known",
    action: async (context, [id]) => await (await lists()).addHardware(context, id!),
  });
}

function addBroker(ota: Command): void {
  const broker = ota.command("broker").description("the files of an outside MQTT broker");
  add(broker, "mosquitto", {
    about: "write Mosquitto's configuration, passwords and access list",
    action: async (context, _args, options: BrokerOptions) =>
      await (await brokerCommand()).brokerMosquitto(context, options),
  })
    .requiredOption("--out <dir>", "where to; made if it is not there")
    .option("--listen <host:port>", "where Mosquitto listens (default: as the server's --broker)")
    .option("--user <name>", "who Mosquitto becomes when root starts it (default: its own)")
    .addHelpText("after", ABOUT_BROKER);
}

function addCampaigns(ota: Command): void {
  add(ota, "campaigns", {
    about: "list the campaigns",
    action: async (context) => await (await lists()).listCampaigns(context),
  });
  add(ota, "watch", {
    about: "follow a campaign until it is confirmed",
    action: async (context, _args, options: WatchCommandOptions) =>
      await (await watchCommand()).watch(context, options),
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
      action: async (context, [id]) => await (await campaign()).steer(context, verb, id!),
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
  addKeys(ota, add);
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
