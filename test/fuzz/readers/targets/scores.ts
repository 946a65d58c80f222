import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { mergeEvaluation } from '../../../../src/score/evaluate-run.js';
import { openPart } from '../../../../src/score/evaluation-part.js';
import { mergeScores } from '../../../../src/score/merge.js';
import { PartFolder } from '../../../../src/score/part-folder.js';
import { openScores, readScores } from '../../../../src/score/read-scores.js';
import { basePath, readBase } from '../bases.js';
import { changed, Choices } from '../choices.js';
import { demand, nothingLeft, scratch, scratchFile, tried } from '../oracle.js';

type Make = (base: Buffer) => Buffer;
type Kind = (make: Make) => Promise<void>;

scratchFile('scores.h5.partial', '');
rmSync(scratch('scores.h5.partial'));
for (const folder of ['scores.h5.partial', 'evaluation-1', 'evaluation-2']) {
  scratchFile(`${folder}`, '');
  rmSync(scratch(folder));
  cpSync(basePath(folder), scratch(folder), { recursive: true });
}
scratchFile('merged.csv', '');
const manifest = JSON.parse(readBase('scores.h5.partial/manifest.json').toString()) as Parameters<
  typeof PartFolder.open
>[1];
const { format: _, ...asked } = manifest as typeof manifest & { format: string };

const kinds: readonly Kind[] = [
  ...['scores.h5', 'scores.parquet', 'scores.csv'].map(
    (name): Kind =>
      make =>
        readAll(name, make),
  ),
  ...['shard-1.h5', 'shard-1.parquet'].map(
    (name): Kind =>
      make =>
        merge(name, make),
  ),
  make => part(readBase('scores.h5.partial/part-000000.bin'), make, false),
  make => part(readBase('scores.h5.partial/part-000000.bin'), make, true),
  partManifest,
  ...['manifest.json', 'about.json', 'scores-0-1-1.f32', 'map-1.f32'].map(
    (name): Kind =>
      make =>
        evaluation(name, make),
  ),
];

/** What scoring and evaluating leave and merging takes. Byte 0: which file, with bit 7 the whole file follows. */
export async function fuzz(data: Buffer): Promise<void> {
  const choices = new Choices(data);
  const kind = choices.byte();
  await kinds[(kind & 127) % kinds.length](base => (kind & 128 ? choices.rest() : changed(base, choices)));
  nothingLeft();
}

async function readAll(name: string, make: Make): Promise<void> {
  const file = scratchFile(name, make(readBase(name)));
  const read = await tried(() => readScores(file), file);
  if (!read) return;
  const { score, inDomain, eventIds } = read;
  demand(
    score.length === inDomain.length && (eventIds === undefined || eventIds.length === score.length),
    'unlike columns',
  );
  const again = await tried(() => readScores(file), file);
  demand(
    again !== undefined && Buffer.from(again.score.buffer).equals(Buffer.from(score.buffer)),
    'not the same twice',
  );
}

async function merge(name: string, make: Make): Promise<void> {
  const file = scratchFile(name, make(readBase(name)));
  const other = basePath(name.replace('1', '2'));
  const source = await tried(() => openScores(file), file);
  await source?.close();
  // two shards may be at odds, and the error then names either
  const merged = await tried(() => mergeScores({ parts: [file, other], out: scratch('merged.csv') }), file, other);
  if (!merged) return;
  const read = await readScores(scratch('merged.csv'));
  demand(read.score.length === merged.events, `${merged.events} events said to be merged, ${read.score.length} are`);
}

async function part(base: Buffer, make: Make, mended: boolean): Promise<void> {
  const bytes = make(base);
  if (mended && bytes.length >= 24) bytes.writeUInt32LE(crc32(bytes.subarray(24)), 20);
  scratchFile('scores.h5.partial/part-000000.bin', bytes);
  const folder = await PartFolder.open(scratch('scores.h5'), asked, false);
  const read = await tried(() => folder.read(0));
  if (read) demand(read.score.length === 4 && read.inDomain.length === 4 && read.eventIds?.length === 4, 'other rows');
}

async function partManifest(make: Make): Promise<void> {
  const name = 'scores.h5.partial/manifest.json';
  const base = readBase(name);
  scratchFile(name, make(base));
  const out = scratch('scores.h5');
  const folder = await tried(() => PartFolder.open(out, asked, false), out);
  if (folder) demand(folder.parts === 2, 'other parts');
  scratchFile(name, base);
}

async function evaluation(name: string, make: Make): Promise<void> {
  const place = `evaluation-1/${name}`;
  const base = readBase(place);
  scratchFile(place, make(base));
  const parts = [1, 2].map(index => scratch(`evaluation-${index}`));
  await tried(() => openPart(parts[0]), parts[0]);
  const merged = await tried(() => mergeEvaluation({ parts }), path.dirname(parts[0]), 'events', 'shards', 'method');
  if (merged) demand(JSON.stringify(merged.evaluation).length > 2, 'no figures');
  scratchFile(place, base);
}
