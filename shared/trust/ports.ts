/**
 * What the client of a repository asks of the outside.
 *
 * @module
 */

/** Where metadata comes from. */
export interface MetadataSource {
  /**
   * Fetches one file: `timestamp.json`, `5.root.json`, `3.carriers.json`.
   *
   * @param file Its name, already percent-encoded.
   * @param maxBytes Reading stops beyond so many bytes.
   * @returns The file, or `undefined` if the repository does not have it.
   * @throws {UpdateFailure} Of stage `download` if nothing could be had, `metadataTooLarge` if
   * there is more, `metadataTooSlow` if it trickles.
   */
  readonly fetch: (file: string, maxBytes: number) => Promise<Uint8Array | undefined>;
}

/** One change of what is stored: a role's file, or `null` to forget it. */
export type StoreChange = readonly [role: string, bytes: Uint8Array | null];

/** Where trusted metadata is kept. What is in it was verified when it was put there. */
export interface MetadataStore {
  /**
   * A role's stored file.
   *
   * @param role `root`, `timestamp`, `snapshot`, `targets` or a delegated role.
   * @returns Its bytes as they were stored, or `undefined`.
   */
  read(role: string): Uint8Array | undefined;
  /**
   * Changes all of these or, after a power cut, none; durable when it returns. A store may pass
   * over delegated roles it has no room for: they are fetched again.
   */
  commit(changes: readonly StoreChange[]): void;
}
