/** Training: `fit`, `evaluate`, `predict`, and hooks into them. */

export type { WatchOptions } from "./best-score.ts";
export {
  type Callback,
  type CallbackEvent,
  type CheckpointRecord,
  type Listener,
  on,
  type Snapshot,
  type StepRecord,
  type TrainingRun,
} from "./callback.ts";
export type { CallbackState } from "./callback-state.ts";
export type { CheckpointOptions } from "./checkpoint-options.ts";
export type { ColumnOptions, ColumnRoles, LabelColumns } from "./columns.ts";
export type { Finding } from "./data-checks.ts";
export { type EarlyStoppingOptions, earlyStopping } from "./early-stopping.ts";
export { type EvaluateOptions, evaluate, type PredictOptions, predict } from "./evaluate.ts";
export { type FitOptions, fit } from "./fit.ts";
export { type EpochRecord, History, isLowerBetter, type Scores } from "./history.ts";
export { csvLog, jsonLog, type ModelCheckpointOptions, modelCheckpoint } from "./keep.ts";
export type { ClassWeights, LossFunction, LossOptions } from "./objective.ts";
export { type PlateauOptions, reduceOnPlateau } from "./plateau.ts";
export {
  type DryRunReport,
  dryRun,
  findLearningRate,
  type LearningRateCurve,
  type LearningRateOptions,
  type OverfitOptions,
  type OverfitReport,
  overfitOneBatch,
  type ProbeOptions,
} from "./probes.ts";
export { type ProgressOutput, type ProgressStyle, progress } from "./progress.ts";
export type { CheckOptions, RunReport } from "./run-report.ts";
export type { Metric, Metrics } from "./scoring.ts";
