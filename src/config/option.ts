import * as z from 'zod';

/** Headings under which --help lists options. */
export type Group =
  | 'Input and output'
  | 'Events and augmentations'
  | 'Loss'
  | 'Optimisation'
  | 'Encoder'
  | 'Detector'
  | 'Server'
  | 'Machine'
  | 'General';

interface About {
  readonly group: Group;
  /** One phrase, for --help. */
  readonly help: string;
  readonly unit?: string;
}

/** What --help and messages need to know of an option beyond its zod schema. */
export interface OptionMeta extends About {
  /** The values it takes, in words. */
  readonly allowed: string;
  /** How many values follow the flag; `optional` is none or one, `positional` has no flag. */
  readonly takes: 'none' | 'one' | 'many' | 'optional' | 'positional';
  /** Name of the value in --help. */
  readonly argument: string;
  /** Text of a flag as the value meant; what can't be read stays text, for the schema to refuse. */
  readonly fromText: (text: string) => unknown;
}

/** Carries the {@link OptionMeta} of every option's schema. */
export const optionMeta = z.registry<OptionMeta>();

const asIs = (text: string): unknown => text;
const asNumber = (text: string): unknown =>
  /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : text;

function define<S extends z.ZodType>(schema: S, about: About, rest: Partial<OptionMeta> & { allowed: string }): S {
  const { group, help, unit } = about; // the builders' own settings (min, max ..) stay behind
  optionMeta.add(schema, { takes: 'one', argument: 'value', fromText: asIs, ...rest, group, help, unit });
  return schema;
}

interface Range {
  readonly min: number;
  readonly max?: number;
}

/** A whole number between `min` and `max`, both included. */
export function whole(about: About & Range & { default: number }): z.ZodDefault<z.ZodInt> {
  const { min, max } = about;
  const schema = z
    .int()
    .min(min)
    .max(max ?? Number.MAX_SAFE_INTEGER);
  return define(schema.default(about.default), about, {
    allowed: max === undefined ? `a whole number, at least ${min}` : `a whole number, ${min} to ${max}`,
    argument: 'n',
    fromText: asNumber,
  });
}

/** A finite number from `min` to `max`, or above `above`. */
export function real(
  about: About & { default: number; max?: number } & ({ min: number } | { above: number }),
): z.ZodDefault<z.ZodNumber> {
  const { max } = about;
  const lower = 'min' in about ? z.number().min(about.min) : z.number().gt(about.above);
  const from = 'min' in about ? `at least ${about.min}` : `above ${about.above}`;
  return define((max === undefined ? lower : lower.max(max)).default(about.default), about, {
    allowed: `a number ${from}${max === undefined ? '' : `, at most ${max}`}`,
    argument: 'x',
    fromText: asNumber,
  });
}

/** One of a few words. */
export function choice<const T extends readonly [string, ...string[]]>(
  about: About & { of: T; default: T[number] },
): z.ZodDefault<z.ZodType<T[number]>> {
  const schema: z.ZodType<T[number]> = z.literal([...about.of]);
  return define(schema.default(about.default as z.core.util.NoUndefined<T[number]>), about, {
    allowed: about.of.join(' | '),
    argument: 'name',
  });
}

/** On or off; one that defaults to on is turned off by `--no-name`. */
export function toggle(about: About & { default?: boolean }): z.ZodDefault<z.ZodBoolean> {
  return define(z.boolean().default(about.default ?? false), about, { allowed: 'true or false', takes: 'none' });
}

/** One of a few words, that stands without a flag and must be given. */
export function choicePositional<const T extends readonly [string, ...string[]]>(
  about: About & { of: T },
): z.ZodType<T[number]> {
  const literal: z.ZodType<T[number]> = z.literal([...about.of]);
  // the command line gives a list of all that stands without a flag
  const schema = z.preprocess(value => (Array.isArray(value) && value.length === 1 ? value[0] : value), literal);
  return define(schema, about, { allowed: about.of.join(' | '), takes: 'positional' });
}

const text = z.string().min(1);

/** A file, folder or name that must be given. */
export function required(about: About & { argument: string }): z.ZodString {
  return define(z.string().min(1), about, { allowed: `a ${about.argument}`, argument: about.argument });
}

/** A file, folder or name that may be left out. */
export function optional(about: About & { argument: string }): z.ZodOptional<z.ZodString> {
  return define(z.string().min(1).optional(), about, { allowed: `a ${about.argument}`, argument: about.argument });
}

/** A file, folder or name with a default. */
export function path(about: About & { argument: string; default: string }): z.ZodDefault<z.ZodString> {
  return define(z.string().min(1).default(about.default), about, {
    allowed: `a ${about.argument}`,
    argument: about.argument,
  });
}

/** One file or more; a configuration file may give a single one as text. */
export function files(about: About & { positional?: boolean }): z.ZodType<string[]> {
  const schema = z.preprocess(value => (typeof value === 'string' ? [value] : value), z.array(text).min(1));
  return define(schema, about, {
    allowed: 'one file or more',
    takes: about.positional ? 'positional' : 'many',
    argument: 'file',
  });
}

/** The same where none need be given. */
export function optionalFiles(about: About): z.ZodDefault<z.ZodType<string[]>> {
  const schema = z.preprocess(value => (typeof value === 'string' ? [value] : value), z.array(text));
  return define(schema.default([]), about, { allowed: 'one file or more', takes: 'many', argument: 'file' });
}

/** A file under a name of the user's choosing. */
export interface NamedFile {
  readonly name: string;
  readonly file: string;
}

/** NAME=FILE, several times; a configuration file may also give a mapping of names to files. */
export function namedFiles(about: About): z.ZodType<NamedFile[]> {
  return defineNamedFiles(about, 1);
}

/** The same where none need be given. */
export function optionalNamedFiles(about: About): z.ZodType<NamedFile[]> {
  return defineNamedFiles(about, 0);
}

function defineNamedFiles(about: About, least: 0 | 1): z.ZodType<NamedFile[]> {
  const split = (value: unknown): unknown => {
    const [, name, file] = (typeof value === 'string' && /^([^=]+)=(.+)$/s.exec(value)) || [];
    return name === undefined ? value : { name, file };
  };
  const list = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(split);
    if (typeof value === 'object' && value !== null)
      return Object.entries(value).map(([name, file]) => ({ name, file: file as unknown }));
    return value === undefined && least === 0 ? [] : [split(value)];
  };
  const entries = z.array(z.strictObject({ name: text, file: text })).min(least);
  const distinct = entries.refine(
    all => new Set(all.map(one => one.name)).size === all.length,
    'two files under one name',
  );
  return define(z.preprocess(list, distinct), about, {
    allowed: 'NAME=FILE, one or more, each name once',
    takes: 'many',
    argument: 'name=file',
  });
}

/** Layer widths such as `64,32`; none leaves the choice to the program. */
export function widths(about: About & { max: number; default?: number[] }): z.ZodDefault<z.ZodArray<z.ZodInt>> {
  return define(
    z
      .array(z.int().min(1).max(about.max))
      .max(16)
      .default(about.default ?? []),
    about,
    {
      allowed: `up to 16 whole numbers, 1 to ${about.max}, separated by commas`,
      argument: 'widths',
      fromText: value => (value.trim() === '' ? [] : value.split(',').map(asNumber)),
    },
  );
}

/** Figures as JSON: on standard output, or in a file where one is named. */
export function jsonOutput(about: About & { file: boolean }): z.ZodDefault<z.ZodType<boolean | string>> {
  const schema: z.ZodType<boolean | string> = about.file ? z.union([z.boolean(), text]) : z.boolean();
  return define(schema.default(false), about, {
    allowed: about.file ? 'true, false or a file' : 'true or false',
    takes: about.file ? 'optional' : 'none',
    argument: 'file',
  });
}

/** An option whose schema is made elsewhere. */
export function custom<S extends z.ZodType>(schema: S, about: About & { allowed: string; argument: string }): S {
  return define(schema, about, { allowed: about.allowed, argument: about.argument });
}
