import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/addon.js';
import { temporaryFolder } from '../read/craft.js';
import { fixture } from '../read/schema/fixtures.js';
import { runtimeInstalled } from '../support/bundle.js';
import { cli, ending, type Finished, sample, smallTraining, start } from '../support/cli.js';

// Nothing is fetched at run time: commands run in a network namespace without interfaces, and whatever connects, asks for
// a name or fetches, other than on this machine itself, is told in a file.

const at = temporaryFolder();

/** Loaded into every process and thread, before the program. */
const guard = `
const { appendFileSync } = require('node:fs');
const own = /^(localhost|127\\.|::1$|::ffff:127\\.|0\\.0\\.0\\.0$|::$)/;
const deny = (what) => {
  appendFileSync(process.env.TOLD, what + '\\n');
  throw new Error('no network: ' + what);
};
const net = require('node:net');
const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...given) {
  const options = Array.isArray(given[0]) ? given[0][0] : typeof given[0] === 'object' ? given[0] : { port: given[0], host: given[1] };
  if (!options.path && !own.test(options.host ?? 'localhost')) deny('connect ' + options.host);
  return connect.apply(this, given);
};
const dns = require('node:dns');
for (const of of [dns, dns.promises])
  for (const name of Object.keys(of).filter((key) => /^(lookup|resolve)/.test(key) && typeof of[key] === 'function')) {
    const ask = of[name];
    of[name] = function (host, ...more) {
      if (!own.test(String(host))) deny(name + ' ' + host);
      return ask.call(this, host, ...more);
    };
  }
const { send } = require('node:dgram').Socket.prototype;
require('node:dgram').Socket.prototype.send = function (...given) {
  deny('send ' + given.filter((one) => typeof one === 'string').join(' '));
  return send.apply(this, given);
};
const fetched = globalThis.fetch;
globalThis.fetch = (url, ...more) => {
  const { hostname } = new URL(typeof url === 'object' && 'url' in url ? url.url : url);
  if (!own.test(hostname)) deny('fetch ' + url);
  return fetched(url, ...more);
};
`;

let watched: Record<string, string>;
const told = (): string => (existsSync(at('told')) ? readFileSync(at('told'), 'utf8') : '');

beforeAll(() => {
  writeFileSync(at('guard.cjs'), guard);
  writeFileSync(at('schema.yaml'), 'phi: wrap\nobjects: { muon: { pt: Muon_pt, eta: Muon_eta, phi: Muon_phi } }\n');
  watched = { NODE_OPTIONS: `--require ${at('guard.cjs')}`, TOLD: at('told') };
});

const isolates = spawnSync('unshare', ['-rn', 'true']).status === 0;
if (!isolates) console.log('no network namespaces here (unshare -rn): commands are watched alone');

const events = sample('background_test');
const training = (out: string): string[] => ['train', ...smallTraining, '--epochs', '1', '--out', out];
const root = path.join(packageRoot(), 'sample', 'nanoaod.root');

/** Name, arguments by files of the test, and whether it needs ONNX Runtime. */
type Command = [string, (to: (name: string) => string) => string[], boolean?];
/** In order: what later ones need is made by earlier ones. */
const commands: Command[] = [
  ['doctor', () => ['doctor', '--json']],
  ['inspect', () => ['inspect', root, '--schema', 'nanoaod']],
  ...['flat.parquet', 'zstd.feather'].map((name): Command => [
    `inspect ${name}`,
    to => ['inspect', fixture(name), '--schema', to('schema.yaml')],
  ]),
  ['train', to => training(to('run'))],
  ['train on TensorFlow.js', to => [...training(to('tfjs')), '--engine', 'tfjs', '--tfjs-backend', 'wasm']],
  ['score', to => ['score', '--model', to('run'), '--data', events, '--out', to('scores.parquet'), '--quiet']],
  [
    'evaluate',
    to => ['evaluate', '--model', to('run'), '--background', events, '--signal', `A=${sample('Ato4l')}`, '--report', to('report.html'), '--json', to('figures.json'), '--quiet'], // prettier-ignore
  ],
  [
    'export',
    to => ['export', '--model', to('run'), '--out', to('small.onnx'), '--background', events, '--quiet'],
    true,
  ],
  ['verify', to => ['verify', to('small.onnx')], true],
  [
    'score by a bundle',
    to => ['score', '--model', to('small.onnx'), '--data', events, '--out', to('b.csv'), '--quiet'],
    true,
  ],
];

/** As cli(), watched, and in a namespace of its own whose one interface is down where that can be had. */
function watchedCli(args: string[]): Promise<Finished> {
  if (!isolates) return cli(args, watched);
  const program = [process.execPath, path.join(packageRoot(), 'bin', 'anomalyclr.mjs'), ...args];
  const env = { ...process.env, ...watched };
  return ending(spawn('unshare', ['-rn', ...program], { env, stdio: ['ignore', 'pipe', 'pipe'] }));
}

test('the guard tells of what connects', () => {
  const tries = [
    `fetch('http://192.0.2.1/')`,
    `require('node:https').get('https://example.org/')`,
    `require('node:net').connect(80, '192.0.2.1')`,
    `require('node:dns').lookup('example.org', () => {})`,
    `new (require('node:worker_threads').Worker)("fetch('http://192.0.2.1/')", { eval: true })`,
  ];
  for (const code of tries) {
    const before = told().length;
    const { status } = spawnSync(process.execPath, ['-e', code], { env: { ...process.env, ...watched } });
    expect({ code, status, told: told().length > before }).toEqual({ code, status: 1, told: true });
  }
  writeFileSync(at('told'), '');
});

for (const [name, args, needsRuntime = false] of commands)
  (!needsRuntime || runtimeInstalled ? test : test.skip)(`${name} needs no network`, async () => {
    const { code, stderr } = await watchedCli(args(at));
    expect({ code, stderr, told: told() }).toEqual({ code: 0, stderr: expect.anything() as string, told: '' });
  });

test('the report names nothing outside of it', () => {
  const page = readFileSync(at('report.html'), 'utf8');
  expect(page).toMatch(/Content-Security-Policy"\s+content="default-src 'none'/);
  const outside = [
    ...page.matchAll(/\b(?:src|href|action|srcset)\s*=\s*["']?(?!#|data:)[^"'\s>]+|url\(\s*["']?(?!#|data:)|@import/g),
  ];
  expect(outside.map(([text]) => text)).toEqual([]);
});

(runtimeInstalled ? test : test.skip)('a server is reached, and reaches for nothing', async () => {
  const { child, finished } = start(['serve', '--model', at('small.onnx'), '--port', '0'], watched);
  const address = await new Promise<string>((resolve, reject) => {
    let said = '';
    const hear = (part: Buffer): void => {
      said += part.toString();
      const found = /https?:\/\/[\d.:a-z[\]]+/.exec(said)?.[0];
      if (found) resolve(found);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.on('close', () => reject(new Error(said)));
  });
  const answer = await fetch(`${address}/`);
  const page = await answer.text();
  expect(answer.headers.get('content-security-policy')).toMatch(/default-src 'none'|default-src 'self'/);
  expect(page).not.toMatch(/\b(?:src|href)\s*=\s*["']?(?:https?:)?\/\//);
  child.kill('SIGTERM');
  await finished;
  expect(told()).toBe('');
});
