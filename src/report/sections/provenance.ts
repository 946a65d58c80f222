import type { ReportData } from '../data.js';
import { type Content, html, number, type Section, table } from '../html.js';

/** What made this report, from what, where and how fast. */
export function provenance({ provenance: p }: ReportData): Section {
  const lines = (files: readonly string[] = []) => files.map((f, k) => html`${k > 0 ? html`<br />` : ''}${f}`);
  const all: [string, Content][] = [
    ['version', `anomalyclr ${p.version}`],
    ['date', p.date],
    ['machine', p.machine],
    ['engine', p.engine],
    ['background files', lines(p.backgroundFiles)],
    ['signal files', lines(p.signalFiles)],
    ['seeds', p.seeds.join(', ')],
    ['training time', p.trainingSeconds === undefined ? null : duration(p.trainingSeconds)],
    ['training speed', rate(p.eventsPerSecond)],
    ['scoring speed', rate(p.scoredPerSecond)],
  ];
  const known = all.filter(
    ([, v]) => v !== null && v !== undefined && v !== '' && !(Array.isArray(v) && v.length === 0),
  );
  return { id: 'provenance', title: 'How it was made', body: html`${table('Provenance', [], known)}` };
}

function rate(perSecond: number | undefined): string | null {
  return perSecond === undefined ? null : `${number(perSecond)} events/s`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${number(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.round(seconds - 60 * Math.floor(seconds / 60))} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
