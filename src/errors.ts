/** Something the user can mend: what was wrong, where, what to do. Shown as one line, exit code 1. */
export class AnomalyClrError extends Error {
  override name = 'AnomalyClrError';
}

/** The command was used wrongly: unknown option, value out of range, missing argument. Exit code 2. */
export class UsageError extends AnomalyClrError {
  override name = 'UsageError';
}

const deviceCodes = ['OUT_OF_MEMORY', 'DEVICE_LOST', 'PEER_LOST', 'UNAVAILABLE', 'FAILED'] as const;

/** What a GPU computes on ended a call. Of OUT_OF_MEMORY alone everything is as it was before the call. */
export class DeviceError extends AnomalyClrError {
  override name = 'DeviceError';

  constructor(
    readonly code: (typeof deviceCodes)[number],
    message: string,
  ) {
    super(message);
  }

  /** Of an error of the addon that says so by its `code`; any other stays as it is. */
  static from(error: unknown): unknown {
    const code = deviceCodes.find(one => one === (error as { code?: unknown } | null)?.code);
    return code === undefined ? error : new DeviceError(code, (error as Error).message);
  }
}
