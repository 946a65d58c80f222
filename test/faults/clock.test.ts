import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { createProgress } from '../../src/cli/progress.js';
import { openEvents } from '../../src/read/index.js';
import { readScores } from '../../src/score/read-scores.js';
import { isLeft, temporariesIn } from '../../src/temporaries.js';
import { cacheIn, onlyCopy, packFile, readThrough } from '../read/cache/support.js';
import { temporaryFolder } from '../read/craft.js';
import { cli, sample } from '../support/cli.js';
import { must, tinyTraining } from './kill-data.js';

// The system's clock is wrong, or is put right while a command runs. What is measured runs on a clock that does not jump.

const at = temporaryFolder();
const year = 365 * 24 * 3600e3;

/** Loaded before a command: puts the clock wrong, from the start or after some looks at it. */
const wrongClock = `
const { ANOMALYCLR_CLOCK_OFF: off, ANOMALYCLR_CLOCK_AFTER: after } = process.env;
const Real = Date;
let looks = 0;
const now = () => Real.now() + (looks++ >= Number(after) ? Number(off) : 0);
globalThis.Date = class Date extends Real {
  constructor(...args) {
    super(...(args.length === 0 ? [now()] : args));
  }
  static now() {
    return now();
  }
};
`;

const signal = sample('hChToTauNu');
const results = ['metrics.jsonl', 'encoder.safetensors', 'autoencoder.safetensors'];

beforeAll(async () => {
  writeFileSync(at('clock.mjs'), wrongClock);
  await must(['train', '--background', sample('background_train'), ...tinyTraining, '--out', at('model')]);
  await must(['score', '--model', at('model'), '--data', signal, '--out', at('scores.csv')]);
});

test.each([
  ['a year behind', -year, 0],
  ['a year ahead', year, 0],
  ['put back by a year on the way', -year, 3],
  ['put forward by a year on the way', year, 3],
])('%s: training and scoring give the same', async (name, off, after) => {
  const env = {
    NODE_OPTIONS: `--import=${pathToFileURL(at('clock.mjs')).href}`,
    ANOMALYCLR_CLOCK_OFF: String(off),
    ANOMALYCLR_CLOCK_AFTER: String(after),
  };
  const run = at(`run ${name}`);
  const train = ['train', '--background', sample('background_train'), ...tinyTraining, '--out', run];
  expect(await cli(train, env)).toMatchObject({ code: 0, stderr: '' });
  for (const file of results)
    expect([file, readFileSync(path.join(run, file)).equals(readFileSync(path.join(at('model'), file)))]).toEqual([
      file,
      true,
    ]);
  const { started, trainingSeconds, eventsPerSecond } = JSON.parse(
    readFileSync(path.join(run, 'provenance.json'), 'utf8'),
  ) as { started: string; trainingSeconds: number; eventsPerSecond: number };
  if (after === 0) expect(Math.abs(Date.parse(started) - Date.now() - off)).toBeLessThan(600e3); // the clock was wrong
  expect(trainingSeconds).toBeGreaterThan(0);
  expect(trainingSeconds).toBeLessThan(600);
  expect(eventsPerSecond).toBeGreaterThan(1);
  const { code, stderr } = await cli(['score', '--model', at('model'), '--data', signal, '--out', `${run}.csv`], env);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/ [1-9]\d* events\/s\n$/)]);
  expect(await readScores(`${run}.csv`)).toEqual(await readScores(at('scores.csv')));
});

test('no time at all, and time that runs backwards: no rate is negative or not a number', () => {
  const lines: string[] = [];
  let now = 1e6;
  const options = { label: 'score', total: 100, unit: 'events' };
  const progress = createProgress(options, { write: text => void lines.push(text) }, false, () => now);
  progress.update(10);
  now += 11e3;
  progress.update(20);
  now -= 1e9;
  progress.update(30);
  now += 2e9;
  progress.update(40);
  progress.stop();
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) expect(line).not.toMatch(/NaN|Infinity|-\d/);
});

describe('times of files', () => {
  const source = sample('hChToTauNu');
  const copyOf = async (name: string, time: number): Promise<string> => {
    const file = at(`${name}.h5`);
    writeFileSync(file, readFileSync(source));
    utimesSync(file, time, time);
    return file;
  };

  test.each([
    ['of whole seconds', 1.6e9],
    ['in the future', Date.now() / 1000 + year / 1000],
    ['before 1970', -1e6],
    ['of the year 1970', 0],
  ])('%s: a packed copy is made, and used', async (name, time) => {
    const file = await copyOf(name, time);
    const copy = await packFile(file, at(`copies ${name}`));
    const use = cacheIn(path.dirname(copy));
    const opened = await openEvents(file, { cache: use });
    expect(opened.constructor.name).toBe('CachedEvents');
    await readThrough(opened, 5000);
    expect(use.warnings).toEqual([]);
  });

  test.each([
    ['of the future', year],
    ['of the past', -year],
  ])('a copy whose times are %s stays good, and is no reason to remove others', async (name, off) => {
    const file = await copyOf(`times ${name}`, 1.6e9);
    const copy = await packFile(file, at(`times ${name}`));
    utimesSync(copy, (Date.now() + off) / 1000, Math.floor((Date.now() + off) / 1000));
    const use = cacheIn(path.dirname(copy));
    const opened = await openEvents(file, { cache: use });
    expect(opened.constructor.name).toBe('CachedEvents');
    await opened.close();
    expect(onlyCopy(use.folder)).toBe(copy);
  });
});

describe('what is being written', () => {
  const folder = at('living');
  const names = {
    ours: `a.json.${process.ppid}-0123abcd.tmp`,
    killed: 'a.json.4194303-0123abcd.tmp',
    elsewhere: `a.json.1-ffff0123abcd.tmp`,
  };
  const left = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const one of await temporariesIn(folder)) if (await isLeft(one)) found.push(path.basename(one.path));
    return found;
  };

  beforeEach(() => {
    mkdirSync(folder, { recursive: true });
    for (const name of Object.values(names)) writeFileSync(path.join(folder, name), '');
  });
  const setTimes = (off: number): void => {
    const time = (Date.now() + off) / 1000;
    for (const name of Object.values(names)) utimesSync(path.join(folder, name), time, time);
  };

  test.each([
    ['a year old', -year],
    ['of next year', year],
  ])('%s by its times: of this machine the process tells, not the clock', async (_, off) => {
    setTimes(off);
    expect(await left()).toEqual(expect.arrayContaining([names.killed]));
    expect(await left()).not.toContain(names.ours);
  });

  test('on another machine it is judged by the clock of the file system, not by ours', async () => {
    const { now } = Date;
    try {
      Date.now = () => now() + year;
      expect(await left()).not.toContain(names.elsewhere);
    } finally {
      Date.now = now;
    }
    setTimes(-2 * 24 * 3600e3);
    const before = statSync(path.join(folder, names.elsewhere)).mtimeMs;
    expect(await left()).toContain(names.elsewhere);
    expect(statSync(path.join(folder, names.elsewhere)).mtimeMs).toBeCloseTo(before, -1);
    expect(existsSync(path.join(folder, names.elsewhere))).toBe(true);
  });
});
