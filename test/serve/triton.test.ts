import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/addon.js';
import { openBundle } from '../../src/bundle/open.js';
import { padEvents } from '../../src/bundle/pad.js';
import { range } from '../../src/events/event-batch.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, writeBundle } from '../support/bundle.js';
import { python } from '../support/python.js';
import { startServer } from './support.js';

const at = temporaryFolder();
const installed = python(['-c', 'import tritonclient.http']) !== undefined;
if (!installed)
  console.log('no Python with tritonclient[http] here (ANOMALYCLR_PYTHON names one): its test is left out');
const needsClient = installed ? needsRuntime : test.skip;

needsClient('the stock tritonclient works unchanged', async () => {
  const { card, events } = await writeBundle(at('small.onnx'));
  const { objects, slots, events: count } = padEvents(range(events, 0, 12));
  const bundle = await openBundle(at('small.onnx'), { provider: 'cpu', threads: 1, sessions: 1 });
  const { score } = await bundle.run(objects, count, slots);
  await bundle.dispose();
  const nested = Array.from({ length: count }, (_, e) =>
    Array.from({ length: slots }, (__, s) => [...objects.subarray((e * slots + s) * 4, (e * slots + s) * 4 + 4)]),
  );
  await writeFile(
    at('expected.json'),
    JSON.stringify({ objects: nested, score: [...score!], size: card.representation.size }),
  );
  const server = await startServer(file => openBundle(file, { provider: 'cpu', threads: 1 }), {
    model: at('small.onnx'),
    name: 'mine',
  });
  const script = path.join(packageRoot(), 'test', 'serve', 'triton_client.py');
  const { host } = new URL(server.url);
  const { stdout } = await promisify(execFile)(process.env['ANOMALYCLR_PYTHON'] ?? 'python3', [
    script,
    host,
    'mine',
    at('expected.json'),
  ]);
  expect(JSON.parse(stdout)).toEqual({ events: 12, version: '1' });
});
