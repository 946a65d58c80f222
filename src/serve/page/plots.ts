import { number } from '../../report/html.js';
import type { LiveScores } from '../live.js';
import { drawing } from './dom.js';

const margin = { left: 46, right: 12, top: 30, bottom: 34 };

/** A picture as wide as its place, so that text keeps its size on every screen. */
function canvas(place: HTMLElement, height: number, label: string) {
  const width = Math.max(240, place.clientWidth);
  const picture = drawing('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': label });
  place.replaceChildren(picture);
  const inner = { left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom };
  const text = (x: number, y: number, words: string, style: string) => drawing('text', { x, y, class: style }, words);
  return { picture, inner, text };
}

/** Counts of the recent scores with the thresholds, the counts on a logarithmic axis and the scores where they can be. */
export function drawSpectrum(place: HTMLElement, { spectrum, thresholds, quantiles }: LiveScores): void {
  if (!spectrum) return;
  const { log, edges, counts } = spectrum;
  const label = `Spectrum of the recent scores. ${quantiles ? `Half lie below ${number(quantiles.p50)}, 99 % below ${number(quantiles.p99)}. ` : ''}${thresholds.map(t => `Threshold ${t.rate} at ${number(t.threshold)}.`).join(' ')}`;
  const { picture, inner, text } = canvas(place, 346, label);
  const on = (value: number) => (log ? Math.log10(value) : value);
  const [low, high] = [on(edges[0]), on(edges[edges.length - 1])];
  const x = (value: number) => inner.left + ((on(value) - low) / (high - low)) * (inner.right - inner.left);
  const top = Math.log10(Math.max(10, ...counts)) + 0.1;
  const floor = Math.log10(0.7);
  const y = (count: number) =>
    inner.bottom -
    (Math.max(0, Math.log10(Math.max(count, 1e-9)) - floor) / (top - floor)) * (inner.bottom - inner.top);

  for (let power = 0; power <= top; power++) {
    const at = y(10 ** power);
    picture.append(drawing('line', { x1: inner.left, x2: inner.right, y1: at, y2: at, class: 'grid' }));
    picture.append(
      text(inner.left - 6, at + 4, power === 0 ? '1' : power === 1 ? '10' : superscript(power), 'tick end'),
    );
  }
  for (const value of log ? logTicks(low, high) : evenTicks(low, high))
    picture.append(text(x(value), inner.bottom + 16, number(value), 'tick middle'));
  const cut = Math.min(...thresholds.map(t => t.threshold));
  for (const [k, count] of counts.entries()) {
    if (count < 0.7) continue;
    const [from, to] = [x(edges[k]), x(edges[k + 1])];
    const style = edges[k + 1] > cut && on(edges[k]) + on(edges[k + 1]) >= 2 * on(cut) ? 'bar beyond' : 'bar';
    const box = { x: from + 0.5, width: Math.max(1, to - from - 1), y: y(count), height: inner.bottom - y(count) };
    picture.append(drawing('rect', { ...box, class: style }));
  }
  drawThresholds(picture, thresholds, x, inner);
  picture.append(
    drawing('line', { x1: inner.left, x2: inner.right, y1: inner.bottom, y2: inner.bottom, class: 'axis' }),
  );
  picture.append(text((inner.left + inner.right) / 2, inner.bottom + 31, 'score', 'tick middle'));
  picture.append(text(inner.left, 14, 'events per bin', 'tick'));
}

function drawThresholds(
  picture: SVGElement,
  thresholds: LiveScores['thresholds'],
  x: (value: number) => number,
  inner: { readonly top: number; readonly bottom: number },
): void {
  let free = -Infinity;
  for (const { rate, threshold } of thresholds.toSorted((a, b) => a.threshold - b.threshold)) {
    const at = x(threshold);
    const crowded = at - free < 34;
    picture.append(
      drawing('line', { x1: at, x2: at, y1: inner.top - (crowded ? 12 : 2), y2: inner.bottom, class: 'threshold' }),
    );
    picture.append(
      drawing(
        'text',
        { x: at, y: inner.top - (crowded ? 16 : 6), class: 'tick middle' },
        superscript(Number(rate.slice(2))),
      ),
    );
    if (!crowded) free = at;
  }
}

/** Events of each of the last seconds; the newest on the right. */
export function drawRate(place: HTMLElement, rate: readonly number[]): void {
  const most = Math.max(...rate);
  const label = `Events in each of the last ${rate.length} seconds: ${number(rate[rate.length - 1])} in the last, ${number(most)} at most.`;
  const { picture, inner, text } = canvas(place, 190, label);
  const top = niceCeiling(Math.max(most, 1));
  const step = (inner.right - inner.left) / rate.length;
  const y = (count: number) => inner.bottom - (count / top) * (inner.bottom - inner.top);
  for (const part of [0, 0.5, 1]) {
    const at = y(part * top);
    picture.append(
      drawing('line', { x1: inner.left, x2: inner.right, y1: at, y2: at, class: part === 0 ? 'axis' : 'grid' }),
    );
    picture.append(text(inner.left - 6, at + 4, short(part * top), 'tick end'));
  }
  let path = `M${inner.left} ${inner.bottom}`;
  for (const [k, count] of rate.entries())
    path += `V${y(count).toFixed(1)}H${(inner.left + (k + 1) * step).toFixed(1)}`;
  picture.append(drawing('path', { d: `${path}V${inner.bottom}Z`, class: 'area' }));
  for (const seconds of [120, 90, 60, 30, 0])
    picture.append(
      text(
        inner.right - seconds * step,
        inner.bottom + 16,
        seconds === 0 ? 'now' : `−${seconds} s`,
        seconds === 0 ? 'tick end' : 'tick middle',
      ),
    );
}

function logTicks(low: number, high: number): number[] {
  const steps = high - low < 2.2 ? [1, 2, 5] : [1];
  const powers = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, k) => Math.floor(low) + k);
  return powers
    .flatMap(power => steps.map(step => step * 10 ** power))
    .filter(value => Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9);
}

function evenTicks(low: number, high: number): number[] {
  const step = niceCeiling((high - low) / 6);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, k) => (first + k) * step);
}

/** 1, 2, 4 or 10 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 10].map(step => step * power).find(step => step >= value) ?? 10 * power;
}

function short(value: number): string {
  return value >= 10_000 ? `${number(value / 1000)}k` : number(value);
}

/** 10 to a whole power, as 10⁻³. */
export function superscript(power: number): string {
  return `10${String(power)
    .replace('-', '⁻')
    .replace(/\d/g, digit => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)])}`;
}
