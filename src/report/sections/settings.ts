import type { ReportData } from '../data.js';
import { html, type Section, table } from '../html.js';

/** Every option of the run as used. */
export function settings({ settings }: ReportData): Section | null {
  const rows = flatten(settings ?? {});
  if (rows.length === 0) return null;
  return {
    id: 'settings',
    title: 'Settings',
    body: html`<details>
      <summary>${rows.length} options as used</summary>
      ${table('Settings', [], rows)}
    </details>`,
  };
}

function flatten(value: Readonly<Record<string, unknown>>, prefix = ''): [name: string, value: string][] {
  return Object.entries(value).flatMap(([key, v]): [string, string][] => {
    if (v === undefined) return [];
    if (typeof v === 'object' && v !== null && !Array.isArray(v))
      return flatten(v as Record<string, unknown>, `${prefix}${key}.`);
    return [
      [
        `${prefix}${key}`,
        typeof v === 'string'
          ? v
          : Array.isArray(v)
            ? v.map(x => (typeof x === 'string' ? x : JSON.stringify(x))).join(', ')
            : JSON.stringify(v),
      ],
    ];
  });
}
