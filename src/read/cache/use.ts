/** Where packed copies of files lie, and whether new ones are made. */
export interface CacheUse {
  readonly folder: string;
  /** Make one of a file that is read from end to end; else only those that are there are read. */
  readonly write: boolean;
  /** Told in a line of copies that could not be made or read; all goes on without them. Left out, nothing is said. */
  readonly warn?: ((line: string) => void) | undefined;
  /** Smallest file of which copies are made, bytes. Left out, {@link leastBytes}. */
  readonly least?: number | undefined;
  /** Most that the folder may hold, bytes. Left out, 50 GB or a fifth of its disk. */
  readonly most?: number | undefined;
}

/** Below it a file is read in a second, whatever its format. */
export const leastBytes = 16 * 2 ** 20;
