/** Losses: functions of (predictions, targets) that give a scalar to differentiate. */
export { type BinaryCrossEntropyOptions, binaryCrossEntropy } from "./binary-cross-entropy.ts";
export { type CrossEntropyOptions, crossEntropy, nll, type ScoreKind } from "./cross-entropy.ts";
export {
  type GaussianNllOptions,
  gaussianNll,
  type KlDivergenceOptions,
  klDivergence,
  type PoissonNllOptions,
  poissonNll,
} from "./likelihoods.ts";
export {
  cosineEmbedding,
  hinge,
  hingeEmbedding,
  type MarginOptions,
  marginRanking,
  softMargin,
  squaredHinge,
  type TripletMarginOptions,
  tripletMargin,
} from "./margins.ts";
export { l1Penalty, l2Penalty } from "./penalties.ts";
export type { LossOptions, Reduction } from "./reduction.ts";
export {
  type HuberOptions,
  huber,
  logCosh,
  mae,
  meanAbsolutePercentageError,
  meanSquaredLogarithmicError,
  mse,
  type QuantileLossOptions,
  quantileLoss,
  type SmoothL1Options,
  smoothL1,
} from "./regression.ts";
