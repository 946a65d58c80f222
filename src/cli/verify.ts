import { verifyBundle, type Verified } from '../bundle/verify.js';
import type { VerifyOptions } from '../config/schema.js';
import type { Context } from './commands.js';

/** `anomalyclr verify`: whether bundles give the scores that their makers got. Exit code 1 where one does not. */
export async function run(options: VerifyOptions, { output, version, signal }: Context): Promise<number> {
  const { bundles, provider, threads, sessions, json } = options;
  const found: Verified[] = [];
  for (const file of bundles) {
    if (signal.aborted) break;
    found.push(await verifyBundle(file, { provider, threads, sessions }));
    if (!json) output.result(format(found[found.length - 1]));
  }
  if (json) output.json({ version, bundles: found });
  return found.length === bundles.length && found.every(({ passed }) => passed) ? 0 : 1;
}

function format({ file, passed, problems, provider, tolerance, events }: Verified): string {
  if (provider === undefined) return `FAILED  ${problems.join('; ')}`;
  const good = events.filter(event => event.passed).length;
  const shown = (of: number | undefined): number => Number(of?.toPrecision(2));
  const allowed = `scores to ${shown(tolerance?.score)}, representations to ${shown(tolerance?.representation)}`;
  const within = `as the card has them (${allowed}), on ${provider}`;
  const head = `${passed ? 'ok' : 'FAILED'}  ${file}: ${good} of ${events.length} reference events ${within}`;
  const share = (difference: number | null): string => difference?.toExponential(1) ?? '-';
  const rows = [
    ['event', 'objects', 'score', 'score off by', 'representation off by', 'in domain', ''],
    ...events.map(event => [
      String(event.event),
      String(event.objects),
      event.score?.toPrecision(6) ?? '-',
      share(event.scoreDifference),
      share(event.representationDifference),
      event.inDomain ? 'yes' : 'no',
      event.passed ? 'ok' : 'FAILED',
    ]),
  ];
  const widths = rows[0].map((_, c) => Math.max(...rows.map(row => row[c].length)));
  const table = rows.map(row => `  ${row.map((cell, c) => cell.padStart(widths[c])).join('  ')}`.trimEnd());
  return [head, ...table, ...problems.map(problem => `  ${problem}`)].join('\n');
}
