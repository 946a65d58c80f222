import { dataKind } from '../../events/data-kinds.js';
import type { ReportData } from '../data.js';
import { html, number, type Section, table } from '../html.js';

/** How far the symmetry of the data moves a representation, before training and after. */
export function invariance({ invariance, domain }: ReportData): Section | null {
  if (!invariance) return null;
  const { before, after } = invariance;
  const change = before > 0 && after > 0 ? before / after : NaN;
  const verdict = !Number.isFinite(change)
    ? ''
    : change >= 1
      ? `Training made it ${number(change, 2)} times smaller.`
      : `Training made it ${number(1 / change, 2)} times larger.`;
  const { words, symmetry } = dataKind(domain?.data);
  const body = html`<p>
      Root mean square distance of the representations of one ${words.one}, ${symmetry.words}, from their mean, over
      that of different ${words.many} from theirs: 0 is perfectly invariant, 1 not at all. ${verdict}
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
