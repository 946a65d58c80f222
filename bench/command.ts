import type { Context } from '../src/cli/commands.js';
import type { BenchOptions } from '../src/config/schema.js';
import { AnomalyClrError } from '../src/errors.js';
import { checkWritable, readJson, writeAtomically } from '../src/files.js';
import { compareReports } from './compare.js';
import { writeBenchPage } from './page.js';
import { matchesCase } from './plan.js';
import { benchReportSchema, type BenchReport } from './report-types.js';
import { runSuite } from './suite.js';
import { formatComparison, formatReport, formatSummary } from './table.js';

/** `anomalyclr bench`: measures, prints, writes, compares. Exit code 1 where it was stopped, or a case regressed or could not be timed. */
export async function runBench(options: BenchOptions, context: Context): Promise<number> {
  const { filter, json, html, compare, limit, seed } = options;
  const { output, signal } = context;
  for (const file of [json, html]) if (typeof file === 'string') await checkWritable(file);
  const then = compare === undefined ? undefined : await readJson(compare, benchReportSchema);

  const { report, failures } = await runSuite(options, context);
  const compared = then && compareReports(chosen(then, filter), report, { limit: limit / 100, seed });
  const stopped = signal.aborted && report.cases.length === 0; // and leaves what an earlier run has written
  if (typeof json === 'string' && !stopped) await writeAtomically(json, `${JSON.stringify(report, null, 2)}\n`);
  if (html !== undefined && !stopped) await writeAtomically(html, writeBenchPage(report));

  const comparison = compared && compare !== undefined ? formatComparison(compared, compare) : '';
  if (json === true) {
    output.json(report);
    if (comparison !== '') output.info(comparison); // which on standard output would break the JSON
  } else {
    const parts = [formatReport(report), formatSummary(report.cases), comparison];
    output.result(parts.filter(part => part !== '').join('\n\n'));
  }
  if (then && then.machine.cpu !== report.machine.cpu)
    output.warn(`${compare} was measured on another processor (${then.machine.cpu}); its ratios say little`);
  for (const failure of failures) output.warn(failure);
  if (failures.length > 0 && !signal.aborted)
    throw new AnomalyClrError(`${failures.length} of ${failures.length + report.cases.length} cases were not timed`);
  const regressed = compared?.comparisons.filter(({ verdict }) => verdict === 'regressed').length ?? 0;
  if (regressed > 0)
    throw new AnomalyClrError(
      `slower than in ${compare} by more than ${limit} %: ${regressed} of ${report.cases.length} cases`,
    );
  return signal.aborted ? 1 : 0;
}

/** The cases of a report that a filter leaves; the others are no news. */
const chosen = (report: BenchReport, filter = ''): Pick<BenchReport, 'cases'> => ({
  cases: report.cases.filter(one => matchesCase(filter, one)),
});
