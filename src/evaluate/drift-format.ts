import { type Drift, type DriftFeature, driftVerdicts } from './drift.js';
import { columns } from './format.js';

/** The features that moved most first: by verdict, then by what the index has beyond chance. */
export function worstFirst(features: readonly DriftFeature[]): DriftFeature[] {
  const rank = (one: DriftFeature) => driftVerdicts.indexOf(one.verdict);
  const excess = (one: DriftFeature) => (one.psi ?? 0) - one.psiNoise;
  return features.toSorted((a, b) => rank(b) - rank(a) || excess(b) - excess(a));
}

/** What moved, in a line: `shifted: jet pT, jets per event; 14 of 16 features are as in the training`. */
export function driftHeadline({ features }: Drift): string {
  const named = (['changed', 'shifted', 'slight'] as const).flatMap(verdict => {
    const names = worstFirst(features.filter(one => one.verdict === verdict)).map(one => one.feature);
    return names.length > 0 ? [`${verdict}: ${names.join(', ')}`] : [];
  });
  const few = features.filter(({ verdict }) => verdict === 'few').length;
  const stable = features.filter(({ verdict }) => verdict === 'stable').length;
  return [
    ...named,
    ...(few > 0 ? [`${few} with too few events to tell`] : []),
    `${stable} of ${features.length} features stable`,
  ].join('; ');
}

/** A readable table, a line per feature, the worst first. */
export function formatDrift(drift: Drift): string {
  const head = ['', 'verdict', 'PSI', 'by chance', 'KS', '95 % point', 'outside', 'values'];
  const rows = worstFirst(drift.features).map(one => [
    one.feature,
    one.verdict,
    short(one.psi),
    short(one.psi === null ? null : one.psiNoise),
    short(one.ks),
    short(one.ksCritical),
    one.sample === 0 ? '-' : `${Number((100 * one.outside).toPrecision(3))} %`,
    String(one.sample),
  ]);
  return columns([head, ...rows]);
}

function short(x: number | null): string {
  return x === null ? '-' : x < 1e-4 ? String(Number(x.toPrecision(1))) : x.toFixed(4);
}
