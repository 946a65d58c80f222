import { Kind } from '../events/objects.js';
import type { Augmentation } from './augmentation.js';
import { minPt, mostObjects, visibleKinds, type MutableEvent } from './event.js';
import type { Numbers } from './numbers.js';

const f = Math.fround;
const member = new Int32Array(mostObjects);
const weight = new Float32Array(mostObjects);
/** Least pt of the leading lepton of an event, GeV: that of its trigger. */
const leptonLead = 23;

/** Anomalous: in each kind the scalar pt sum is dealt out anew among more objects. */
export const redistribute: Augmentation = {
  info: {
    name: 'redistribute',
    role: 'anomalous',
    data: 'event',
    help: 'deal out the pt sum of each kind among more objects of that kind',
    source: 'arXiv:2301.04660 sec. 3 as published in 2024, mended (test/golden/bugs.json A12-A18)',
    params: [],
  },
  apply(event, _, numbers) {
    for (const kind of visibleKinds) deal(event, kind, numbers);
  },
};

function deal(event: MutableEvent, kind: number, numbers: Numbers): void {
  let n = 0;
  let sum = 0;
  for (let i = 0; i < event.size; i++) {
    if (event.kind[i] !== kind) continue;
    member[n++] = i;
    sum = f(sum + event.pt[i]);
  }
  const least = minPt[kind];
  const lead = kind === Kind.jet ? least : leptonLead;
  const reserve = kind === Kind.jet ? 0 : leptonLead;
  const most = f(f(f(sum - reserve) / least) - n);
  const drawn = numbers.integer(most > 0 ? Math.trunc(Math.min(most, 1e9)) : 0);
  const add = Math.min(drawn, n, event.room(kind));
  const available = f(f(sum - (lead - least)) - f(least * (n + add)));
  if (n === 0 || available < 0) return;

  let total = 0;
  for (let j = 0; j < n + add; j++) {
    weight[j] = numbers.exponential();
    total = f(total + weight[j]);
  }
  for (let j = 0; j < n + add; j++) {
    const share = f(least + f(f(available * weight[j]) / total));
    const pt = j === 0 ? f(share + (lead - least)) : share;
    if (j < n) event.pt[member[j]] = pt;
    else event.add(pt, event.eta[member[j - n]], event.phi[member[j - n]], kind);
  }
}
