/** What must hold of networks whatever their weights are. */
import { describe, expect, test } from "vitest";
import { seed, type Tensor, tensor } from "../tensor/index.ts";
import {
  LSTMClassifier,
  NegativeSampler,
  SkipGram,
  skipGramPairs,
  subsample,
  TextCNN,
  TransformerClassifier,
  VAE,
} from "./index.ts";

describe("classifiers of texts", () => {
  const shape = { vocabularySize: 9, numClasses: 3 };
  const classifiers = {
    TextCNN: () => new TextCNN({ ...shape, embeddingSize: 4, filters: 3, kernelSizes: [2, 3] }),
    LSTMClassifier: () => new LSTMClassifier({ ...shape, embeddingSize: 4, hiddenSize: 3 }),
    TransformerClassifier: () => new TransformerClassifier({ ...shape, hiddenSize: 4, numHeads: 2 }),
  };
  test.each(Object.entries(classifiers))("%s: more padding changes nothing", async (_, make) => {
    seed(3);
    const model = make().eval();
    const classify = async (rows: number[][]) =>
      (await model.forward(tensor(rows, { dtype: "i32" }) as Tensor).data()) as Float32Array;
    const short = [
      [1, 5, 2, 0],
      [7, 8, 3, 6],
    ];
    const found = await classify(short.map((row) => [...row, 0, 0, 0]));
    (await classify(short)).forEach((logit, i) => {
      expect(found[i]).toBeCloseTo(logit, 5);
    });
  });
  test.each(Object.entries(classifiers))("%s: an empty text has an answer", async (_, make) => {
    const logits = await make()
      .eval()
      .forward(tensor([[0, 0, 0, 0]], { dtype: "i32" }) as Tensor)
      .data();
    expect(Array.from(logits).every(Number.isFinite)).toBe(true);
  });
});

describe("VAE", () => {
  const x = [
    [0.1, 0.9, 0.4],
    [1, 0, 0.5],
  ];
  test("the loss in evaluation is the bound at the mean", async () => {
    seed(1);
    const model = new VAE({ inputSize: 3, latentSize: 2, hiddenSizes: [4] }).eval();
    const { reconstruction, mean, logVariance } = model.forward(tensor(x) as Tensor);
    const [r, m, v] = await Promise.all([reconstruction, mean, logVariance].map((t) => t.data()));
    const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));
    const likelihood = x.flat().reduce((sum, target, i) => {
      const p = sigmoid(Number(r![i]));
      return sum - target * Math.log(p) - (1 - target) * Math.log(1 - p);
    }, 0);
    const divergence = Array.from(m!, (mu, i) => {
      const log = Number(v![i]);
      return (Math.exp(log) + Number(mu) ** 2 - 1 - log) / 2;
    }).reduce((a, b) => a + b, 0);
    expect(await model.loss(tensor(x) as Tensor).item()).toBeCloseTo((likelihood + divergence) / 2, 5);
    expect(await model.loss(tensor(x) as Tensor, { beta: 3 }).item()).toBeCloseTo(
      (likelihood + 3 * divergence) / 2,
      4,
    );
  });
  test("training draws anew in each call, the same from the same seed", async () => {
    const losses = async () => {
      seed(5);
      const model = new VAE({ inputSize: 3, latentSize: 2 });
      return [await model.loss(tensor(x) as Tensor).item(), await model.loss(tensor(x) as Tensor).item()];
    };
    const [first, second] = await losses();
    expect(first).not.toBe(second);
    expect(await losses()).toEqual([first, second]);
  });
});

describe("word2vec", () => {
  test("draws words in proportion to count^power", () => {
    const counts = [80, 15, 5, 0];
    const drawn = new NegativeSampler(counts, { key: 2 }).draw(0, 40_000);
    const weights = counts.map((n) => n ** 0.75);
    const total = weights.reduce((a, b) => a + b);
    counts.forEach((_, word) => {
      const share = drawn.filter((w) => w === word).length / drawn.length;
      expect(share).toBeCloseTo(weights[word]! / total, 2);
    });
    expect(() => new NegativeSampler([0, 0], { key: 0 })).toThrow("one of them above");
  });
  test("keeps frequent words as often as the formula says", () => {
    const tokens = new Int32Array(50_000).map((_, i) => (i % 10 === 0 ? 1 : 0));
    const kept = subsample(tokens, [45_000, 5000], { threshold: 0.01, key: 4 });
    const share = 0.01 / 0.9;
    const zeros = kept.filter((word) => word === 0).length;
    expect(zeros / 45_000).toBeCloseTo(Math.sqrt(share) + share, 2);
  });
  test("pairs stay within the window, each word with itself left out", () => {
    const { words, contexts } = skipGramPairs([0, 1, 2, 3, 4, 5], { window: 2, key: 1 });
    words.forEach((word, i) => {
      expect(Math.abs(word - contexts[i]!)).toBeGreaterThanOrEqual(1);
      expect(Math.abs(word - contexts[i]!)).toBeLessThanOrEqual(2);
    });
  });
  test("nearest words and analogies by cosine", async () => {
    const model = new SkipGram({ vocabularySize: 5, embeddingSize: 2 });
    // A word, and the same one step to the side: 0 → 1 as 2 → 3.
    const table = [1, 0, 1, 1, 0.9, 0.05, 0.9, 1.1, -1, 0];
    model.inputs.weight.assign(tensor(table, { shape: [5, 2] }) as never);
    expect((await model.nearest(0, 1))[0]!.word).toBe(2);
    expect((await model.analogy(0, 1, 2))[0]!.word).toBe(3);
    await expect(model.nearest(5)).rejects.toThrow("outside of 5 words");
  });
});
