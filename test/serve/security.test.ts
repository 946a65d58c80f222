import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { tokenCheck } from '../../src/serve/auth.js';
import { temporaryFolder } from '../read/craft.js';
import { ask, FakeBundle, inferPath, jsonBody, scoresOf, someEvents, startServer, testCard } from './support.js';

const at = temporaryFolder();
const open = async () => new FakeBundle(await testCard());
const body = jsonBody(someEvents(1), 4);

test('with a token everything but health and the page asks for it', async () => {
  await writeFile(at('token'), '  s3cret-Token\n');
  const server = await startServer(open, { tokenFile: at('token') });
  for (const path of ['/v2/health/live', '/v2/health/ready', '/', '/page/style.css'])
    expect((await ask(server, path)).status).toBe(200);
  const closed = ['/v2', '/v2/models/anomalyclr', '/v2/models/stats', '/live', '/metrics', '/openapi.json', '/nothing'];
  for (const authorization of [undefined, '', 'Bearer', 'Bearer wrong', 'Bearer s3cret-Toke', 'Basic s3cret-Token'])
    for (const path of closed) {
      const reply = await ask(server, path, authorization === undefined ? {} : { headers: { authorization } });
      expect([path, reply.status, reply.error]).toEqual([path, 401, 'give the bearer token of this server']);
      expect(reply.headers['www-authenticate']).toMatch(/^Bearer/);
    }
  expect((await ask(server, inferPath, { body })).status).toBe(401);
  const headers = { authorization: 'bearer s3cret-Token' };
  expect((await ask(server, inferPath, { body, headers })).status).toBe(200);
  expect((await ask(server, '/metrics', { headers })).body.toString()).toContain(
    'anomalyclr_refused_total{reason="unauthorised"}',
  );
  expect((await ask(server, '/openapi.json', { headers })).json).toMatchObject({ security: [{ token: [] }] });
  expect(JSON.stringify(server.lines)).not.toContain('s3cret');
});

test('the token is compared whole', () => {
  const allowed = tokenCheck('abc');
  expect(['Bearer abc', 'bearer abc', 'Bearer  abc '].map(allowed)).toEqual([true, true, true]);
  expect([undefined, '', 'abc', 'Bearer ab', 'Bearer abcd', 'Bearer', 'Bearer a bc'].some(allowed)).toBe(false);
});

test.each([
  ['', 'expected one token'],
  ['two words', 'expected one token'],
  ['gr\u00fcn', 'expected one token'],
])('a token file with %j is refused', async (text, message) => {
  await writeFile(at('bad'), text);
  await expect(startServer(open, { tokenFile: at('bad') })).rejects.toThrow(message);
});

test('beyond loopback without a token is warned of', async () => {
  const warned = async (flags: Record<string, string>) =>
    (await startServer(open, flags)).lines.filter(({ level }) => level === 'warn').length;
  expect(await warned({ host: '0.0.0.0' })).toBe(1);
  expect(await warned({ host: '0.0.0.0', tokenFile: at('token') })).toBe(0);
  expect(await warned({ host: '127.0.0.1' })).toBe(0);
  expect(await warned({ host: 'localhost' })).toBe(0);
});

test('an address that cannot be had is one line', async () => {
  const { port } = new URL((await startServer(open)).url);
  await expect(startServer(open, { port })).rejects.toThrow(`127.0.0.1 port ${port} is in use; give another --port`);
  await expect(startServer(open, { host: '203.0.113.7' })).rejects.toThrow(
    'is no address of this machine; give another --host',
  );
});

const openssl = spawnSync('openssl', ['version']).status === 0;
if (!openssl) console.log('openssl is not installed here: the test of HTTPS is left out');
const needsOpenssl = openssl ? test : test.skip;
const makeKey = (name: string): void => {
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const made = spawnSync('openssl', [...request, ...names, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)]);
  expect(made.status).toBe(0);
};

needsOpenssl('HTTPS, and certificates that do not do', async () => {
  makeKey('a');
  makeKey('b');
  const [tlsCert, tlsKey] = [at('a.pem'), at('a.key')];
  const server = await startServer(open, { tlsCert, tlsKey });
  expect(server.url).toMatch(/^https:/);
  const ca = await readFile(tlsCert, 'utf8');
  expect(scoresOf(await ask(server, inferPath, { body, ca }))).toHaveLength(1);
  await expect(ask(server, inferPath, { body })).rejects.toThrow('self-signed');
  await expect(startServer(open, { tlsCert, tlsKey: at('b.key') })).rejects.toThrow('that belong together');
  await expect(startServer(open, { tlsCert: at('a.key'), tlsKey })).rejects.toThrow('no certificate and key in PEM');
});

test('certificate and key go together, and exist', async () => {
  await expect(startServer(open, { tlsCert: 'x' })).rejects.toThrow('--tls-cert needs --tls-key; give both');
  await expect(startServer(open, { tlsKey: 'x' })).rejects.toThrow('--tls-key needs --tls-cert; give both');
  const none = { tlsCert: at('none.pem'), tlsKey: at('none.key') };
  await expect(startServer(open, none)).rejects.toThrow('none.pem: no such file');
});
