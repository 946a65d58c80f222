import type { BundleOutputs } from '../../src/bundle/bundle.js';
import { Batcher, type BatchReport, type Job } from '../../src/serve/batcher.js';
import { Refusal } from '../../src/serve/refusal.js';
import { FakeBundle, fakeOutputs, sleep, someEvents, testCard } from './support.js';

let bundle: FakeBundle;
let reports: BatchReport[];
beforeEach(async () => {
  bundle = new FakeBundle(await testCard());
  reports = [];
});

const batcherOf = (settings: Partial<{ maxBatch: number; latencyBudget: number; queue: number }> = {}): Batcher =>
  new Batcher({ maxBatch: 16, latencyBudget: 0, queue: 1000, ...settings }, report => reports.push(report));
const laneOf = (from: FakeBundle) => ({ bundle: from, running: 0 });
const jobOf = (lane: Job['lane'], events: number, slots = 4, from = 0): Job => ({
  lane,
  events,
  slots,
  objects: someEvents(events, slots, from),
  representation: true,
});
const expected = ({ objects, events, slots }: Job): BundleOutputs => fakeOutputs(objects, events, slots);

test('every request gets its own events, however they are put together and cut up', async () => {
  const lane = laneOf(new FakeBundle(await testCard(), 3));
  const batcher = batcherOf();
  const jobs = Array.from({ length: 200 }, (_, i) => jobOf(lane, 1 + ((i * 7) % 40), 1 + ((i * 5) % 64), i * 13));
  const answers: BundleOutputs[] = [];
  for (let i = 0; i < jobs.length; i += 20) {
    answers.push(...(await Promise.all(jobs.slice(i, i + 20).map(job => batcher.submit(job).outputs))));
    await sleep(i % 3);
  }
  expect(answers).toEqual(jobs.map(expected));
  expect(Math.max(...reports.map(({ events }) => events))).toBe(16);
  expect(reports.reduce((sum, { events }) => sum + events, 0)).toBe(jobs.reduce((sum, { events }) => sum + events, 0));
  expect(reports.length).toBeLessThan(jobs.length * 2);
  expect(batcher.queuedEvents).toBe(0);
});

test('where nothing runs a request starts at once; those that come meanwhile go together', async () => {
  const lane = laneOf(bundle);
  const batcher = batcherOf({ latencyBudget: 1000, maxBatch: 64 });
  bundle.hold();
  const first = batcher.submit(jobOf(lane, 1));
  await sleep(5);
  expect(bundle.runs).toEqual([{ events: 1, slots: 4 }]);
  const more = Array.from({ length: 6 }, (_, i) => batcher.submit(jobOf(lane, 2, 4, i)));
  await sleep(5);
  expect(bundle.runs).toHaveLength(1);
  expect([batcher.queuedEvents, batcher.queuedRequests]).toEqual([12, 6]);
  bundle.release();
  await Promise.all([first, ...more].map(({ outputs }) => outputs));
  expect(bundle.runs.slice(1)).toEqual([{ events: 12, slots: 4 }]);
});

test('a session that is idle beside a busy one takes a request within the budget', async () => {
  const two = new FakeBundle(await testCard(), 2);
  const lane = laneOf(two);
  const batcher = batcherOf({ latencyBudget: 30, maxBatch: 64 });
  two.hold();
  const jobs = [batcher.submit(jobOf(lane, 1))];
  await sleep(5);
  jobs.push(batcher.submit(jobOf(lane, 1)));
  await sleep(2);
  jobs.push(batcher.submit(jobOf(lane, 1)));
  await sleep(200);
  expect(two.runs.map(({ events }) => events)).toEqual([1, 2]);
  two.release();
  await Promise.all(jobs.map(({ outputs }) => outputs));
});

test('what is worth a batch of its own does not wait out the budget of a small request', async () => {
  const two = new FakeBundle(await testCard(), 2);
  const lane = laneOf(two);
  const batcher = batcherOf({ latencyBudget: 100_000, maxBatch: 64 });
  two.hold();
  const jobs = [batcher.submit(jobOf(lane, 1))];
  await sleep(5);
  jobs.push(batcher.submit(jobOf(lane, 1)));
  await sleep(5);
  expect(two.runs).toHaveLength(1);
  jobs.push(batcher.submit(jobOf(lane, 40)));
  await sleep(50);
  expect(two.runs.map(({ events }) => events)).toEqual([1, 41]);
  two.release();
  await Promise.all(jobs.map(({ outputs }) => outputs));
});

test('events of few and of many slots are not padded together where that costs', async () => {
  const lane = laneOf(bundle);
  const batcher = batcherOf({ maxBatch: 512 });
  bundle.hold();
  const first = batcher.submit(jobOf(lane, 1));
  await sleep(2);
  const jobs = [jobOf(lane, 200, 4), jobOf(lane, 200, 64), jobOf(lane, 3, 64)];
  const tickets = jobs.map(job => batcher.submit(job));
  bundle.release();
  const answers = await Promise.all([first, ...tickets].map(({ outputs }) => outputs));
  expect(answers.slice(1)).toEqual(jobs.map(expected));
  expect(bundle.runs.slice(1)).toEqual([
    { events: 200, slots: 4 },
    { events: 203, slots: 64 },
  ]);
});

test('the queue is bounded in events, and a refusal says when to come back', async () => {
  const lane = laneOf(bundle);
  const batcher = batcherOf({ queue: 20 });
  bundle.hold();
  const taken = [batcher.submit(jobOf(lane, 16))];
  await sleep(2);
  taken.push(batcher.submit(jobOf(lane, 2)), batcher.submit(jobOf(lane, 18)));
  expect(batcher.full).toBe(true);
  expect(() => batcher.submit(jobOf(lane, 1))).toThrow(Refusal);
  expect(batcher.fullRefusal()).toMatchObject({ status: 503, retryAfter: expect.any(Number) as number });
  expect(batcher.fullRefusal().retryAfter).toBeGreaterThanOrEqual(1);
  bundle.release();
  await Promise.all(taken.map(({ outputs }) => outputs));
  expect(batcher.full).toBe(false);
});

test('a request that is given up frees its place at once, waiting or in part computed', async () => {
  const lane = laneOf(bundle);
  const batcher = batcherOf();
  bundle.hold();
  const first = batcher.submit(jobOf(lane, 1));
  await sleep(2);
  const waiting = batcher.submit(jobOf(lane, 3));
  const cut = batcher.submit(jobOf(lane, 100));
  const kept = batcher.submit(jobOf(lane, 5));
  waiting.drop(new Error('left'));
  await expect(waiting.outputs).rejects.toThrow('left');
  expect(batcher.queuedEvents).toBe(105);
  await sleep(2);
  cut.drop(new Error('late'));
  cut.drop(new Error('later'));
  await expect(cut.outputs).rejects.toThrow('late');
  expect(batcher.queuedEvents).toBe(5);
  bundle.release();
  expect(await kept.outputs).toEqual(expected(jobOf(lane, 5)));
  await first.outputs;
  expect(batcher.queuedEvents).toBe(0);
});

test('a run that fails fails its requests alone', async () => {
  const broken = new FakeBundle(await testCard());
  broken.disposed = true;
  const batcher = batcherOf();
  const lost = batcher.submit(jobOf(laneOf(broken), 40));
  const fine = batcher.submit(jobOf(laneOf(bundle), 40));
  await expect(lost.outputs).rejects.toThrow('was closed');
  expect(await fine.outputs).toEqual(expected(jobOf(laneOf(bundle), 40)));
  expect([batcher.queuedEvents, batcher.queuedRequests]).toEqual([0, 0]);
});

test('requests for two models are never put together', async () => {
  const other = new FakeBundle(await testCard(), 1, 1000);
  const [lane, second] = [laneOf(bundle), laneOf(other)];
  const batcher = batcherOf();
  const jobs = Array.from({ length: 10 }, (_, i) => jobOf(i % 2 === 0 ? lane : second, 2, 4, i));
  const answers = await Promise.all(jobs.map(job => batcher.submit(job).outputs));
  for (const [i, { score }] of answers.entries())
    expect(score).toEqual(expected(jobs[i]).score!.map(x => x + (i % 2 === 0 ? 0 : 1000)));
});
