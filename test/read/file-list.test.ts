import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { withEventFiles } from '../../src/cli/event-files.js';
import { UsageError } from '../../src/errors.js';
import { expandFiles } from '../../src/read/file-list.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'file-list-'));
  await mkdir(path.join(folder, 'sub'));
  for (const name of ['b.h5', 'a.h5', 'a.root', 'sub/c.h5', 'odd[1].h5', 'odd1.h5', '@at.h5'])
    await writeFile(path.join(folder, name), '');
  await symlink('a.h5', path.join(folder, 'link.h5'));
});
afterAll(() => rm(folder, { recursive: true }));

const at = (...names: string[]) => names.map(name => path.join(folder, name));
const expand = async (...names: string[]) => expandFiles(at(...names), '--data');

test('files stay as they are written, in their order, also those that are not there', async () => {
  expect(await expand('b.h5', 'a.h5', 'gone.h5')).toEqual(at('b.h5', 'a.h5', 'gone.h5'));
});

test('a glob is its files sorted by name', async () => {
  expect(await expand('[ab].h5')).toEqual(at('a.h5', 'b.h5'));
  expect(await expand('**/c.h5', 'a.{root,h5}')).toEqual(at('sub/c.h5', 'a.h5', 'a.root'));
  await expect(expand('x*.h5')).rejects.toThrow(UsageError);
  await expect(expand('x*.h5')).rejects.toThrow(`--data: no file matches ${at('x*.h5')[0]}`);
  await expect(expandFiles([`*${'x'.repeat(4000)}`], '--data')).rejects.toThrow(/no file matches \*x{400,500}\.\.\.$/);
  await expect(expand('no\0name/*.h5')).rejects.toThrow(`--data: no file has such a name: ${at('no?name/*.h5')[0]}`);
});

test('a file of that very name wins over its meaning as a pattern or a list', async () => {
  expect(await expand('odd[1].h5')).toEqual(at('odd[1].h5'));
  const before = process.cwd();
  process.chdir(folder);
  try {
    expect(await expandFiles(['@at.h5'], '--data')).toEqual(['@at.h5']);
    expect(await expandFiles(['sub/*.h5'], '--data')).toEqual(['sub/c.h5']);
  } finally {
    process.chdir(before);
  }
});

test('a list names files from its own folder, with comments and patterns', async () => {
  const list = path.join(folder, 'sub', 'list.txt');
  await writeFile(list, '# training\n\n ../b.h5\r\n*.h5\n../a.*\n');
  expect(await expandFiles([`@${list}`], '--data')).toEqual(at('b.h5', 'sub/c.h5', 'a.h5', 'a.root'));
  await writeFile(list, '# nothing\n');
  await expect(expandFiles([`@${list}`], '--data')).rejects.toThrow(`the list ${list} names no file`);
  await expect(expandFiles([`@${list}.gone`], '--data')).rejects.toThrow(/no such file/);
});

test('a file that comes twice is refused, under whatever names', async () => {
  await expect(expand('a.h5', 'a.h5')).rejects.toThrow(/--data: .*a\.h5 comes twice; name it once/);
  await expect(expand('a.h5', 'link.h5')).rejects.toThrow(/link\.h5 comes twice, first as .*a\.h5/);
  await expect(expand('*.h5')).rejects.toThrow(/twice/);
});

test('every option of event files takes them, a signal under its one name', async () => {
  const options = { background: at('[ab].h5'), signal: [{ name: 'x', file: at('sub/*')[0] }], out: 'x*' };
  await rm(path.join(folder, 'sub', 'list.txt'), { force: true });
  expect(await withEventFiles(options)).toEqual({
    background: at('a.h5', 'b.h5'),
    signal: [{ name: 'x', file: at('sub/c.h5')[0] }],
    out: 'x*',
  });
  expect(await withEventFiles({ data: at('a.h5'), files: at('b.h5') })).toEqual({
    data: at('a.h5'),
    files: at('b.h5'),
  });
});
