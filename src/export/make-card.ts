import path from 'node:path';
import {
  cardKey,
  type Calibration,
  type Card,
  type PrecisionChange,
  type ReferenceEvent,
  type Tolerance,
} from '../bundle/card.js';
import { dataKind } from '../events/data-kinds.js';
import { countedCodes, sumUnit } from '../events/event-sums.js';
import { Kind, kindNames } from '../events/objects.js';
import type { RunProvenance } from '../model/run-folder.js';
import type { Domain } from '../events/domain.js';
import type { DetectorMember } from '../score/detector.js';
import type { LoadedRun, RunParts } from '../score/load-run.js';

/** What a card is made of. */
export interface CardParts extends Pick<Card, 'name' | 'version' | 'part' | 'precision' | 'layout' | 'licence'> {
  readonly run: LoadedRun;
  readonly provenance: RunProvenance;
  readonly calibration: Calibration | null;
  readonly precisionChange: PrecisionChange | null;
  /** Of the calibration background, outside the training domain. */
  readonly outside: number;
  /** Largest difference of a representation from that of the f32 graph, relative to its largest number. */
  readonly representationChange: number | null;
  readonly reference: {
    readonly tolerance: Tolerance;
    readonly scoreScale?: number;
    readonly events: ReferenceEvent[];
  };
}

/** What a file's metadata_props hold: the card, and before it what whoever looks at the file should see first. */
export function metadataOf(card: Card): Record<string, string> {
  const { name, version, licence, signature, citation } = card;
  const { data } = card.domain;
  const what = data === undefined ? 'collider events' : dataKind(data).words.many;
  const told = Object.entries(signature).map(([key, text]) => [`anomalyclr.${key}`, text]);
  return {
    'anomalyclr.about':
      `${name}: anomaly scores of ${what}, in physical units. Outside the training domain a score is an ` +
      `extrapolation: look at in_domain. Boundaries, thresholds and all else: JSON under ${cardKey}.`,
    'anomalyclr.version': version,
    'anomalyclr.licence': licence,
    'anomalyclr.citation': citation.join('; '),
    ...(Object.fromEntries(told) as Record<string, string>),
    [cardKey]: JSON.stringify(card),
  };
}

/** Options of a training that say nothing about its result, or name places of the machine. */
const left = new Set('out resume config quiet debug json threads'.split(' '));

/** The card of a bundle. No folder of the machine is in it: files go by their base names. */
export function makeCard(parts: CardParts): Card {
  const { name, version, part, precision, licence, run, provenance, calibration, precisionChange, reference } = parts;
  const { inputs: size } = run.parts.detector.preparation;
  const { loss, seed } = run.settings;
  const { engine, machine, started, skipped } = provenance;
  return {
    format: 'anomalyclr.bundle.1',
    name,
    version,
    created: new Date().toISOString(),
    part,
    precision,
    layout: parts.layout,
    representation: { name: run.representation, size },
    signature: signatureOf(part, size, run),
    selection: [...dataKind(run.domain.data).selection],
    domain: run.domain,
    training: {
      loss,
      seed,
      options: optionsOf(run.settings),
      files: provenance.files.map(file => ({ ...file, file: path.basename(file.file) })),
      skipped,
      engine,
      machine,
      started,
    },
    calibration,
    precisionChange,
    nuisances: nuisancesOf(parts),
    licence,
    citation: [
      'B. M. Dillon, L. Favaro, F. Feiden, T. Modak, T. Plehn: Anomalies, Representations, and Self-Supervision, ' +
        'arXiv:2301.04660',
      `anomalyclr ${version}: anomaly detection for collider events in TypeScript and C++`,
    ],
    reference,
  };
}

function optionsOf(settings: Readonly<Record<string, unknown>>): Card['training']['options'] {
  const plain = (value: unknown) => (typeof value === 'string' ? path.basename(value) : value);
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([name]) => !left.has(name))
      .map(([name, value]) => [name, name === 'background' && Array.isArray(value) ? value.map(plain) : value]),
  );
}

/** What the score is, in words. */
function scoreInWords(members: readonly DetectorMember[]): string {
  if (!members[0].standard) return 'mean squared error of the autoencoder on the representation';
  const words = {
    autoencoder: 'the logarithm of the mean squared error of an autoencoder on the representation',
    ratio: 'the log-likelihood ratio of anomalous views and background by a network on it',
  };
  const what = members.map(({ kind }) => words[kind]).join(' plus ');
  return `${what}, ${members.length > 1 ? 'each ' : ''}less its mean and in units of its standard deviation on background`;
}

/** What the detector reads, in words; sums in the order of events/event-sums.ts. */
function representationInWords({ columns: [from, to], sums }: RunParts, one: string): string {
  const encoded = `what the encoder makes of the ${one}`;
  if (sums.length === 0) return encoded;
  const named = (codes: Int32Array) => Array.from(codes, code => kindNames[code - 1]).join(', ');
  const counted = named(countedCodes(sums));
  return (
    `the first ${to - from} ${encoded}, then the numbers of ${counted}, the largest pT of ${named(sums)}, and the sums of ` +
    `pT of the others of ${counted}, in ${sumUnit} GeV`
  );
}

function signatureOf(part: Card['part'], size: number, { domain: { data }, parts }: LoadedRun): Record<string, string> {
  const { kinds, roundPhi, words } = dataKind(data);
  const classes = kinds.map(name => `${Kind[name]} ${name === 'met' ? 'MET' : name}`).join(', ');
  const ends = roundPhi ? ', within -pi to pi' : '';
  const relative = roundPhi ? '' : ` relative to the axis of the ${words.one}`;
  return {
    objects:
      `float32 [batch, slots, 4] = pT [GeV], eta, phi [rad${ends}]${relative}, class (${classes}; 0 and three more zeros in ` +
      `an empty slot); 1 to 64 slots, ${words.objects} in any of them and in any order`,
    ...(part === 'scorer'
      ? {
          score:
            `float32 [batch], higher is more anomalous: ${scoreInWords(parts.detector.members)}; ` +
            'NaN for an event that breaks the rules of the input',
        }
      : {}),
    representation: `float32 [batch, ${size}], ${representationInWords(parts, words.one)}`,
    in_domain: 'bool [batch], whether every feature and every number of objects lies within the training domain',
    domain_distance:
      'float32 [batch], how far the feature farthest outside lies beyond its boundary, in standard deviations of that ' +
      'feature over the training sample; 0 within the domain, infinite for an event that breaks the rules',
    crossed:
      `int32 [batch, ${kinds.length + 1}, 4], which boundary was crossed: rows ${kinds.join(', ')}, event (all kinds ` +
      'together); columns pt, eta, phi, count; bits 1 below, 2 above, 4 not valid',
  };
}

/** What a user has to know that the figures do not say. */
function nuisancesOf({ run, provenance, calibration, precisionChange, representationChange, ...rest }: CardParts) {
  const { domain } = run;
  const notes = [
    'A high score is no discovery: it says that the model meets little like it in its background, and detector faults, ' +
      'rare Standard Model processes and badly simulated regions look so too.',
    'Outside the domain a score is an extrapolation; in_domain and crossed tell, and nothing is known of thresholds there.',
    'A feature boundary is the least or largest value seen in training, so a few good events of any new sample lie beyond ' +
      'one; inside the box there can still be regions without a training event.',
    'The model learned from the files named under training. Where those are simulation, differences between simulation ' +
      'and data move scores and thresholds; set thresholds anew on data, or compare the two with inspect and its drift report.',
    'Scores depend on pile-up, calibration, resolution and reconstruction of the objects, none of which the input states.',
    'Scores of two bundles are not on one scale: compare efficiencies, not scores.',
    `The domain rests on ${domain.events} events: what is rarer than about one in ${domain.events} was never seen.`,
    ...rareKinds(domain),
    ...ratioNotes(run.parts.detector.members, rest.part),
  ];
  if (rest.part === 'scorer') notes.push(...calibrationNotes(calibration, rest.outside, provenance, domain.events));
  if (rest.precision !== 'f32')
    notes.push(
      `Computed in ${rest.precision}` +
        (representationChange === null
          ? '.'
          : `: a representation differs from that of f32 by at most ${representationChange.toExponential(1)} of its ` +
            'largest number on the events that were compared.') +
        (precisionChange === null ? '' : ' What that changes in scores and decisions stands under precision.'),
    );
  if (provenance.skipped > 0) notes.push(`${provenance.skipped} bad events of the training files were left out.`);
  return notes;
}

function ratioNotes(members: readonly DetectorMember[], part: Card['part']): string[] {
  if (part === 'encoder' || !members.some(({ kind }) => kind === 'ratio')) return [];
  return [
    'The detector has also learned to tell background from the anomalous scenarios of its recipe (under training): it ' +
      'favours what resembles them over what does not.',
  ];
}

function rareKinds({ data, kinds, events }: Domain): string[] {
  const notes: string[] = [];
  for (const name of dataKind(data).kinds) {
    const { counts, max } = kinds[name].multiplicity;
    if (kinds[name].objects === 0) {
      notes.push(`No ${name} was seen in training: every event with one is outside the domain.`);
      continue;
    }
    const few = counts.findIndex((_, n) => n > 0 && counts.slice(n).reduce((a, b) => a + b, 0) < rare);
    if (few > 0 && few <= max)
      notes.push(
        `Only ${counts.slice(few).reduce((a, b) => a + b, 0)} of ${events} training events have ${few} or more objects ` +
          `of kind ${name}, and none more than ${max}: scores there rest on little.`,
      );
  }
  return notes;
}

/** Fewer events than this are a thin tail. */
const rare = 100;

function calibrationNotes(
  calibration: Calibration | null,
  outside: number,
  { files }: RunProvenance,
  events: number,
): string[] {
  if (calibration === null || calibration.events === 0)
    return ['It has no thresholds: set some on background of your own before any decision.'];
  const notes = [
    'A threshold is worth what its background is: its efficiency holds for events of that origin and selection. Its ' +
      'interval is statistical alone.',
  ];
  if (outside > 0)
    notes.push(
      `${outside} of the ${calibration.events} background events behind the thresholds lie outside the domain. They count ` +
        'in the efficiencies; where such events are refused or get NaN, fewer pass.',
    );
  if (calibration.heldBack)
    notes.push(
      `The ${calibration.events} events behind the thresholds are those that training held back. No step was made on ` +
        `them, but they chose the best epoch and are among the ${events} that set the domain's boundaries, so none of ` +
        'them is outside the domain. Independent background is better: export --background FILE.',
    );
  const known = calibration.files.filter(({ sha256 }) => files.some(file => file.sha256 === sha256));
  if (!calibration.heldBack && known.length > 0)
    notes.push(
      `The thresholds were set on files that the model was trained on (${known.map(({ file }) => file).join(', ')}): ` +
        'efficiencies on other background may be larger.',
    );
  return notes;
}
