import * as z from 'zod';
import { AnomalyClrError } from '../errors.js';
import { domainSchema } from '../events/domain.js';
import { readJson, readText, writeAtomically } from '../files.js';
import { provenanceSchema, runFiles } from '../model/run-folder.js';
import type { LossHistory, ReportData } from '../report/data.js';
import { thin } from '../report/histogram.js';
import { writeReport } from '../report/report.js';

const configSchema = z.looseObject({
  loss: z.string(),
  seed: z.number(),
  representation: z.string(),
  background: z.array(z.string()),
});

/** What a run's folder alone has to show: training, domain, settings. An evaluation adds to it. */
export async function runReportData(folder: string): Promise<ReportData> {
  const files = runFiles(folder);
  const settings = await readJson(files.config, configSchema);
  const provenance = await readJson(files.provenance, provenanceSchema);
  const domain = await readJson(files.domain, domainSchema);
  const invariance = provenance.invariance?.find(({ representation }) => representation === settings.representation);
  return {
    method: settings.loss,
    losses: await lossHistories(files.metrics),
    domain,
    ...(invariance ? { invariance } : {}),
    settings,
    provenance: {
      version: provenance.version,
      date: provenance.started,
      machine: provenance.machine,
      engine: provenance.engine,
      backgroundFiles: settings.background,
      seeds: [settings.seed],
      ...(provenance.trainingSeconds !== undefined ? { trainingSeconds: provenance.trainingSeconds } : {}),
      ...(provenance.eventsPerSecond !== undefined ? { eventsPerSecond: provenance.eventsPerSecond } : {}),
    },
  };
}

/** Writes `report.html` of a run as training leaves it. */
export async function writeRunReport(folder: string): Promise<void> {
  await writeAtomically(runFiles(folder).report, writeReport(await runReportData(folder)));
}

const lineSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('step'), step: z.number(), loss: z.number() }),
  z.object({ kind: z.literal('epoch'), epoch: z.number(), validationLoss: z.number().nullable() }),
  z.object({
    kind: z.literal('detector'),
    name: z.string(),
    epoch: z.number(),
    trainingLoss: z.number(),
    validationLoss: z.number().nullable(),
  }),
]);

/** The encoder's losses, then those of each detector, from metrics.jsonl. */
async function lossHistories(file: string): Promise<LossHistory[]> {
  const lines = (await readText(file)).split('\n').filter(line => line !== '');
  const encoder = {
    label: 'encoder',
    steps: [] as [number, number][],
    epochs: [] as { epoch: number; validation: number }[],
  };
  const detectors = new Map<string, typeof encoder>();
  for (const [i, line] of lines.entries()) {
    const parsed = lineSchema.safeParse(safeJson(line));
    if (!parsed.success) throw new AnomalyClrError(`${file}: line ${i + 1} is not a metric of this program`);
    const entry = parsed.data;
    if (entry.kind === 'step') encoder.steps.push([entry.step, entry.loss]);
    else if (entry.kind === 'epoch') {
      if (entry.validationLoss !== null)
        encoder.epochs.push({ epoch: entry.epoch + 1, validation: entry.validationLoss });
    } else {
      const one = detectors.get(entry.name) ?? { label: entry.name, steps: [], epochs: [] };
      detectors.set(entry.name, one);
      one.steps.push([entry.epoch + 1, entry.trainingLoss]);
      if (entry.validationLoss !== null) one.epochs.push({ epoch: entry.epoch + 1, validation: entry.validationLoss });
    }
  }
  return [encoder, ...detectors.values()].map(({ label, steps, epochs }) => ({
    label,
    steps: thin(steps).map(([step, loss]) => ({ step, loss })),
    epochs,
  }));
}

function safeJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
