/** Optimizers, learning rates as functions of the step, limits on gradients. */
export { GradientAccumulator } from "./accumulate.ts";
export { Adadelta, type AdadeltaOptions, adadelta } from "./adadelta.ts";
export { Adafactor, type AdafactorOptions, adafactor } from "./adafactor.ts";
export { Adagrad, type AdagradOptions, adagrad } from "./adagrad.ts";
export { Adam, adam } from "./adam.ts";
export { Adamax, adamax } from "./adamax.ts";
export { AdamW, adamw } from "./adamw.ts";
export { ASGD, type ASGDOptions, asgd } from "./asgd.ts";
export { WeightAverage } from "./average.ts";
export { clipByGlobalNorm, clipByValue, globalNorm } from "./clip.ts";
export { type CyclicOptions, cyclic, product, sequential } from "./combined-schedules.ts";
export type { NoDecay, ParameterGroup, Parameters } from "./groups.ts";
export { LAMB, lamb } from "./lamb.ts";
export { LARS, type LARSOptions, lars } from "./lars.ts";
export { LBFGS, type LBFGSOptions } from "./lbfgs.ts";
export { Lion, type LionOptions, lion } from "./lion.ts";
export { type LookaheadOptions, lookahead } from "./lookahead.ts";
export { LossScaler, type LossScalerOptions } from "./loss-scaler.ts";
export type { AdamOptions, AmsgradOptions } from "./moments.ts";
export { Muon, type MuonOptions, muon } from "./muon.ts";
export { NAdam, type NAdamOptions, nadam } from "./nadam.ts";
export { type NamedGroup, type NamePattern, parameterGroups } from "./named-groups.ts";
export {
  type Algorithm,
  type LearningRate,
  Optimizer,
  type OptimizerFactory,
  type OptimizerOptions,
  type SlotState,
  type Slots,
} from "./optimizer.ts";
export { RAdam, type RAdamOptions, radam } from "./radam.ts";
export { RMSprop, type RMSpropOptions, rmsprop } from "./rmsprop.ts";
export { type Rounding, stochasticRounding } from "./rounding.ts";
export { Rprop, type RpropOptions, rprop } from "./rprop.ts";
export { SAM, type SAMOptions } from "./sam.ts";
export {
  constant,
  cosine,
  cosineRestarts,
  exponential,
  inverseSquareRoot,
  linear,
  multiStep,
  oneCycle,
  piecewise,
  polynomial,
  type Schedule,
  stepDecay,
  warmup,
} from "./schedules.ts";
export { SGD, type SGDOptions, sgd } from "./sgd.ts";
export { SparseAdam, type SparseAdamOptions, sparseAdam } from "./sparse-adam.ts";
