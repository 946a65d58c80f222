import { dataKind } from '../events/data-kinds.js';
import type { ReportData } from './data.js';
import { number, type Section } from './html.js';
import { readableDate, writePage } from './page.js';
import { curves } from './sections/curves.js';
import { domain } from './sections/domain.js';
import { events } from './sections/events.js';
import { headline } from './sections/headline.js';
import { invariance } from './sections/invariance.js';
import { losses } from './sections/losses.js';
import { representationMap } from './sections/map.js';
import { provenance } from './sections/provenance.js';
import { settings } from './sections/settings.js';
import { spectra } from './sections/spectra.js';

const sections: readonly ((data: ReportData) => Section | null)[] = [
  headline,
  curves,
  spectra,
  events,
  representationMap,
  invariance,
  losses,
  domain,
  settings,
  provenance,
];

/**
 * The report of a run as one HTML page that needs nothing else.
 *
 * @example
 * await writeFile('report.html', writeReport({ method: 'anomclr+', evaluation, provenance }));
 */
export function writeReport(data: ReportData): string {
  const { version, date } = data.provenance;
  const { many } = dataKind(data.domain?.data).words;
  const events = data.evaluation ? ` · ${number(data.evaluation.background.events)} background ${many}` : '';
  const title = `Anomaly detection with ${data.method}`;
  return writePage({
    title,
    heading: title,
    about: `Trained on background alone${events} · anomalyclr ${version} · ${readableDate(date)}`,
    sections: sections.map(section => section(data)).filter(s => s !== null),
  });
}
