/** Scores of texts, orders and calibration against their reference programs. */
import { describe, expect, test } from "vitest";
import { hashedUnit, readFixture } from "../../test/fixtures.ts";
import {
  bleu,
  bootstrap,
  calibrationCurve,
  characterErrorRate,
  chrf,
  confusionMatrix,
  expectedCalibrationError,
  ndcg,
  perplexity,
  reciprocalRank,
  retrievalPrecision,
  rocAuc,
  rouge,
  wordErrorRate,
} from "./index.ts";

type Triple = [precision: number, recall: number, f1: number];
const fixture = readFixture<{
  corpora: {
    note: string;
    texts: string[];
    references: string[][];
    order: number;
    lowercase: boolean;
    bleu: number;
    precisions: number[];
    brevityPenalty: number;
    chrf: number;
    chrfPlusPlus: number;
  }[];
  rouge: { text: string; reference: string; rouge1: Triple; rouge2: Triple; rougeL: Triple }[];
  wer: number;
  cer: number;
  texts: string[];
  firstReferences: string[];
  orders: { scores: number[]; relevance: number[]; ndcg: number; ndcg5: number; averagePrecision: number }[];
  jaccard: {
    labels: number[];
    predictions: number[];
    macro: number;
    micro: number;
    weighted: number;
    none: number[];
  };
}>("text-metrics.json");

describe("sacreBLEU", () => {
  test.each(fixture.corpora)("$note", ({ texts, references, order, lowercase, ...wanted }) => {
    const { score, precisions, brevityPenalty } = bleu(texts, references, { order, lowercase });
    expect(score).toBeCloseTo(wanted.bleu, 9);
    precisions.forEach((precision, i) => {
      expect(precision).toBeCloseTo(wanted.precisions[i]!, 9);
    });
    expect(brevityPenalty).toBeCloseTo(wanted.brevityPenalty, 9);
    expect(chrf(texts, references)).toBeCloseTo(wanted.chrf, 9);
    expect(chrf(texts, references, { wordOrder: 2 })).toBeCloseTo(wanted.chrfPlusPlus, 9);
  });
  test("what cannot be compared is refused", () => {
    expect(() => bleu(["a"], [])).toThrow("1 texts, but references for 0");
    expect(() => chrf(["a"], [[]])).toThrow("text 0 has no reference");
  });
});

test.each(fixture.rouge)("ROUGE of $text", ({ text, reference, ...wanted }) => {
  const found = rouge(text, reference);
  for (const [name, [precision, recall, f1]] of Object.entries(wanted)) {
    const score = found[name as "rouge1"];
    expect(score.precision).toBeCloseTo(precision, 12);
    expect(score.recall).toBeCloseTo(recall, 12);
    expect(score.f1).toBeCloseTo(f1, 12);
  }
});

test("errors of words and characters", () => {
  const { texts, firstReferences, wer, cer } = fixture;
  expect(wordErrorRate(texts, firstReferences)).toBeCloseTo(wer, 12);
  expect(characterErrorRate(texts, firstReferences)).toBeCloseTo(cer, 12);
  expect(wordErrorRate([""], [""])).toBe(0);
  expect(wordErrorRate(["a"], [""])).toBe(Infinity);
  expect(perplexity([Math.log(0.5), Math.log(0.125)])).toBeCloseTo(4, 12);
});

test.each(fixture.orders)("orders of results", ({ scores, relevance, ...wanted }) => {
  expect(ndcg(scores, relevance)).toBeCloseTo(wanted.ndcg, 12);
  expect(ndcg(scores, relevance, { most: 5 })).toBeCloseTo(wanted.ndcg5, 12);
  expect(retrievalPrecision(scores, relevance)).toBeCloseTo(wanted.averagePrecision, 12);
  expect(
    reciprocalRank(
      scores,
      relevance.map(() => 0),
    ),
  ).toBe(0);
  expect(ndcg([], [])).toBe(0);
  expect(() => ndcg([Number.NaN], [1])).toThrow("scores must be numbers");
});

test("the Jaccard index is scikit-learn's", () => {
  const { labels, predictions, none, ...averages } = fixture.jaccard;
  const matrix = confusionMatrix(predictions, labels);
  for (const [average, score] of Object.entries(averages))
    expect(matrix.jaccard({ average: average as "macro" })).toBeCloseTo(score, 12);
  matrix.jaccard({ average: "none" }).forEach((score, i) => {
    expect(score).toBeCloseTo(none[i]!, 12);
  });
});

describe("calibration", () => {
  const confidences = Array.from({ length: 20_000 }, (_, i) => hashedUnit(1, i));
  test("who is right as often as they say has no error", () => {
    const isRight = confidences.map((confidence, i) => hashedUnit(2, i) < confidence);
    expect(expectedCalibrationError(confidences, isRight)).toBeLessThan(0.015);
    const squared = confidences.map((confidence, i) => hashedUnit(2, i) < confidence ** 2);
    // The mean of c − c² over 0 … 1.
    expect(expectedCalibrationError(confidences, squared)).toBeCloseTo(1 / 6, 1.5);
  });
  test("edges", () => {
    expect(calibrationCurve([0, 0.5, 1], [0, 1, 1], { bins: 2 })).toEqual([
      { count: 2, confidence: 0.25, accuracy: 0.5 },
      { count: 1, confidence: 1, accuracy: 1 },
    ]);
    expect(() => calibrationCurve([1.1], [1])).toThrow("confidence 0 is 1.1");
  });
});

test("a bootstrap within classes draws as many of each", () => {
  const [scores, labels] = [
    [0.1, 0.4, 0.35, 0.8],
    [0, 0, 0, 1],
  ];
  const area = (rows: ArrayLike<number>): number =>
    rocAuc(
      Array.from(rows, (row) => scores[row]!),
      Array.from(rows, (row) => labels[row]!),
    );
  expect(() => bootstrap(4, area)).toThrow("needs samples of both classes");
  expect(bootstrap(4, area, { stratify: labels })).toEqual({ value: 1, low: 1, high: 1 });
  const count = (rows: ArrayLike<number>): number => Array.from(rows).filter((row) => row === 3).length;
  expect(bootstrap(4, count, { stratify: labels })).toEqual({ value: 1, low: 1, high: 1 });
  expect(bootstrap(4, count).high).toBeGreaterThan(1);
  expect(() => bootstrap(4, area, { stratify: [0, 1] })).toThrow("stratify has 2 classes for 4 samples");
});

test("a bootstrap's interval holds the truth about as often as it says", () => {
  let held = 0;
  const trials = 200;
  for (let trial = 0; trial < trials; trial++) {
    const sample = Array.from({ length: 60 }, (_, i) => (hashedUnit(trial, i) < 0.7 ? 1 : 0));
    const mean = (rows: ArrayLike<number>): number =>
      Array.from(rows, (row): number => sample[row]!).reduce((a, b) => a + b, 0) / rows.length;
    const { low, high } = bootstrap(60, mean, { resamples: 200, confidence: 0.9, key: trial });
    if (low <= 0.7 && 0.7 <= high) held++;
  }
  expect(held / trials).toBeGreaterThan(0.82);
  expect(held / trials).toBeLessThan(0.97);
});
