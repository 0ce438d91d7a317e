/** Metrics: functions of (predictions, labels), over tensors inside a step or over class indices on the host. */
export { accuracy, type BatchMetric, topKAccuracy } from "./accuracy.ts";
export {
  ClassificationReport,
  classificationReport,
  type ReportOptions,
  type ReportRow,
} from "./classification-report.ts";
export { ConfusionMatrix, type ConfusionMatrixOptions, confusionMatrix } from "./confusion-matrix.ts";
export { type ClassificationScoreOptions, f1Score, precision, recall } from "./precision-recall.ts";
export { RunningMean, type RunningMeanState } from "./running-mean.ts";
export type { Average, ClassCounts, ScoreOptions } from "./scores.ts";
export { type StreamingMetric, streaming } from "./streaming.ts";
