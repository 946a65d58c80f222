import type { ReportData } from '../data.js';
import { html, number, type Section, table } from '../html.js';

/** How far a turn in phi moves a representation, before training and after. */
export function invariance({ invariance }: ReportData): Section | null {
  if (!invariance) return null;
  const { before, after } = invariance;
  const change = before > 0 && after > 0 ? before / after : NaN;
  const verdict = !Number.isFinite(change)
    ? ''
    : change >= 1
      ? `Training made it ${number(change, 2)} times smaller.`
      : `Training made it ${number(1 / change, 2)} times larger.`;
  const body = html`<p>
      Mean distance between the representations of an event and of the same event turned in φ by a random angle, over
      the mean distance between different events: 0 is perfectly invariant, 1 not at all. ${verdict}
    </p>
    ${table(
      'Rotation invariance',
      ['encoder', 'relative distance'],
      [
        ['untrained', number(before)],
        ['trained', number(after)],
      ],
    )}`;
  return { id: 'invariance', title: 'Rotation invariance', body };
}
