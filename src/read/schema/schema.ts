import { readdirSync } from 'node:fs';
import path from 'node:path';
import { closest } from 'fastest-levenshtein';
import * as z from 'zod';
import { packageRoot } from '../../addon.js';
import { looksLikeFile, readConfigFile } from '../../config/config-file.js';
import { UsageError } from '../../errors.js';
import { dataKindNames, type DataKindName } from '../../events/data-kinds.js';
import { Kind, kindNames, layout } from '../../events/objects.js';
import { explainIssue, show } from '../../files.js';

/** A mapping of known keys; an unknown one is refused with the nearest that there is. */
function mapping<S extends z.ZodRawShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  return z.strictObject(shape, {
    error: issue => {
      if (issue.code === 'invalid_type' && 'branch' in shape)
        return 'expected the name of a branch, or a mapping with "branch"';
      if (issue.code !== 'unrecognized_keys') return undefined;
      const [key] = (issue as { keys?: string[] }).keys ?? [''];
      return `unknown key ${show(key)}; the nearest valid name is ${show(closest(key, Object.keys(shape)))}`;
    },
  });
}

/** A name alone stands for the branch of that name. */
const named = (value: unknown): unknown => (typeof value === 'string' ? { branch: value } : value);

const placeShape = {
  branch: z.string().min(1),
  column: z.int().min(0).optional(),
};
/** Where numbers stand: a branch, and of a table that has several numbers for each object which of them, from 0. */
const place = z.preprocess(named, mapping(placeShape));
const referenceShape = {
  ...placeShape,
  times: z.union([z.number(), place]).optional(),
  minus: z.union([z.number(), place]).optional(),
};
/** Numbers of objects: those at a place, times and then minus others. A branch of one number a row serves all its objects. */
const reference = z.preprocess(named, mapping(referenceShape));

const level = z.union([z.number(), z.boolean()]).transform(Number);
const conditions = ['min', 'max', 'above', 'below', 'equals', 'not', 'in', 'bits'] as const;
const cutShape = {
  ...placeShape,
  abs: z.boolean().default(false),
  min: z.number().optional(),
  max: z.number().optional(),
  above: z.number().optional(),
  below: z.number().optional(),
  equals: level.optional(),
  not: level.optional(),
  in: z.array(level).min(1).optional(),
  /** All bits that are 1 in it are 1. */
  bits: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .optional(),
};
const asks = (value: { readonly [C in (typeof conditions)[number]]?: unknown }): boolean =>
  conditions.some(name => value[name] !== undefined);
const needsOne = `a cut needs one of ${conditions.join(', ')}`;
const cut = mapping(cutShape).refine(asks, needsOne);
/** A cut on events, or several of which one has to hold. */
const eventCut = mapping({ ...cutShape, branch: cutShape.branch.optional(), any: z.array(cut).min(1).optional() })
  .refine(({ any, branch }) => (any === undefined) !== (branch === undefined), 'a cut needs "branch", or "any" alone')
  .refine(value => asks(value) === (value.any === undefined), `${needsOne}; "any" has a list of cuts and nothing else`)
  .transform(({ any, branch = '', ...conditions }): EventCut => (any ? { any } : { branch, ...conditions }));
const listed = (value: unknown): unknown =>
  value === null || value === undefined || Array.isArray(value) ? (value ?? []) : [value];
const cuts = z.preprocess(listed, z.array(cut));
const eventCuts = z.preprocess(listed, z.array(eventCut));

const order = z.literal(['sort', 'check']);
const metShape = { pt: reference, phi: reference, mask: place.optional(), where: cuts, minPt: z.number().optional() };
function objectShape(most: number) {
  return {
    ...metShape,
    eta: reference,
    maxAbsEta: z.number().gt(0).optional(),
    most: z.int().min(1).max(most).default(most),
    order: order.optional(),
  };
}

/** Most constituents of a jet that are kept. */
export const maxConstituents = 40;
const objectsShape = {
  met: mapping(metShape).optional(),
  electron: mapping(objectShape(layout.electron.capacity)).optional(),
  muon: mapping(objectShape(layout.muon.capacity)).optional(),
  jet: mapping(objectShape(layout.jet.capacity)).optional(),
};

const containers = ['tree', 'group', 'table'] as const;
const eventSchema = mapping({
  name: z.string().min(1).optional(),
  data: z.literal(dataKindNames).default('event'),
  tree: z.string().min(1).optional(),
  group: z.string().min(1).optional(),
  table: z.string().min(1).optional(),
  id: place.optional(),
  unit: z.literal(['GeV', 'MeV']).default('GeV'),
  phi: z.literal(['within', 'wrap']).default('within'),
  order: order.default('sort'),
  events: mapping({ where: eventCuts }).default({ where: [] }),
  objects: mapping(objectsShape)
    .refine(given => Object.values(given).some(one => one !== undefined), 'name one kind of object or more')
    .optional(),
  constituent: mapping(objectShape(maxConstituents)).optional(),
})
  .refine(({ tree, group, table }) => [tree, group, table].filter(Boolean).length <= 1, {
    error: `give one of ${containers.join(', ')}`,
  })
  .refine(({ data, objects }) => (data === 'event') === (objects !== undefined), {
    path: ['objects'],
    error: '"data: event" needs it, and "data: jet" has "constituent" in its place',
  })
  .refine(({ data, constituent }) => (data === 'jet') === (constituent !== undefined), {
    path: ['constituent'],
    error: '"data: jet" needs it, and "data: event" has "objects" in its place',
  });

export type Place = z.output<typeof place>;
export type Reference = z.output<typeof reference>;
export type Cut = z.output<typeof cut>;
/** A cut on a branch of one number a row, or several, also on lists, of which one has to hold for one entry. */
export type EventCut = Cut | { readonly any: readonly Cut[] };
export type ObjectKindName = keyof typeof objectsShape | 'constituent';

/** How the objects of one kind are made. */
export interface ObjectRule {
  readonly kind: ObjectKindName;
  /** Class code: 1 MET, 2 electron, 3 muon, 4 jet, 5 constituent of a jet. */
  readonly code: number;
  readonly pt: Reference;
  /** None for MET, whose eta is 0. */
  readonly eta?: Reference | undefined;
  readonly phi: Reference;
  /** An object is there where it is not 0. */
  readonly mask?: Place | undefined;
  readonly where: readonly Cut[];
  /** GeV. */
  readonly minPt?: number | undefined;
  readonly maxAbsEta?: number | undefined;
  /** The leading ones are kept. */
  readonly most: number;
  /** `sort` by falling pT, or `check` that it falls. */
  readonly order: 'sort' | 'check';
}

/** How the branches of a file become objects. Plain data: its JSON is its fingerprint. */
export interface EventSchema {
  readonly name: string;
  readonly data: DataKindName;
  /** The tree, group or table of the file, where it has several or they have names. */
  readonly table?: string | undefined;
  /** Branch of EvtId. */
  readonly id?: Place | undefined;
  /** Of every pT. */
  readonly unit: 'GeV' | 'MeV';
  /** `within`: phi lies within +-pi, or the event is bad; `wrap`: any phi is brought there. */
  readonly phi: 'within' | 'wrap';
  /** A row is an event where all of these hold. */
  readonly cuts: readonly EventCut[];
  /** In the order of their codes. */
  readonly objects: readonly ObjectRule[];
}

/**
 * Checks a schema as it stands in a file and fills in its defaults.
 *
 * @param where - its file, for messages; its name where it says none.
 * @throws UsageError in one line: where, what was got and what is allowed; for an unknown key the nearest name
 */
export function parseSchema(value: unknown, where: string): EventSchema {
  const result = eventSchema.safeParse(value, { reportInput: true });
  if (!result.success) {
    const { issues } = result.error; // a misspelt key first: what it leaves missing only follows from it
    const first = withinUnions(issues).find(issue => issue.code === 'unrecognized_keys') ?? issues[0];
    throw new UsageError(`${where}: ${explainIssue(first)}`);
  }
  const { tree, group, table, events, objects, constituent, order: all, name, ...rest } = result.data;
  const given = { ...objects, constituent };
  const rules = kindNames.flatMap((kind): ObjectRule[] => {
    const rule = given[kind];
    return rule ? [{ kind, code: Kind[kind], most: 1, ...rule, order: orderOf(rule) ?? all }] : [];
  });
  return {
    name: name ?? path.parse(where).name,
    ...rest,
    table: tree ?? group ?? table,
    cuts: events.where,
    objects: rules,
  };
}

/** Issues with those of the members of a union in its place. */
function withinUnions(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  return issues.flatMap(issue =>
    issue.code === 'invalid_union'
      ? issue.errors.flatMap(withinUnions).map(inner => ({ ...inner, path: [...issue.path, ...inner.path] }))
      : [issue],
  );
}

function orderOf(rule: object): ObjectRule['order'] | undefined {
  return (rule as { order?: ObjectRule['order'] }).order;
}

/**
 * A schema from the name of one that is shipped, or from a YAML or JSON file.
 *
 * @returns undefined for `adc2021`, the layout that needs none
 * @throws UsageError in one line
 * @example
 * const schema = await loadSchema('jetnet');
 */
export async function loadSchema(source: string): Promise<EventSchema | undefined> {
  if (source === builtIn) return undefined;
  const folder = path.join(packageRoot(), 'schemas');
  if (looksLikeFile(source)) return parseSchema(await readConfigFile(source), source);
  const names = [builtIn, ...shippedSchemas()];
  if (names.includes(source)) return parseSchema(await readConfigFile(path.join(folder, `${source}.yaml`)), source);
  throw new UsageError(
    `schema ${show(source)}: none of that name is shipped; the nearest is ${show(closest(source, names))}, or name a .yaml or .json file`,
  );
}

/** Files in it need no schema. */
const builtIn = 'adc2021';

/** Names of the schemas that come with the package. */
export function shippedSchemas(): string[] {
  return readdirSync(path.join(packageRoot(), 'schemas'))
    .flatMap(file => (file.endsWith('.yaml') ? [path.parse(file).name] : []))
    .toSorted((a, b) => a.localeCompare(b));
}

/** The cuts of which one has to hold. */
export function partsOf(cut: EventCut): readonly Cut[] {
  return 'any' in cut ? cut.any : [cut];
}

/** Every branch that a schema names, each once. */
export function branchesOf(schema: EventSchema): string[] {
  const places: (Place | number | undefined)[] = [schema.id, ...schema.cuts.flatMap(partsOf)];
  for (const { pt, eta, phi, mask, where } of schema.objects) {
    places.push(mask, ...where);
    for (const one of [pt, eta, phi]) places.push(one, one?.times, one?.minus);
  }
  return [...new Set(places.flatMap(one => (typeof one === 'object' ? [one.branch] : [])))];
}
