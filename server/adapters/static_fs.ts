/**
 * The notice board's files in a folder.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import type { StaticFiles } from "../ports.ts";

/**
 * Files of a folder.
 *
 * @param folder Its path; it may be missing.
 * @returns Its files. Callers hand in names they have checked.
 */
export function openStatic(folder: string): StaticFiles {
  return {
    async read(name) {
      invariant(!name.includes("..") && !name.startsWith("/"), "a checked name");
      try {
        return await Deno.readFile(`${folder}/${name}`);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
          return null;
        }
        throw error;
      }
    },
  };
}
