/**
 * The public interface of anomalyclr.
 *
 * @packageDocumentation
 */
export { AnomalyClrError, UsageError } from './errors.js';
export {
  loadRecipe,
  parseRecipe,
  presets,
  resolveRecipe,
  type Recipe,
  type Scenario,
  type Step,
} from './config/recipe.js';
export { listOptions, parseOptions } from './config/parse.js';
export type { EvaluateOptions, ExportOptions, ScoreOptions, ServeOptions, TrainOptions } from './config/schema.js';
export { EventBatchBuilder, take, type EventBatch } from './events/event-batch.js';
export { Kind, kindNames, layout, type KindName } from './events/objects.js';
export { dataKinds, type DataKind, type DataKindName } from './events/data-kinds.js';
export { DomainBuilder, inDomain, outsideOf, type Domain } from './events/domain.js';
export { countEvents, openEvents, readAll, readEvents, writeEvents, type OnBadEvent } from './read/index.js';
export { expandFiles } from './read/file-list.js';
export type { SchemaReport } from './read/schema/report.js';
export { loadSchema, parseSchema, type EventSchema } from './read/schema/schema.js';
export {
  openEngine,
  type ContrastiveModel,
  type Engine,
  type EngineChoice,
  type PerceptronModel,
} from './engine/index.js';
export { loadEncoder, saveEncoder } from './model/encoder-file.js';
export { readSafetensors, writeSafetensors } from './model/safetensors.js';
export { openBundle, openBundleBytes } from './bundle/open.js';
export type { Bundle, BundleOutputs, OpenBundleOptions } from './bundle/bundle.js';
export type { Card } from './bundle/card.js';
export { isBundle, readCard } from './bundle/read.js';
export { padEvents, type PaddedEvents } from './bundle/pad.js';
export { BundleScorer } from './bundle/scorer.js';
export { verifyBundle, type Verified } from './bundle/verify.js';
export { exportRun, type ExportedBundle } from './export/export-run.js';
export { train, type TrainWatch } from './train/run.js';
export { trainContrastive } from './train/contrastive.js';
export { trainDetector } from './train/autoencoder.js';
export { Scorer, type Method } from './score/scorer.js';
export { Detector, type DetectorMember, type DetectorWeights } from './score/detector.js';
export { loadDetector, saveDetector } from './score/detector-file.js';
export { openScorer, openScorers, type EventScorer, type ScorerChoice } from './score/event-scorer.js';
export { scoreFiles, type ScoreRequest, type ScoreSummary } from './score/score-files.js';
export { mergeScores, type MergeRequest, type MergeSummary } from './score/merge.js';
export { readScores, type Scores } from './score/read-scores.js';
export { shardOf, type Shard } from './config/shard.js';
export {
  evaluateRun,
  type EvaluateRequest,
  type EvaluatedRun,
  evaluateShard,
  type ShardRequest,
  mergeEvaluation,
  type MergedEvaluation,
} from './score/evaluate-run.js';
export { auc } from './evaluate/auc.js';
export { roc } from './evaluate/roc.js';
export { evaluateMethods, type Evaluation } from './evaluate/evaluation.js';
export { writeReport } from './report/report.js';
export type { ReportData } from './report/data.js';
