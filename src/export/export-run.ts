import type { Bundle } from '../bundle/bundle.js';
import type { Card, ReferenceEvent, Tolerance } from '../bundle/card.js';
import { openBundleBytes } from '../bundle/open.js';
import type { ExportOptions } from '../config/schema.js';
import type { Engine } from '../engine/engine.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import { inDomain } from '../events/domain.js';
import { EventBatchBuilder, take, type EventBatch } from '../events/event-batch.js';
import { readJson } from '../files.js';
import { provenanceSchema, runFiles, seedFolders, type RunProvenance } from '../model/run-folder.js';
import { countEvents, readEvents, type Reading } from '../read/index.js';
import { readingOf } from '../read/reading.js';
import { loadRun, type LoadedRun } from '../score/load-run.js';
import type { TrainWatch } from '../train/run.js';
import { givenBackground, heldBackBackground, type BackgroundSource } from './background.js';
import { compareScores, noThresholds, setThresholds, type PairedScores } from './calibrate.js';
import { checkBundle, openCheckEngine, type CheckEngine, type Checked } from './check.js';
import { drawEvents } from './draw-events.js';
import { makeCard, metadataOf, type CardParts } from './make-card.js';
import { buildModel, type GraphOptions, type ModelParts } from './model.js';
import { checkPlaces, placesOf, writeBundle, type BundlePlaces } from './places.js';
import { activationRanges } from './quantise.js';
import { batchOf, chooseReference, expectedOf, largestDifference } from './reference.js';
import { representationChange, scoreEvents, stopIfAsked } from './score-background.js';
import { checkTritonPlace, checkTritonName, writeTriton } from './triton.js';

/** A bundle that was checked and written. */
export interface ExportedBundle {
  readonly card: Card;
  readonly places: BundlePlaces;
  readonly bytes: number;
  readonly checked: Checked;
  /** Folder of the Triton model, where one was asked for. */
  readonly triton?: string;
}

/** Background events that are compared with the engine, and that choose reference events and ranges of int8. */
const poolEvents = 4096;
/** Drawn events that are compared too, a third of them on or beyond a boundary. */
const drawnEvents = 1200;
/** Of what is recomputed in f32, whatever the machine; more where a whitening enlarges what is rounded. */
const f32Tolerance: Tolerance = { score: 5e-4, representation: 1e-5 };
/** How many times its rounding here another machine may be off. */
const roundingRoom = 4;

/**
 * Writes the bundle of a run: scores background for thresholds, fills in the card, builds the graph, and compares the
 * finished file with the engine and with its own card. Nothing is written before all of that went well.
 *
 * @param options - of `export`
 * @param version - of this library
 * @throws UsageError for options that cannot be, AnomalyClrError where the run or a file cannot be used, or where the
 * bundle does not do what the engine does
 * @example
 * const engine = await openEngine();
 * await exportRun(parseOptions('export', { model: 'runs/a', out: 'a.onnx' }), engine, '0.1.0');
 */
export async function exportRun(
  options: ExportOptions,
  engine: Engine,
  version: string,
  watch: TrainWatch = {},
): Promise<ExportedBundle> {
  const places = placesOf(options.out);
  checkTritonName(options.name);
  checkSignals(options);
  await checkPlaces(places);
  if (options.triton !== undefined) await checkTritonPlace(options.triton, options.name);
  const run = await loadRun(options.model);
  const provenance = await readJson(runFiles(options.model).provenance, provenanceSchema);
  await tellSeeds(options.model, run, watch);
  const reading = await readingOf(options, { write: true });
  const maker = new Maker(options, reading, engine, version, run, provenance, watch);
  const { bytes, card, checked } = await maker.make();
  stopIfAsked(watch);
  // a repository first: the bundle is the sign that the export went to its end
  const triton = options.triton === undefined ? undefined : await writeTriton(options.triton, bytes, card);
  await writeBundle(places, bytes, card);
  return { card, places, bytes: bytes.length, checked, ...(triton === undefined ? {} : { triton }) };
}

function checkSignals({ signal }: ExportOptions): void {
  const names = signal.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`--signal ${twice}=...: each signal needs a name of its own`);
}

async function tellSeeds(folder: string, { settings }: LoadedRun, watch: TrainWatch): Promise<void> {
  const [, ...further] = await seedFolders(folder);
  if (further.length > 0)
    watch.info?.(`the bundle is of seed ${settings.seed}; those of further seeds are exported from their own folders`);
}

class Maker {
  private readonly parts: ModelParts;
  private readonly cardParts: Omit<
    CardParts,
    'calibration' | 'precisionChange' | 'outside' | 'representationChange' | 'reference'
  >;

  constructor(
    private readonly options: ExportOptions,
    private readonly reading: Reading,
    private readonly engine: Engine,
    version: string,
    private readonly run: LoadedRun,
    private readonly provenance: RunProvenance,
    private readonly watch: TrainWatch,
  ) {
    const { name, part, precision, layout, licence } = options;
    this.parts = { ...run.parts, domain: run.domain };
    this.cardParts = { name, version, part, precision, layout, licence, run, provenance };
  }

  async make(): Promise<{ bytes: Uint8Array; card: Card; checked: Checked }> {
    const { options, watch } = this;
    const judge = await openCheckEngine(options.model, this.engine, this.run.parts);
    const opened: Bundle[] = [];
    const open = async (bytes: Uint8Array) => {
      // on the processor: a bundle is checked where all can run it, and f32 is f32 there
      const bundle = await openBundleBytes(bytes, options.out, { provider: 'cpu', threads: options.threads });
      opened.push(bundle);
      return bundle;
    };
    try {
      const source = await this.background();
      const f32 = await open(this.file({ ...this.graph, precision: 'f32' }, this.card('f32')));
      const pool = await this.pool(source);
      const graph = await this.finalGraph(pool);
      const here = graph.precision === 'f32' ? f32 : await open(this.file(graph, this.card()));
      const scored = await this.calibrate(source, f32, here);
      stopIfAsked(watch);
      const change = here === f32 ? null : await representationChange(f32, here, pool);
      const reference = await this.reference(pool, judge, f32, here);
      const card = makeCard({ ...this.cardParts, ...scored, representationChange: change, reference });
      const bytes = this.file(graph, card);
      const checked = await checkBundle(await open(bytes), judge, [
        { what: 'event', events: pool },
        { what: 'drawn event', events: this.drawn() },
      ]);
      return { bytes, card, checked };
    } finally {
      judge.dispose();
      await Promise.all(opened.map(bundle => bundle.dispose()));
    }
  }

  /** Scores that are sums of members in standard deviations vary by about 1, around 0. */
  private get scoreScale(): number | undefined {
    return this.run.parts.detector.members[0].standard ? 1 : undefined;
  }

  private get graph(): GraphOptions {
    const { part, precision, layout } = this.options;
    return { part, precision, layout };
  }

  private file(graph: GraphOptions, card: Card): Uint8Array {
    return buildModel(this.parts, graph, metadataOf(card));
  }

  /** A card without figures, for a graph that is to give some. */
  private card(precision = this.options.precision): Card {
    return makeCard({
      ...this.cardParts,
      precision,
      calibration: null,
      precisionChange: null,
      outside: 0,
      representationChange: null,
      reference: { tolerance: f32Tolerance, events: [] },
    });
  }

  /** Ranges of int8 hold whatever lies within the domain, which background alone seldom fills. */
  private async finalGraph(pool: EventBatch): Promise<GraphOptions> {
    const { graph, run } = this;
    if (graph.precision !== 'int8') return graph;
    const drawn = this.drawn();
    const inside = inDomain(run.domain, drawn);
    const builder = new EventBatchBuilder();
    builder.addBatch(pool);
    builder.addBatch(
      take(
        drawn,
        Array.from(inside.keys()).filter(e => inside[e] === 1),
      ),
    );
    return { ...graph, ranges: await activationRanges(this.parts, graph, builder.build()) };
  }

  private drawn(): EventBatch {
    return drawEvents(this.run.domain, drawnEvents, this.run.settings.seed);
  }

  private async background(): Promise<BackgroundSource | { readonly reason: string }> {
    const { reading, options, run } = this;
    if (options.background.length > 0) return givenBackground(options.background, reading, run.domain);
    return heldBackBackground(run.settings, this.provenance, await this.readingOfRun());
  }

  /** How the run's own files are read: by the schema that it was trained with, whatever that of the files named here. */
  private async readingOfRun(): Promise<Reading> {
    const { schema } = this.run.settings;
    return readingOf({ ...this.options, schema: typeof schema === 'string' ? schema : undefined }, { write: false });
  }

  /** The first background events; drawn ones where there are too few to show anything. */
  private async pool(source: BackgroundSource | { readonly reason: string }): Promise<EventBatch> {
    const builder = new EventBatchBuilder();
    if ('read' in source)
      for await (const batch of source.read()) {
        builder.addBatch(batch);
        if (builder.count >= poolEvents) break;
      }
    if (builder.count < 8) builder.addBatch(this.drawn());
    return builder.build();
  }

  private async calibrate(
    source: BackgroundSource | { readonly reason: string },
    f32: Bundle,
    here: Bundle,
  ): Promise<Pick<CardParts, 'calibration' | 'precisionChange' | 'outside'>> {
    const { options, run, watch } = this;
    if (options.part === 'encoder') return { calibration: null, precisionChange: null, outside: 0 };
    const inputRate = options.inputRate > 0 ? options.inputRate : null;
    if (!('read' in source)) {
      watch.warn?.(`no thresholds: ${source.reason}; name background files with --background`);
      const none = { files: [], heldBack: true, events: 0, inputRate, ...noThresholds(source.reason) };
      return { calibration: none, precisionChange: null, outside: 0 };
    }
    const bundles = here === f32 ? [f32] : [f32, here];
    const { scores, outside } = await scoreEvents(bundles, source.read(), {
      label: 'background',
      total: source.total,
      watch,
    });
    const background: PairedScores = { f32: scores[0], here: scores[here === f32 ? 0 : 1] };
    if (source.skipped > 0) watch.warn?.(`${source.skipped} bad background events were left out`);
    if (background.f32.length === 0) throw new AnomalyClrError(`${options.background.join(', ')}: no events`);
    this.warnOfTraining(source);
    const { seed } = run.settings;
    const found = setThresholds(background.here, seed, inputRate);
    const calibration = {
      files: source.files,
      heldBack: source.heldBack,
      events: background.here.length,
      inputRate,
      ...found,
    };
    if (here === f32) {
      if (options.signal.length > 0)
        watch.warn?.('--signal tells what another precision changes, so at f32 it is not read');
      return { calibration, precisionChange: null, outside };
    }
    const signals = await this.signalScores([f32, here]);
    const { thresholds } = setThresholds(background.f32, seed, null);
    return { calibration, precisionChange: compareScores(background, signals, thresholds, this.scoreScale), outside };
  }

  private warnOfTraining({ heldBack, files }: BackgroundSource): void {
    const known = files.filter(({ sha256 }) => this.provenance.files.some(file => file.sha256 === sha256));
    if (!heldBack && known.length > 0)
      this.watch.warn?.(
        `${known.map(({ file }) => file).join(', ')}: the model was trained on it; thresholds of other background are ` +
          'worth more',
      );
  }

  private async signalScores(bundles: readonly Bundle[]): Promise<(PairedScores & { name: string })[]> {
    const { watch, options } = this;
    const signals: (PairedScores & { name: string })[] = [];
    for (const name of new Set(options.signal.map(one => one.name))) {
      const files = options.signal.flatMap(one => (one.name === name ? [one.file] : []));
      let [total, skipped] = [0, 0];
      for (const file of files) total += await countEvents(file, this.reading, this.run.domain);
      const { reading } = this;
      async function* events() {
        for (const file of files) yield* readEvents(file, { ...reading, onSkip: () => skipped++ });
      }
      const { scores } = await scoreEvents(bundles, events(), { label: name, total, watch });
      if (skipped > 0) watch.warn?.(`${name}: ${skipped} bad events were left out`);
      if (scores[0].length === 0) throw new AnomalyClrError(`${files.join(', ')}: no events`);
      signals.push({ name, f32: scores[0], here: scores[1] });
    }
    return signals;
  }

  /**
   * Reference events as the finished graph sees them. Another machine may round in other places, and compute f16 or int8
   * in other steps, with results anywhere between these and those of f32: the tolerance leaves room for both. bf16 only
   * stores weights so and computes as f32 does.
   */
  private async reference(
    pool: EventBatch,
    judge: CheckEngine,
    f32: Bundle,
    here: Bundle,
  ): Promise<CardParts['reference']> {
    const chosen = chooseReference(pool, await judge.scorer.score(pool), this.run.domain);
    const plain = await expectedOf(f32, chosen);
    const events = here === f32 ? plain : await expectedOf(here, chosen);
    const none: Tolerance = { score: 0, representation: 0 };
    const rounding = (await this.roundingOf(plain, judge)) ?? none;
    const steps = ['f16', 'int8'].includes(this.options.precision)
      ? largestDifference(events, plain, this.scoreScale)
      : none;
    const room = (of: keyof Tolerance): number => Math.max(f32Tolerance[of], roundingRoom * rounding[of], steps[of]);
    const tolerance = { score: room('score'), representation: room('representation') };
    const { scoreScale } = this;
    return { tolerance, ...(scoreScale === undefined ? {} : { scoreScale }), events };
  }

  /** How far float32 is from the same model in float64 on these events; undefined where the engine cannot tell. */
  private async roundingOf(plain: readonly ReferenceEvent[], { exact }: CheckEngine): Promise<Tolerance | undefined> {
    if (!exact) return undefined;
    const events = batchOf(plain.map(({ objects }) => objects));
    const scores = await exact.model.score(events);
    const rows = await exact.model.embed(events);
    const size = rows.length / events.count;
    const truth = plain.map(({ score }, e) => ({
      score: score === null ? null : scores[e],
      representation: [...rows.subarray(e * size, (e + 1) * size)],
    }));
    return largestDifference(plain, truth, this.scoreScale);
  }
}
