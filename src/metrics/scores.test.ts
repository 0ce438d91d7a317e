import { describe, expect, it } from "vitest";
import { readFixture } from "../../test/fixtures.ts";
import { hostArray } from "../base/host-array.ts";
import {
  auc,
  averagePrecision,
  averagePrecisionOneVsRest,
  brierScore,
  coverageError,
  d2AbsoluteErrorScore,
  d2BrierScore,
  d2LogLossScore,
  d2PinballScore,
  d2TweedieScore,
  dcg,
  hingeLoss,
  labelRankingAveragePrecision,
  labelRankingLoss,
  logLoss,
  MultilabelCounts,
  meanAbsoluteError,
  meanGammaDeviance,
  meanPinballLoss,
  meanPoissonDeviance,
  meanSquaredError,
  meanSquaredLogError,
  meanTweedieDeviance,
  medianAbsoluteError,
  multilabelCounts,
  ndcg,
  RankingScores,
  RegressionScores,
  r2Score,
  rocAuc,
  rocAucOneVsOne,
  rocAucOneVsRest,
  rootMeanSquaredError,
  rootMeanSquaredLogError,
  streamingMean,
  streamingMultilabel,
  streamingRanking,
  streamingRegression,
  streamingWhole,
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
  partialAucs: Record<string, number>;
  atThresholds: (number | "Infinity")[][];
  detectionErrors: [number[], number[], number[]];
}
interface RegressionCase extends Record<string, unknown> {
  kind: "regression";
  note: string;
  predictions: number[];
  targets: number[];
  sampleWeights: number[] | null;
  pinball: Record<string, number>;
  d2Pinball: Record<string, number>;
  tweedie: Record<string, number>;
  d2Tweedie: Record<string, number> | null;
}
interface MultilabelCase {
  kind: "multilabel";
  note: string;
  rows: number[][];
  labels: number[][];
  sampleWeights: number[] | null;
  perClass: number[][];
  accuracy: number;
  zeroOneLoss: number;
  hammingLoss: number;
  coverageError: number;
  labelRankingAveragePrecision: number;
  labelRankingLoss: number;
  dcg: number;
  ndcg3: number;
  averaged: {
    average: "macro" | "none";
    zeroDivision: number | "NaN";
    precision: Encoded;
    recall: Encoded;
    f1Score: Encoded;
    jaccard?: Encoded;
  }[];
}
type Encoded = number | "NaN" | Encoded[];
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
  weights: number[];
  few: number[];
  decisions: number[][];
  margins: number[];
  [figure: string]: any;
}
const { cases } = readFixture<{ cases: (RankingCase | RegressionCase | ProbabilityCase | MultilabelCase)[] }>(
  "scores.json",
);

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
    for (const [end, area] of Object.entries(row.partialAucs))
      expect(ranking.rocAuc({ maxFalsePositiveRate: Number(end) })).toBeCloseTo(area, 12);
    const counts = ranking.countsAtThresholds();
    const columns = [
      "trueNegatives",
      "falsePositives",
      "falseNegatives",
      "truePositives",
      "threshold",
    ] as const;
    columns.forEach((name, i) => {
      expect(
        counts.map((point) => point[name]),
        name,
      ).toEqual(row.atThresholds[i]!.map(Number));
    });
    const errors = ranking.detCurve();
    expectAll(errors.falsePositiveRate, row.detectionErrors[0]);
    expectAll(errors.falseNegativeRate, row.detectionErrors[1]);
    expectAll(errors.thresholds, row.detectionErrors[2]);
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
    const sampleWeights = row.sampleWeights ?? undefined;
    const weighted = { sampleWeights };
    const near = (name: string, got: number, want: unknown): void =>
      expect(Math.abs(got - Number(want)), `${name}: ${got}, not ${want}`).toBeLessThan(
        1e-9 * Math.max(1, Math.abs(Number(want))),
      );
    // In two batches.
    const scores = new RegressionScores()
      .update(predictions.slice(0, 2), targets.slice(0, 2), sampleWeights?.slice(0, 2))
      .update(predictions.slice(2), targets.slice(2), sampleWeights?.slice(2));
    for (const name of methods) near(name, scores[name](), row[name]);
    near("medianAbsoluteError", medianAbsoluteError(predictions, targets), row["medianAbsoluteError"]);
    expect(meanAbsoluteError(predictions, targets, weighted)).toBe(scores.meanAbsoluteError());
    expect(meanSquaredError(predictions, targets, weighted)).toBe(scores.meanSquaredError());
    expect(rootMeanSquaredError(predictions, targets, weighted)).toBe(scores.rootMeanSquaredError());
    expect(r2Score(predictions, targets, weighted)).toBe(scores.r2());
    for (const [alpha, loss] of Object.entries(row.pinball)) {
      const options = { alpha: Number(alpha), ...weighted };
      near("meanPinballLoss", meanPinballLoss(predictions, targets, options), loss);
    }
    for (const [alpha, score] of Object.entries(row.d2Pinball))
      near("d2PinballScore", d2PinballScore(predictions, targets, { alpha: Number(alpha) }), score);
    near("d2AbsoluteErrorScore", d2AbsoluteErrorScore(predictions, targets), row["d2AbsoluteError"]);
    for (const [power, deviance] of Object.entries(row.tweedie)) {
      const options = { power: Number(power), ...weighted };
      near(`deviance ${power}`, meanTweedieDeviance(predictions, targets, options), deviance);
      if (row.d2Tweedie !== null)
        near(`D² ${power}`, d2TweedieScore(predictions, targets, options), row.d2Tweedie[power]);
    }
    const aboveZero = {
      meanSquaredLogError,
      rootMeanSquaredLogError,
      poisson: meanPoissonDeviance,
      gamma: meanGammaDeviance,
    };
    for (const [name, metric] of Object.entries(aboveZero))
      if (row[name] !== undefined) near(name, metric(predictions, targets, weighted), row[name]);
  });
});

describe("scikit-learn's scores of several labels", () => {
  const decoded = (value: Encoded): unknown =>
    Array.isArray(value) ? value.map(decoded) : value === "NaN" ? Number.NaN : value;
  it.each(cases.filter((row) => row.kind === "multilabel"))("$note", (row) => {
    const { rows, labels, perClass } = row;
    const sampleWeights = row.sampleWeights ?? undefined;
    const given = rows.map((scores) => scores.map((score) => Number(score > 0.5)));
    // In two batches.
    const counts = new MultilabelCounts()
      .update(given.slice(0, 1), labels.slice(0, 1), sampleWeights?.slice(0, 1))
      .update(given.slice(1), labels.slice(1), sampleWeights?.slice(1));
    expect(
      counts.perClass().map((c) => [c.trueNegatives, c.falsePositives, c.falseNegatives, c.truePositives]),
    ).toEqual(perClass);
    expect(counts.total).toBe(sampleWeights?.reduce((a, b) => a + b, 0) ?? rows.length);
    for (const name of ["accuracy", "zeroOneLoss", "hammingLoss"] as const)
      expect(counts[name]()).toBeCloseTo(row[name], 12);
    for (const { average, zeroDivision, ...figures } of row.averaged) {
      const options = { average, zeroDivision: decoded(zeroDivision) as number };
      for (const [name, expected] of Object.entries(figures)) {
        const got = [counts[name as "recall"](options)].flat();
        [decoded(expected as Encoded)].flat().forEach((value, i) => {
          if (Number.isNaN(value)) expect(got[i], `${name} ${average}`).toBeNaN();
          else expect(got[i], `${name} ${average} ${zeroDivision}`).toBeCloseTo(value as number, 12);
        });
      }
    }
    const ranked = { coverageError, labelRankingAveragePrecision, labelRankingLoss };
    for (const [name, metric] of Object.entries(ranked))
      expect(metric(rows, labels, { sampleWeights }), name).toBeCloseTo(row[name as "coverageError"], 12);
    const meanOf = (gain: (scores: number[], relevance: number[]) => number): number =>
      rows.reduce((sum, scores, i) => sum + gain(scores, labels[i]!), 0) / rows.length;
    expect(meanOf(dcg)).toBeCloseTo(row.dcg, 12);
    expect(meanOf((scores, relevance) => ndcg(scores, relevance, { most: 3 }))).toBeCloseTo(row.ndcg3, 12);
  });
});

describe("scikit-learn's scores of probabilities", () => {
  it("are of probabilities", () => {
    expect(() => brierScore([1.1], [1])).toThrow(
      "brierScore: sample 0 has the probability 1.1, which is not from 0 to 1",
    );
    expect(() =>
      logLoss(
        [
          [0.5, 0.5],
          [0.5, Number.NaN],
        ],
        [0, 1],
      ),
    ).toThrow("logLoss: sample 1 has the probability NaN");
  });

  it.each(cases.filter((row) => row.kind === "probabilities"))("rows and numbers", (row) => {
    expect(logLoss(row.rows, row.labels)).toBeCloseTo(row.logLoss, 12);
    expect(logLoss(row.binary, row.answers)).toBeCloseTo(row.binaryLogLoss, 12);
    expect(brierScore(row.binary, row.answers)).toBeCloseTo(row.brierScore, 12);
    expect(rocAucOneVsRest(row.rows, row.labels)).toBeCloseTo(row.oneVsRestMacro, 12);
    expect(rocAucOneVsRest(row.rows, row.labels, { average: "weighted" })).toBeCloseTo(
      row.oneVsRestWeighted,
      12,
    );
    const { rows, labels, binary, answers, decisions, margins } = row;
    const [weights, few] = [{ sampleWeights: row.weights }, { sampleWeights: row.few }];
    const byShare = { average: "weighted" } as const;
    const figures = {
      oneVsOneMacro: rocAucOneVsOne(rows, labels),
      oneVsOneWeighted: rocAucOneVsOne(rows, labels, byShare),
      averagePrecisionMacro: averagePrecisionOneVsRest(rows, labels),
      averagePrecisionWeighted: averagePrecisionOneVsRest(rows, labels, byShare),
      weightedLogLoss: logLoss(rows, labels, weights),
      brierRows: brierScore(rows, labels),
      weightedBrierRows: brierScore(rows, labels, weights),
      d2LogLoss: d2LogLossScore(rows, labels),
      weightedD2LogLoss: d2LogLossScore(rows, labels, weights),
      d2Brier: d2BrierScore(rows, labels),
      weightedD2Brier: d2BrierScore(rows, labels, weights),
      hinge: hingeLoss(decisions, labels),
      weightedHinge: hingeLoss(decisions, labels, weights),
      weightedBrier: brierScore(binary, answers, few),
      binaryD2LogLoss: d2LogLossScore(binary, answers),
      binaryD2Brier: d2BrierScore(binary, answers, few),
      binaryHinge: hingeLoss(margins, answers, few),
    };
    for (const [name, value] of Object.entries(figures)) expect(value, name).toBeCloseTo(row[name], 12);
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
    [
      "a label that is none",
      () => logLoss([0.5], [-1]),
      "logLoss: sample 0 has label -1, but 2 probabilities",
    ],
    ["a decision", () => hingeLoss([[1, 2]], [2]), "hingeLoss: label 0 is 2, not a class 0 … 1"],
    ["weights", () => hingeLoss([1], [1], { sampleWeights: [1, 2] }), "2 sampleWeights for 1 targets"],
    ["a quantile", () => meanPinballLoss([1], [1], { alpha: 2 }), "alpha must be from 0 to 1, got 2"],
    ["no quantile", () => d2PinballScore([], []), "quantile: no samples have none"],
    [
      "a power",
      () => meanTweedieDeviance([1], [1], { power: 0.5 }),
      "power must be 0 or less, or 1 or more, got 0.5",
    ],
    [
      "no mean of counts",
      () => meanPoissonDeviance([0], [1]),
      "prediction 0 is 0; power 1 needs more than 0",
    ],
    ["no amount", () => meanGammaDeviance([1], [0]), "target 0 is 0; power 2 needs more than 0"],
    [
      "a logarithm",
      () => meanSquaredLogError([0], [-1]),
      "meanSquaredLogError: target 0 is -1; log(1 + x) needs more than -1",
    ],
    ["points that turn", () => auc([0, 1, 0.5], [0, 1, 1]), "auc: x turns at 2, from 1 to 0.5"],
    ["one point", () => auc([0], [0]), "auc: needs two points or more, got 1"],
    [
      "a partial area",
      () => rocAuc([1, 2], [0, 1], { maxFalsePositiveRate: 0 }),
      "maxFalsePositiveRate must be above 0 and at most 1, got 0",
    ],
    [
      "labels of a sample",
      () => multilabelCounts([[1, 0]], [[1]]),
      "MultilabelCounts: prediction 0 has 2 labels, the first 1",
    ],
    [
      "scores for labels",
      () => multilabelCounts([[0.5]], [[1]]),
      "MultilabelCounts: prediction 0 has 0.5 at 0; give 0 or 1",
    ],
    [
      "scores of labels",
      () => coverageError([[1, 2, 3]], [[1, 0]]),
      "coverageError: sample 0 has 3 scores for 2 labels",
    ],
    ["a NaN of a label", () => labelRankingLoss([[Number.NaN]], [[1]]), "score 0 of sample 0 is NaN"],
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

  it("a mean over samples needs nothing of a batch, anything else keeps them", () => {
    const loss = streamingMean("logLoss", logLoss);
    const median = streamingWhole("median", medianAbsoluteError);
    const area = streamingWhole("oneVsOne", rocAucOneVsOne);
    const rows = [
      [0.9, 0.1],
      [0.4, 0.6],
      [0.7, 0.3],
    ] as const;
    const labels = [0, 1, 1];
    for (const [from, to] of [
      [0, 2],
      [2, 2],
      [2, 3],
    ] as const) {
      const some = rows.slice(from, to);
      const scores = hostArray("f64", [to - from, 2], Float64Array.from(some.flat()));
      const classes = hostArray("i32", [to - from], Int32Array.from(labels.slice(from, to)));
      loss.update(scores, classes);
      area.update(scores, classes);
      const column = hostArray(
        "f64",
        [to - from, 1],
        Float64Array.from(some, ([, second]) => second),
      );
      median.update(column, classes);
    }
    expect(loss.result()).toBeCloseTo(logLoss(rows, labels), 14);
    expect(area.result()).toBe(rocAucOneVsOne(rows, labels));
    expect(median.result()).toBeCloseTo(0.4, 14);
    const later = streamingWhole("oneVsOne", rocAucOneVsOne);
    later.restore!(JSON.parse(JSON.stringify(area.state!())));
    expect(later.result()).toBe(area.result());
    for (const metric of [loss, area, median]) metric.reset();
    expect(loss.result()).toBeNaN();
    expect(() => median.result()).toThrow("no samples have no median");
    expect(() => loss.update(hostArray("f32", [1, 1, 1]), hostArray("i32", [1]))).toThrow(
      "logLoss: expected a number or a row for each sample, (N) or (N, C), got (1, 1, 1)",
    );
  });

  it("several labels count from a threshold on", () => {
    const f1 = streamingMultilabel("f1", (counts) => counts.f1Score({ average: "micro" }), {
      threshold: 0.5,
    });
    f1.update(
      hostArray("f64", [2, 2], Float64Array.of(0.9, 0.2, 0.6, 0.7)),
      hostArray("u8", [2, 2], Uint8Array.of(1, 0, 0, 1)),
    );
    expect(f1.result()).toBe(0.8);
    const later = streamingMultilabel("f1", (counts) => counts.f1Score({ average: "samples" }));
    later.restore!(JSON.parse(JSON.stringify(f1.state!())));
    expect(later.result()).toBeCloseTo((1 + 2 / 3) / 2, 14);
    f1.reset();
    expect(f1.result()).toBe(0);
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
