import { EventBatchBuilder } from '../../events/event-batch.js';
import type { BadEvent, DecodedEvents } from '../event-file.js';
import { kinematicsProblem, pi32 } from '../limits.js';
import { type Part, Slab } from './align.js';
import { bindSchema } from './bind.js';
import type { BranchInfo, Column } from './column-file.js';
import { passes, rowTest } from './cuts.js';
import { SchemaCounts, type SchemaReport } from './report.js';
import type { Cut, EventSchema, ObjectRule } from './schema.js';

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

/** Objects beyond which insertion takes too long. */
const maxInserted = 200;

/** Makes events of columns by a schema, and counts what it leaves out. */
export class SchemaDecoder {
  /** Branches to read. */
  readonly used: readonly BranchInfo[];
  private readonly counts: SchemaCounts;
  private readonly known: ReadonlyMap<string, BranchInfo>;
  private readonly scale: number;
  /** The objects collected last, of one kind in one event; pT in GeV, as float32 has it. */
  private readonly pts: number[] = [];
  private readonly etas: number[] = [];
  private readonly phis: number[] = [];

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
      const problem = (id && idProblem(eventId)) ?? slab.broken.get(r) ?? this.addEvent(kinds, r, builder);
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
    const { pts, etas, phis } = this;
    this.counts.startEvent();
    let reordered = false;
    for (let k = 0; k < kinds.length; k++) {
      const counts = this.counts.event[k];
      const { most, order, code, where, kind } = kinds[k].rule;
      const problem = this.collect(kinds[k], counts, r);
      if (problem !== undefined) return problem;
      const rise = firstRise(pts);
      if (rise > 0 && order === 'check')
        return `${kind}: pT is ${pts[rise]} GeV, above the ${pts[rise - 1]} GeV before it; pT must fall, or say "order: sort"`;
      if (rise > 0) this.sort(rise);
      reordered ||= rise > 0;
      const kept = Math.min(most, pts.length);
      for (let o = 0; o < kept; o++) builder.addObject(pts[o], etas[o], phis[o], code);
      counts[where.length + 2] += pts.length - kept;
      counts[where.length + 3] += kept;
    }
    if (reordered) this.counts.reordered += 1;
    return undefined;
  }

  /** Collects the objects of one kind in row `r` that pass its cuts, checked, or says what is wrong with one. */
  private collect(entries: Entries, counts: Float64Array, r: number): string | undefined {
    const { rule, list, pt, eta, phi, mask, cuts } = entries;
    const { where, minPt, maxAbsEta, kind } = rule;
    const { pts, etas, phis, scale } = this;
    const met = kind === 'met';
    const wraps = this.schema.phi === 'wrap' || rule.phi.minus !== undefined;
    const first = list.offsets ? list.offsets[r] : r;
    const end = list.offsets ? list.offsets[r + 1] : r + 1;
    pts.length = etas.length = phis.length = 0;
    for (let i = first; i < end; i++) {
      if (mask ? mask[i] === 0 : !met && pt[i] === 0 && phi[i] === 0 && eta?.[i] === 0) continue;
      const failed = firstFailed(where, cuts, i);
      if (failed >= 0) {
        counts[failed] += 1;
        continue;
      }
      const momentum = pt[i] / scale;
      const eta0 = eta ? eta[i] : 0;
      const finite = Number.isFinite(momentum) && Number.isFinite(eta0);
      if (finite && minPt !== undefined && momentum < minPt) counts[where.length] += 1;
      else if (finite && maxAbsEta !== undefined && Math.abs(eta0) > maxAbsEta) counts[where.length + 1] += 1;
      else {
        const phi0 = wraps ? wrap(phi[i]) : phi[i];
        const problem = kinematicsProblem(met, momentum, eta0, phi0);
        if (problem !== undefined) return `${kind} ${i - first}: ${problem}`;
        pts.push(Math.fround(momentum));
        etas.push(eta0);
        phis.push(phi0 > pi32 ? pi32 : phi0 < -pi32 ? -pi32 : phi0);
      }
    }
    return undefined;
  }

  /** Brings the objects into falling pT, equal ones in their order; those before `from` are. By insertion where it is fast. */
  private sort(from: number): void {
    const { pts, etas, phis } = this;
    if (pts.length > maxInserted) {
      const order = pts.map((_, o) => o).sort((a, b) => pts[b] - pts[a]);
      for (const values of [etas, phis, pts]) order.map(o => values[o]).forEach((value, o) => (values[o] = value));
      return;
    }
    for (let i = from; i < pts.length; i++) {
      const [pt, eta, phi] = [pts[i], etas[i], phis[i]];
      let o = i;
      for (; o > 0 && pts[o - 1] < pt; o--) {
        pts[o] = pts[o - 1];
        etas[o] = etas[o - 1];
        phis[o] = phis[o - 1];
      }
      pts[o] = pt;
      etas[o] = eta;
      phis[o] = phi;
    }
  }
}

/** Index of the first number above the one before it; 0 if none. */
function firstRise(values: readonly number[]): number {
  for (let i = 1; i < values.length; i++) if (values[i] > values[i - 1]) return i;
  return 0;
}

/** Index of the first cut that entry `i` fails; -1 if none. */
function firstFailed(cuts: readonly Cut[], values: readonly ArrayLike<number>[], i: number): number {
  for (let c = 0; c < cuts.length; c++) if (!passes(cuts[c], values[c][i])) return c;
  return -1;
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
  if (id === undefined) return 'its id is missing';
  return BigInt.asIntN(64, id) !== id ? `its id ${id} does not fit into int64` : undefined;
}
