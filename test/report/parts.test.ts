import { html, Html, number } from '../../src/report/html.js';
import { spectrum, thin } from '../../src/report/histogram.js';
import { power } from '../../src/report/chart.js';
import { colours, methodStyle, signalStyle } from '../../src/report/palette.js';

test('templates escape what they are given and join lists', () => {
  expect(html`<i title="${`"'<`}">${['a&b', html`<b>${1}</b>`, null, false, undefined]}</i>`.text).toBe(
    '<i title="&quot;&#39;&lt;">a&amp;b<b>1</b></i>',
  );
  expect(html`${new Html('<br>')}`.text).toBe('<br>');
});

test('numbers for reading', () => {
  expect([0, 3.14159, 1234, 12345, 1234567, 12345.6, -0.00012345, 1e-7, NaN, undefined].map(v => number(v))).toEqual([
    '0',
    '3.14',
    '1234',
    '12\u202f345',
    '1\u202f234\u202f567',
    '12\u202f300',
    '-0.000123',
    '1e-7',
    '–',
    '–',
  ]);
  expect([1, 10, 1000, 1e-3, 20].map(power)).toEqual(['1', '10', '10³', '10⁻³', '']);
});

test('a spectrum keeps every event, and bins by the logarithm where scores span it', () => {
  const b = Float32Array.from({ length: 5000 }, (_, i) => 10 ** (-3 + (5 * i) / 5000));
  const s = Float32Array.of(1e9, Infinity, 0, -5, 1);
  const wide = spectrum('ae', [
    { label: 'background', scores: b },
    { label: 'A', scores: s },
  ]);
  expect(wide.log).toBe(true);
  for (const { fraction } of wide.series) expect(fraction.reduce((x, y) => x + y, 0)).toBeCloseTo(1, 12);
  expect(wide.edges).toHaveLength(41);
  for (let k = 1; k < 41; k++) expect(wide.edges[k]).toBeGreaterThan(wide.edges[k - 1]);

  const only = spectrum('ae', [{ label: 'background', scores: b }]);
  const ratio = only.edges[1] / only.edges[0];
  for (let k = 1; k < 41; k++) expect(only.edges[k] / only.edges[k - 1]).toBeCloseTo(ratio, 9);
  expect(Math.max(...only.series[0].fraction)).toBeLessThan(0.03); // flat in the logarithm
  const counts = only.edges.slice(1, -2).map((low, k) => b.filter(x => x >= low && x < only.edges[k + 2]).length);
  counts.forEach((n, k) => expect(Math.abs(only.series[0].fraction[k + 1] * 5000 - n)).toBeLessThanOrEqual(1));
  expect(spectrum('met', [{ label: 'background', scores: Float32Array.of(1, 2, 3) }]).log).toBe(false);
  for (const odd of [Float32Array.of(2, 2), new Float32Array(0), Float32Array.of(Infinity)]) {
    const { edges } = spectrum('x', [{ label: 'background', scores: odd }]);
    expect(edges.every(Number.isFinite) && edges[40] > edges[0]).toBe(true);
  }
});

test('thinning averages neighbours and keeps short series', () => {
  expect(
    thin(
      [
        [1, 2],
        [2, 4],
        [3, 9],
      ],
      2,
    ),
  ).toEqual([
    [1.5, 3],
    [3, 9],
  ]);
  expect(thin([[1, 2]])).toEqual([[1, 2]]);
  expect(thin(Array.from({ length: 10_001 }, (_, i) => [i, i] as const)).length).toBeLessThanOrEqual(300);
});

describe('palette', () => {
  const luminance = (hex: string) => {
    const [r, g, b] = [1, 3, 5]
      .map(i => parseInt(hex.slice(i, i + 2), 16) / 255)
      .map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string) => {
    const [x, y] = [luminance(a), luminance(b)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  };

  test.each([0, 1] as const)('contrast by WCAG: lines 3, text 4.5 (%i: 0 light, 1 dark)', screen => {
    for (const [name, values] of Object.entries(colours)) {
      if (['page', 'panel', 'grid'].includes(name)) continue;
      const least = ['text', 'muted', 'blue'].includes(name) ? 4.5 : 3;
      for (const ground of [colours.page, colours.panel])
        expect([name, contrast(values[screen], ground[screen]) >= least]).toEqual([name, true]);
    }
  });

  test('light values are all different, since each stands for its variable', () => {
    const values = Object.values(colours).map(([light]) => light);
    expect(new Set(values).size).toBe(values.length);
  });

  test('styles depend on the name alone for known methods, and differ for strangers', () => {
    expect(methodStyle('raw-autoencoder', 'clr', [])).toEqual(methodStyle('raw-autoencoder', 'anomclr+', ['x', 'y']));
    expect(methodStyle('x', 'clr', ['x', 'y'])).not.toEqual(methodStyle('y', 'clr', ['x', 'y']));
    expect(methodStyle('clr', 'clr', ['clr']).colour).toBe('blue');
    expect(signalStyle('B', ['background', 'A', 'B'])).toEqual(signalStyle('B', ['A', 'B']));
    expect(signalStyle('background', ['A']).colour).toBe('background');
  });
});
