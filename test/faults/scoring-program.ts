import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../src/addon.js';
import { writeEventFile } from '../score/scoring.js';

/** Rows of both files together. */
export const scoredRows = 30_000;
/** Of {@link scoringProgram}. */
export const scoredPart = 1000;

/** Two event files with some bad rows. */
export async function writeScored(data: readonly [string, string]): Promise<void> {
  await writeEventFile(data[0], 17_003, { firstId: 0, bad: [5, 16_999, 17_002] });
  await writeEventFile(data[1], scoredRows - 17_003, { firstId: 20_000, bad: [0] });
}

/** Writes a program that scores the files, in parts, by the sum of pT: `node FILE OUT`. */
export function scoringProgram(file: string, data: readonly string[]): string {
  const library = pathToFileURL(path.join(packageRoot(), 'dist', 'src')).href;
  writeFileSync(
    file,
    `
import { scoreFiles } from '${library}/score/score-files.js';
import { SeenFiles } from '${library}/read/seen-files.js';
const judge = async ({ count, offsets, pt }) => {
  const sum = e => pt.subarray(offsets[e], offsets[e + 1]).reduce((a, b) => a + b, 0);
  const score = Float32Array.from({ length: count }, (_, e) => sum(e));
  return { score, inDomain: Uint8Array.from(score, s => Number(s < 4000)) };
};
const scorer = { domain: {}, judge, fingerprint: async () => 'sum' };
const data = ${JSON.stringify(data)};
const request = { data, batch: 100, onBadEvent: 'skip', partRows: ${scoredPart}, seen: new SeenFiles() };
try {
  const { seconds, ...summary } = await scoreFiles({ ...request, out: process.argv[2] }, scorer);
  console.log(JSON.stringify(summary));
} catch (error) {
  console.log(error.name + ': ' + error.message);
  process.exitCode = 1;
}
`,
  );
  return file;
}
