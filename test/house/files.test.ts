import { commands } from '../../src/cli/commands.js';
import { listOptions } from '../../src/config/parse.js';
import { commandSchemas, type CommandName } from '../../src/config/schema.js';
import { filesBelow, read } from './tree.js';

const all = filesBelow('.');
const code = all.filter(path => /^(src|native|bench|test|scripts|tools)\/.*\.(ts|mjs|cjs|js|h|cc|cu)$/.test(path));
const texts = all.filter(path => /\.(ts|mjs|cjs|js|json|h|cc|cu|txt|md|py|sh|gyp|ya?ml)$|^\.ci\/|^\.npmrc$/.test(path));
const self = 'test/house/files.test.ts';

test('there is something to look at', () => {
  expect(code.length).toBeGreaterThan(50);
  expect(texts).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', '.npmrc', '.ci/run']));
});

test('no source file is longer than 600 lines', () => {
  const long = code
    .map(path => ({ path, lines: read(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > 600);
  expect(long).toEqual([]);
});

test.each([
  ['a path of one machine', /(?<![\w.$}])\/(?:home\/\w|root\/|work\/|Users\/\w|tmp\/\w)/],
  [
    'a host of a package registry',
    /registry\.(?:npmjs|yarnpkg|npmmirror)|npmmirror\.com|files\.pythonhosted|pypi\.org\/simple|artifactory/i,
  ],
  ['an unfinished mark', /\b(?:TODO|FIXME|XXX)\b/],
])('no file holds %s', (_, pattern) => {
  const found = texts
    .filter(path => path !== self)
    .flatMap(path =>
      read(path)
        .split('\n')
        .map((line, i) => ({ at: `${path}:${i + 1}`, line })),
    )
    .filter(({ line }) => pattern.test(line))
    .map(({ at, line }) => `${at}: ${line.trim().slice(0, 100)}`);
  expect(found).toEqual([]);
});

test('the patterns above find what they are for', () => {
  expect(
    ['/home/me/x', "'/Users/me/x'", '/tmp/a'].every(text =>
      /(?<![\w.$}])\/(?:home\/\w|root\/|work\/|Users\/\w|tmp\/\w)/.test(text),
    ),
  ).toBe(true);
});

test('every command has options, every option has help and a group', () => {
  expect(Object.keys(commands).toSorted()).toEqual(Object.keys(commandSchemas).toSorted());
  for (const name of Object.keys(commandSchemas) as CommandName[]) {
    expect(commands[name].summary).toMatch(/\S/);
    for (const info of listOptions(name)) {
      expect(info.help).toMatch(/\S/);
      expect(info.group).toMatch(/\S/);
    }
  }
});
