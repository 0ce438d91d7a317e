import { describe, expect, it } from "vitest";
import { readFixture } from "../../test/fixtures.ts";
import * as metrics from "./index.ts";
import {
  type Average,
  ConfusionMatrix,
  classificationReport,
  confusionMatrix,
  f1Score,
  type KappaWeights,
  precision,
  RunningMean,
  recall,
  streaming,
} from "./index.ts";

type Encoded = number | "NaN" | "Infinity" | "-Infinity" | Encoded[];
interface Case {
  note: string;
  predictions: number[];
  labels: number[];
  numClasses: number | null;
  sampleWeights: number[] | null;
  matrix: number[][];
  accuracy: number;
  balancedAccuracy: Encoded;
  adjusted: Encoded;
  zeroOneLoss: number;
  hammingLoss: number;
  likelihoodRatios: [Encoded, Encoded] | null;
  perClass: number[][];
  matthews: Encoded;
  kappa: Readonly<Record<KappaWeights, Encoded>>;
  scores: {
    average: Average;
    zeroDivision: number | "NaN";
    precision: Encoded;
    recall: Encoded;
    f1Score: Encoded;
    fBeta2?: Encoded;
    jaccard?: Encoded;
  }[];
}

const decoded = (value: Encoded): unknown => (Array.isArray(value) ? value.map(decoded) : Number(value));

/** Equal to 1e-12, NaN to itself, element by element. */
function expectScores(actual: number | number[], expected: unknown): void {
  const [a, b] = [[actual].flat(), [expected].flat() as number[]];
  expect(a.length).toBe(b.length);
  a.forEach((value, i) => {
    if (Number.isNaN(b[i])) expect(value).toBeNaN();
    else if (!Number.isFinite(b[i])) expect(value).toBe(b[i]);
    else expect(value).toBeCloseTo(b[i]!, 12);
  });
}

describe("scikit-learn's figures", () => {
  const { cases } = readFixture<{ cases: Case[] }>("metrics.json");
  it.each(cases)("$note", (row) => {
    const { predictions, labels, numClasses, sampleWeights, matrix, accuracy, scores } = row;
    const known = {
      ...(numClasses !== null && { numClasses }),
      ...(sampleWeights !== null && { sampleWeights }),
    };
    const counted = confusionMatrix(predictions, labels, known);
    expect(counted.toArray()).toEqual(matrix);
    expect(counted.accuracy()).toBeCloseTo(accuracy, 12);
    expectScores(counted.balancedAccuracy(), decoded(row.balancedAccuracy));
    expectScores(counted.balancedAccuracy({ adjusted: true }), decoded(row.adjusted));
    expectScores(counted.zeroOneLoss(), row.zeroOneLoss);
    expectScores(counted.zeroOneLoss(), row.hammingLoss);
    const perClass = counted.perClass();
    expectScores(
      perClass.flatMap((c) => [c.trueNegatives, c.falsePositives, c.falseNegatives, c.truePositives]),
      row.perClass.flat(),
    );
    expectScores(
      counted.specificity({ average: "none", zeroDivision: Number.NaN }),
      row.perClass.map(([negatives, falsePositives]) => negatives! / (negatives! + falsePositives!)),
    );
    if (row.likelihoodRatios !== null) {
      const { positive, negative } = counted.likelihoodRatios();
      expectScores([positive, negative], decoded(row.likelihoodRatios));
    }
    expectScores(counted.matthewsCorrelation(), decoded(row.matthews));
    for (const weights of ["none", "linear", "quadratic"] as const)
      expectScores(counted.cohenKappa({ weights }), decoded(row.kappa[weights]));
    for (const row of scores) {
      const averaging = { average: row.average, zeroDivision: decoded(row.zeroDivision) as number };
      const options = { ...known, ...averaging };
      expectScores(precision(predictions, labels, options), decoded(row.precision));
      expectScores(recall(predictions, labels, options), decoded(row.recall));
      expectScores(f1Score(predictions, labels, options), decoded(row.f1Score));
      if (row.fBeta2 !== undefined) expectScores(counted.fBeta(2, averaging), decoded(row.fBeta2));
      if (row.jaccard !== undefined) expectScores(counted.jaccard(averaging), decoded(row.jaccard));
    }
  });
});

describe("ConfusionMatrix", () => {
  it("adds batches, and grows to the largest class", () => {
    const matrix = new ConfusionMatrix().update([0, 1], [0, 0]).update([4], [1]).update([], []);
    expect(matrix.classes).toEqual([0, 1, 4]);
    expect(matrix.toArray()).toEqual([
      [1, 1, 0],
      [0, 0, 1],
      [0, 0, 0],
    ]);
    expect(matrix.total).toBe(3);
    matrix.reset();
    expect(matrix.classes).toEqual([]);
    expect(matrix.accuracy()).toBeNaN();
  });

  it("prints a table", () => {
    const matrix = confusionMatrix([0, 1, 1, 1], [0, 0, 1, 1]);
    expect(matrix.toText({ names: ["cat", "dog"] })).toMatchInlineSnapshot(`
      "label  cat  dog
      cat      1    1
      dog      0    2"
    `);
  });

  it("refuses what is not a class, and counts nothing then", () => {
    const matrix = new ConfusionMatrix({ numClasses: 3 });
    expect(() => matrix.update([0, 1], [0, 3])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ConfusionMatrix: label 1 is 3, not a class 0 … 2; pass class indices (of scores, take argmax first)]`,
    );
    expect(() => matrix.update([0.5], [0])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ConfusionMatrix: prediction 0 is 0.5, not a class 0 … 2; pass class indices (of scores, take argmax first)]`,
    );
    expect(() => matrix.update([Number.NaN], [0])).toThrow("prediction 0 is NaN");
    expect(() => matrix.update([0, 1], [0])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: ConfusionMatrix: 2 predictions for 1 labels; give one of each for a sample]`,
    );
    expect(() => matrix.update([0], [0], [1, 2])).toThrow("2 sampleWeights for 1 labels");
    expect(matrix.total).toBe(0);
    expect(() => new ConfusionMatrix({ numClasses: 0 })).toThrow(
      "numClasses must be a positive integer, got 0",
    );
  });

  it("asks for an average when there are more than two classes", () => {
    expect(() => f1Score([0, 1, 2], [0, 1, 2])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: f1Score: average "binary" scores class 1 of a two-class problem, but the classes are 0, 1, 2; choose average: "macro", "micro", "weighted" or "none", or another positiveClass]`,
    );
    expect(() => precision([2, 3], [2, 3])).toThrow("the classes are 2, 3");
    expect(precision([2, 3], [2, 3], { positiveClass: 3 })).toBe(1);
  });

  it("has a specificity of two classes, also where the positive one never occurs", () => {
    expect(confusionMatrix([1, 1, 0, 0], [1, 0, 0, 0]).specificity()).toBe(2 / 3);
    expect(confusionMatrix([0, 0], [0, 0]).specificity()).toBe(1);
    expect(confusionMatrix([1, 1], [1, 1]).specificity()).toBe(0);
    expect(confusionMatrix([0, 1, 2], [0, 2, 1]).specificity({ average: "micro" })).toBe(4 / 6);
  });

  it("has likelihood ratios of two classes, NaN where 0 would divide", () => {
    expect(confusionMatrix([1, 0], [1, 0]).likelihoodRatios()).toEqual({ positive: Number.NaN, negative: 0 });
    expect(confusionMatrix([0, 0], [0, 0]).likelihoodRatios().negative).toBeNaN();
    expect(() => confusionMatrix([0, 1, 2], [0, 1, 2]).likelihoodRatios()).toThrow("the classes are 0, 1, 2");
  });

  it("has F-scores between recall and precision", () => {
    const matrix = confusionMatrix([1, 1, 1, 0, 0], [1, 0, 0, 1, 0]);
    expect(matrix.fBeta(0)).toBeCloseTo(matrix.precision(), 12);
    expect(matrix.fBeta(Infinity)).toBe(matrix.recall());
    expect(() => matrix.fBeta(-1)).toThrow("beta must be 0 or more, got -1");
  });
});

describe("classificationReport", () => {
  const report = classificationReport([0, 2, 1, 2], [0, 1, 1, 2], { names: ["cat", "dog", "owl"] });

  it("holds the figures", () => {
    expect(report.perClass[1]).toEqual({
      name: "dog",
      precision: 1,
      recall: 0.5,
      f1Score: 2 / 3,
      support: 2,
    });
    expect(report.accuracy).toBe(0.75);
    expect(report.weightedAverage.recall).toBe(0.75);
  });

  it("prints scikit-learn's table", () => {
    expect(report.toText({ digits: 2 })).toMatchInlineSnapshot(`
      "              precision  recall  f1-score  support

               cat       1.00    1.00      1.00        1
               dog       1.00    0.50      0.67        2
               owl       0.50    1.00      0.67        1

          accuracy                         0.75        4
         macro avg       0.83    0.83      0.78        4
      weighted avg       0.88    0.75      0.75        4"
    `);
  });

  it("names the class without a name", () => {
    expect(() => classificationReport([0, 2], [0, 2], { names: ["cat"] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: classificationReport: class 2 has no name; names lists 1]`,
    );
  });
});

describe("over a pass", () => {
  it("weighs batches by their size", () => {
    const mean = new RunningMean().update(0.5, 32).update(1, 16);
    expect(mean.result()).toBeCloseTo(2 / 3, 15);
    expect(mean.count).toBe(48);
    mean.reset();
    expect(mean.result()).toBeNaN();
  });

  it("keeps small terms beside large ones, and shows what is not finite", () => {
    expect(new RunningMean().update(1e16).update(1).update(-1e16).result()).toBe(1 / 3);
    expect(new RunningMean().update(1).update(Infinity).result()).toBe(Infinity);
    expect(new RunningMean().update(1).update(Number.NaN).result()).toBeNaN();
  });

  it("takes scores or classes, integer or one-hot labels", () => {
    const macroF1 = streaming("macroF1", (matrix) => matrix.f1Score({ average: "macro" }));
    const scores = { shape: [3, 2], dtype: "f32", data: Float32Array.of(1, 0, 0, 2, 0, 3) } as const;
    macroF1.update(scores, { shape: [3], dtype: "i32", data: Int32Array.of(0, 1, 0) });
    macroF1.update(
      { shape: [1], dtype: "i32", data: Int32Array.of(1) },
      { shape: [1, 2], dtype: "f32", data: Float32Array.of(0, 1) },
    );
    expect(macroF1.result()).toBeCloseTo(f1Score([0, 1, 1, 1], [0, 1, 0, 1], { average: "macro" }), 12);
    macroF1.reset();
    expect(macroF1.result()).toBeNaN();
    const cube = { shape: [1, 1, 1], dtype: "f32", data: Float32Array.of(1) } as const;
    expect(() => macroF1.update(cube, cube)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: macroF1: expected classes (N) or scores (N, classes), got (1, 1, 1)]`,
    );
  });
});

describe("misspelt options", () => {
  const [p, y, rows] = [
    [0, 1],
    [0, 1],
    [
      [0.9, 0.1],
      [0.2, 0.8],
    ],
  ];
  const wrong = { averge: "macro", sampleWeight: [1, 1] } as object;
  it.each(
    Object.entries({
      accuracy: () => metrics.confusionMatrix(p, y, wrong),
      precision: () => metrics.precision(p, y, wrong),
      f1Score: () => metrics.confusionMatrix(p, y).f1Score(wrong),
      classificationReport: () => metrics.classificationReport(p, y, wrong),
      multilabel: () => metrics.multilabelCounts(rows, rows, wrong),
      multilabelRecall: () => metrics.multilabelCounts([[1]], [[1]]).recall(wrong),
      meanSquaredError: () => metrics.meanSquaredError(p, y, wrong),
      meanPinballLoss: () => metrics.meanPinballLoss(p, y, wrong),
      meanTweedieDeviance: () => metrics.meanTweedieDeviance(p, y, wrong),
      logLoss: () => metrics.logLoss(rows, y, wrong),
      hingeLoss: () => metrics.hingeLoss(p, y, wrong),
      rocAuc: () => metrics.rocAuc(p, y, wrong),
      rocAucOneVsRest: () => metrics.rocAucOneVsRest(rows, y, wrong),
      averagePrecision: () => metrics.averagePrecision(p, y, wrong),
      coverageError: () =>
        metrics.coverageError(
          rows,
          [
            [1, 0],
            [0, 1],
          ],
          wrong,
        ),
      ndcg: () => metrics.ndcg(p, y, wrong),
      nonMaximumSuppression: () => metrics.nonMaximumSuppression([], wrong),
    }),
  )("of %s are named", (_, call) => {
    expect(call).toThrow(/there is no option "(averge|sampleWeight)"/);
  });
});
