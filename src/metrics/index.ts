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
export { characterErrorRate, editDistance, perplexity, wordErrorRate } from "./edit-distance.ts";
export { type ClassificationScoreOptions, f1Score, precision, recall } from "./precision-recall.ts";
export { brierScore, logLoss } from "./probabilities.ts";
export {
  averagePrecision,
  type MulticlassAucOptions,
  type PrecisionRecallCurve,
  type RankingOptions,
  RankingScores,
  type RocCurve,
  rocAuc,
  rocAucOneVsRest,
} from "./ranking.ts";
export {
  meanAbsoluteError,
  meanSquaredError,
  medianAbsoluteError,
  RegressionScores,
  r2Score,
  rootMeanSquaredError,
} from "./regression.ts";
export { ndcg, reciprocalRank, retrievalPrecision } from "./retrieval.ts";
export { RunningMean, type RunningMeanState } from "./running-mean.ts";
export type { Average, ClassCounts, ScoreOptions } from "./scores.ts";
export { type StreamingMetric, streaming, streamingRanking, streamingRegression } from "./streaming.ts";
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
