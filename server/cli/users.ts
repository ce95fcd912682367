/**
 * `ota user list`, `add`, `remove` and `password`: who can log in.
 *
 * @module
 */
import { promptSecret } from "@std/cli/prompt_secret.js";
import { NewPassword, type User, UserName, UserRole } from "shared/protocol/api.ts";
import { argument, type Context } from "./context.ts";
import { usageError } from "./exit.ts";
import { askPassword, refusePlainHttp } from "./login.ts";

/** Options of `ota user add` and `ota user password`. */
export interface UserOptions {
  readonly role?: string;
  readonly plainHttp?: boolean;
}

/** `ota user list`. @param context Server and output. @throws {CommandError} If it fails. */
export async function listUsers(context: Context): Promise<void> {
  const rows = await (await context.client()).users();
  const cells = ({ user, role }: User) => [[user, role]];
  context.output.table(rows, { heads: ["USER", "ROLE"], cells }, "No users");
}

/**
 * `ota user add NAME --role ROLE`.
 *
 * @param context Server, environment and output.
 * @param name The new user.
 * @param options Their role.
 * @throws {CommandError} Usage, refused or unreachable.
 */
export async function addUser(context: Context, name: string, options: UserOptions): Promise<void> {
  const user = argument(UserName, name, "name");
  const role = argument(UserRole, options.role, "role");
  const client = await context.client();
  refusePlainHttp(client.server, options);
  const password = newPassword(context, user, `Cannot add ${user}`);
  const added = await client.addUser({ user, role, password });
  context.output.result(added, `Added user ${added.user} as ${added.role}`);
}

/**
 * `ota user remove NAME`.
 *
 * @param context Server and output.
 * @param name Who.
 * @throws {CommandError} Usage, refused or unreachable.
 */
export async function removeUser(context: Context, name: string): Promise<void> {
  const user = argument(UserName, name, "name");
  await (await context.client()).removeUser(user);
  context.output.result({ user }, `Removed user ${user}; their logins have ended`);
}

/**
 * `ota user password [NAME]`.
 *
 * @param context Server, environment and output.
 * @param name Whose; without it one's own.
 * @param options Whether the line is known to be safe.
 * @throws {CommandError} Usage, refused or unreachable.
 */
export async function setPassword(
  context: Context,
  name: string | undefined,
  options: UserOptions,
): Promise<void> {
  const wanted = name === undefined ? undefined : argument(UserName, name, "name");
  const client = await context.client();
  refusePlainHttp(client.server, options);
  const own = (await client.session()).user;
  const user = wanted ?? own;
  const attempt = `Cannot set the password of ${user}`;
  const current = user !== own ? {} : {
    current: askPassword(context, "OTA_PASSWORD", { prompt: "Present password: ", attempt }),
  };
  await client.setPassword(user, { password: newPassword(context, user, attempt), ...current });
  context.output.result({ user }, `The password of ${user} is set; their other logins have ended`);
}

/** Asked twice on a terminal: nobody sees what they type. */
function newPassword(context: Context, user: string, attempt: string): string {
  const prompt = `New password of ${user}: `;
  const password = askPassword(context, "OTA_NEW_PASSWORD", { prompt, attempt });
  const problem = NewPassword.safeParse(password).error?.issues[0]?.message;
  if (problem !== undefined) {
    throw usageError(`${attempt}: the new password ${problem}`, "Choose a longer one");
  }
  if (!context.env("OTA_NEW_PASSWORD") && promptSecret("Once more: ") !== password) {
    throw usageError(`${attempt}: the two passwords differ`, "Type the same one twice");
  }
  return password;
}
