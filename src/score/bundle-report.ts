import type { Card } from '../bundle/card.js';
import type { ReportData } from '../report/data.js';

/** What a bundle's card has to show in a report: domain, settings, provenance. A run's folder has its training too. */
export function bundleReportData({ training, domain, version }: Card): ReportData {
  return {
    method: training.loss,
    domain,
    settings: training.options,
    provenance: {
      version,
      date: training.started,
      machine: training.machine,
      engine: training.engine,
      backgroundFiles: training.files.map(({ file }) => file),
      seeds: [training.seed],
    },
  };
}
