import type { Part } from './align.js';
import { type Cut, type EventCut, type Place, partsOf } from './schema.js';

/** Whether a value passes; what is not a number passes no cut. */
export function passes(cut: Cut, raw: number): boolean {
  const value = cut.abs ? Math.abs(raw) : raw;
  return (
    !Number.isNaN(value) &&
    (cut.min === undefined || value >= cut.min) &&
    (cut.max === undefined || value <= cut.max) &&
    (cut.above === undefined || value > cut.above) &&
    (cut.below === undefined || value < cut.below) &&
    (cut.equals === undefined || value === cut.equals) &&
    (cut.not === undefined || value !== cut.not) &&
    (cut.in === undefined || cut.in.includes(value)) &&
    (cut.bits === undefined || (value & cut.bits) === cut.bits)
  );
}

/** Whether a row passes a cut on events: whether one of its parts does, of a list in one entry. */
export function rowTest(cut: EventCut, partOf: (place: Place) => Part): (row: number) => boolean {
  const tests = partsOf(cut).map(one => {
    const { values, offsets } = partOf(one);
    return (row: number): boolean => {
      const [first, end] = offsets ? [offsets[row], offsets[row + 1]] : [row, row + 1];
      for (let i = first; i < end; i++) if (passes(one, values[i])) return true;
      return false;
    };
  });
  return row => tests.some(test => test(row));
}

/** A cut in words: `|Electron_eta| <= 2.5`, `one of Electron_pt > 23, Muon_pt > 23`. */
export function describeCut(cut: EventCut): string {
  if ('any' in cut) return `one of ${cut.any.map(describeCut).join(', ')}`;
  const name = describePlace(cut);
  const parts = [
    ...(['min', 'above', 'max', 'below', 'equals', 'not'] as const).flatMap(condition =>
      cut[condition] === undefined ? [] : [`${signs[condition]} ${cut[condition]}`],
    ),
    ...(cut.in ? [`in ${cut.in.join(', ')}`] : []),
    ...(cut.bits === undefined ? [] : [`has bits ${cut.bits}`]),
  ];
  return `${cut.abs ? `|${name}|` : name} ${parts.join(' and ')}`;
}

const signs = { min: '>=', above: '>', max: '<=', below: '<', equals: '=', not: '!=' } as const;

export function describePlace({ branch, column }: Place): string {
  return column === undefined ? branch : `${branch}[${column}]`;
}
