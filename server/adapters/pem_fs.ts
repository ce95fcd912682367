/**
 * Certificate and key files.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";

/**
 * Reads a certificate and its key.
 *
 * @param files Their paths, PEM.
 * @returns Their text.
 * @throws {UpdateFailure} `preconditionFailed` If one cannot be read, or others can read the key.
 */
export async function readPem(
  files: { readonly certFile: string; readonly keyFile: string },
): Promise<{ cert: string; key: string }> {
  const { mode } = await Deno.stat(files.keyFile).catch((cause) => {
    throw unreadable("--tls-key", files.keyFile, cause);
  });
  if (mode !== null && (mode & 0o077) !== 0) {
    throw new UpdateFailure(
      "preconditionFailed",
      "--tls-key",
      `Cannot use the key "${files.keyFile}": others can read it; chmod 600 it`,
    );
  }
  const read = (flag: string, file: string) =>
    Deno.readTextFile(file).catch((cause) => {
      throw unreadable(flag, file, cause);
    });
  return {
    cert: await read("--tls-cert", files.certFile),
    key: await read("--tls-key", files.keyFile),
  };
}

function unreadable(flag: string, file: string, cause: Error): UpdateFailure {
  return new UpdateFailure(
    "preconditionFailed",
    flag,
    `Cannot read "${file}" (${flag}): ${cause.message}`,
    { cause },
  );
}
