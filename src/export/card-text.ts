import { augmentations } from '../augment/list.js';
import { crossedBits, type Card, type Threshold } from '../bundle/card.js';
import type { Recipe, Step } from '../config/recipe.js';
import { dataKind, withArticle } from '../events/data-kinds.js';

/** How every card in Markdown begins. */
export const cardTitle = '# Model card: ';

/** Of the file that the card belongs to. */
export interface CardFile {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** The card as Markdown, for a reader who has nothing but it and the file. */
export function cardText(card: Card, file: CardFile): string {
  return `${[
    `${cardTitle}${card.name}`,
    whatItIs(card, file),
    howToCall(card, file.file),
    boundaries(card),
    thresholds(card),
    precision(card),
    training(card),
    list('Known nuances', card.nuisances),
    reference(card),
    section('Licence', card.licence),
    list('Citation', card.citation),
  ]
    .filter(text => text !== '')
    .join('\n\n')}\n`;
}

const section = (title: string, ...paragraphs: string[]): string => [`## ${title}`, ...paragraphs].join('\n\n');
const list = (title: string, items: readonly string[]): string =>
  section(title, items.map(item => `- ${item}`).join('\n'));

/** A table of Markdown. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const capital = (text: string): string => text[0].toUpperCase() + text.slice(1);

/** At most `digits` figures, without zeros that say nothing. */
export const figures = (x: number, digits = 4): string => String(Number(x.toPrecision(digits)));

/** The detector in words; options of older runs name none. */
function detectorOf({ detector }: Card['training']['options']): string {
  if (detector === 'combined')
    return 'an autoencoder and a network for the likelihood ratio of anomalous views and background';
  return detector === 'ratio'
    ? 'a network for the likelihood ratio of anomalous views and background'
    : 'an autoencoder';
}

function whatItIs({ part, precision: numbers, layout, version, created, ...card }: Card, file: CardFile): string {
  const { data } = card.domain;
  const one = data === undefined ? 'collider event' : dataKind(data).words.one;
  const does =
    part === 'scorer'
      ? `gives every ${one} one anomaly score; higher is more anomalous. It was trained on background alone`
      : `turns every ${one} into a vector, its representation. It was trained on background alone`;
  return (
    `\`${file.file}\` (ONNX, ${file.bytes} bytes, SHA-256 \`${file.sha256}\`) ${does}: an encoder trained by contrast ` +
    `(loss \`${card.training.loss}\`)${part === 'scorer' ? `, and ${detectorOf(card.training.options)} on its representation ` : ', read at '}` +
    `\`${card.representation.name}\` of size ${card.representation.size}. Numbers ${numbers}, layout ${layout}; made by ` +
    `anomalyclr ${version} on ${created}. Physical units go in; scaling, masking and the domain's verdict are inside. ` +
    'All of this card also lies in the file itself, as JSON under the metadata key `anomalyclr.card`.'
  );
}

function howToCall({ signature, part, domain, reference: { events } }: Card, file: string): string {
  const rows = Object.entries(signature).map(([name, meaning]) => [`\`${name}\``, meaning]);
  const example = events[0]?.objects ?? [[35.2, 0, 1.1, 1]];
  const { one } = dataKind(domain.data).words;
  const first = part === 'scorer' ? 'score' : 'representation';
  const { below, above, invalid } = crossedBits;
  return section(
    'How to call it',
    table(['name', 'type, shape and meaning'], rows),
    `In Python, with ONNX Runtime alone:`,
    [
      '```python',
      'import numpy as np, onnxruntime as ort',
      '',
      `session = ort.InferenceSession("${file}")`,
      `objects = np.array([[  # one ${one}: pT [GeV], eta, phi [rad], class`,
      ...example.map(row => `    [${row.map(x => figures(x, 9)).join(', ')}],`),
      ']], dtype=np.float32)',
      `names = ["${first}", "in_domain", "domain_distance", "crossed"]`,
      `${first}, in_domain, distance, crossed = session.run(names, {"objects": objects})`,
      '```',
    ].join('\n'),
    `Bits of \`crossed\`: ${below} below the boundary, ${above} above it, ${invalid} not valid. With this library:`,
    [
      '```sh',
      '# does it compute here what its maker got?',
      `npx anomalyclr verify ${file}`,
      ...(part === 'scorer'
        ? [
            `# one score ${withArticle(one)}, NaN outside the domain; and the same over HTTP`,
            `npx anomalyclr score --model ${file} --data events.h5 --out scores.csv --out-of-domain nan`,
            `npx anomalyclr serve --model ${file}`,
          ]
        : []),
      '```',
    ].join('\n'),
  );
}

function boundaries({ domain, selection }: Card): string {
  const { kinds, words, roundPhi } = dataKind(domain.data);
  const rows = kinds.flatMap(name =>
    (['pt', 'eta', 'phi'] as const).flatMap(feature => {
      const seen = domain.kinds[name][feature];
      if (!seen) return [];
      const unit = { pt: 'pT [GeV]', eta: 'eta', phi: 'phi [rad]' }[feature];
      const { quantiles } = seen;
      return [[name, unit, ...[seen.min, quantiles[0], quantiles[4], quantiles[8], seen.max].map(x => figures(x))]];
    }),
  );
  const counts = kinds.map(name => [name, domain.kinds[name].multiplicity] as const);
  const all = kinds.length > 1 ? [['all', domain.multiplicity] as const] : [];
  const multiplicities = [...counts, ...all].map(([name, { min, max, mean }]) => [
    name,
    String(min),
    figures(mean),
    String(max),
  ]);
  return section(
    'Domain: where it was trained',
    `Least and largest value of each feature over ${domain.events} ${words.many}. ${capital(withArticle(words.one))} with ` +
      'anything beyond has `in_domain` false, and its score is an extrapolation' +
      (roundPhi ? '; phi alone may be all round.' : '.'),
    table(['kind', 'feature', 'min', '0.1 %', '50 %', '99.9 %', 'max'], rows),
    table(['objects of kind', 'fewest', 'mean', 'most'], multiplicities),
    'Selection of the training sample:',
    selection.map(cut => `- ${cut}`).join('\n'),
  );
}

/** A share as `value (low to high)`. */
const withInterval = ({ value, low, high }: Threshold['check']['efficiency'], digits = 3): string =>
  `${figures(value, digits)} (${figures(low, digits)} to ${figures(high, digits)})`;

/** The thresholds as rows of text, for the card and the terminal. */
export function thresholdRows(calibration: NonNullable<Card['calibration']>): { head: string[]; rows: string[][] } {
  const rated = calibration.inputRate !== null;
  return {
    head: [
      'background rate',
      'threshold',
      'on the half that set it',
      'on the other half',
      ...(rated ? ['trigger rate [kHz]'] : []),
    ],
    rows: calibration.thresholds.map(({ rate, threshold, calibration: set, check, triggerRate }) => [
      rate,
      figures(threshold, 9),
      `${withInterval(set.efficiency)}, ${set.passed} of ${set.events}`,
      `${withInterval(check.efficiency)}, ${check.passed} of ${check.events}`,
      ...(triggerRate ? [withInterval(triggerRate)] : []),
    ]),
  };
}

function thresholds({ calibration }: Card): string {
  if (calibration === null) return '';
  const { files, heldBack, events, inputRate, missing } = calibration;
  const from = heldBack ? 'events that training held back' : 'background events';
  const { head, rows } = thresholdRows(calibration);
  return section(
    'Thresholds',
    events === 0
      ? 'None: see below.'
      : `Set on one random half of ${events} ${from}, checked on the other; an event with score >= threshold passes. ` +
          'Efficiencies with their 95 % interval (Wilson) and the events that passed. What the other half says is what the ' +
          'threshold is worth on events that it has not seen.' +
          (inputRate === null
            ? ''
            : ` Trigger rates, from the other half, are for ${figures(inputRate)} kHz of events that reach the model.`),
    ...(rows.length > 0 ? [table(head, rows)] : []),
    ...(missing.length > 0 ? [missing.map(({ rate, reason }) => `- ${rate}: none. ${reason}.`).join('\n')] : []),
    ...(files.length > 0
      ? [
          table(
            ['file', 'events', 'SHA-256'],
            files.map(({ file, events: n, sha256 }) => [file, String(n), `\`${sha256}\``]),
          ),
        ]
      : []),
  );
}

/** What the precision changes as rows of text, for the card and the terminal. */
export function precisionRows(change: NonNullable<Card['precisionChange']>): { head: string[]; rows: string[][] } {
  const rates = change.decisions.map(({ rate }) => rate);
  const decided = (decisions: typeof change.decisions) =>
    decisions.map(({ changed, events }) => `${changed} of ${events}`);
  return {
    head: ['sample', 'events', 'AUC f32', 'AUC here', ...rates.map(rate => `decisions changed at ${rate}`)],
    rows: [
      ['background', String(change.background), '', '', ...decided(change.decisions)],
      ...change.signals.map(({ name, events, auc, decisions }) => [
        name,
        String(events),
        auc.f32.toFixed(5),
        auc.here.toFixed(5),
        ...decided(decisions),
      ]),
    ],
  };
}

function precision({ precision: numbers, precisionChange: change }: Card): string {
  if (change === null) return '';
  const { head, rows } = precisionRows(change);
  return section(
    `Precision: what ${numbers} changes`,
    `Scores change by ${figures(change.scoreChange.median, 2)} (median) and at most ${figures(change.scoreChange.largest, 2)}, ` +
      'relative to those of f32. A decision is changed where an event passes the threshold in one and not in the other; the ' +
      'thresholds here are those of the f32 scores.',
    table(head, rows),
  );
}

function training({ training: { options, ...training } }: Card): string {
  const { recipe, ...others } = options;
  const shown = Object.entries(others).map(([name, value]) => `\`${name}\` ${JSON.stringify(value)}`);
  return section(
    'Training',
    `Loss \`${training.loss}\`, seed ${training.seed}, begun ${training.started} on ${training.machine} (${training.engine}).`,
    table(
      ['file', 'events', 'SHA-256'],
      training.files.map(({ file, events, sha256 }) => [file, String(events), `\`${sha256}\``]),
    ),
    ...recipeText(recipe as Recipe | undefined),
    `Options: ${shown.join('; ')}.`,
  );
}

function recipeText(recipe: Recipe | undefined): string[] {
  if (!recipe) return [];
  const steps = (of: readonly Step[]) => of.map((step, i) => `${i + 1}. ${stepText(step)}`).join('\n');
  return [
    `Recipe \`${recipe.name}\`: what training takes for the same event, and for another one.`,
    ...(recipe.anchor.length > 0 ? ['Every event first goes through:', steps(recipe.anchor)] : []),
    'Physical: the event stays what it is.',
    steps(recipe.physical),
    ...recipe.anomalous.flatMap(({ name, weight, steps: of }) => [
      `Anomalous \`${name}\` (weight ${weight}): the event becomes another.`,
      steps(of),
    ]),
  ];
}

/** An augmentation in words with its parameters and their units. */
function stepText({ augmentation, ...given }: Step): string {
  const info = augmentations.find(one => one.info.name === augmentation)?.info;
  const values = Object.entries(given).map(([name, value]) => {
    const param = info?.params.find(one => one.name === name);
    const unit = param && param.unit !== '' ? ` ${param.unit}` : '';
    return `\`${name}\` ${value}${unit}${param ? ` (${param.help})` : ''}`;
  });
  const help = info ? `: ${info.help}` : '';
  return `\`${augmentation}\`${help}${values.length > 0 ? `; ${values.join(', ')}` : ''}`;
}

function reference({ reference: { tolerance, scoreScale, events }, part }: Card): string {
  if (events.length === 0) return '';
  return section(
    'Reference events',
    `Eight events and what the graph made of them where it was built; recomputed, scores should agree to ` +
      `${tolerance.score.toExponential(1)}${scoreScale === undefined ? '' : ` (of the score, or of ${scoreScale} where that is more)`} and representations to ${tolerance.representation.toExponential(1)}. ` +
      `Objects and representations are in the JSON card.`,
    table(
      ['event', 'objects', ...(part === 'scorer' ? ['score'] : []), 'in domain', 'distance'],
      events.map(({ objects, score, inDomain, distance }, i) => [
        String(i),
        String(objects.filter(row => row[3] !== 0).length),
        ...(score === null ? [] : [figures(score, 7)]),
        inDomain ? 'yes' : 'no',
        figures(distance),
      ]),
    ),
  );
}
