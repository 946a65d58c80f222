import { kindLetters } from '../../report/kinds.js';
import { number } from '../../report/html.js';
import type { LiveEvent } from '../live.js';
import { drawing, element } from './dom.js';

type LiveObject = LiveEvent['objects'][number];

/** One scale for all pictures. */
export interface EventScale {
  /** GeV */
  readonly largestPt: number;
  /** Half widths. */
  readonly eta: number;
  /** rad */
  readonly phi: number;
}

const size = { width: 260, height: 216 };
const inner = { left: 30, right: size.width - 8, top: 8, bottom: size.height - 22 };
const largestArea = 900;

/** An event in the eta-phi plane, its figures, and its objects as a list. */
export function eventCard(event: LiveEvent, rank: number, scale: EventScale): HTMLElement {
  const { score, time, inDomain, crossed, objects } = event;
  const clock = new Date(time).toLocaleTimeString([], { hour12: false });
  const domain = inDomain ? '' : ' · outside the domain';
  return element(
    'figure',
    { class: inDomain ? 'event' : 'event outside' },
    element(
      'figcaption',
      {},
      element('strong', {}, `${rank}. ${number(score, 4)}`),
      element('span', { class: 'note' }, ` at ${clock}${domain}`),
    ),
    picture(objects, scale, `Event ${rank} in the eta-phi plane: ${inWords(objects)}.`),
    element(
      'details',
      {},
      element(
        'summary',
        {},
        `${objects.length} objects${crossed.length > 0 ? `, ${crossed.length} boundaries crossed` : ''}`,
      ),
      element(
        'ul',
        {},
        ...crossed.map(text => element('li', { class: 'crossed' }, text)),
        ...objects.map(one => element('li', {}, describe(one))),
      ),
    ),
  );
}

function picture(objects: readonly LiveObject[], scale: EventScale, label: string): SVGElement {
  const x = (eta: number) => inner.left + ((eta / scale.eta + 1) / 2) * (inner.right - inner.left);
  const y = (phi: number) => inner.bottom - ((phi / scale.phi + 1) / 2) * (inner.bottom - inner.top);
  const made = drawing('svg', { viewBox: `0 0 ${size.width} ${size.height}`, role: 'img', 'aria-label': label });
  const round = scale.phi === Math.PI;
  for (const [phi, name] of [
    [-scale.phi, round ? '−π' : number(-scale.phi)],
    [0, '0'],
    [scale.phi, round ? 'π' : number(scale.phi)],
  ] as const) {
    made.append(drawing('line', { x1: inner.left, x2: inner.right, y1: y(phi), y2: y(phi), class: 'grid' }));
    made.append(drawing('text', { x: inner.left - 5, y: y(phi) + 4, class: 'tick end' }, name));
  }
  for (const eta of [-scale.eta / 2, 0, scale.eta / 2]) {
    made.append(drawing('line', { x1: x(eta), x2: x(eta), y1: inner.top, y2: inner.bottom, class: 'grid' }));
    made.append(drawing('text', { x: x(eta), y: inner.bottom + 15, class: 'tick middle' }, number(eta)));
  }
  made.append(drawing('text', { x: inner.right, y: inner.bottom + 15, class: 'tick end' }, 'η'));
  made.append(drawing('text', { x: inner.left - 5, y: y(scale.phi / 2) + 4, class: 'tick end' }, 'φ'));
  // the largest first, so that small ones stay visible
  for (const one of objects.toSorted((a, b) => b.pt - a.pt))
    made.append(one.kind === 'met' ? metLine(one, y) : mark(one, x(one.eta), y(one.phi), scale.largestPt));
  return made;
}

/** MET has no eta: a line across, with its arrow, at its phi. */
function metLine({ pt, phi }: LiveObject, y: (phi: number) => number): SVGElement {
  const at = y(phi);
  const below = phi > 2.6;
  return drawing(
    'g',
    { class: 'mark met' },
    drawing('line', { x1: inner.left, x2: inner.right - 6, y1: at, y2: at }),
    drawing('path', { d: `M${inner.right} ${at}l-8 -4v8z` }),
    drawing('text', { x: inner.left + 3, y: below ? at + 12 : at - 4, class: 'tick' }, `MET ${number(Math.round(pt))}`),
  );
}

function mark({ kind, pt }: LiveObject, x: number, y: number, largestPt: number): SVGElement {
  const area = Math.max(16, largestArea * Math.min(1, pt / largestPt));
  return drawing('path', {
    d: shape(kind, area),
    transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
    class: `mark ${kind}`,
  });
}

/** Jets are circles, electrons squares, muons triangles; all of the same area. */
function shape(kind: LiveObject['kind'], area: number): string {
  if (kind === 'electron') {
    const half = (Math.sqrt(area) / 2).toFixed(1);
    return `M-${half} -${half}H${half}V${half}H-${half}Z`;
  }
  if (kind === 'muon') {
    const side = Math.sqrt((4 * area) / Math.sqrt(3));
    const height = (side * Math.sqrt(3)) / 2;
    return `M0 ${(-height * (2 / 3)).toFixed(1)}L${(side / 2).toFixed(1)} ${(height / 3).toFixed(1)}H${(-side / 2).toFixed(1)}Z`;
  }
  const r = Math.sqrt(area / Math.PI).toFixed(1);
  return `M-${r} 0a${r} ${r} 0 1 0 ${2 * Number(r)} 0a${r} ${r} 0 1 0 -${2 * Number(r)} 0Z`;
}

/** What the shapes mean. */
export function eventLegend(): HTMLElement {
  const item = (kind: LiveObject['kind'], name: string) => {
    const symbol = drawing('svg', { viewBox: '-12 -9 24 18', width: 24, height: 18, 'aria-hidden': 'true' });
    symbol.append(
      kind === 'met'
        ? drawing(
            'g',
            { class: 'met' },
            drawing('line', { x1: -12, x2: 6, y1: 0, y2: 0 }),
            drawing('path', { d: 'M12 0l-8 -4v8z' }),
          )
        : drawing('path', { d: shape(kind, 120), class: kind }),
    );
    return element('li', {}, symbol, name);
  };
  return element(
    'ul',
    { class: 'legend' },
    item('jet', 'jet'),
    item('electron', 'electron'),
    item('muon', 'muon'),
    item('met', 'MET, without η'),
  );
}

function describe({ kind, pt, eta, phi }: LiveObject): string {
  const place = kind === 'met' ? '' : `η ${number(eta, 2)}, `;
  return `${kindLetters[kind]}: pT ${number(pt)} GeV, ${place}φ ${number(phi, 2)}`;
}

function inWords(objects: readonly LiveObject[]): string {
  return objects.length > 0 ? objects.map(describe).join('; ') : 'no objects';
}
