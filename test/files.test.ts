import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { AnomalyClrError } from '../src/errors.js';
import { makeFolder, readJson, readText, removeStaleTemporaries, show, writeAtomically } from '../src/files.js';
import { temporaryFor } from '../src/temporaries.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'files-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const failure = async (promise: Promise<unknown>): Promise<string> => {
  const error: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(AnomalyClrError);
  return (error as Error).message;
};

describe('writeAtomically', () => {
  test('writes text, bytes and what a function writes, over an old file too', async () => {
    const path = join(dir, 'a');
    await writeAtomically(path, 'one');
    expect(readFileSync(path, 'utf8')).toBe('one');
    await writeAtomically(path, Uint8Array.of(1, 2));
    expect([...readFileSync(path)]).toEqual([1, 2]);
    await writeAtomically(path, temporary => writeFile(temporary, 'three'));
    expect(readFileSync(path, 'utf8')).toBe('three');
    expect(readdirSync(dir)).toEqual(['a']);
  });

  test('a failing writer leaves the old file and no temporary', async () => {
    const path = join(dir, 'a');
    writeFileSync(path, 'old');
    const writing = writeAtomically(path, async temporary => {
      await writeFile(temporary, 'half');
      throw new AnomalyClrError('the writer failed');
    });
    expect(await failure(writing)).toBe('the writer failed');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(dir)).toEqual(['a']);
  });

  test('the old file is whole until the new one is', async () => {
    const path = join(dir, 'a');
    writeFileSync(path, 'old');
    let during = '';
    await writeAtomically(path, async temporary => {
      await writeFile(temporary, 'new');
      during = readFileSync(path, 'utf8');
    });
    expect([during, readFileSync(path, 'utf8')]).toEqual(['old', 'new']);
  });

  test('many at once end with one of them whole', async () => {
    const path = join(dir, 'a');
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(1000));
    await Promise.all(texts.map(text => writeAtomically(path, text)));
    expect(texts).toContain(readFileSync(path, 'utf8'));
    expect(readdirSync(dir)).toEqual(['a']);
  });

  test('keeps a link and replaces its target', async () => {
    const [target, link] = [join(dir, 'target'), join(dir, 'link')];
    writeFileSync(target, 'old');
    symlinkSync('target', link);
    await writeAtomically(link, 'new');
    expect(readlinkSync(link)).toBe('target');
    expect(readFileSync(target, 'utf8')).toBe('new');
  });

  test('names a missing folder, a folder and a device', async () => {
    const lost = join(dir, 'none', 'a');
    expect(await failure(writeAtomically(lost, ''))).toBe(`${lost}: its folder does not exist; create it first`);
    expect(await failure(writeAtomically(dir, ''))).toBe(`${dir}: is a folder, not a file`);
    expect(await failure(writeAtomically('/dev/null', ''))).toContain('not a regular file');
  });
});

describe('temporaries', () => {
  const dead = 'a.json.999999999-0123abcd.tmp'; // past the largest process id of any system
  const running = `a.json.${process.ppid}-0123abcd.tmp`;
  const ownOld = `a.json.${process.pid}-0123abcd.tmp`; // of an earlier process with our id
  const ours = basename(temporaryFor('a.json')).replace(String(process.pid), '999999999');
  const elsewhere = ours.replace(/-(.{4})/, (_, mark: string) => `-${mark === 'ffff' ? 'fffe' : 'ffff'}`);
  const silent = elsewhere.replace('999999999', '1');
  const others = ['b.json.999999999-0123abcd.tmp', 'notes.tmp'];
  const folder = 'part.999999999-0123abcd.tmp';
  const place = (name: string) => join(dir, name);
  beforeEach(() => {
    for (const name of [dead, running, ownOld, ours, elsewhere, silent, ...others]) writeFileSync(place(name), '');
    mkdirSync(place(folder));
    utimesSync(place(silent), 1e9, 1e9);
  });

  test('removeStaleTemporaries removes what dead writers left, and nothing else', async () => {
    await writeAtomically(place('b'), async temporary => {
      await writeFile(temporary, 'x');
      await removeStaleTemporaries(dir);
      expect(existsSync(temporary)).toBe(true);
    });
    expect(readdirSync(dir).toSorted()).toEqual(['b', elsewhere, folder, 'notes.tmp', running].toSorted());
  });

  test('where no other writer is known, of other machines too', async () => {
    await removeStaleTemporaries(dir, name => name === 'a.json');
    expect(readdirSync(dir).toSorted()).toEqual([folder, 'notes.tmp', running].toSorted());
  });

  test('writing a file clears what its killed writers left, and no other', async () => {
    await writeAtomically(place('a.json'), '');
    expect(readdirSync(dir).toSorted()).toEqual(['a.json', elsewhere, folder, running, ...others].toSorted());
  });
});

test('makeFolder makes folders in folders, and nothing where there is one', async () => {
  await makeFolder(join(dir, 'x', 'y', 'z'));
  await makeFolder(join(dir, 'x', 'y', 'z'));
  expect(readdirSync(join(dir, 'x', 'y'))).toEqual(['z']);
  writeFileSync(join(dir, 'file'), '');
  expect(await failure(makeFolder(join(dir, 'file', 'x')))).toMatch(/file\/x: a part of this path is not a folder$/);
});

describe('readJson', () => {
  const schema = z.strictObject({ a: z.int().min(1), b: z.array(z.union([z.string(), z.object({ c: z.number() })])) });
  const read = (text: string | Uint8Array): Promise<unknown> => {
    const path = join(dir, 'x.json');
    writeFileSync(path, text);
    return readJson(path, schema);
  };

  test('gives the checked value', async () => {
    expect(await read('{"a": 2, "b": ["x", {"c": 1}]}')).toEqual({ a: 2, b: ['x', { c: 1 }] });
  });

  test.each([
    ['{', /x\.json: not valid JSON: /],
    ['{"a": 0, "b": []}', /x\.json: a: too small: expected number to be >=1, got 0$/],
    ['{"a": 1}', /x\.json: b: expected array, received undefined$/],
    ['{"a": 1, "b": [], "d": 1}', /x\.json: unrecognized key: "d"$/],
    ['{"a": 1, "b": [{"c": "y"}]}', /x\.json: b\.0\.c: expected number, received string, got "y"$/],
    [`{"a": 1, "b": [], "${'d'.repeat(2000)}": 1}`, /x\.json: unrecognized key: "d{400,500}\.\.\.$/],
    [Uint8Array.of(0xff, 0xfe), /x\.json: not a text file/],
    [`{"a": ${'['.repeat(2e4)}${']'.repeat(2e4)}}`, /x\.json: not valid JSON: it is nested over 200 deep$/],
    ['{"a\u001b[2J\\n": 1}', /x\.json: not valid JSON: [ -\uffff]*$/],
  ])('says in one line what is wrong with %s', async (text, message) => {
    expect(await failure(read(text))).toMatch(message);
  });

  test('what no JSON can be made of is shown in words', () => {
    const deep = JSON.parse(`${'['.repeat(2e4)}${']'.repeat(2e4)}`) as unknown;
    expect(show(deep)).toBe('lists within lists');
    expect(show({ a: deep })).toBe('mappings within mappings');
  });

  test('names a missing file and a folder', async () => {
    expect(await failure(readText(join(dir, 'none')))).toMatch(/none: no such file$/);
    mkdirSync(join(dir, 'folder'));
    expect(await failure(readText(join(dir, 'folder')))).toMatch(/folder: is a folder, not a file$/);
  });
});
