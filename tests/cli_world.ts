/**
 * What tests of the publisher's tool share: a folder, a server, and how results are judged.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert/mod.js";
import { type FailureName, FAILURES } from "shared/failure.ts";
import { ota, type OtaResult, type ServerProcess, startServerProcess } from "../scripts/process.ts";

/** A vehicle. */
export const VIN = "WVWZZZ1JZXW000001";

/** Runs a test with a folder of its own, in which `run` is `ota` without a terminal. */
export async function withFolder(
  test: (folder: string, run: (...args: string[]) => Promise<OtaResult>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder, (...args) => ota(args, { home: `${folder}/home` }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The same with a server, and logged in as its operator. */
export async function withServer(
  test: (
    world: { folder: string; server: ServerProcess },
    run: (...args: string[]) => Promise<OtaResult>,
  ) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder, run) => {
    const server = await startServerProcess({ data: `${folder}/server` });
    try {
      const env = { OTA_PASSWORD: server.password };
      const login = ["login", "--server", server.urls.http];
      assertEquals((await ota(login, { home: `${folder}/home`, env })).code, 0);
      await test({ folder, server }, run);
    } finally {
      assertEquals(await server.stop(), 0);
    }
  });
}

/** The one line of JSON that a command printed, which ended with 0. */
export function ok(result: OtaResult): Record<string, unknown> {
  assertEquals(result.code, 0, result.stderr);
  return JSON.parse(result.stdout);
}

/** The exact refusal: exit code, number and name; a remedy; nothing on stdout. */
export function assertRefused(result: OtaResult, code: number, name: FailureName, says = ""): void {
  assertEquals(result.code, code, result.stdout + result.stderr);
  assertEquals(result.stdout, "");
  assertStringIncludes(result.stderr, `[${FAILURES[name].code} ${name}]`);
  assertStringIncludes(result.stderr, says);
  assertMatch(result.stderr, /\n {2}remedy: \S/);
}
