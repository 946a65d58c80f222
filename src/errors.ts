/** Something the user can mend: what was wrong, where, what to do. Shown as one line, exit code 1. */
export class AnomalyClrError extends Error {
  override name = 'AnomalyClrError';
}

/** The command was used wrongly: unknown option, value out of range, missing argument. Exit code 2. */
export class UsageError extends AnomalyClrError {
  override name = 'UsageError';
}
