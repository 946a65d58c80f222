import { AnomalyClrError } from '../../src/errors.js';
import { readEvents } from '../../src/read/index.js';
import { readScores } from '../../src/score/read-scores.js';
import { scoreFiles, type ScoreRequest } from '../../src/score/score-files.js';
import { files, fixture } from '../read/schema/fixtures.js';
import { temporaryFolder } from '../read/craft.js';
import { summing } from './scoring.js';

const at = temporaryFolder();
const ofEvents = files.filter(({ holds }) => holds === 'events');
const [{ file, schema }] = ofEvents;

async function score(out: string, changes: Partial<ScoreRequest> = {}) {
  const request = {
    data: [fixture(file)],
    out: at(out),
    batch: 5,
    onBadEvent: 'fail',
    schema: await schema(),
  } as const;
  return scoreFiles({ ...request, ...changes }, summing());
}

test('events that the schema cuts keep their rows, with NaN, and are counted apart', async () => {
  const rows: number[] = [];
  for await (const batch of readEvents(fixture(file), { onBadEvent: 'fail', schema: await schema() }))
    rows.push(...batch.rows);
  const summary = await score('scores.h5');
  expect(summary.cut).toBe(summary.events - rows.length);
  expect(summary.cut).toBeGreaterThan(0);
  expect(summary).toMatchObject({ skipped: 0, outsideDomain: 0 });
  const { score: scores, inDomain } = await readScores(at('scores.h5'));
  const kept = Array.from({ length: summary.events }, (_, row) => rows.includes(row));
  expect(Array.from(scores, s => !Number.isNaN(s))).toEqual(kept);
  expect(Array.from(inDomain, flag => flag === 1)).toEqual(kept);
  expect(await score('parts.h5', { partRows: 4 })).toMatchObject({ ...summary, seconds: expect.any(Number) });
  expect(await readScores(at('parts.h5'))).toEqual(await readScores(at('scores.h5')));
});

test('an interrupted score does not go on with another schema', async () => {
  const controller = new AbortController();
  const update = (done: number) => done >= 8 && controller.abort();
  const stopping = { partRows: 4, signal: controller.signal, progress: () => ({ update, stop() {} }) };
  await expect(score('begun.h5', stopping)).rejects.toThrow(/^stopped: /);
  const other = { ...(await schema()), name: 'other' };
  await expect(score('begun.h5', { partRows: 4, schema: other })).rejects.toThrow(/holds scores of another schema; /);
  expect((await score('begun.h5', { partRows: 4 })).resumed).toBeGreaterThan(0);
});

test('a file of another kind of data is refused before anything is scored', async () => {
  const jets = files.find(({ holds }) => holds === 'jets');
  const call = score('jets.h5', { data: [fixture(jets?.file ?? '')], schema: await jets?.schema() });
  await expect(call).rejects.toThrow(AnomalyClrError);
  await expect(call).rejects.toThrow(/jetnet\.h5: holds jets, and the model was trained on /);
});
