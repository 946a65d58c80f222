import { z } from 'zod';
import type { EventBatch } from './event-batch.js';
import { AnomalyClrError } from '../errors.js';
import { dataKind, dataKindNames, type DataKindName } from './data-kinds.js';
import { Kind, type KindName, kindNames } from './objects.js';

/** Probabilities at which a feature's quantiles are kept. */
export const quantileProbabilities = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999] as const;

const featureSchema = z.strictObject({
  min: z.number(),
  max: z.number(),
  mean: z.number(),
  /** Population standard deviation. */
  std: z.number().nonnegative(),
  /** At {@link quantileProbabilities}. */
  quantiles: z.array(z.number()).length(quantileProbabilities.length),
  /** At 0, 1, .. 100 %, from the least to the greatest; missing in older files. */
  percentiles: z.array(z.number()).length(101).optional(),
});

const multiplicitySchema = z.strictObject({
  min: z.number().int().nonnegative(),
  max: z.number().int().nonnegative(),
  mean: z.number().nonnegative(),
  /** `counts[n]`: events with n objects. */
  counts: z.array(z.number().int().nonnegative()),
});

const kindSchema = z.strictObject({
  objects: z.number().int().nonnegative(),
  /** GeV. The features are null where no object of the kind was seen. */
  pt: featureSchema.nullable(),
  eta: featureSchema.nullable(),
  /** rad */
  phi: featureSchema.nullable(),
  multiplicity: multiplicitySchema,
});

export type FeatureSummary = z.infer<typeof featureSchema>;
export type Multiplicity = z.infer<typeof multiplicitySchema>;
export type KindDomain = z.infer<typeof kindSchema>;

const kindsSchema: z.ZodType<Record<string, KindDomain>> = z.partialRecord(z.enum(kindNames), kindSchema);

/** What `domain.json` holds: the boundaries and the shape of the features that training saw. */
export const domainSchema = z
  .strictObject({
    version: z.literal(1),
    /** What an event is; left out for collisions. */
    data: z.enum(dataKindNames).optional(),
    events: z.number().int().positive(),
    /** Mean pT over all objects, GeV: the scale that the encoder's input is divided by. */
    ptScale: z.number().positive(),
    /** Those of the data kind, and no others: {@link kindsOf}. */
    kinds: kindsSchema,
    /** Of all kinds together. */
    multiplicity: multiplicitySchema,
  })
  .superRefine(({ data, kinds }, context) => {
    const wanted = dataKind(data).kinds;
    for (const name of kindNames)
      if (wanted.includes(name) !== Object.hasOwn(kinds, name))
        context.addIssue({
          code: 'custom',
          path: ['kinds', name],
          message: wanted.includes(name) ? 'is missing' : `is no kind of ${dataKind(data).words.many}`,
        });
  });

export type Domain = z.infer<typeof domainSchema>;

/** The kinds of object that events of the domain are made of, in the order of their codes. */
export const kindsOf = ({ data }: Pick<Domain, 'data'>): readonly KindName[] => dataKind(data).kinds;

/**
 * Minimum, maximum, mean, deviation and quantiles of a stream of numbers, in bounded memory.
 *
 * Quantiles are of the empirical distribution (the value at rank ceil(p n)), off by at most half a bin of a fixed
 * histogram: `linear` bins are 1/1024 wide over ±10.5 (eta, phi), `logarithmic` ones 1/1024 of the power of two below
 * (0.1 %) from 1e-3 to 5e5 (pT, HT in GeV). All figures depend on the order of the numbers at most, never on how they
 * were split into batches; the quantiles do not even on that.
 */
export class FeatureAccumulator {
  private count = 0;
  private min = Infinity;
  private max = -Infinity;
  private mean = 0;
  private squares = 0;
  private readonly bins: Uint32Array;

  constructor(private readonly scale: 'linear' | 'logarithmic') {
    this.bins = new Uint32Array(scale === 'linear' ? 21 * binsPerUnit : (maxExponent - minExponent) * binsPerUnit);
  }

  add(value: number): void {
    this.count += 1;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    const delta = value - this.mean;
    this.mean += delta / this.count;
    this.squares += delta * (value - this.mean);
    const bin = Math.floor(this.position(value));
    this.bins[Math.max(0, Math.min(this.bins.length - 1, bin))] += 1;
  }

  /** Null where nothing was added. */
  summary(): FeatureSummary | null {
    const { count, min, max, mean, squares } = this;
    if (count === 0) return null;
    const quantiles = this.quantiles(quantileProbabilities);
    const percentiles = [min, ...this.quantiles(innerPercentiles), max];
    return { min, max, mean, std: Math.sqrt(squares / count), quantiles, percentiles };
  }

  /** @param probabilities - rising */
  private quantiles(probabilities: readonly number[]): number[] {
    let bin = -1;
    let seen = 0;
    return probabilities.map(p => {
      const rank = Math.max(1, Math.ceil(p * this.count));
      while (seen < rank) seen += this.bins[++bin];
      return Math.max(this.min, Math.min(this.max, this.value(bin + 0.5)));
    });
  }

  /** In bins: linear, or piecewise linear between powers of two. */
  private position(value: number): number {
    if (this.scale === 'linear') return (value + linearEdge) * binsPerUnit;
    if (!(value >= minLogarithmic)) return 0;
    asFloat[0] = value;
    const exponent = (asBits[0] >>> 23) - 127;
    return (exponent - minExponent + value / 2 ** exponent - 1) * binsPerUnit;
  }

  private value(position: number): number {
    const units = position / binsPerUnit;
    if (this.scale === 'linear') return units - linearEdge;
    if (units * binsPerUnit < 1) return this.min; // the first bin also holds all below it, such as 0
    return 2 ** (Math.floor(units) + minExponent) * (1 + (units % 1));
  }
}

const innerPercentiles = Array.from({ length: 99 }, (_, k) => (k + 1) / 100);
const binsPerUnit = 1024;
const linearEdge = 10.5;
const minExponent = -10;
const maxExponent = 19;
const minLogarithmic = 2 ** minExponent;
const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

/** How many objects events have. */
class MultiplicityAccumulator {
  private readonly counts: number[] = [];

  add(objects: number): void {
    while (this.counts.length <= objects) this.counts.push(0);
    this.counts[objects] += 1;
  }

  summary(): Multiplicity {
    const { counts } = this;
    const events = counts.reduce((a, b) => a + b, 0);
    const objects = counts.reduce((sum, events, n) => sum + n * events, 0);
    return {
      min: Math.max(
        0,
        counts.findIndex(n => n > 0),
      ),
      max: Math.max(0, counts.length - 1),
      mean: events > 0 ? objects / events : 0,
      counts: [...counts],
    };
  }
}

const features = ['pt', 'eta', 'phi'] as const;
const labels = { pt: 'pT', eta: 'eta', phi: 'phi' } as const;
const units = { pt: ' GeV', eta: '', phi: ' rad' } as const;

function perKind<T>(kinds: readonly KindName[], make: (name: KindName) => T): Record<KindName, T> {
  return Object.fromEntries(kinds.map(name => [name, make(name)])) as Record<KindName, T>;
}

/** Class codes count from 1; 0 is an empty slot. */
const codes = kindNames.length + 1;

/** Objects of event `event` by class code. */
function countKinds(batch: EventBatch, event: number, perCode: Int32Array): void {
  perCode.fill(0);
  for (let o = batch.offsets[event]; o < batch.offsets[event + 1]; o++) perCode[batch.kind[o]] += 1;
}

/** The figures of a {@link Domain} that also make sense for a file without a single object. */
export type EventSummary = Omit<Domain, 'version' | 'ptScale'>;

/**
 * Collects the domain of a stream of events, in bounded memory.
 *
 * @example
 * const builder = new DomainBuilder();
 * for await (const batch of readEvents(file, { onBadEvent: 'fail' })) builder.add(batch);
 * const domain = builder.build();
 */
export class DomainBuilder {
  private events = 0;
  private ptSum = 0;
  private objects = 0;
  private readonly kinds;
  private readonly multiplicity = new MultiplicityAccumulator();

  /** @param data - what the events are */
  constructor(private readonly data: DataKindName = 'event') {
    this.kinds = perKind(dataKind(data).kinds, () => ({
      pt: new FeatureAccumulator('logarithmic'),
      eta: new FeatureAccumulator('linear'),
      phi: new FeatureAccumulator('linear'),
      objects: 0,
      multiplicity: new MultiplicityAccumulator(),
    }));
  }

  add(batch: EventBatch): void {
    const perCode = new Int32Array(codes);
    const names = dataKind(this.data).kinds;
    for (let e = 0; e < batch.count; e++) {
      for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++) {
        const kind = this.kinds[kindNames[batch.kind[o] - 1]];
        for (const feature of features) kind[feature].add(batch[feature][o]);
        kind.objects += 1;
        this.ptSum += batch.pt[o];
      }
      countKinds(batch, e, perCode);
      for (const kind of names) this.kinds[kind].multiplicity.add(perCode[Kind[kind]]);
      const total = batch.offsets[e + 1] - batch.offsets[e];
      this.multiplicity.add(total);
      this.objects += total;
    }
    this.events += batch.count;
  }

  summary(): EventSummary {
    return {
      ...(this.data === 'event' ? {} : { data: this.data }),
      events: this.events,
      kinds: perKind(dataKind(this.data).kinds, name => {
        const { pt, eta, phi, objects, multiplicity } = this.kinds[name];
        return {
          objects,
          pt: pt.summary(),
          eta: eta.summary(),
          phi: phi.summary(),
          multiplicity: multiplicity.summary(),
        };
      }),
      multiplicity: this.multiplicity.summary(),
    };
  }

  /** @throws {@link AnomalyClrError} where no object with pT was seen, which leaves the pT scale without a value. */
  build(): Domain {
    if (!(this.ptSum > 0))
      throw new AnomalyClrError(
        `no object with pT above 0 in ${this.events} events; give a file of events with objects`,
      );
    return { version: 1, ptScale: this.ptSum / this.objects, ...this.summary() };
  }
}

/** Per event 1 where it lies within the domain, 0 where {@link outsideOf} names a boundary it crosses. [batch.count] */
export function inDomain(domain: Domain, batch: EventBatch): Uint8Array {
  const { offsets, pt, eta, phi, kind } = batch;
  const bounds = kindsOf(domain).map(name => ({ code: Kind[name], ...domain.kinds[name].multiplicity }));
  const [pts, etas, phis] = features.map(feature => limitsOf(domain, feature));
  const inside = new Uint8Array(batch.count);
  const perCode = new Int32Array(codes);
  for (let e = 0; e < batch.count; e++) {
    perCode.fill(0);
    const total = offsets[e + 1] - offsets[e];
    let good = total >= domain.multiplicity.min && total <= domain.multiplicity.max;
    for (let o = offsets[e]; good && o < offsets[e + 1]; o++) {
      const k = kind[o];
      perCode[k]++;
      good =
        pt[o] >= pts.min[k] &&
        pt[o] <= pts.max[k] &&
        eta[o] >= etas.min[k] &&
        eta[o] <= etas.max[k] &&
        phi[o] >= phis.min[k] &&
        phi[o] <= phis.max[k];
    }
    for (let i = 0; good && i < bounds.length; i++)
      good = perCode[bounds[i].code] >= bounds[i].min && perCode[bounds[i].code] <= bounds[i].max;
    inside[e] = good ? 1 : 0;
  }
  return inside;
}

/**
 * What a feature of a kind must lie within: the least and the greatest that was seen. Phi about the beam may be all round,
 * since a circle has no ends and where the outermost event of a sample lay is an accident. Null for a kind never seen,
 * which shows in the multiplicities.
 */
export function boundaryOf(
  domain: Domain,
  kind: KindName,
  feature: (typeof features)[number],
): { readonly min: number; readonly max: number } | null {
  const seen = domain.kinds[kind][feature];
  return seen && feature === 'phi' && dataKind(domain.data).roundPhi ? { min: -pi32, max: pi32 } : seen;
}

/** As float32 has it, 9e-8 above pi. */
const pi32 = Math.fround(Math.PI);

/** The same by class code; nothing lies within those of a kind that the data kind has not. */
function limitsOf(domain: Domain, feature: (typeof features)[number]): { min: Float64Array; max: Float64Array } {
  const min = new Float64Array(codes).fill(Infinity);
  const max = new Float64Array(codes).fill(-Infinity);
  for (const name of kindsOf(domain)) {
    const seen = boundaryOf(domain, name, feature);
    min[Kind[name]] = seen?.min ?? -Infinity;
    max[Kind[name]] = seen?.max ?? Infinity;
  }
  return { min, max };
}

/**
 * The boundaries that event `event` of `batch` crosses: a feature of an object below the least or above the greatest
 * that was seen for its kind, or more or fewer objects than any event had. Empty for an event within the domain.
 */
export function outsideOf(domain: Domain, batch: EventBatch, event: number): string[] {
  const crossed: string[] = [];
  const perCode = new Int32Array(codes);
  const { kinds, words } = dataKind(domain.data);
  for (let o = batch.offsets[event]; o < batch.offsets[event + 1]; o++) {
    const kind = kindNames[batch.kind[o] - 1];
    const nth = ++perCode[batch.kind[o]];
    if (!kinds.includes(kind)) {
      crossed.push(`${kind} ${nth}: is no part of ${words.many}`);
      continue;
    }
    for (const feature of features) {
      const seen = boundaryOf(domain, kind, feature);
      const value = batch[feature][o];
      if (!seen || (value >= seen.min && value <= seen.max)) continue; // a kind never seen shows in the multiplicities
      const bound = value < seen.min ? `below the least seen, ${seen.min}` : `above the greatest seen, ${seen.max}`;
      crossed.push(`${kind} ${nth}: ${labels[feature]} ${value}${units[feature]} is ${bound}`);
    }
  }
  for (const kind of kinds) checkCount(crossed, kind, perCode[Kind[kind]], domain.kinds[kind].multiplicity);
  // of a single kind all together are no more
  if (kinds.length > 1)
    checkCount(crossed, 'object', batch.offsets[event + 1] - batch.offsets[event], domain.multiplicity);
  return crossed;
}

function checkCount(crossed: string[], name: string, count: number, { min, max }: Multiplicity): void {
  if (count < min) crossed.push(`${name} count ${count} is below the least seen, ${min}`);
  if (count > max) crossed.push(`${name} count ${count} is above the greatest seen, ${max}`);
}
