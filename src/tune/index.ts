/** Hyper-parameter search: spaces, samplers, pruners, studies. */

export {
  type Charted,
  type ChartSpec,
  contourChart,
  historyChart,
  importanceChart,
  parallelChart,
  sliceChart,
} from "./charts/specs.ts";
export { chartSvg } from "./charts/svg.ts";
export {
  type Choice,
  type ChoiceValue,
  choice,
  type Distribution,
  type IntegerOptions,
  type IntegerRange,
  integer,
  logUniform,
  type RealRange,
  type UniformOptions,
  uniform,
  type ValueOf,
} from "./distribution.ts";
export {
  type ImportanceOptions,
  type ParameterImportance,
  parameterImportance,
} from "./importance/fanova.ts";
export { type NestedFold, type NestedOptions, type NestedResult, nestedCrossValidation } from "./nested.ts";
export type { Objective, OptimizeOptions, OptimizeResult } from "./optimize.ts";
export type { ObjectiveModule } from "./processes.ts";
export { type AshaOptions, asha, type HyperbandOptions, hyperband } from "./pruners/asha.ts";
export { type MedianOptions, medianStopping } from "./pruners/median.ts";
export type { Pruner, PrunerContext } from "./pruners/pruner.ts";
export { type ReportOptions, reportTo } from "./report-to-trial.ts";
export { type CmaEsOptions, cmaEs } from "./samplers/cma-es.ts";
export { type GaussianProcessOptions, gaussianProcess } from "./samplers/gaussian-process.ts";
export { type GridOptions, grid } from "./samplers/grid.ts";
export { randomSearch } from "./samplers/random.ts";
export type { JointSuggestion, Sampler, SamplerContext, SeedOptions } from "./samplers/sampler.ts";
export { type SobolOptions, sobol } from "./samplers/sobol.ts";
export { type TpeOptions, tpe } from "./samplers/tpe.ts";
export {
  type Conditional,
  type Parameter,
  type Parameters,
  type ParametersOf,
  type ParameterValue,
  type Space,
  space,
  when,
} from "./space.ts";
export { studyNames } from "./storage/sqlite.ts";
export { type AskedTrial, type BestTrial, type Study, type StudyOptions, study } from "./study.ts";
export { type Trial, TrialPruned } from "./trial.ts";
export type { CompleteTrial, Direction, TrialRecord, TrialState } from "./trial-record.ts";
