import { EventBatchBuilder } from '../../events/event-batch.js';
import type { BadEvent, DecodedEvents } from '../event-file.js';
import { kinematicsProblem, pi32 } from '../limits.js';
import { type Part, Slab } from './align.js';
import { bindSchema } from './bind.js';
import type { BranchInfo, Column } from './column-file.js';
import { passes, rowTest } from './cuts.js';
import { SchemaCounts, type SchemaReport } from './report.js';
import type { EventSchema, ObjectRule } from './schema.js';

/** The numbers of one kind over a slab, a value per entry of its lists. */
interface Entries {
  readonly rule: ObjectRule;
  readonly list: Part;
  /** In the unit of the file. */
  readonly pt: ArrayLike<number>;
  readonly eta: ArrayLike<number> | undefined;
  readonly phi: ArrayLike<number>;
  readonly mask: ArrayLike<number> | undefined;
  readonly cuts: readonly ArrayLike<number>[];
}

/** The objects of one kind in one event: pT in GeV, as float32 has it. */
interface Collected {
  readonly pts: number[];
  readonly etas: number[];
  readonly phis: number[];
}

/** Makes events of columns by a schema, and counts what it leaves out. */
export class SchemaDecoder {
  /** Branches to read. */
  readonly used: readonly BranchInfo[];
  private readonly counts: SchemaCounts;
  private readonly known: ReadonlyMap<string, BranchInfo>;
  private readonly scale: number;

  /**
   * @param where - the file, and in it the tree or group, for messages.
   * @throws AnomalyClrError where the file's branches are not what the schema asks for
   */
  constructor(
    private readonly schema: EventSchema,
    private readonly branches: readonly BranchInfo[],
    where: string,
  ) {
    this.used = bindSchema(schema, branches, where);
    this.known = new Map(branches.map(branch => [branch.name, branch]));
    this.counts = new SchemaCounts(schema);
    this.scale = schema.unit === 'MeV' ? 1000 : 1;
  }

  /** What was done to all rows decoded so far. */
  report(): SchemaReport {
    return this.counts.report(this.used, this.branches);
  }

  /**
   * @param columns - the branches `used` over `rows` rows.
   * @param from - row of the first of them in its file.
   */
  decode(columns: ReadonlyMap<string, Column>, from: number, rows: number): DecodedEvents {
    const { schema, counts } = this;
    const slab = new Slab(columns, this.known, rows);
    const tests = schema.cuts.map(cut => rowTest(cut, place => slab.part(place)));
    const kinds = schema.objects.map(rule => entriesOf(slab, rule));
    const id = schema.id && slab.integers(schema.id);
    const builder = new EventBatchBuilder();
    const problems: BadEvent[] = [];
    counts.rows += rows;
    for (let r = 0; r < rows; r++) {
      const failed = tests.findIndex(test => !test(r));
      if (failed >= 0) {
        counts.cutRows[failed] += 1;
        continue;
      }
      const eventId = id?.(r);
      const problem = idProblem(eventId) ?? slab.broken.get(r) ?? this.addEvent(kinds, r, builder);
      if (problem === undefined) {
        counts.addEvent();
        builder.endEvent(from + r, eventId);
      } else {
        builder.dropEvent();
        problems.push({ message: `event ${from + r}, ${problem}`, row: from + r, eventId });
      }
    }
    const batch = builder.build();
    return { batch: id && !batch.eventIds ? { ...batch, eventIds: new BigInt64Array(0) } : batch, problems };
  }

  /** Adds the objects of row `r`; what is wrong with them, or undefined. */
  private addEvent(kinds: readonly Entries[], r: number, builder: EventBatchBuilder): string | undefined {
    this.counts.startEvent();
    let reordered = false;
    for (const [k, entries] of kinds.entries()) {
      const counts = this.counts.event[k];
      const { rule } = entries;
      const { most, order, code, where } = rule;
      const collected = this.collect(entries, counts, r);
      if (typeof collected === 'string') return collected;
      const { pts, etas, phis } = collected;
      const rise = pts.findIndex((pt, i) => pt > pts[i - 1]);
      if (rise >= 0 && order === 'check')
        return `${rule.kind}: pT is ${pts[rise]} GeV, above the ${pts[rise - 1]} GeV before it; pT must fall, or say "order: sort"`;
      const index = rise < 0 ? undefined : pts.map((_, i) => i).sort((a, b) => pts[b] - pts[a]);
      reordered ||= rise >= 0;
      const kept = Math.min(most, pts.length);
      for (let i = 0; i < kept; i++) {
        const o = index ? index[i] : i;
        builder.addObject(pts[o], etas[o], phis[o], code);
      }
      counts[where.length + 2] += pts.length - kept;
      counts[where.length + 3] += kept;
    }
    if (reordered) this.counts.reordered += 1;
    return undefined;
  }

  /** Collects the objects of one kind in row `r` that pass its cuts, checked, or says what is wrong with one. */
  private collect(entries: Entries, counts: Float64Array, r: number): Collected | string {
    const { rule, list, pt, eta, phi, mask, cuts } = entries;
    const { where, minPt, maxAbsEta } = rule;
    const met = rule.kind === 'met';
    const wraps = this.schema.phi === 'wrap' || rule.phi.minus !== undefined;
    const [first, end] = list.offsets ? [list.offsets[r], list.offsets[r + 1]] : [r, r + 1];
    const [pts, etas, phis]: number[][] = [[], [], []];
    for (let i = first; i < end; i++) {
      if (mask ? mask[i] === 0 : !met && pt[i] === 0 && phi[i] === 0 && eta?.[i] === 0) continue;
      const failed = where.findIndex((cut, c) => !passes(cut, cuts[c][i]));
      if (failed >= 0) {
        counts[failed] += 1;
        continue;
      }
      const momentum = pt[i] / this.scale;
      const eta0 = eta ? eta[i] : 0;
      const finite = Number.isFinite(momentum) && Number.isFinite(eta0);
      if (finite && minPt !== undefined && momentum < minPt) counts[where.length] += 1;
      else if (finite && maxAbsEta !== undefined && Math.abs(eta0) > maxAbsEta) counts[where.length + 1] += 1;
      else {
        const phi0 = wraps ? wrap(phi[i]) : phi[i];
        const problem = kinematicsProblem(met, momentum, eta0, phi0);
        if (problem !== undefined) return `${rule.kind} ${i - first}: ${problem}`;
        pts.push(Math.fround(momentum));
        etas.push(eta0);
        phis.push(phi0 > pi32 ? pi32 : phi0 < -pi32 ? -pi32 : phi0);
      }
    }
    return { pts, etas, phis };
  }
}

function entriesOf(slab: Slab, rule: ObjectRule): Entries {
  const { kind, pt, eta, phi, mask, where } = rule;
  const list = slab.part(pt);
  return {
    rule,
    list,
    pt: slab.evaluate(pt, list, kind),
    eta: eta && slab.evaluate(eta, list, kind),
    phi: slab.evaluate(phi, list, kind),
    mask: mask && slab.align(mask, list, kind),
    cuts: where.map(cut => slab.align(cut, list, kind)),
  };
}

/** phi in [-pi, pi], as it is where it lies there. */
function wrap(phi: number): number {
  if (!(Math.abs(phi) > Math.PI)) return phi;
  return phi - 2 * Math.PI * Math.floor((phi + Math.PI) / (2 * Math.PI));
}

function idProblem(id: bigint | undefined): string | undefined {
  return id !== undefined && BigInt.asIntN(64, id) !== id ? `its id ${id} does not fit into int64` : undefined;
}
