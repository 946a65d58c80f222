import * as z from 'zod';
import { printable } from '../../errors.js';
import type { BranchInfo, Numbers } from './column-file.js';

const count = z.number().int().min(0);
const branchFacts = z.object({
  name: z.string(),
  /** Not within another branch. */
  top: z.boolean(),
  kind: z.string(),
  className: z.string(),
  id: z.number(),
  type: z.number(),
  streamer: z.number(),
  children: count,
  rows: count,
  otherFile: z.string(),
  leaves: z.array(
    z.object({
      kind: z.string(),
      name: z.string(),
      length: z.number().int(),
      unsigned: z.boolean(),
      counter: z.string().nullable(),
    }),
  ),
});

/** What the thread tells of a file and its tree, whose `branches` are left out where there is no such tree. */
export const treeFacts = z.object({
  keys: z.array(z.object({ name: z.string(), className: z.string() })),
  className: z.string().nullable(),
  rows: count.optional(),
  cluster: z.number().optional(),
  branches: z.array(branchFacts).optional(),
});
export type TreeFacts = z.output<typeof treeFacts>;
type BranchFacts = z.output<typeof branchFacts>;
type Leaf = BranchFacts['leaves'][number];

type NumberType =
  'float32' | 'float64' | 'bool' | 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'int64' | 'uint64';

export const arrayOf: Record<NumberType, new (buffer: ArrayBuffer) => Numbers> = {
  float32: Float32Array,
  float64: Float64Array,
  bool: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
};
const bytesOf: Record<NumberType, number> = {
  float32: 4,
  float64: 8,
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
};

/** Before the numbers of a std::vector: count of bytes (4), version (2), count of entries (4). */
export const vectorHeader = 10;

/** How the numbers of a branch lie in its baskets, big-endian. */
export interface Layout {
  readonly type: NumberType;
  /** Bytes of one number. */
  readonly bytes: number;
  /** Numbers of an entry of a list, or of a row where there is none. */
  readonly width: number;
  /** Bytes before the numbers of each row: 10 of a std::vector, 1 of an array that is a member of a class. */
  readonly header: number;
  /** Rows differ in length. */
  readonly list: boolean;
  /** Name of the leaf that tells the length of each row, if one does. */
  readonly counter: string | null;
}

export interface RootBranch {
  readonly info: BranchInfo;
  /** Among the branches of the thread. */
  readonly index: number;
  readonly rows: number;
  /** Undefined where its content is not numbers, or in another form; then the type of `info` names it. */
  readonly layout: Layout | undefined;
  readonly leaf: string | undefined;
}

const leafTypes: Readonly<Record<string, NumberType>> = {
  TLeafF: 'float32',
  TLeafD: 'float64',
  TLeafO: 'bool',
  TLeafB: 'int8',
  TLeafS: 'int16',
  TLeafI: 'int32',
  TLeafL: 'int64',
  TLeafG: 'int64', // long, which ROOT stores in 8 bytes
};
/** By ROOT's number of a basic type. Float16_t, Double32_t, strings and bits of a TObject are left out. */
const streamerTypes: Readonly<Record<number, NumberType>> = {
  1: 'int8',
  2: 'int16',
  3: 'int32',
  4: 'int64',
  5: 'float32',
  6: 'int32',
  8: 'float64',
  11: 'uint8',
  12: 'uint16',
  13: 'uint32',
  14: 'uint64',
  16: 'int64',
  17: 'uint64',
  18: 'bool',
};
/** ROOT's numbers of a collection that is a member. */
const stlStreamers = [300, 500];
const vectorTypes: Readonly<Record<string, NumberType>> = {
  float: 'float32',
  double: 'float64',
  bool: 'bool',
  char: 'int8',
  'signed char': 'int8',
  'unsigned char': 'uint8',
  short: 'int16',
  'unsigned short': 'uint16',
  int: 'int32',
  unsigned: 'uint32',
  'unsigned int': 'uint32',
  long: 'int64',
  'unsigned long': 'uint64',
  'long long': 'int64',
  'unsigned long long': 'uint64',
  Float_t: 'float32',
  Double_t: 'float64',
  Bool_t: 'bool',
  Char_t: 'int8',
  UChar_t: 'uint8',
  Short_t: 'int16',
  UShort_t: 'uint16',
  Int_t: 'int32',
  UInt_t: 'uint32',
  Long64_t: 'int64',
  ULong64_t: 'uint64',
};

/** The branches of a tree, those of which numbers can be had with their layout. */
export function branchesOfTree(facts: readonly BranchFacts[]): ReadonlyMap<string, RootBranch> {
  const branches = new Map<string, RootBranch>();
  for (const [index, fact] of facts.entries()) {
    const branch = branchOf(fact, index);
    const before = branches.get(fact.name);
    // members of classes may share a name; what is not within a class keeps it
    const inClass = before !== undefined && !facts[before.index].top;
    if (!before || (fact.top && inClass)) branches.set(fact.name, branch);
    else if (inClass)
      branches.set(fact.name, {
        ...before,
        layout: undefined,
        info: { ...before.info, type: 'one of several of its name' },
      });
  }
  return branches;
}

function branchOf(fact: BranchFacts, index: number): RootBranch {
  const { name, rows, leaves } = fact;
  const layout =
    fact.otherFile === '' && fact.children === 0 && leaves.length === 1 ? layoutOf(fact, leaves[0]) : undefined;
  const { width = 1, list = false } = layout ?? {};
  const long = width > 1;
  const info = {
    name,
    type: layout?.type ?? alienType(fact),
    list: list || long,
    ...(list && long ? { width } : {}),
    ...(!list && long ? { length: width } : {}),
  };
  return { info, index, rows, layout, leaf: leaves.at(0)?.name };
}

function layoutOf(fact: BranchFacts, leaf: Leaf): Layout | undefined {
  if (fact.kind === 'TBranch') {
    const signed = leafTypes[leaf.kind];
    return signed && numbers(leaf.unsigned ? unsignedOf(signed) : signed, leaf, 0);
  }
  if (fact.kind !== 'TBranchElement') return undefined;
  if (fact.id === -1 || (fact.type === 0 && stlStreamers.includes(fact.streamer))) {
    const item = /^(?:(?:std::)?vector|ROOT::VecOps::RVec)<\s*([\w ]+?)\s*(?:,.*)?>$/.exec(fact.className)?.[1] ?? '';
    const type = vectorTypes[item];
    return type && { type, bytes: bytesOf[type], width: 1, header: vectorHeader, list: true, counter: null };
  }
  // a member of a class: a number, an array of fixed length (20 more) or one with a counter (40 more)
  const [form, code] = [Math.floor(fact.streamer / 20), fact.streamer % 20];
  const type = streamerTypes[code];
  if (!type || form > 2 || ![0, 31, 41].includes(fact.type)) return undefined;
  return form === 2 && fact.type !== 0 ? undefined : numbers(type, leaf, form === 2 ? 1 : 0);
}

function numbers(type: NumberType, leaf: Leaf, header: number): Layout | undefined {
  if (leaf.length < 1) return undefined;
  const { counter } = leaf;
  return { type, bytes: bytesOf[type], width: leaf.length, header, list: counter !== null, counter };
}

function unsignedOf(type: NumberType): NumberType {
  return type.startsWith('int') ? (`u${type}` as NumberType) : type;
}

/** In words, what a branch holds that is not numbers. */
function alienType({ kind, className, otherFile, children, leaves }: BranchFacts): string {
  if (otherFile !== '') return 'numbers of another file';
  if (leaves.length > 1) return `${leaves.length} leaves`;
  const what = printable(className || (leaves.at(0)?.kind ?? kind));
  return children > 0 ? `${what} in ${children} branches` : what;
}
