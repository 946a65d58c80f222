/** Where packed copies of files lie, and whether new ones are made. */
export interface CacheUse {
  readonly folder: string;
  /** Make one of a file that is read from end to end; else only those that are there are read. */
  readonly write: boolean;
}
