/**
 * Block devices of a few sectors over a file, where the rights for it are there.
 *
 * @module
 */

/** A block device over a file of zeros. */
export class LoopDevice implements Disposable {
  private constructor(
    /** The device. */
    readonly path: string,
    /** The file below it. */
    readonly file: string,
  ) {}

  /**
   * Attaches one.
   *
   * @param sizeBytes Its size: whole sectors.
   * @returns The device.
   * @throws {Error} If there is no `losetup`, or no right to use it.
   */
  static attach(sizeBytes: number): LoopDevice {
    const file = Deno.makeTempFileSync({ prefix: "headunit-ota-loop-" });
    Deno.truncateSync(file, sizeBytes);
    const { success, stdout, stderr } = losetup("--find", "--show", file);
    if (success) return new LoopDevice(stdout.trim(), file);
    Deno.removeSync(file);
    throw new Error(`Cannot attach a loop device: ${stderr}`);
  }

  [Symbol.dispose](): void {
    const { success, stderr } = losetup("--detach", this.path);
    Deno.removeSync(this.file);
    if (!success) throw new Error(`Cannot detach ${this.path}: ${stderr}`);
  }
}

/** Why there can be no loop device here, as tests say it; empty if there can. */
export function noLoopDevice(): string {
  try {
    using device = LoopDevice.attach(512);
    Deno.openSync(device.path, { read: true, write: true }).close();
    return "";
  } catch {
    return " (skipped: no loop device)";
  }
}

function losetup(...args: string[]): { success: boolean; stdout: string; stderr: string } {
  const command = new Deno.Command("losetup", { args, stdin: "null" });
  const { success, stdout, stderr } = command.outputSync();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, stdout: text(stdout), stderr: text(stderr) };
}
