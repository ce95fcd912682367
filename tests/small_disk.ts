/**
 * File systems of a few MiB that a test can fill to the last byte: a tmpfs each.
 *
 * @module
 */

/** A small file system, mounted on a folder of its own. */
export class SmallDisk implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /**
   * Mounts one.
   *
   * @param megabytes Its size in MiB.
   * @returns The disk.
   */
  static mount(megabytes: number): SmallDisk {
    const path = Deno.makeTempDirSync({ prefix: "headunit-ota-disk-" });
    const { success, stderr } = command("mount", [
      ...["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path],
    ]);
    if (success) return new SmallDisk(path);
    Deno.removeSync(path);
    throw new Error(`Cannot mount a small disk: ${stderr}`);
  }

  /** Takes all room but so many bytes. */
  fill(leftBytes = 0): void {
    using file = Deno.openSync(`${this.path}/filler`, { append: true, create: true });
    const piece = new Uint8Array(65_536).fill(1);
    try {
      for (;;) file.writeSync(piece);
    } catch (error) {
      if (!/os error 28/.test((error as Error).message)) throw error;
    }
    if (leftBytes > 0) file.truncateSync(Math.max(0, file.statSync().size - leftBytes));
  }

  /** Gives the room back. */
  free(): void {
    Deno.removeSync(`${this.path}/filler`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    const { success, stderr } = command("umount", [this.path]);
    if (!success) throw new Error(`Cannot unmount ${this.path}: ${stderr}`);
    Deno.removeSync(this.path);
    return Promise.resolve();
  }
}

/** Why there can be no small disk here, as tests say it; empty if there can. */
export async function noMount(): Promise<string> {
  try {
    await using disk = SmallDisk.mount(1);
    return disk.path === "" ? " (skipped: no mount)" : "";
  } catch {
    return " (skipped: no mount)";
  }
}

function command(name: string, args: string[]): { success: boolean; stderr: string } {
  const { success, stderr } = new Deno.Command(name, { args, stdin: "null" }).outputSync();
  return { success, stderr: new TextDecoder().decode(stderr) };
}
