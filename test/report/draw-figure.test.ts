import { drawFigure } from '../../src/report/draw-figure.js';
import type { DotPanel, LinePanel } from '../../src/report/figure.js';

const lines: LinePanel = {
  kind: 'lines',
  title: 'A < B',
  x: { name: 'size', log: 2 },
  y: { name: 'AUC' },
  series: [
    { name: 'one', marks: true, points: [8, 16, 32].map(x => ({ x, y: x / 40, low: x / 50, high: x / 35 })) },
    { name: 'two & more', points: [8, 16, 32].map(x => ({ x, y: 0.5 })) },
  ],
};
const dots: DotPanel = {
  kind: 'dots',
  title: 'dots',
  value: { name: 'AUC' },
  rows: ['first', 'second'],
  series: [
    { name: 'one', values: [{ value: 0.5, low: 0.4, high: 0.6 }, null] },
    {
      name: 'three',
      values: [
        { value: 0.7, low: 0.6, high: 0.75 },
        { value: 0.2, low: 0.1, high: 0.3 },
      ],
    },
  ],
};
const figure = { title: 'A title', label: 'In "words"', panels: [lines, dots] };

/** Elements with their attributes; fails where tags do not match. */
function elements(svg: string): { name: string; attributes: string }[] {
  const open: string[] = [];
  const found: { name: string; attributes: string }[] = [];
  for (const [, closing, name, attributes, empty] of svg.matchAll(/<(\/?)([\w:]+)([^<>]*?)(\/?)>/g)) {
    if (closing) expect(open.pop()).toBe(name);
    else {
      found.push({ name, attributes });
      if (!empty) open.push(name);
    }
  }
  expect(open).toEqual([]);
  return found;
}

test('a figure is one SVG of its panels that needs nothing else', () => {
  const svg = drawFigure(figure);
  const all = elements(svg);
  expect(all.filter(({ name }) => name === 'svg')).toHaveLength(3);
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="848" height="\d+"/);
  expect(svg).toContain('aria-label="In &quot;words&quot;"');
  for (const text of ['A title', 'A &lt; B', 'two &amp; more', 'first', 'second', 'size', 'AUC', '16'])
    expect(svg).toContain(`>${text}<`);
  expect(svg).not.toMatch(/<style|<script|href=|var\(--|NaN/);
  const ids = [...svg.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test('every known point has its mark and its interval, and an unknown one has none', () => {
  const marks = (panel: LinePanel | DotPanel, colour: string): number => {
    // one path each for marks, bars and legends; lines have no fill
    return elements(drawFigure({ ...figure, panels: [panel] })).filter(({ attributes }) => attributes.includes(colour))
      .length;
  };
  const [blue, red] = ['#0068a8', '#d1520a'];
  // bar and dot for each value, one mark in the legend
  expect(marks(dots, blue)).toBe(2 + 1);
  expect(marks(dots, red)).toBe(4 + 1);
  // three bars, three marks, the line, and its legend
  expect(marks(lines, blue)).toBe(3 + 3 + 1 + 1);
  const bare = {
    ...lines,
    series: [
      {
        ...lines.series[0],
        points: [
          { x: 8, y: 0.1 },
          { x: 16, y: 0.2 },
        ],
      },
    ],
  };
  expect(marks(bare, blue)).toBe(2 + 1 + 1);
});

test('the series that stands out is blue, wherever it comes', () => {
  const bold = /stroke="#0068a8"[^>]*stroke-width="2.75"|stroke-width="2.75"[^>]*stroke="#0068a8"/;
  expect(drawFigure({ ...figure, main: 'two & more' })).toMatch(bold);
  expect(drawFigure(figure)).not.toMatch(bold);
});
