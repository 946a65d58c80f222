import { closest } from 'fastest-levenshtein';
import type * as z from 'zod';
import { UsageError } from '../errors.js';
import { clip, show } from '../files.js';
import { optionMeta, type OptionMeta } from './option.js';
import { parseRecipe } from './recipe.js';
import { trainPresets } from './presets.js';
import { commandSchemas, type CommandName, type OptionsOf } from './schema.js';

/** One option as --help and the documentation show it. */
export interface OptionInfo extends OptionMeta {
  /** camelCase, as in configuration files. */
  readonly name: string;
  /** kebab-case without dashes, as on the command line. */
  readonly flag: string;
  /** Undefined where there is none. */
  readonly default: unknown;
  readonly required: boolean;
}

/** The options of a command in order, each with all that is known of it. */
export function listOptions(command: CommandName): OptionInfo[] {
  return Object.entries<z.ZodType>(commandSchemas[command].shape).map(([name, schema]) => {
    const meta = optionMeta.get(schema);
    if (!meta) throw new Error(`option ${name} has no description`);
    const absent = schema.safeParse(undefined);
    return { ...meta, name, flag: toFlag(name), default: absent.data, required: !absent.success };
  });
}

/**
 * The options of a command from its flags and a configuration file: a flag wins over the file, the file over the
 * preset, the preset over the default.
 *
 * @param flags what stood on the command line, by camelCase name, as text, list of texts or boolean
 * @param fileValues the value in the configuration file; keys may be camelCase or kebab-case
 * @param file name of that file, for messages
 * @throws UsageError in one line: the option, the value got and what is allowed; for an unknown key the nearest name
 * @example
 * const options = parseOptions('train', { background: ['sm.h5'], out: 'runs/a', epochs: '20' }, { width: 128 });
 */
export function parseOptions<C extends CommandName>(
  command: C,
  flags: Readonly<Record<string, unknown>>,
  fileValues: unknown = {},
  file = 'configuration file',
): OptionsOf<C> {
  const infos = new Map(listOptions(command).map(info => [info.name, info]));
  const values = fromFile(fileValues, [...infos.keys()], file);
  const isFlag = new Set<string>();
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const info = infos.get(name);
    if (!info)
      throw new UsageError(
        `unknown option --${clip(toFlag(name))}; the nearest is --${toFlag(closest(name, [...infos.keys()]))}`,
      );
    values[name] = fromFlag(value, info);
    isFlag.add(name);
  }
  for (const [name, value] of Object.entries(trainPresets[String(values['preset'])] ?? {}))
    if (infos.has(name) && !Object.hasOwn(values, name)) values[name] = value;
  const where = (name: string): string => {
    if (!isFlag.has(name) && Object.hasOwn(values, name)) return `${file}: ${name}`;
    return infos.get(name)?.takes === 'positional' ? name : `--${toFlag(name)}`;
  };

  const result = commandSchemas[command].safeParse(values);
  if (result.success) return result.data as OptionsOf<C>;
  const issue = result.error.issues[0];
  const name = String(issue.path[0]);
  const info = infos.get(name);
  if (!info || (issue.code === 'custom' && issue.path.length === 1))
    throw new UsageError(`${where(name)}: ${issue.message}`);
  if (!Object.hasOwn(values, name)) throw new UsageError(`${command} needs ${where(name)}: ${info.help}`);
  if (/^(r|ratioR)ecipe$/.test(name) && typeof values[name] === 'object') parseRecipe(values[name], where(name));
  throw new UsageError(`${where(name)}: got ${show(values[name])}, allowed: ${info.allowed}`);
}

/** The options as `config.json` keeps them; {@link parseOptions} takes them back. */
export function toConfig<C extends CommandName>(options: OptionsOf<C>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => name !== 'config' && value !== undefined),
  );
}

/** camelCase to kebab-case. */
export function toFlag(name: string): string {
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
}

function fromFlag(value: unknown, info: OptionInfo): unknown {
  if (typeof value !== 'string') return value;
  return info.fromText(value);
}

function fromFile(value: unknown, names: string[], file: string): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  if (value === null || value === undefined) return out; // an empty YAML file
  if (typeof value !== 'object' || Array.isArray(value))
    throw new UsageError(`${file}: got ${show(value)}, allowed: a mapping of option names to values`);
  for (const [key, entry] of Object.entries(value)) {
    const name = key.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    if (name === 'config') throw new UsageError(`${file}: ${key}: a configuration file can't name another`);
    if (!names.includes(name))
      throw new UsageError(
        `${file}: unknown key ${show(key)}; the nearest valid name is ${show(closest(name, names))}`,
      );
    if (Object.hasOwn(out, name)) throw new UsageError(`${file}: ${show(name)} is given twice`);
    out[name] = entry;
  }
  return out;
}
