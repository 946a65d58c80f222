import { rename, writeFile } from 'node:fs/promises';
import { AnomalyClrError } from '../../src/errors.js';
import { ModelSlot, watchFile } from '../../src/serve/model-slot.js';
import { temporaryFolder } from '../read/craft.js';
import {
  ask,
  binaryAsk,
  FakeBundle,
  fakeOutputs,
  inferPath,
  outputsOf,
  sleep,
  someEvents,
  startServer,
  testCard,
} from './support.js';

const at = temporaryFolder();

/** Opens a new bundle each time, which adds 1,000 more to its scores; or fails. */
async function opener() {
  const card = await testCard();
  const opened: FakeBundle[] = [];
  const state = { broken: false };
  const open = async () => {
    if (state.broken) throw new AnomalyClrError('fake.onnx: not an ONNX file');
    opened.push(new FakeBundle(card, 2, 1000 * opened.length));
    return opened[opened.length - 1];
  };
  return { open, opened, state };
}

test('under load no request is dropped, and each is answered by the model that its version says', async () => {
  const { open, opened } = await opener();
  const server = await startServer(open, { maxBatch: '32' });
  const objects = someEvents(40);
  const { score } = fakeOutputs(objects, 40, 4);
  const versions = new Set<string>();
  let going = true;
  const client = async (): Promise<number> => {
    let answered = 0;
    for (; going; answered++) {
      const { json, outputs } = outputsOf(await ask(server, inferPath, binaryAsk(objects, 4)));
      const version = String(json['model_version']);
      versions.add(version);
      expect(outputs['score'].data).toEqual(Array.from(score!, x => x + 1000 * (Number(version) - 1)));
    }
    return answered;
  };
  const clients = Array.from({ length: 6 }, client);
  for (let i = 0; i < 5; i++) {
    await sleep(50);
    await server.reload();
  }
  await sleep(50);
  going = false;
  for (const answered of await Promise.all(clients)) expect(answered).toBeGreaterThan(5);
  expect([...versions].toSorted()).toEqual(['1', '2', '3', '4', '5', '6']);
  expect(opened.map(({ disposed }) => disposed)).toEqual([true, true, true, true, true, false]);
  await server.stop();
  expect(opened[5].disposed).toBe(true);
});

test('a broken file leaves the old model serving, and is told in the answer and the log', async () => {
  const { open, opened, state } = await opener();
  const server = await startServer(open);
  state.broken = true;
  const load = await ask(server, '/v2/repository/models/anomalyclr/load', { body: '{}' });
  expect(load).toMatchObject({ status: 400, error: 'fake.onnx: not an ONNX file; the model from before goes on' });
  expect(server.lines.find(({ level }) => level === 'error')!.msg).toBe(
    'fake.onnx: not an ONNX file; version 1 goes on',
  );
  expect((await ask(server, '/v2/health/ready')).status).toBe(200);
  expect((await ask(server, inferPath, binaryAsk(someEvents(2), 4))).status).toBe(200);
  expect(opened).toHaveLength(1);
  const metrics = (await ask(server, '/metrics')).body.toString();
  expect(metrics).toContain('anomalyclr_model_loads_total{result="failed"} 1');
  expect(metrics).toContain('anomalyclr_model_version 1');
});

test('a model that fails at its warm-up is never put in place', async () => {
  const { open, opened } = await opener();
  const slot = new ModelSlot('fake.onnx', open, 8);
  await slot.load();
  const bad = new ModelSlot(
    'fake.onnx',
    async () => {
      const bundle = await open();
      bundle.run = () => Promise.reject(new AnomalyClrError('no kernel'));
      return bundle;
    },
    8,
  );
  await expect(bad.load()).rejects.toThrow('no kernel');
  expect(bad.current).toBeUndefined();
  expect(opened.map(({ disposed }) => disposed)).toEqual([false, true]);
  await slot.dispose();
});

test('the old model closes when its last request is answered; loads that come together share one', async () => {
  const { open, opened } = await opener();
  const slot = new ModelSlot('fake.onnx', open, 8);
  const [first, second, third] = await Promise.all([slot.load(), slot.load(), slot.load()]);
  expect([first.version, second.version, third.version]).toEqual(['1', '2', '2']);
  slot.acquire(second);
  slot.acquire(second);
  await slot.load();
  slot.release(second);
  expect(opened.map(({ disposed }) => disposed)).toEqual([true, false, false]);
  slot.release(second);
  expect(opened.map(({ disposed }) => disposed)).toEqual([true, true, false]);
  expect(slot.current!.version).toBe('3');
  await slot.dispose();
  expect(opened[2].disposed).toBe(true);
});

test('warm-up runs every batch size to come, on every session', async () => {
  const { open, opened } = await opener();
  const slot = new ModelSlot('fake.onnx', open, 512);
  await slot.load();
  const sizes = opened[0].runs.map(({ events }) => events);
  expect([...new Set(sizes)]).toEqual([1, 2, 16, 256, 512]);
  expect(sizes).toHaveLength(20);
  await slot.dispose();
});

test('a watched file that is written, replaced or gone', async () => {
  let changes = 0;
  await writeFile(at('watched'), 'a');
  const end = watchFile(at('watched'), () => changes++, 20);
  const settled = async (expected: number): Promise<void> => {
    for (let i = 0; i < 200 && changes < expected; i++) await sleep(10);
    await sleep(100);
    expect(changes).toBe(expected);
  };
  await settled(0);
  await writeFile(at('watched'), 'longer');
  await settled(1);
  await writeFile(at('new'), 'longer');
  await rename(at('new'), at('watched'));
  await settled(2);
  await rename(at('watched'), at('away'));
  await settled(2);
  await writeFile(at('watched'), 'b');
  await settled(3);
  end();
  await writeFile(at('watched'), 'too late');
  await settled(3);
});

test('--watch loads the file again when it changes', async () => {
  const { open } = await opener();
  await writeFile(at('model.onnx'), '1');
  const server = await startServer(open, { model: at('model.onnx'), watch: true });
  await sleep(100);
  await writeFile(at('model.onnx'), 'another');
  const version = async () => (await ask(server, '/v2/models/anomalyclr')).json['versions'];
  for (let i = 0; i < 100 && String(await version()) === '1'; i++) await sleep(100);
  expect(await version()).toEqual(['2']);
});
