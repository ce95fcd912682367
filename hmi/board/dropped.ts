/**
 * What was dropped on the zone: the one file a release is made of, or why that cannot be it.
 *
 * @module
 */

/** What a drop carried. */
export interface Dropped<F> {
  readonly files: readonly F[];
  /** Names of those among them that are folders. */
  readonly folders: readonly string[];
}

/**
 * Reads a drop. Only while the event is handled: the browser empties it afterwards.
 *
 * @param transfer What the event carried.
 * @returns Its files and folders.
 */
export function droppedOf(transfer: DataTransfer): Dropped<File> {
  const folders = [...transfer.items].flatMap((item) => {
    const entry = item.webkitGetAsEntry();
    return entry?.isDirectory === true ? [entry.name] : [];
  });
  return { files: [...transfer.files], folders };
}

/**
 * The file that is meant.
 *
 * @param dropped What a drop carried.
 * @returns The file, or a sentence that says why there is none.
 */
export function oneFile<F>({ files, folders }: Dropped<F>): F | string {
  const [file] = files;
  if (file === undefined) return "Cannot take what was dropped: there is no file in it";
  if (files.length > 1) {
    return `Cannot take ${files.length} files at once: a release is made of one image or one ` +
      "patch. Drop just that one";
  }
  const [folder] = folders;
  if (folder === undefined) return file;
  return `Cannot take "${folder}": it is a folder. Drop the image that lies in it`;
}
