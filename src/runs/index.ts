/** Runs: a folder for each, with all that is needed to compare, replay and report it. */
export type { CheckpointOptions, KeptCheckpoint } from "./checkpoints.ts";
export type { ClassCurve, Classification } from "./classification.ts";
export { compareRuns, type RunRow } from "./compare.ts";
export { type Difference, diffRuns, type Parting, type RunDifference } from "./diff.ts";
export { distributionOf } from "./distribution.ts";
export type { Evaluation, EvaluationOptions, KeptMistake } from "./evaluation.ts";
export type { DrawnInput } from "./inputs.ts";
export type {
  CodeVersion,
  DatasetFacts,
  Described,
  Distribution,
  Environment,
  EpochLine,
  HistogramLine,
  ModelFacts,
  ProgramFacts,
  RunConfig,
  RunResult,
  StepLine,
  WarningLine,
} from "./layout.ts";
export { runCharts } from "./page/curves.ts";
export { reportPage, writeReport } from "./page/page.ts";
export {
  listRuns,
  type RunRecord,
  readCheckpoints,
  readEvaluation,
  readHistograms,
  readRun,
} from "./read.ts";
export { type RecordOptions, RunRecorder, recordRun } from "./record.ts";
