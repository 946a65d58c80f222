import { dataKind } from '../../events/data-kinds.js';
import { type FeatureSummary, quantileProbabilities } from '../../events/domain.js';
import { axis, chart, line } from '../chart.js';
import type { ReportData } from '../data.js';
import { html, number, type Section, table } from '../html.js';
import { kindStyles } from '../kinds.js';
import { legend } from '../palette.js';

const medianAt = quantileProbabilities.indexOf(0.5);
const tabled = [quantileProbabilities.indexOf(0.01), medianAt, quantileProbabilities.indexOf(0.99)];

/** Feature boundaries: between what values the training events lie, per kind of object. */
export function domain({ domain }: ReportData): Section | null {
  if (!domain) return null;
  const { kinds: names, words } = dataKind(domain.data);
  const kinds = names.flatMap(name => {
    const { pt, eta, phi, multiplicity } = domain.kinds[name];
    return pt && eta && phi ? [{ name, pt, eta, phi, multiplicity }] : [];
  });
  if (kinds.length === 0) return null;
  const row = (name: string, unit: string, f: FeatureSummary) => [
    html`${name}${unit && html` <small>${unit}</small>`}`,
    ...[f.min, ...tabled.map(k => f.quantiles[k]), f.max, f.mean, f.std].map(v => number(v)),
  ];
  const rows = kinds.flatMap(({ name, pt, eta, phi, multiplicity: { min, max, mean } }) => {
    const [ofPt, ofPhi] = [row(`${name} pT`, 'GeV', pt), row(`${name} φ`, 'rad', phi)];
    if (name === 'met') return [ofPt, ofPhi]; // MET has no η, and an event has one at most.
    const count = [`${name}s per ${words.one}`, number(min), ...tabled.map(() => '–'), number(max), number(mean), '–'];
    return [ofPt, row(`${name} η`, '', eta), ofPhi, count];
  });
  const curves = kinds.map(({ name, pt }) => {
    const points = pt.quantiles.map((value, k) => [value, quantileProbabilities[k]] as const);
    return line(
      name,
      points.filter(([value]) => value > 0),
      kindStyles[name],
    );
  });
  const body = html`<p>
      What the ${number(domain.events)} training ${words.many} hold. Beyond these boundaries a score says little.
    </p>
    ${table(
      'Feature boundaries',
      ['feature', 'min', ...tabled.map(k => html`${100 * quantileProbabilities[k]} %`), 'max', 'mean', 'st. dev.'],
      rows,
    )}
    ${legend(kinds.map(k => ({ label: k.name, style: kindStyles[k.name] })))}
    <div class="charts">
      ${chart({
        id: 'domain-pt',
        title: `pT of the training ${words.objects}`,
        label: `Share of ${words.objects} below a pT, by kind. Medians: ${kinds.map(k => `${k.name} ${number(k.pt.quantiles[medianAt])} GeV`).join(', ')}.`,
        caption: `Share of the ${words.objects} below a transverse momentum, at the quantiles kept with the model, from 1 GeV on.`,
        height: 260,
        option: {
          xAxis: axis('pT, GeV', 'x', { log: true, min: 1 }),
          yAxis: axis('share below', 'y', { min: 0, max: 1 }),
          series: curves,
        },
      })}
    </div>`;
  return { id: 'domain', title: 'Feature boundaries', body };
}
