import { columns } from '../evaluate/format.js';
import { figures, precisionRows, thresholdRows } from './card-text.js';
import type { ExportedBundle } from './export-run.js';

/** What an export tells its user: where the files are, what was checked, thresholds, what the precision changes. */
export function exportText({ card, places, bytes, checked, triton }: ExportedBundle): string {
  const { calibration, precisionChange: change } = card;
  const score = checked.score === null ? '' : `scores to ${checked.score.toExponential(1)} and `;
  const blocks = [
    `${places.bundle}: ${(bytes / 1024).toFixed(0)} KiB, ${card.part}, ${card.precision}, ${card.layout}\n` +
      `its card: ${places.markdown}, ${places.json}` +
      (triton === undefined ? '' : `\nfor Triton: ${triton}`),
    `checked against the engine on ${checked.events} events: ${score}representations to ` +
      `${checked.representation.toExponential(1)} of the largest, every verdict the same; ` +
      `${card.reference.events.length} reference events recomputed`,
  ];
  if (calibration) {
    const { head, rows } = thresholdRows(calibration);
    const from = calibration.heldBack ? 'events that training held back' : 'background events';
    if (rows.length > 0)
      blocks.push(`thresholds from ${calibration.events} ${from}, with 95 % intervals\n${columns([head, ...rows])}`);
    if (calibration.missing.length > 0)
      blocks.push(calibration.missing.map(({ rate, reason }) => `no threshold for ${rate}: ${reason}`).join('\n'));
  }
  if (change) {
    const { head, rows } = precisionRows(change);
    blocks.push(
      `${card.precision} against f32: scores change by ${figures(change.scoreChange.median, 2)} (median), at most ` +
        `${figures(change.scoreChange.largest, 2)}\n${columns([head, ...rows])}`,
    );
  }
  return `${blocks.join('\n\n')}\n`;
}
