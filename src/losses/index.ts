/** Losses: functions of (predictions, targets) that give a scalar to differentiate. */
export { type BinaryCrossEntropyOptions, binaryCrossEntropy } from "./binary-cross-entropy.ts";
export {
  type MultiLabelSoftMarginOptions,
  type MultiMarginOptions,
  multiLabelMargin,
  multiLabelSoftMargin,
  multiMargin,
} from "./class-margins.ts";
export { type InfoNceOptions, infoNce, ntXent } from "./contrastive-batches.ts";
export { type CrossEntropyOptions, crossEntropy, nll, type ScoreKind } from "./cross-entropy.ts";
export { type CtcLengths, type CtcOptions, ctc } from "./ctc.ts";
export {
  contrastive,
  cosineEmbedding,
  type Distance,
  type TripletMarginOptions,
  tripletMargin,
} from "./embeddings.ts";
export { type BinaryFocalOptions, binaryFocal, type FocalOptions, focal } from "./focal.ts";
export {
  type GaussianNllOptions,
  gaussianNll,
  type KlDivergenceOptions,
  klDivergence,
  type PoissonNllOptions,
  poissonNll,
} from "./likelihoods.ts";
export {
  hinge,
  hingeEmbedding,
  type MarginOptions,
  marginRanking,
  softMargin,
  squaredHinge,
} from "./margins.ts";
export { dice, jaccard, type OverlapOptions, type TverskyOptions, tversky } from "./overlap.ts";
export { l1Penalty, l2Penalty } from "./penalties.ts";
export {
  type DistillationOptions,
  type DpoOptions,
  distillation,
  dpo,
  type OrpoOptions,
  orpo,
  sequenceLogProbability,
} from "./preferences.ts";
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
