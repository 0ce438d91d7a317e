/** Metrics: functions of (predictions, labels), over tensors inside a step or over class indices on the host. */
export { accuracy, type BatchMetric, topKAccuracy } from "./accuracy.ts";
export type { KappaWeights } from "./agreement.ts";
export { type BootstrapOptions, bootstrap, type Interval } from "./bootstrap.ts";
export {
  type Box,
  boxArea,
  boxIoU,
  type Detection,
  nonMaximumSuppression,
  type SuppressionOptions,
} from "./boxes.ts";
export { type CalibrationBin, calibrationCurve, expectedCalibrationError } from "./calibration.ts";
export {
  ClassificationReport,
  classificationReport,
  type ReportOptions,
  type ReportRow,
} from "./classification-report.ts";
export { ConfusionMatrix, type ConfusionMatrixOptions, confusionMatrix } from "./confusion-matrix.ts";
export {
  type DetectionScores,
  detectionScores,
  type TrueBox,
} from "./detection.ts";
export {
  type DevianceOptions,
  d2TweedieScore,
  meanGammaDeviance,
  meanPoissonDeviance,
  meanTweedieDeviance,
} from "./deviance.ts";
export { characterErrorRate, editDistance, perplexity, wordErrorRate } from "./edit-distance.ts";
export { hingeLoss } from "./hinge.ts";
export { coverageError, labelRankingAveragePrecision, labelRankingLoss } from "./label-ranking.ts";
export { MultilabelCounts, type MultilabelScoreOptions, multilabelCounts } from "./multilabel.ts";
export { type ClassificationScoreOptions, f1Score, precision, recall } from "./precision-recall.ts";
export { brierScore, d2BrierScore, d2LogLossScore, logLoss } from "./probabilities.ts";
export {
  d2AbsoluteErrorScore,
  d2PinballScore,
  meanPinballLoss,
  medianAbsoluteError,
  type PinballOptions,
} from "./quantile.ts";
export {
  auc,
  averagePrecision,
  averagePrecisionOneVsRest,
  type DetectionErrorCurve,
  type MulticlassAucOptions,
  type PartialAucOptions,
  type PrecisionRecallCurve,
  type RankingOptions,
  RankingScores,
  type RocCurve,
  rocAuc,
  rocAucOneVsOne,
  rocAucOneVsRest,
  type ThresholdCounts,
} from "./ranking.ts";
export {
  meanAbsoluteError,
  meanSquaredError,
  meanSquaredLogError,
  RegressionScores,
  r2Score,
  rootMeanSquaredError,
  rootMeanSquaredLogError,
} from "./regression.ts";
export { dcg, type GainOptions, ndcg, reciprocalRank, retrievalPrecision } from "./retrieval.ts";
export { RunningMean, type RunningMeanState } from "./running-mean.ts";
export type { Rows, SampleOptions } from "./samples.ts";
export type { Average, ClassCounts, LikelihoodRatios, ScoreOptions } from "./scores.ts";
export {
  type StreamingMetric,
  streaming,
  streamingMean,
  streamingMultilabel,
  streamingRanking,
  streamingRegression,
  streamingWhole,
} from "./streaming.ts";
export {
  type BleuOptions,
  type BleuScore,
  bleu,
  type ChrfOptions,
  chrf,
  type References,
  type RougeScore,
  rouge,
} from "./translation.ts";
