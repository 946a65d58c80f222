import type { BranchInfo } from './column-file.js';
import { describeCut } from './cuts.js';
import type { EventSchema, ObjectRule } from './schema.js';

/** What a schema did to the rows that were read with it. */
export interface SchemaReport {
  /** Name of the schema. */
  readonly schema: string;
  readonly rows: number;
  /** Rows left out, by the first cut of the schema that they fail. */
  readonly cuts: readonly CutCount[];
  /** Of the events that are left, those whose objects did not fall in pT. */
  readonly reordered: number;
  /** In the order of the class codes, over the events that are left and valid. */
  readonly objects: readonly ObjectReport[];
  /** Branches that the schema names. */
  readonly used: readonly BranchInfo[];
  readonly unused: readonly string[];
}

export interface CutCount {
  /** Such as `Muon_pt >= 5`. */
  readonly cut: string;
  /** Rows or objects that it left out. */
  readonly dropped: number;
}

/** What became of the objects of one kind; `read` is the sum of all the other numbers. */
export interface ObjectReport {
  readonly kind: ObjectRule['kind'];
  readonly read: number;
  /** By the first that they fail, limits in pT and eta last. */
  readonly cuts: readonly CutCount[];
  /** Softer than the leading ones that are kept. */
  readonly beyondMost: number;
  readonly kept: number;
}

/** Counts of a {@link SchemaReport}. Those of an event's objects are added when it has proved valid. */
export class SchemaCounts {
  rows = 0;
  reordered = 0;
  readonly cutRows: Float64Array;
  /** Of each rule: [cuts.., minPt, maxAbsEta, beyond most, kept] */
  private readonly totals: readonly Float64Array[];
  readonly event: readonly Float64Array[];

  constructor(private readonly schema: EventSchema) {
    this.cutRows = new Float64Array(schema.cuts.length);
    this.totals = schema.objects.map(rule => new Float64Array(rule.where.length + 4));
    this.event = this.totals.map(counts => counts.slice());
  }

  startEvent(): void {
    for (const counts of this.event) counts.fill(0);
  }

  addEvent(): void {
    for (const [k, counts] of this.event.entries())
      for (let i = 0; i < counts.length; i++) this.totals[k][i] += counts[i];
  }

  report(used: readonly BranchInfo[], branches: readonly BranchInfo[]): SchemaReport {
    const names = new Set(used.map(({ name }) => name));
    return {
      schema: this.schema.name,
      rows: this.rows,
      cuts: this.schema.cuts.map((cut, i) => ({ cut: describeCut(cut), dropped: this.cutRows[i] })),
      reordered: this.reordered,
      objects: this.schema.objects.map((rule, k) => objectReport(rule, this.totals[k])),
      used,
      unused: branches.flatMap(({ name }) => (names.has(name) ? [] : [name])),
    };
  }
}

function objectReport({ kind, where, minPt, maxAbsEta }: ObjectRule, totals: Float64Array): ObjectReport {
  const [lowPt, highEta, beyondMost, kept] = totals.subarray(where.length);
  return {
    kind,
    read: totals.reduce((a, b) => a + b, 0),
    cuts: [
      ...where.map((cut, i) => ({ cut: describeCut(cut), dropped: totals[i] })),
      ...(minPt === undefined ? [] : [{ cut: `pT >= ${minPt} GeV`, dropped: lowPt }]),
      ...(maxAbsEta === undefined ? [] : [{ cut: `|eta| <= ${maxAbsEta}`, dropped: highEta }]),
    ],
    beyondMost,
    kept,
  };
}

/** Names of branches shown of those that are not used. */
const maxUnused = 10;

/** A report as lines of text. */
export function formatSchemaReport(report: SchemaReport): string[] {
  const { schema, rows, cuts, reordered, objects, used, unused } = report;
  const lines = [`  schema ${schema}: ${rows} rows, ${reordered} events brought into the order of pT`];
  for (const { cut, dropped } of cuts) lines.push(`    ${dropped} rows left out: not ${cut}`);
  for (const { kind, read, kept, cuts: own, beyondMost } of objects) {
    lines.push(`    ${kind}: ${read} read, ${kept} kept`);
    for (const { cut, dropped } of own) lines.push(`      ${dropped} dropped: not ${cut}`);
    if (beyondMost > 0) lines.push(`      ${beyondMost} dropped: softer than those an event keeps`);
  }
  lines.push(`    branches used: ${used.map(({ name, type }) => `${name} (${type})`).join(', ')}`);
  const more = unused.length > maxUnused ? ` and ${unused.length - maxUnused} more` : '';
  if (unused.length > 0) lines.push(`    not used: ${unused.slice(0, maxUnused).join(', ')}${more}`);
  return lines;
}
