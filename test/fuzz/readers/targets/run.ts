import { cpSync } from 'node:fs';
import { sumCount } from '../../../../src/events/event-sums.js';
import { encoderLayout, weightCount } from '../../../../src/model/layout.js';
import { loadCheckpoint } from '../../../../src/model/checkpoint.js';
import { beginRun, seedFolders, provenanceSchema } from '../../../../src/model/run-folder.js';
import { writeReport } from '../../../../src/report/report.js';
import { loadRun } from '../../../../src/score/load-run.js';
import { runReportData } from '../../../../src/train/run-report.js';
import { basePath, readBase } from '../bases.js';
import { changed, Choices } from '../choices.js';
import { demand, nothingLeft, scratch, scratchFile, tried } from '../oracle.js';
import { tinyEncoder } from '../tiny-encoder.js';

const folder = scratch('run');
scratchFile('place', '');
cpSync(basePath('run'), folder, { recursive: true });
const texts = ['config.json', 'provenance.json', 'domain.json', 'metrics.jsonl'];
const tensors = ['encoder.safetensors', 'autoencoder.safetensors', 'checkpoint/encoder.safetensors'];
const bases = new Map([...texts, ...tensors].map(name => [name, readBase(`run/${name}`)]));
const config = JSON.parse(readBase('run/config.json').toString()) as Record<string, unknown>;
const provenance = provenanceSchema.parse(JSON.parse(readBase('run/provenance.json').toString()));
const layout = encoderLayout(tinyEncoder);
scratchFile('run/report.html', '');
/** Tags of a report, which no text of a run may add to. */
const tags = (html: string): number => html.match(/<\/?(script|style|iframe|img|object|link)/gi)?.length ?? 0;
const honestTags = tags(writeReport(await runReportData(folder)));

/**
 * A run's folder with one file changed. Byte 0: which, where tensors come twice: as they are, and with the length before
 * their header made right; with bit 7 the whole file (or header) follows.
 */
export async function fuzz(data: Buffer): Promise<void> {
  const choices = new Choices(data);
  const kind = choices.byte();
  const names = [...texts, ...tensors, ...tensors];
  const which = (kind & 127) % names.length;
  const name = names[which];
  const base = bases.get(name) ?? Buffer.alloc(0);
  const make = (old: Buffer): Buffer => (kind & 128 ? choices.rest() : changed(old, choices));
  scratchFile(`run/${name}`, which < texts.length + tensors.length ? make(base) : withHeader(base, make));
  await readRun(name);
  scratchFile(`run/${name}`, base);
  nothingLeft();
}

function withHeader(file: Buffer, make: (header: Buffer) => Buffer): Buffer {
  const end = 8 + Number(file.readBigUInt64LE());
  const header = make(file.subarray(8, end));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, file.subarray(end)]);
}

/** All that reads the file. */
async function readRun(name: string): Promise<void> {
  if (name.startsWith('checkpoint')) return readCheckpoint();
  const run = await tried(() => loadRun(folder), folder);
  if (run) {
    const { encoder, columns, sums, detector } = run.parts;
    const { inputs, outputs, mean, matrix } = detector.preparation;
    demand(encoder.weights.length === weightCount(encoderLayout(encoder.config)), 'other weights');
    demand(columns[1] - columns[0] + sumCount(sums) === inputs && mean.length === inputs, 'other columns');
    demand(matrix === undefined || matrix.length === inputs * outputs, 'another matrix');
  }
  if (!texts.includes(name)) return;
  const data = await tried(() => runReportData(folder), folder);
  if (data) demand(tags(writeReport(data)) === honestTags, 'text of a run became a part of the page');
  // the data files that a run names, or the schema, may be what its error is of
  await tried(() => beginRun(folder, true, config, provenance));
  demand((await seedFolders(folder)).length === 1, 'seeds that are not there');
}

async function readCheckpoint(): Promise<void> {
  const checkpoint = await tried(() => loadCheckpoint(folder, layout), folder);
  if (!checkpoint) return;
  const { weights, best, moments } = checkpoint;
  for (const one of [weights, best, moments.m, moments.v]) demand(one.length === weightCount(layout), 'other weights');
}
