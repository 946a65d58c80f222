import { AnomalyClrError } from '../errors.js';

/**
 * A ragged set of events: one column per feature over all objects, and where each event begins. No padding.
 * Objects of event i are `offsets[i] .. offsets[i+1]-1`, in the order MET, electrons, muons, jets.
 */
export interface EventBatch {
  /** Number of events. */
  readonly count: number;
  /** [count + 1], starts at 0, never falls. */
  readonly offsets: Int32Array;
  /** Transverse momentum, GeV. [objects] */
  readonly pt: Float32Array;
  /** Pseudorapidity; 0 for MET. [objects] */
  readonly eta: Float32Array;
  /** Azimuth, rad, within [-pi, pi]. [objects] */
  readonly phi: Float32Array;
  /** Class code: 1 MET, 2 electron, 3 muon, 4 jet. [objects] */
  readonly kind: Uint8Array;
  /** Row of each event in its file, for messages and for keeping order when events were skipped. [count] */
  readonly rows: Int32Array;
  /** `EvtId` of each event, where the file has it. [count] */
  readonly eventIds?: BigInt64Array;
}

/**
 * Collects events one object at a time into growing columns.
 *
 * @example
 * const b = new EventBatchBuilder();
 * b.addObject(35.2, 0, 1.1, Kind.met);
 * b.endEvent(0);
 * const batch = b.build();
 */
export class EventBatchBuilder {
  private objects = 0;
  private events = 0;
  private pt = new Float32Array(1024);
  private eta = new Float32Array(1024);
  private phi = new Float32Array(1024);
  private kind = new Uint8Array(1024);
  private offsets = new Int32Array(256);
  private rows = new Int32Array(256);
  private ids: BigInt64Array | undefined;

  addObject(pt: number, eta: number, phi: number, kind: number): void {
    const i = this.objects;
    if (i === this.pt.length) this.growObjects(i * 2);
    this.pt[i] = pt;
    this.eta[i] = eta;
    this.phi[i] = phi;
    this.kind[i] = kind;
    this.objects = i + 1;
  }

  /** Closes the current event; `row` is where it stood in its file. */
  endEvent(row: number, eventId?: bigint): void {
    if (this.events + 2 > this.offsets.length) {
      this.offsets = grow(this.offsets, this.events * 2 + 2);
      this.rows = grow(this.rows, this.events * 2 + 2);
      if (this.ids) this.ids = grow(this.ids, this.events * 2 + 2);
    }
    if (eventId !== undefined) (this.ids ??= new BigInt64Array(this.rows.length))[this.events] = eventId;
    this.rows[this.events] = row;
    this.events += 1;
    this.offsets[this.events] = this.objects;
  }

  /** Forgets the objects added since the last `endEvent`, for an event that proved bad. */
  dropEvent(): void {
    this.objects = this.offsets[this.events];
  }

  get count(): number {
    return this.events;
  }

  /** Appends every event of `batch`. */
  addBatch(batch: EventBatch): void {
    for (let e = 0; e < batch.count; e++) {
      for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++)
        this.addObject(batch.pt[o], batch.eta[o], batch.phi[o], batch.kind[o]);
      this.endEvent(batch.rows[e], batch.eventIds?.[e]);
    }
  }

  build(): EventBatch {
    const batch: EventBatch = {
      count: this.events,
      offsets: this.offsets.slice(0, this.events + 1),
      pt: this.pt.slice(0, this.objects),
      eta: this.eta.slice(0, this.objects),
      phi: this.phi.slice(0, this.objects),
      kind: this.kind.slice(0, this.objects),
      rows: this.rows.slice(0, this.events),
    };
    return this.ids ? { ...batch, eventIds: this.ids.slice(0, this.events) } : batch;
  }

  private growObjects(size: number): void {
    this.pt = grow(this.pt, size);
    this.eta = grow(this.eta, size);
    this.phi = grow(this.phi, size);
    this.kind = grow(this.kind, size);
  }
}

function grow<T extends Float32Array | Int32Array | Uint8Array | BigInt64Array>(a: T, size: number): T {
  const b = new (a.constructor as new (n: number) => T)(size);
  (b as Float32Array).set(a as Float32Array);
  return b;
}

/** The events `from` to `to - 1` of `batch` as a batch of their own, which shares its columns. */
export function range(batch: EventBatch, from: number, to: number): EventBatch {
  if (from === 0 && to === batch.count) return batch;
  const [first, end] = [batch.offsets[from], batch.offsets[to]];
  return {
    count: to - from,
    offsets: batch.offsets.subarray(from, to + 1).map(offset => offset - first),
    pt: batch.pt.subarray(first, end),
    eta: batch.eta.subarray(first, end),
    phi: batch.phi.subarray(first, end),
    kind: batch.kind.subarray(first, end),
    rows: batch.rows.subarray(from, to),
    ...(batch.eventIds ? { eventIds: batch.eventIds.subarray(from, to) } : {}),
  };
}

/** The objects of a ragged set of events, as EventBatch has them. */
export type Objects = Pick<EventBatch, 'offsets' | 'pt' | 'eta' | 'phi' | 'kind'>;

/** Columns for so many objects. */
export function objectColumns(objects: number): Omit<Objects, 'offsets'> {
  return {
    pt: new Float32Array(objects),
    eta: new Float32Array(objects),
    phi: new Float32Array(objects),
    kind: new Uint8Array(objects),
  };
}

/** The objects of event `index[k]` of `from(k)`, for every k. */
export function collectObjects(from: (k: number) => Objects, index: ArrayLike<number>): Objects {
  const offsets = new Int32Array(index.length + 1);
  for (let k = 0; k < index.length; k++) {
    const { offsets: own } = from(k);
    offsets[k + 1] = offsets[k] + own[index[k] + 1] - own[index[k]];
  }
  const { pt, eta, phi, kind } = objectColumns(offsets[index.length]);
  for (let k = 0; k < index.length; k++) {
    const events = from(k);
    // so few objects are copied sooner one by one than by `set`
    for (let to = offsets[k], o = events.offsets[index[k]]; to < offsets[k + 1]; to++, o++) {
      pt[to] = events.pt[o];
      eta[to] = events.eta[o];
      phi[to] = events.phi[o];
      kind[to] = events.kind[o];
    }
  }
  return { offsets, pt, eta, phi, kind };
}

/** The events at positions `index`, in that order, their objects alone. */
export function takeObjects(events: Objects, index: ArrayLike<number>): Objects {
  const count = events.offsets.length - 1;
  for (let k = 0; k < index.length; k++)
    if (!(index[k] >= 0 && index[k] < count)) throw new AnomalyClrError(`event ${index[k]} of a batch of ${count}`);
  return collectObjects(() => events, index);
}

/** The events at positions `index` of `batch`, in that order, as a new batch. */
export function take(batch: EventBatch, index: ArrayLike<number>): EventBatch {
  const objects = takeObjects(batch, index);
  const { rows, eventIds } = batch;
  return {
    count: index.length,
    ...objects,
    rows: Int32Array.from(index, e => rows[e]),
    ...(eventIds ? { eventIds: BigInt64Array.from(Array.from(index, e => eventIds[e])) } : {}),
  };
}
