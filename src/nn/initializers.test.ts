import { describe, expect, it } from "vitest";
import { randomKey } from "../base/random.ts";
import * as initializers from "./initializers.ts";
import { fansOf, type Initializer } from "./initializers.ts";

const shape = [400, 100];
const draw = (initializer: Initializer, seed = 1): Float32Array =>
  initializer({ shape, ...fansOf(shape), key: randomKey(seed) });
const mean = (values: Float32Array): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const variance = (values: Float32Array): number => {
  const center = mean(values);
  return values.reduce((sum, x) => sum + (x - center) ** 2, 0) / values.length;
};

describe("fans", () => {
  it("follow PyTorch's layout, (out, in, …kernel)", () => {
    expect(fansOf([64, 784])).toEqual({ fanIn: 784, fanOut: 64 });
    expect(fansOf([8, 3, 5, 5])).toEqual({ fanIn: 75, fanOut: 200 });
    expect(fansOf([7])).toEqual({ fanIn: 7, fanOut: 7 });
    expect(fansOf([])).toEqual({ fanIn: 1, fanOut: 1 });
  });
});

describe("uniform initializers fill their range evenly", () => {
  const limits: [string, Initializer, number][] = [
    ["glorotUniform", initializers.glorotUniform(), Math.sqrt(6 / 500)],
    ["glorotUniform, gain 2", initializers.glorotUniform({ gain: 2 }), 2 * Math.sqrt(6 / 500)],
    ["heUniform", initializers.heUniform(), Math.sqrt(6 / 100)],
    ["heUniform, negativeSlope √5", initializers.heUniform({ negativeSlope: Math.sqrt(5) }), 0.1],
    ["lecunUniform", initializers.lecunUniform(), Math.sqrt(3 / 100)],
    ["fanInUniform", initializers.fanInUniform(), 0.1],
  ];
  it.each(limits)("%s", (_, initializer, limit) => {
    const values = draw(initializer);
    expect(Math.max(...values)).toBeLessThanOrEqual(limit);
    expect(Math.max(...values)).toBeGreaterThan(limit * 0.999);
    expect(Math.min(...values)).toBeLessThan(-limit * 0.999);
    expect(Math.abs(mean(values))).toBeLessThan(limit * 0.015);
    expect(variance(values) / (limit ** 2 / 3)).toBeCloseTo(1, 1);
  });
});

describe("normal initializers have their variance", () => {
  const deviations: [string, Initializer, number][] = [
    ["glorotNormal", initializers.glorotNormal(), 2 / 500],
    ["heNormal", initializers.heNormal(), 2 / 100],
    ["heNormal, negativeSlope 1", initializers.heNormal({ negativeSlope: 1 }), 1 / 100],
    ["lecunNormal", initializers.lecunNormal(), 1 / 100],
    ["normal", initializers.normal(0, 3), 9],
  ];
  it.each(deviations)("%s", (_, initializer, expected) => {
    expect(variance(draw(initializer)) / expected).toBeCloseTo(1, 1);
    expect(Math.abs(mean(draw(initializer)))).toBeLessThan(Math.sqrt(expected) * 0.02);
  });
});

describe("every initializer", () => {
  it("repeats itself under one key, and differs under another", () => {
    expect(draw(initializers.glorotUniform())).toEqual(draw(initializers.glorotUniform()));
    expect(draw(initializers.glorotUniform(), 2)).not.toEqual(draw(initializers.glorotUniform()));
  });

  it("can be a constant", () => {
    expect([
      ...initializers.constant(0.5)({ shape: [2, 2], fanIn: 2, fanOut: 2, key: randomKey(0) }),
    ]).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect(draw(initializers.zeros()).every((x) => x === 0)).toBe(true);
    expect(draw(initializers.ones()).every((x) => x === 1)).toBe(true);
  });

  it("refuses a layer without inputs", () => {
    const empty = { shape: [4, 0], ...fansOf([4, 0]), key: randomKey(0) };
    expect(() => initializers.heNormal()(empty)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: initializer: needs fan-in and fan-out above 0, got 0 and 4]`,
    );
  });
});

describe("matrices", () => {
  it("truncatedNormal stays within two deviations, or the bounds given", () => {
    const values = draw(initializers.truncatedNormal({ standardDeviation: 3 }));
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(6);
    expect(Math.abs(mean(values))).toBeLessThan(0.06);
    // The variance of a normal distribution cut at ±2 deviations.
    expect(variance(values) / (0.7737 * 9)).toBeCloseTo(1, 1);
    const one = draw(initializers.truncatedNormal({ low: 0, high: 0.5 }));
    expect(one.every((x) => x >= 0 && x <= 0.5)).toBe(true);
    expect(() =>
      initializers.truncatedNormal({ low: 40, high: 41 })({
        shape: [4],
        fanIn: 4,
        fanOut: 4,
        key: randomKey(1),
      }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: truncatedNormal: hardly any draw of N(0, 1²) lies from 40 to 41; widen the bounds]`,
    );
  });

  it.each([
    [4, 4],
    [3, 7],
    [7, 3],
  ])("orthogonal %i × %i has orthonormal rows or columns", (rows, columns) => {
    const w = initializers.orthogonal({ gain: 2 })({
      shape: [rows, columns],
      fanIn: 1,
      fanOut: 1,
      key: randomKey(3),
    });
    const isWide = rows <= columns;
    const vector = (i: number): number[] =>
      isWide
        ? [...w.subarray(i * columns, (i + 1) * columns)]
        : Array.from({ length: rows }, (_, r) => w[r * columns + i]!);
    const count = Math.min(rows, columns);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < count; j++) {
        const product = vector(i).reduce((sum, x, k) => sum + x * vector(j)[k]!, 0);
        expect(product).toBeCloseTo(i === j ? 4 : 0, 5);
      }
    }
  });

  it("orthogonal flattens kernels; vectors are refused", () => {
    const kernel = initializers.orthogonal()({ shape: [2, 3, 2], fanIn: 1, fanOut: 1, key: randomKey(3) });
    expect(kernel).toHaveLength(12);
    expect(() =>
      initializers.orthogonal()({ shape: [2], fanIn: 1, fanOut: 1, key: randomKey(3) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: orthogonal: fills matrices, got a shape of 1 axes: (2)]`,
    );
  });

  it("sparse leaves a share of each column zero", () => {
    const w = draw(initializers.sparse({ sparsity: 0.25, standardDeviation: 2 }));
    for (let column = 0; column < 100; column++) {
      const zeros = Array.from({ length: 400 }, (_, row) => w[row * 100 + column]!).filter((x) => x === 0);
      expect(zeros).toHaveLength(100);
    }
    expect(Math.sqrt(variance(w.filter((x) => x !== 0)))).toBeCloseTo(2, 1);
  });

  it("identity", () => {
    const request = { shape: [2, 3], fanIn: 3, fanOut: 2, key: randomKey(1) };
    expect([...initializers.identity({ gain: 5 })(request)]).toEqual([5, 0, 0, 0, 5, 0]);
  });
});
