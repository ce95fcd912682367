/**
 * Loads a module of the tool when it is needed. Deno reads every module that is named by a literal,
 * also behind `import()`, before a program begins: 13 MiB for `ota patch`, which uses none of them.
 *
 * @module
 */

/**
 * Loads a module.
 *
 * @param file Its path from this folder, with `./`; the same that the type names.
 * @returns What it exports.
 */
export async function load<Module>(file: string): Promise<Module> {
  return await import(new URL(file, import.meta.url).href) as Module;
}
