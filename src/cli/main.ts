import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { packageRoot } from '../addon.js';
import { readConfigFile } from '../config/config-file.js';
import { parseOptions } from '../config/parse.js';
import type { CommandName } from '../config/schema.js';
import { AnomalyClrError, Stopped, UsageError } from '../errors.js';
import { fileError, oneLine } from '../files.js';
import { commands } from './commands.js';
import { withEventFiles } from './event-files.js';
import { addOptions, givenFlags } from './options.js';
import { Output, type Sink } from './output.js';
import { createProgress, type Progress } from './progress.js';
import { catchSignals } from './signals.js';

/**
 * Runs the command line.
 *
 * @param argv arguments after `anomalyclr`
 * @returns exit code: 0, also when SIGTERM stopped what can go on later; 1 when it failed or was stopped; 2 when used wrongly
 * @example
 * process.exitCode = await main(['train', '--background', 'sm.h5', '--out', 'runs/a']);
 */
export async function main(
  argv: readonly string[],
  streams: { stdout: Sink; stderr: Sink } = process,
): Promise<number> {
  let debug = argv.includes('--debug');
  let exitCode = 0;
  const fail = (error: unknown): number => {
    const { message, code } = describeError(error);
    if (message !== '') streams.stderr.write(`anomalyclr: ${message}\n`);
    if (debug && error instanceof Error) streams.stderr.write(`${error.stack}\n`);
    return code;
  };
  const program = buildProgram(streams, async (name, command) => {
    const flags = givenFlags(command, name);
    debug ||= flags.debug === true;
    const file = flags.config as string | undefined;
    const given = parseOptions(name, flags, file === undefined ? {} : await readConfigFile(file), file);
    const options = await withEventFiles(given);
    debug ||= options.debug;
    exitCode = await runCommand(name, options, streams);
  });
  const lastResort = (error: unknown): void => process.exit(fail(error) || 1);
  guardStreams();
  process.on('unhandledRejection', lastResort);
  process.on('uncaughtException', lastResort);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return fail(error);
  } finally {
    process.off('unhandledRejection', lastResort);
    process.off('uncaughtException', lastResort);
  }
}

function buildProgram(
  streams: { stdout: Sink; stderr: Sink },
  action: (name: CommandName, command: Command) => Promise<void>,
): Command {
  const program = new Command('anomalyclr')
    .description('Finds unusual collider events, having learned from background alone.')
    .version(packageVersion(), '-v, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: text => streams.stdout.write(text),
      writeErr: text => streams.stderr.write(text),
      outputError: () => undefined, // main prints it, in one line
    });
  for (const name of Object.keys(commands) as CommandName[]) {
    const command = program.command(name).description(commands[name].summary);
    addOptions(command, name);
    command.action(() => action(name, command));
  }
  return program;
}

async function runCommand<C extends CommandName>(
  name: C,
  options: Parameters<Awaited<ReturnType<(typeof commands)[C]['load']>>['run']>[0],
  streams: { stdout: Sink; stderr: Sink },
): Promise<number> {
  const { quiet } = options;
  const output = new Output(streams.stdout, streams.stderr, quiet);
  const open: Progress[] = [];
  const { signal, release } = catchSignals(line => {
    if (!commands[name].logs) streams.stderr.write(`${line}\n`);
  });
  try {
    const { run } = await commands[name].load();
    const code = await run(options, {
      output,
      progress: settings => {
        const progress = createProgress(settings, streams.stderr, quiet);
        open.push(progress);
        return progress;
      },
      signal,
      version: packageVersion(),
    });
    return code ?? 0;
  } finally {
    for (const progress of open) progress.stop();
    release();
  }
}

/** An error as one line and an exit code; an empty line where commander has printed what there is to say. */
function describeError(error: unknown): { message: string; code: number } {
  if (error instanceof CommanderError) {
    const silent = error.exitCode === 0 || error.code === 'commander.help';
    const message = oneLine(error.message.replace(/^error: /, '').replace(/\n\(Did (.*)\)$/, '; did $1'));
    return { message: silent ? '' : message, code: error.exitCode === 0 ? 0 : 2 };
  }
  if (!(error instanceof Error)) return { message: oneLine(String(error)), code: 1 };
  const message = oneLine(error.message);
  if (error instanceof Stopped) return { message, code: error.exitCode };
  if (error instanceof UsageError) return { message, code: 2 };
  if (error instanceof AnomalyClrError) return { message, code: 1 };
  return { message: `unexpected ${error.name}: ${message}; --debug shows where`, code: 1 };
}

function packageVersion(): string {
  const text = readFileSync(join(packageRoot(), 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

let streamsGuarded = false;

/**
 * `anomalyclr inspect .. | head` closes our output early, which is no reason to stop, nor is whatever befalls what is said
 * on the way; results that cannot be written are.
 */
function guardStreams(): void {
  if (streamsGuarded) return;
  streamsGuarded = true;
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    process.stderr.write(`anomalyclr: ${fileError('standard output', error, 'write').message}\n`);
    process.exit(1);
  });
}
