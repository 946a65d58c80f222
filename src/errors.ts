/** Something the user can mend: what was wrong, where, what to do. Shown as one line, exit code 1. */
export class AnomalyClrError extends Error {
  override name = 'AnomalyClrError';

  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}

/**
 * Text as one line that a terminal shows and does not obey: names in a damaged file, which messages tell, may hold any
 * control character.
 */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what it replaces
  return text.replace(/\s*[\n\u2028\u2029]\s*/g, '; ').replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
}

/** Why the AbortSignal of a command has fired. */
export class StopRequest extends AnomalyClrError {
  override name = 'StopRequest';

  constructor(readonly by: 'SIGINT' | 'SIGTERM') {
    super(`stopped by ${by}`);
  }
}

/**
 * Stopped as it was asked to, with all that was done kept; the message says how to go on. A batch system that takes a
 * machine back (SIGTERM) sees exit code 0: nothing has failed. After Ctrl-C it is 1, so that a shell does not go on to
 * its next command.
 */
export class Stopped extends AnomalyClrError {
  override name = 'Stopped';
  readonly exitCode: 0 | 1;

  constructor(message: string, asked: AbortSignal | undefined) {
    super(message);
    this.exitCode = asked?.reason instanceof StopRequest && asked.reason.by === 'SIGTERM' ? 0 : 1;
  }
}

/** The command was used wrongly: unknown option, value out of range, missing argument. Exit code 2. */
export class UsageError extends AnomalyClrError {
  override name = 'UsageError';
}

/** Another process of a training has gone, did not come, or is at odds with this one. The last step is whole. */
export class RankError extends AnomalyClrError {
  override name = 'RankError';

  /** Of an error of the addon that is of a rank; any other is thrown as it is. */
  static rethrow(this: void, error: unknown): never {
    const ours = ['PEER_LOST', 'UNAVAILABLE'].includes((error as { code?: string } | null)?.code ?? '');
    throw ours ? new RankError((error as Error).message) : error;
  }
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
