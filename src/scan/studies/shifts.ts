import type { Step } from '../../config/recipe.js';
import { UsageError } from '../../errors.js';
import type { EventBatch } from '../../events/event-batch.js';
import { Kind } from '../../events/objects.js';
import type { StudyRequest, StudySample } from '../study.js';

/** Says which events would have been recorded: 1 with a lepton above the trigger's threshold, else 0. */
export const triggered = 'triggered';
/** GeV */
const trigger = 23;

/** Faults put into samples here. */
export const faults: Readonly<Record<string, Step>> = {
  'dead region': { augmentation: 'dead_region' },
  'hot region': { augmentation: 'hot_region' },
  'jet pT + 10 %': { augmentation: 'scale_pt', jets: 1.1 },
  'MET stuck': { augmentation: 'stick_met' },
};

/** Label of a signal under a shift. */
export const under = (shift: string, signal: string): string => `${shift}:${signal}`;

/** Background and signals under every shift given and every fault. */
export function shiftedSamples(request: StudyRequest): StudySample[] {
  return [...givenSamples(request), ...Object.entries(faults).flatMap(([name, step]) => faulty(request, name, step))];
}

/** Names of shifts in the order given, then those of faults. */
export function shiftNames({ shifted }: StudyRequest): string[] {
  return [...shifted.map(({ name }) => name).filter(name => split(name)[1] === undefined), ...Object.keys(faults)];
}

/** `--shifted NAME=FILE` is the test background under a shift, `--shifted NAME:SIGNAL=FILE` a signal under it. */
function givenSamples({ shifted, signals }: StudyRequest): StudySample[] {
  const backgrounds = new Set(shifted.map(({ name }) => name).filter(name => !name.includes(':')));
  const known = new Set(signals.map(({ name }) => name));
  return shifted.map(({ name, file }): StudySample => {
    const [shift, signal] = split(name);
    if (!backgrounds.has(shift))
      throw new UsageError(`--shifted ${name}: is a signal under ${shift}; give --shifted ${shift}=FILE too`);
    if (signal !== undefined && !known.has(signal))
      throw new UsageError(`--shifted ${name}: there is no signal ${signal}; there are ${[...known].join(', ')}`);
    return { label: name, files: [file], role: signal === undefined ? 'background' : 'signal' };
  });
}

/** A shift and, where a name has one behind a colon, a signal. */
function split(name: string): [shift: string, signal?: string] {
  const at = name.indexOf(':');
  return at < 0 ? [name] : [name.slice(0, at), name.slice(at + 1)];
}

function faulty({ test, signals }: StudyRequest, fault: string, step: Step): StudySample[] {
  const files = (signal: string): string[] => signals.filter(({ name }) => name === signal).map(({ file }) => file);
  return [
    { label: fault, files: test, role: 'background', through: [step] },
    ...[...new Set(signals.map(({ name }) => name))].map((signal): StudySample => ({
      label: under(fault, signal),
      files: files(signal),
      role: 'signal',
      through: [step],
    })),
  ];
}

/** {@link triggered} of each event. */
export function recorded({ count, offsets, kind, pt }: EventBatch): Float32Array {
  return Float32Array.from({ length: count }, (_, e) => {
    for (let o = offsets[e]; o < offsets[e + 1]; o++)
      if ((kind[o] === Kind.electron || kind[o] === Kind.muon) && pt[o] > trigger) return 1;
    return 0;
  });
}
