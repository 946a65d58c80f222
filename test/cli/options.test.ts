import { Command } from 'commander';
import { addOptions, givenFlags } from '../../src/cli/options.js';
import { listOptions, parseOptions } from '../../src/config/parse.js';
import { commandSchemas, type CommandName } from '../../src/config/schema.js';

const commands = Object.keys(commandSchemas) as CommandName[];

function build(name: CommandName): Command {
  const command = new Command(name).exitOverride().configureOutput({ outputError: () => undefined });
  addOptions(command, name);
  return command;
}

function flags(name: CommandName, argv: string[]): Record<string, unknown> {
  return givenFlags(build(name).parse(argv, { from: 'user' }), name);
}

test.each(commands)('%s --help lists every option once, with its default', name => {
  const help = build(name).configureHelp({ helpWidth: 1000 }).helpInformation();
  for (const info of listOptions(name)) {
    const pattern =
      info.takes === 'positional' ? `  ${info.name} ` : `--${info.default === true ? 'no-' : ''}${info.flag} `;
    const lines = help.split('\n').filter(line => `${line} `.includes(`  ${pattern.trimStart()}`));
    expect(lines).toHaveLength(1);
    if (typeof info.default === 'number') expect(lines[0]).toContain(`default ${info.default}`);
    if (info.unit !== undefined) expect(lines[0]).toContain(`in ${info.unit}`);
    if (info.required) expect(lines[0]).toContain('required');
  }
});

test('options stand under headings', () => {
  const help = build('train').helpInformation();
  const headings = [...help.matchAll(/^([A-Z][A-Za-z ]+):$/gm)].map(match => match[1]);
  expect(headings).toEqual(
    expect.arrayContaining(['Input and output', 'Loss', 'Optimisation', 'Encoder', 'Detector', 'Machine', 'General']),
  );
});

test('only what stood on the command line is given, in the words of parseOptions', () => {
  expect(flags('train', [])).toEqual({});
  const argv = ['--background', 'a.h5', 'b.h5', '--out', 'runs/x', '--learning-rate', '1e-2', '--resume'];
  const given = flags('train', [...argv, '--no-comparators', '--background', 'c.h5', '--detector-hidden', '32,16']);
  expect(given).toEqual({
    background: ['a.h5', 'b.h5', 'c.h5'],
    out: 'runs/x',
    learningRate: '1e-2',
    resume: true,
    comparators: false,
    detectorHidden: '32,16',
  });
  expect(parseOptions('train', given)).toMatchObject({
    learningRate: 0.01,
    comparators: false,
    detectorHidden: [32, 16],
  });
});

test('a switch can be set against a configuration file, either way', () => {
  expect(flags('train', ['--no-resume', '--comparators'])).toEqual({ resume: false, comparators: true });
});

test('signals may be repeated or listed; --json takes a file or none', () => {
  expect(flags('evaluate', ['--signal', 'a=1', '--signal', 'b=2', '--json'])).toEqual({
    signal: ['a=1', 'b=2'],
    json: true,
  });
  expect(flags('evaluate', ['--signal', 'a=1', 'b=2', '--json', 'x.json'])).toEqual({
    signal: ['a=1', 'b=2'],
    json: 'x.json',
  });
});

test('files to inspect are arguments', () => {
  expect(flags('inspect', ['a.h5', 'b.h5', '--json'])).toEqual({ files: ['a.h5', 'b.h5'], json: true });
});
