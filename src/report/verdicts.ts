import type { DriftVerdict } from '../evaluate/drift.js';
import type { Colour } from './palette.js';

/** How each verdict is told apart: by its word, a sign and a colour. */
export const verdictMarks: Record<DriftVerdict, { readonly sign: string; readonly colour: Colour }> = {
  few: { sign: '?', colour: 'muted' },
  stable: { sign: '✓', colour: 'green' },
  slight: { sign: '≈', colour: 'text' },
  shifted: { sign: '▲', colour: 'orange' },
  changed: { sign: '▲▲', colour: 'vermillion' },
};

/** Style sheet of the classes named after the verdicts. */
export const verdictStyle = Object.entries(verdictMarks)
  .map(([verdict, { colour }]) => `.${verdict}{color:var(--${colour});font-weight:600}`)
  .join('');
