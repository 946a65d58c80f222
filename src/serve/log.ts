import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/**
 * The log of a server: lines of JSON on standard error.
 *
 * @param quiet - errors alone
 */
export function openLog(
  { logLevel, quiet }: { readonly logLevel: string; readonly quiet: boolean },
  stream: DestinationStream = standardError(),
): Logger {
  const level = quiet && logLevel !== 'silent' ? 'error' : logLevel;
  const settings = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino({ ...settings, formatters: { level: label => ({ level: label }) } }, stream);
}

/** A log that cannot be written, its disk being full, say, is lost from there on; serving goes on. */
function standardError(): DestinationStream {
  const stream = pino.destination({ fd: 2, sync: true, maxLength: 2 ** 20 });
  stream.on('error', () => undefined);
  return stream;
}
