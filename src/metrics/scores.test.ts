import { describe, expect, it } from "vitest";
import { readFixture } from "../../test/fixtures.ts";
import { hostArray } from "../base/host-array.ts";
import {
  averagePrecision,
  brierScore,
  logLoss,
  meanAbsoluteError,
  meanSquaredError,
  medianAbsoluteError,
  RankingScores,
  RegressionScores,
  r2Score,
  rocAuc,
  rocAucOneVsRest,
  rootMeanSquaredError,
  streamingRanking,
  streamingRegression,
} from "./index.ts";

interface RankingCase {
  kind: "ranking";
  note: string;
  scores: number[];
  labels: number[];
  sampleWeights: number[] | null;
  rocAuc: number;
  averagePrecision: number;
  falsePositiveRate: number[];
  truePositiveRate: number[];
  precision: number[];
  recall: number[];
}
interface RegressionCase extends Record<string, unknown> {
  kind: "regression";
  note: string;
  predictions: number[];
  targets: number[];
}
interface ProbabilityCase {
  kind: "probabilities";
  rows: number[][];
  labels: number[];
  logLoss: number;
  oneVsRestMacro: number;
  oneVsRestWeighted: number;
  binary: number[];
  answers: number[];
  binaryLogLoss: number;
  brierScore: number;
}
const { cases } = readFixture<{ cases: (RankingCase | RegressionCase | ProbabilityCase)[] }>("scores.json");

function expectAll(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 12);
  });
}

describe("scikit-learn's curves and areas", () => {
  it.each(cases.filter((row) => row.kind === "ranking"))("$note", (row) => {
    const weights = row.sampleWeights ?? undefined;
    const ranking = new RankingScores().update(row.scores, row.labels, weights);
    expect(ranking.rocAuc()).toBeCloseTo(row.rocAuc, 12);
    expect(ranking.averagePrecision()).toBeCloseTo(row.averagePrecision, 12);
    expectAll(ranking.rocCurve().falsePositiveRate, row.falsePositiveRate);
    expectAll(ranking.rocCurve().truePositiveRate, row.truePositiveRate);
    expectAll(ranking.precisionRecallCurve().precision, row.precision);
    expectAll(ranking.precisionRecallCurve().recall, row.recall);
    const options = weights ? { sampleWeights: weights } : {};
    expect(rocAuc(row.scores, row.labels, options)).toBeCloseTo(row.rocAuc, 12);
    expect(averagePrecision(row.scores, row.labels, options)).toBeCloseTo(row.averagePrecision, 12);
  });
});

describe("scikit-learn's scores of regression", () => {
  const methods = [
    "meanAbsoluteError",
    "meanSquaredError",
    "rootMeanSquaredError",
    "r2",
    "explainedVariance",
    "maxError",
    "meanAbsolutePercentageError",
  ] as const;
  it.each(cases.filter((row) => row.kind === "regression"))("$note", (row) => {
    const { predictions, targets } = row;
    // In two batches.
    const scores = new RegressionScores()
      .update(predictions.slice(0, 2), targets.slice(0, 2))
      .update(predictions.slice(2), targets.slice(2));
    for (const name of methods) {
      const [got, want] = [scores[name](), row[name] as number];
      expect(Math.abs(got - want), `${name}: ${got}, not ${want}`).toBeLessThan(
        1e-9 * Math.max(1, Math.abs(want)),
      );
    }
    expect(medianAbsoluteError(predictions, targets)).toBeCloseTo(row["medianAbsoluteError"] as number, 9);
    expect(meanAbsoluteError(predictions, targets)).toBe(scores.meanAbsoluteError());
    expect(meanSquaredError(predictions, targets)).toBe(scores.meanSquaredError());
    expect(rootMeanSquaredError(predictions, targets)).toBe(scores.rootMeanSquaredError());
    expect(r2Score(predictions, targets)).toBe(scores.r2());
  });
});

describe("scikit-learn's scores of probabilities", () => {
  it.each(cases.filter((row) => row.kind === "probabilities"))("rows and numbers", (row) => {
    expect(logLoss(row.rows, row.labels)).toBeCloseTo(row.logLoss, 12);
    expect(logLoss(row.binary, row.answers)).toBeCloseTo(row.binaryLogLoss, 12);
    expect(brierScore(row.binary, row.answers)).toBeCloseTo(row.brierScore, 12);
    expect(rocAucOneVsRest(row.rows, row.labels)).toBeCloseTo(row.oneVsRestMacro, 12);
    expect(rocAucOneVsRest(row.rows, row.labels, { average: "weighted" })).toBeCloseTo(
      row.oneVsRestWeighted,
      12,
    );
  });

  it("certain and wrong is a number", () => {
    expect(logLoss([1, 0], [0, 1])).toBeCloseTo(36.0437, 3);
  });
});

describe("what is asked wrongly", () => {
  it.each<[string, () => unknown, string]>([
    [
      "lengths",
      () => new RankingScores().update([1, 2], [1]),
      "RankingScores: scores, labels and weights must be as many as each other, got 2, 1, 2",
    ],
    ["a NaN", () => rocAuc([Number.NaN, 1], [0, 1]), "RankingScores: score 0 is NaN"],
    ["a label", () => rocAuc([1, 2], [0, 2]), "RankingScores: label 1 is 2; labels are 0 or 1"],
    [
      "one class",
      () => rocAuc([1, 2], [1, 1]),
      "rocCurve: needs samples of both classes, got 2 positive and 0 negative",
    ],
    [
      "no positives",
      () => averagePrecision([1, 2], [0, 0]),
      "precisionRecallCurve: no sample is positive (label 1); recall is not defined",
    ],
    [
      "targets",
      () => r2Score([1], [1, 2]),
      "RegressionScores: 1 predictions and 2 targets; give each its own",
    ],
    ["no median", () => medianAbsoluteError([], []), "medianAbsoluteError: no samples have no median"],
    [
      "a label without probability",
      () => logLoss([[0.5, 0.5]], [2]),
      "logLoss: sample 0 has label 2, but 2 probabilities",
    ],
    ["no probabilities", () => brierScore([], []), "brierScore: 0 probabilities and 0 labels"],
  ])("%s", (_, ask, message) => {
    expect(ask).toThrow(message);
  });

  it("counts nothing then", () => {
    const ranking = new RankingScores().update([0.25, 0.75], [0, 1]);
    expect(() => ranking.update([0.5, 0.5], [1, 7])).toThrow("label 1 is 7");
    expect(ranking.rocAuc()).toBe(1);
    ranking.reset();
    expect(() => ranking.rocAuc()).toThrow("0 positive and 0 negative");
  });
});

describe("streaming", () => {
  it("ranking takes one column or two", () => {
    const auc = streamingRanking("auc", (ranking) => ranking.rocAuc());
    auc.update(
      hostArray("f32", [2, 2], Float32Array.of(0.9, 0.1, 0.3, 0.7)),
      hostArray("i32", [2], Int32Array.of(0, 1)),
    );
    auc.update(
      hostArray("f32", [2, 1], Float32Array.of(0.8, 0.05)),
      hostArray("f32", [2, 1], Float32Array.of(0, 1)),
    );
    expect(auc.result()).toBe(0.25);
    auc.reset();
    expect(() => auc.update(hostArray("f32", [1, 3]), hostArray("f32", [1]))).toThrow(
      "expected scores (N), (N, 1) or (N, 2)",
    );
  });

  it("regression takes element by element", () => {
    const mae = streamingRegression("mae", (scores) => scores.meanAbsoluteError());
    mae.update(hostArray("f32", [2, 1], Float32Array.of(1, 2)), hostArray("f32", [2], Float32Array.of(0, 0)));
    expect(mae.result()).toBe(1.5);
    expect(mae.metricName).toBe("mae");
    mae.reset();
    expect(mae.result()).toBeNaN();
  });
});
