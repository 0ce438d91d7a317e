/** Optimizers, learning rates as functions of the step, limits on gradients. */
export { Adadelta, type AdadeltaOptions, adadelta } from "./adadelta.ts";
export { Adagrad, type AdagradOptions, adagrad } from "./adagrad.ts";
export { Adam, adam } from "./adam.ts";
export { Adamax, adamax } from "./adamax.ts";
export { AdamW, adamw } from "./adamw.ts";
export { WeightAverage } from "./average.ts";
export { clipByGlobalNorm, clipByValue, globalNorm } from "./clip.ts";
export type { ParameterGroup, Parameters } from "./groups.ts";
export type { AdamOptions, AmsgradOptions } from "./moments.ts";
export {
  type Algorithm,
  type LearningRate,
  Optimizer,
  type OptimizerFactory,
  type OptimizerOptions,
  type Slots,
} from "./optimizer.ts";
export { RMSprop, type RMSpropOptions, rmsprop } from "./rmsprop.ts";
export {
  constant,
  cosine,
  cosineRestarts,
  exponential,
  linear,
  oneCycle,
  piecewise,
  polynomial,
  type Schedule,
  stepDecay,
  warmup,
} from "./schedules.ts";
export { SGD, type SGDOptions, sgd } from "./sgd.ts";
