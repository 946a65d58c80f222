import type { Cut, Place } from './schema.js';

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

/** A cut in words: `|Electron_eta| <= 2.5`. */
export function describeCut(cut: Cut): string {
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
