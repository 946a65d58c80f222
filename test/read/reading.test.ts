import os from 'node:os';
import path from 'node:path';
import { UsageError } from '../../src/errors.js';
import { userCacheFolder } from '../../src/read/cache/folder.js';
import { readingOf } from '../../src/read/reading.js';

const names = ['ANOMALYCLR_CACHE', 'XDG_CACHE_HOME', 'LOCALAPPDATA'] as const;
const before = names.map(name => process.env[name]);
const { platform } = process;
afterEach(() => {
  for (const [i, name] of names.entries())
    if (before[i] === undefined) delete process.env[name];
    else process.env[name] = before[i];
  Object.defineProperty(process, 'platform', { value: platform });
});

test('copies lie where the option, the environment or the system says', async () => {
  for (const name of names) delete process.env[name];
  const home = os.homedir();
  const on = (system: string) => {
    Object.defineProperty(process, 'platform', { value: system });
    return userCacheFolder();
  };
  expect(on('linux')).toBe(path.join(home, '.cache', 'anomalyclr'));
  expect(on('darwin')).toBe(path.join(home, 'Library', 'Caches', 'anomalyclr'));
  expect(on('win32')).toBe(path.join(home, 'AppData', 'Local', 'anomalyclr', 'Cache'));
  process.env['LOCALAPPDATA'] = path.join(home, 'local');
  process.env['XDG_CACHE_HOME'] = '/var/cache/me';
  expect(on('win32')).toBe(path.join(home, 'local', 'anomalyclr', 'Cache'));
  expect(on('linux')).toBe('/var/cache/me/anomalyclr');
  process.env['ANOMALYCLR_CACHE'] = '/scratch/copies';
  expect(on('linux')).toBe('/scratch/copies');
  const cache = async (options: object, write = true) =>
    (await readingOf({ onBadEvent: 'fail', ...options }, { write })).cache;
  expect(await cache({ cache: true })).toMatchObject({ folder: '/scratch/copies', write: true });
  expect(await cache({ cache: true, cacheFolder: 'mine' }, false)).toMatchObject({ folder: 'mine', write: false });
  expect(await cache({ cache: false, cacheFolder: 'mine' })).toBeUndefined();
  expect(await cache({})).toBeUndefined();
});

test('the schema is loaded by name, and a wrong name is a wrong use', async () => {
  expect((await readingOf({ onBadEvent: 'skip', schema: 'jetnet' }, { write: false })).schema?.data).toBe('jet');
  await expect(readingOf({ onBadEvent: 'skip', schema: 'jetnt' }, { write: false })).rejects.toThrow(UsageError);
});
