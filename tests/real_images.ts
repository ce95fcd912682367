/**
 * Real firmware images, fetched with npm: the only tests that go beyond loopback.
 *
 * @module
 */

const CACHE = new URL("../.tmp/images/", import.meta.url);

/** Two versions of one real program for the ARM head unit. */
export interface RealPair {
  readonly versions: readonly [string, string];
  readonly paths: readonly [string, string];
}

/**
 * The binaries of `@esbuild/linux-arm64` 0.25.9 and 0.25.10, 9.7 MB each.
 *
 * @returns Their paths, or why they can't be had.
 */
export async function esbuildPair(): Promise<RealPair | string> {
  const versions = ["0.25.9", "0.25.10"] as const;
  const paths: string[] = [];
  for (const version of versions) {
    const path = new URL(`esbuild-${version}`, CACHE).pathname;
    const there = await Deno.stat(path).then((info) => info.size > 1_000_000, () => false);
    const problem = there ? undefined : await fetchBinary(version, path);
    if (problem !== undefined) return problem;
    paths.push(path);
  }
  return { versions, paths: paths as [string, string] };
}

async function fetchBinary(version: string, path: string): Promise<string | undefined> {
  await Deno.mkdir(CACHE, { recursive: true });
  const temp = await Deno.makeTempDir({ dir: CACHE.pathname });
  try {
    const spec = `@esbuild/linux-arm64@${version}`;
    const pack = await run("npm", ["pack", "--silent", spec], temp);
    if (pack !== undefined) return `no ${spec} from npm: ${pack}`;
    const tarball = [...Deno.readDirSync(temp)].find((entry) => entry.name.endsWith(".tgz"));
    if (tarball === undefined) return `no tarball of ${spec}`;
    const untar = await run("tar", ["-xzf", tarball.name], temp);
    if (untar !== undefined) return `no tar: ${untar}`;
    await Deno.rename(`${temp}/package/bin/esbuild`, path);
  } finally {
    await Deno.remove(temp, { recursive: true });
  }
}

async function run(program: string, args: string[], cwd: string): Promise<string | undefined> {
  try {
    const { code, stderr } = await new Deno.Command(program, { args, cwd, stdin: "null" }).output();
    return code === 0 ? undefined : new TextDecoder().decode(stderr).trim().slice(0, 200);
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * Makes a BSDIFF40 patch with Debian's bsdiff.
 *
 * @param base The old file.
 * @param image The new file.
 * @param patch Where the patch goes.
 * @returns Whether there is a bsdiff.
 */
export async function debianBsdiff(base: string, image: string, patch: string): Promise<boolean> {
  return await run("bsdiff", [base, image, patch], ".") === undefined;
}

/** Whether a program is installed. */
export function hasProgram(name: string): boolean {
  const path = (Deno.env.get("PATH") ?? "").split(":").concat("/usr/sbin");
  return path.some((folder) => {
    try {
      return Deno.statSync(`${folder}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}
