import { AnomalyClrError } from '../errors.js';
import { objectColumns, type EventBatch } from '../events/event-batch.js';
import { eventKindNames, Kind, layout } from '../events/objects.js';
import type { BadEvent, DecodedEvents } from './event-file.js';
import { kinematicsProblem, maxAbsEta, maxPt, phiSlack, pi32 } from './limits.js';

const { slots } = layout;
type EventKindName = (typeof eventKindNames)[number];
/** Values in one padded event: 19 slots of pT [GeV], eta, phi [rad], class. */
export const valuesPerEvent = slots * 4;

const kindOfSlot: readonly EventKindName[] = Array.from({ length: slots }, (_, slot) => {
  const kind = eventKindNames.findLast(k => slot >= layout[k].firstSlot);
  if (!kind) throw new Error(`slot ${slot} belongs to no kind`);
  return kind;
});
const codeOfSlot = Uint8Array.from(kindOfSlot, kind => Kind[kind]);

/**
 * Packs padded events, checking each.
 *
 * @param values - [events, 19, 4] = pT [GeV], eta, phi [rad], class.
 * @param firstRow - where the first of them stands in its file.
 * @param eventIds - `EvtId` of each event. [events]
 */
export function decodeSlots(
  values: Float32Array | Float64Array,
  firstRow: number,
  eventIds?: BigInt64Array,
): DecodedEvents {
  const events = values.length / valuesPerEvent;
  const columns = objectColumns(countObjects(values));
  const offsets = new Int32Array(events + 1);
  const rows = new Int32Array(events);
  const problems: BadEvent[] = [];
  let count = 0;
  for (let e = 0; e < events; e++) {
    const end = decodeEvent(values, e * valuesPerEvent, columns, offsets[count]);
    const row = firstRow + e;
    if (typeof end === 'number') {
      rows[count++] = row;
      offsets[count] = end;
    } else problems.push({ message: `event ${row}, ${end}`, row, eventId: eventIds?.[e] });
  }
  const ids = eventIds && (count === events ? eventIds : idsOf(eventIds, rows.subarray(0, count), firstRow));
  const objects = offsets[count];
  const batch = {
    count,
    offsets: offsets.subarray(0, count + 1),
    pt: columns.pt.subarray(0, objects),
    eta: columns.eta.subarray(0, objects),
    phi: columns.phi.subarray(0, objects),
    kind: columns.kind.subarray(0, objects),
    rows: rows.subarray(0, count),
  };
  return { batch: ids ? { ...batch, eventIds: ids } : batch, problems };
}

type Columns = Pick<EventBatch, 'pt' | 'eta' | 'phi' | 'kind'>;

function countObjects(values: Float32Array | Float64Array): number {
  let objects = 0;
  for (let i = 0; i < values.length; i += 4)
    if (values[i + 3] !== 0 || values[i] !== 0 || values[i + 1] !== 0 || values[i + 2] !== 0) objects++;
  return objects;
}

function idsOf(eventIds: BigInt64Array, rows: Int32Array, firstRow: number): BigInt64Array {
  const ids = new BigInt64Array(rows.length);
  rows.forEach((row, i) => (ids[i] = eventIds[row - firstRow]));
  return ids;
}

/** Puts the objects of the event that begins at `at` into `columns` from `place` on; the place after them, or what is wrong. */
function decodeEvent(
  values: Float32Array | Float64Array,
  at: number,
  { pt, eta, phi, kind }: Columns,
  place: number,
): number | string {
  let group = 0;
  let previous = Infinity;
  for (let slot = 0, i = at; slot < slots; slot++, i += 4) {
    const code = values[i + 3];
    if (code === 0 && values[i] === 0 && values[i + 1] === 0 && values[i + 2] === 0) continue;
    const momentum = Math.fround(values[i]);
    if (codeOfSlot[slot] !== group) {
      group = codeOfSlot[slot];
      previous = Infinity;
    }
    const eta0 = values[i + 1];
    const phi0 = values[i + 2];
    // what objectProblem says in words; NaN passes no comparison
    const met = group === Kind.met;
    const good =
      code === group &&
      (met ? values[i] >= 0 && eta0 === 0 : momentum > 0 && Math.abs(eta0) <= maxAbsEta) &&
      values[i] < maxPt &&
      Math.abs(phi0) <= Math.PI + phiSlack;
    if (!good || momentum > previous) {
      const name = kindOfSlot[slot];
      const problem =
        objectProblem(name, values[i], eta0, phi0, code) ??
        `pT is ${momentum} GeV, above the ${previous} GeV before it; pT must fall within a kind`;
      return `slot ${slot} (${name}): ${problem}`;
    }
    previous = momentum;
    pt[place] = momentum;
    eta[place] = eta0;
    phi[place] = phi0 > pi32 ? pi32 : phi0 < -pi32 ? -pi32 : phi0; // rounds to float32
    kind[place++] = code;
  }
  return place;
}

function objectProblem(kind: EventKindName, pt: number, eta: number, phi: number, code: number): string | undefined {
  if (![pt, eta, phi].every(Number.isFinite)) return kinematicsProblem(kind === 'met', pt, eta, phi);
  if (code === 0) return `class is 0 (empty), but pT, eta, phi are ${pt}, ${eta}, ${phi}`;
  if (code !== Kind[kind]) return `class is ${code}, expected ${Kind[kind]} or 0`;
  return kinematicsProblem(kind === 'met', pt, eta, phi);
}

/**
 * Pads a batch: the inverse of {@link decodeSlots}, which has to accept the result.
 *
 * @returns [batch.count, 19, 4] = pT [GeV], eta, phi [rad], class.
 * @throws {@link AnomalyClrError} naming the event, where one has more objects of a kind than slots or is not valid.
 */
export function encodeSlots(batch: EventBatch): Float32Array {
  const values = new Float32Array(batch.count * valuesPerEvent);
  const used = new Uint8Array(eventKindNames.length + 1);
  for (let e = 0; e < batch.count; e++) {
    used.fill(0);
    for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++) {
      const code = batch.kind[o];
      const kind = eventKindNames[code - 1];
      if (kind === undefined) throw new AnomalyClrError(`event ${batch.rows[e]}: object of unknown class ${code}`);
      const { firstSlot, capacity } = layout[kind];
      if (used[code] === capacity)
        throw new AnomalyClrError(
          `event ${batch.rows[e]}: more than ${capacity} objects of kind ${kind}; drop the softest`,
        );
      const i = e * valuesPerEvent + (firstSlot + used[code]++) * 4;
      values[i] = batch.pt[o];
      values[i + 1] = batch.eta[o];
      values[i + 2] = batch.phi[o];
      values[i + 3] = code;
    }
  }
  const [problem] = decodeSlots(values, 0).problems;
  if (problem !== undefined) throw new AnomalyClrError(`of the events to be written, ${problem.message}`);
  return values;
}
