import type { ReportData } from './data.js';
import { html, Html, number, type Section } from './html.js';
import { cssVariables } from './palette.js';
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
import { style } from './style.js';

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
 * The report of a run as one HTML page that needs nothing else: charts are inline SVG, no script, no outside resource (its
 * own content policy forbids them). Light and dark follow the reader's setting.
 *
 * @example
 * await writeFile('report.html', writeReport({ method: 'anomclr+', evaluation, provenance }));
 */
export function writeReport(data: ReportData): string {
  const parts = sections.map(section => section(data)).filter(s => s !== null);
  const { version, date } = data.provenance;
  const events = data.evaluation ? ` · ${number(data.evaluation.background.events)} background events` : '';
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        />
        <link rel="icon" href="data:," />
        <title>Anomaly detection with ${data.method}</title>
        <style>
          :root{${new Html(cssVariables(0))}}@media (prefers-color-scheme:dark){:root{${new Html(cssVariables(1))}}}${new Html(style)}
        </style>
      </head>
      <body>
        <header>
          <h1>Anomaly detection with ${data.method}</h1>
          <p>Trained on background alone${events} · anomalyclr ${version} · ${readableDate(date)}</p>
          <nav aria-label="Contents">
            <ul>
              ${parts.map(p => html`<li><a href="#${p.id}">${p.title}</a></li>`)}
            </ul>
          </nav>
        </header>
        <main>
          ${parts.map(
            p =>
              html`<section id="${p.id}">
                <h2>${p.title}</h2>
                ${p.body}
              </section> `,
          )}
        </main>
      </body>
    </html> `.text;
}

/** 2025-01-31T12:00:00.000Z as 2025-01-31 12:00 UTC; anything else as it is. */
function readableDate(date: string): string {
  return date.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d(\.\d+)?)?Z$/, '$1 $2 UTC');
}
