/** Answers of a classifier: its confusions, curves, calibration and worst mistakes. */
import { decode } from "../base/dtype.ts";
import type { HostArray } from "../base/host-array.ts";
import {
  type CalibrationBin,
  calibrationCurve,
  classificationReport,
  expectedCalibrationError,
  RankingScores,
  type ReportRow,
} from "../metrics/index.ts";
import { worstMistakes } from "../report/index.ts";
import type { Answers, KeptMistake } from "./evaluation.ts";

/** A curve of one class against the rest. */
export interface ClassCurve {
  readonly name: string;
  /** Below it: of the ROC curve, or the average precision. */
  readonly area: number;
  readonly x: readonly number[];
  readonly y: readonly number[];
}

export interface Classification {
  readonly kind: "classification";
  readonly samples: number;
  readonly classes: readonly string[];
  readonly accuracy: number;
  /** Rows are actual classes, columns predicted ones. */
  readonly confusion: readonly (readonly number[])[];
  readonly perClass: readonly ReportRow[];
  readonly averages: readonly ReportRow[];
  readonly roc: readonly ClassCurve[];
  readonly precisionRecall: readonly ClassCurve[];
  readonly calibration: readonly CalibrationBin[];
  readonly calibrationError: number;
  readonly mistakes: readonly KeptMistake[];
}

/** More classes than a page can show: their table would be no picture. */
const mostClasses = 1000;
/** Curves of all classes up to here, of the least certain ones above. */
const mostCurves = 12;
const curvePoints = 200;

/** Undefined where the answers are not those of a classifier. */
export async function classificationOf(asked: Answers): Promise<Classification | undefined> {
  const probabilities = probabilitiesOf(asked);
  if (probabilities === undefined) return undefined;
  const { labels, names, classCount } = probabilities;
  const predicted = argmaxOf(probabilities.data, classCount);
  const report = classificationReport(predicted, labels, { numClasses: classCount, names });
  const confidences = Array.from(predicted, (label, i) => probabilities.data[i * classCount + label]!);
  const isRight = Array.from(predicted, (label, i) => label === labels[i]);
  const mistakes = worstMistakes(probabilities.data, labels, { count: asked.mistakes });
  return {
    ...{ kind: "classification", samples: labels.length, classes: names, accuracy: report.accuracy },
    ...{ confusion: report.matrix.toArray(), perClass: report.perClass },
    averages: [report.macroAverage, report.weightedAverage],
    ...curvesOf(probabilities),
    calibration: calibrationCurve(confidences, isRight),
    calibrationError: expectedCalibrationError(confidences, isRight),
    mistakes: await Promise.all(
      mistakes.map(async (mistake) => ({ ...mistake, input: await asked.keep(mistake.index) })),
    ),
  };
}

interface Probabilities {
  /** A row of classes a sample. */
  readonly data: Float64Array;
  readonly classCount: number;
  readonly labels: ArrayLike<number>;
  readonly names: readonly string[];
}

/** One number a sample is a logit of the second of two classes when the loss says so; two and more are logits, or add up to 1. */
function probabilitiesOf({ answers, labels, lossName, classes }: Answers): Probabilities | undefined {
  const [samples = 0, width = 1] = answers.shape;
  const isBinary = width === 1 && answers.shape.length <= 2 && /binary/i.test(lossName);
  const isRow = answers.shape.length === 2 && width > 1 && width <= mostClasses;
  const indices = classIndices(labels, samples, isBinary ? 2 : width);
  if ((!isBinary && !isRow) || indices === undefined || samples === 0) return undefined;
  const values = decode(answers.dtype, answers.data as never);
  const data = isBinary ? bothOf(values) : rowsOf(values, width);
  const classCount = isBinary ? 2 : width;
  const names = Array.from({ length: classCount }, (_, i) => classes?.[i] ?? String(i));
  return { data, classCount, labels: indices, names };
}

/** Labels as class indices, a number a sample; undefined where they are something else. */
function classIndices(labels: HostArray, samples: number, classCount: number): Float64Array | undefined {
  if (labels.data.length !== samples) return undefined;
  const values = decode(labels.dtype, labels.data as never);
  return values.every((label) => Number.isInteger(label) && label >= 0 && label < classCount)
    ? values
    : undefined;
}

/** (1 − p, p) of each sample, from probabilities where all are in 0 … 1, else from logits. */
function bothOf(values: Float64Array): Float64Array {
  const isProbability = values.every((value) => value >= 0 && value <= 1);
  const both = new Float64Array(2 * values.length);
  values.forEach((value, i) => {
    const p = isProbability ? value : 1 / (1 + Math.exp(-value));
    both[2 * i] = 1 - p;
    both[2 * i + 1] = p;
  });
  return both;
}

function rowsOf(values: Float64Array, width: number): Float64Array {
  const data = values.slice();
  for (let at = 0; at < data.length; at += width) {
    const row = data.subarray(at, at + width);
    const sum = row.reduce((total, value) => total + value, 0);
    const isProbability = Math.abs(sum - 1) < 1e-3 && row.every((value) => value >= 0);
    if (!isProbability) softmax(row);
  }
  return data;
}

function softmax(row: Float64Array): void {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    row[i] = Math.exp(row[i]! - largest);
    sum += row[i]!;
  }
  for (let i = 0; i < row.length; i++) row[i]! /= sum;
}

function argmaxOf(data: Float64Array, width: number): Int32Array {
  return Int32Array.from({ length: data.length / width }, (_, sample) => {
    let best = 0;
    for (let c = 1; c < width; c++) if (data[sample * width + c]! > data[sample * width + best]!) best = c;
    return best;
  });
}

/** Of two classes the second against the first, of more each against the rest: those with the smallest areas where many. */
function curvesOf({
  data,
  classCount,
  labels,
  names,
}: Probabilities): Pick<Classification, "roc" | "precisionRecall"> {
  const classes = classCount === 2 ? [1] : names.map((_, i) => i);
  const ranked = classes.flatMap((index) => {
    const isOf = Array.from(labels, (label) => Number(label === index));
    const count = isOf.reduce((sum, one) => sum + one, 0);
    if (count === 0 || count === isOf.length) return [];
    const scores = Float64Array.from(labels, (_, sample) => data[sample * classCount + index]!);
    return [{ name: names[index]!, ranking: new RankingScores().update(scores, isOf) }];
  });
  const roc = ranked.map(({ name, ranking }): ClassCurve => {
    const { falsePositiveRate, truePositiveRate } = ranking.rocCurve();
    return { name, area: ranking.rocAuc(), ...thinned(falsePositiveRate, truePositiveRate) };
  });
  const precisionRecall = ranked.map(({ name, ranking }): ClassCurve => {
    const { precision, recall } = ranking.precisionRecallCurve();
    return { name, area: ranking.averagePrecision(), ...thinned(recall, precision) };
  });
  return { roc: worst(roc), precisionRecall: worst(precisionRecall) };
}

const worst = (curves: readonly ClassCurve[]): ClassCurve[] =>
  curves.length <= mostCurves
    ? [...curves]
    : [...curves].sort((a, b) => a.area - b.area).slice(0, mostCurves);

/** At most 200 points, the ends among them. */
function thinned(x: readonly number[], y: readonly number[]): { x: number[]; y: number[] } {
  const count = Math.min(curvePoints, x.length);
  const places = Array.from({ length: count }, (_, i) =>
    Math.round((i * (x.length - 1)) / Math.max(1, count - 1)),
  );
  return { x: places.map((at) => x[at]!), y: places.map((at) => y[at]!) };
}
