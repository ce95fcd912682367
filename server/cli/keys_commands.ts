/**
 * The `ota keys` commands and their options; what they do lies in `keys_offline` and `keys_online`.
 *
 * @module
 */
import type { Command } from "commander";
import { ABOUT_KEYS } from "./help.ts";
import type { InitOptions, RootOptions, SignOptions } from "./keys_offline.ts";
import { load } from "./load.ts";
import type { CommandOptions } from "./main.ts";

const offline = () => load<typeof import("./keys_offline.ts")>("./keys_offline.ts");
const online = () => load<typeof import("./keys_online.ts")>("./keys_online.ts");

type Add = (parent: Command, usage: string, options: CommandOptions) => Command;

function several(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/**
 * Adds `ota keys`.
 *
 * @param ota The tool.
 * @param add Adds one command.
 */
export function addKeys(ota: Command, add: Add): void {
  const keys = ota.command("keys").description("the keys that releases are signed with")
    .addHelpText("after", ABOUT_KEYS);
  addOffline(keys, add);
  addOnline(keys, add);
}

function addOffline(keys: Command, add: Add): void {
  add(keys, "init <dir>", {
    about: "make offline keys: root and targets of the Image repository, root of the Director",
    local: true,
    action: async (context, [dir], options: InitOptions) =>
      void (await offline()).initKeys(context, dir!, options),
  })
    .option("--count <number>", "keys of each role, of which two must sign", "3");
  add(keys, "root <dir> <file>", {
    about: "make the next roots, the first ones of all keys in DIR, and sign them",
    local: true,
    action: async (context, [dir, file], options: RootOptions) =>
      (await offline()).makeRoots(context, { dir: dir!, file: file! }, options),
  })
    .option("--threshold <number>", "how many keys of an offline role must sign (default: 2)")
    .option("--renew", "also when nothing but the expiry changes");
  add(keys, "sign <dir> <file>", {
    about: "show what is to be signed, and add the signatures of the keys in DIR",
    local: true,
    action: async (context, [dir, file], options: SignOptions) =>
      (await offline()).signRequest(context, { dir: dir!, file: file! }, options),
  })
    .option("--key <id>", "only this key, or the one that begins so; may be repeated", several)
    .option("--image <file>", "sign no image but this one; may be repeated", several);
  add(keys, "revoke <dir> <file> <key...>", {
    about: "make roots with new keys in the place of these, and sign again what they signed",
    local: true,
    action: async (context, [dir, file, ids]) =>
      (await offline()).revokeKeys(
        context,
        { dir: dir!, file: file! },
        ids as unknown as string[],
      ),
  });
}

function addOnline(keys: Command, add: Add): void {
  add(keys, "list [dir]", {
    about: "the keys in DIR; without it, roles, keys and expiry on the server",
    action: async (context, [dir]) =>
      dir === undefined
        ? await (await online()).listServer(context)
        : (await offline()).listFolder(context, dir),
  });
  add(keys, "fetch <file>", {
    about: "write what is to be signed to a file",
    action: async (context, [file], options: { release?: string[] }) =>
      await (await online()).fetchRequest(context, file!, options),
  })
    .option(
      "--release <id>",
      "only this release; may be repeated (default: all that wait)",
      several,
    );
  add(keys, "upload <file>", {
    about: "hand in what was signed",
    action: async (context, [file]) => await (await online()).uploadSigned(context, file!),
  });
  add(keys, "renew <role...>", {
    about: "make new keys of the server, such as image/timestamp; they wait for a new root",
    action: async (context, [roles]) =>
      await (await online()).renewKeys(context, roles as unknown as string[]),
  });
  add(keys, "setup <dir>", {
    about: "keys in DIR if there are none, first roots, and signatures for all that waits",
    action: async (context, [dir]) => await (await online()).setUp(context, dir!),
  });
}
