import { describe, expect, test } from "vitest";
import { fold as foldWords, randomKey } from "../base/random.ts";
import { erf } from "../ops/erf-reference.ts";
import { compile, random, type Tensor, tensor } from "./index.ts";

const count = 20_000;

/** The largest distance between the distribution of a sample and a cumulative function (Kolmogorov, Smirnov). */
async function distance(x: Tensor, cdf: (x: number) => number): Promise<number> {
  const sorted = Float64Array.from(await x.data()).sort();
  return sorted.reduce((most, value, i) => {
    const p = cdf(value);
    return Math.max(most, p - i / sorted.length, (i + 1) / sorted.length - p);
  }, 0);
}
/** Exceeded by one sample in a thousand. */
const limit = 1.95 / Math.sqrt(count);
const phi = (x: number): number => 0.5 * (1 + erf(x / Math.SQRT2));

describe("samples follow their distributions", () => {
  test.each<[string, Tensor, (x: number) => number]>([
    ["uniform", random.uniform(1, [count], { low: -1, high: 3 }), (x) => (x + 1) / 4],
    ["normal", random.normal(2, [count], { mean: 1, standardDeviation: 2 }), (x) => phi((x - 1) / 2)],
    [
      "truncatedNormal",
      random.truncatedNormal(3, [count], { low: -1, high: 2 }),
      (x) => (phi(x) - phi(-1)) / (phi(2) - phi(-1)),
    ],
    ["exponential", random.exponential(4, [count]), (x) => 1 - Math.exp(-x)],
    ["gumbel", random.gumbel(5, [count]), (x) => Math.exp(-Math.exp(-x))],
    ["normal, f64", random.normal(6, [count], { dtype: "f64" }), phi],
  ])("%s", async (_, x, cdf) => {
    expect(await distance(x, cdf)).toBeLessThan(limit);
  });

  test("integers and bernoulli", async () => {
    const dice = [...(await random.integers(1, [count], 1, 7).data())];
    expect(new Set(dice)).toEqual(new Set([1, 2, 3, 4, 5, 6]));
    const expected = count / 6;
    const square = [1, 2, 3, 4, 5, 6]
      .map((face) => (dice.filter((d) => d === face).length - expected) ** 2 / expected)
      .reduce((a, b) => a + b);
    expect(square).toBeLessThan(20.5); // χ² of five degrees, 0.999
    const share = await random.bernoulli(1, [count], 0.3).cast("f32").mean().item();
    expect(Math.abs(share - 0.3)).toBeLessThan(3.3 * Math.sqrt(0.21 / count));
  });

  test("all orders of four are about equally likely", async () => {
    const seen = new Map<string, number>();
    const order = compile((key: Tensor) => random.permutation(key as never, 4));
    const draws = 2400;
    for (let i = 0; i < draws; i++) {
      const text = String(await order(Uint32Array.from(foldWords(randomKey(3), i)) as never).data());
      seen.set(text, (seen.get(text) ?? 0) + 1);
    }
    expect(seen.size).toBe(24);
    const square = [...seen.values()].reduce((sum, n) => sum + (n - draws / 24) ** 2 / (draws / 24), 0);
    expect(square).toBeLessThan(49.7); // χ² of 23 degrees, 0.999
  });
});

describe("keys", () => {
  test("fold inside a step is fold outside", async () => {
    const inside = compile((step: Tensor) => random.fold(random.key(1), step));
    expect([...(await inside(tensor(5, { dtype: "i32" })).data())]).toEqual([...foldWords(randomKey(1), 5)]);
    expect([...(await random.fold(1, 5).data())]).toEqual([...foldWords(randomKey(1), 5)]);
  });

  test("equal keys, equal numbers; a longer draw begins with the shorter; split keys differ", async () => {
    const [a, b] = [await random.normal(7, [4]).data(), await random.normal(7, [10]).data()];
    expect([...b.slice(0, 4)]).toEqual([...a]);
    const keys = random.split(7, 3);
    expect(keys.shape).toEqual([3, 2]);
    const first = await random.normal(keys.at(0) as never, [4]).data();
    expect([...first]).not.toEqual([...a]);
  });
});

describe("choice", () => {
  test("with weights, with and without replacement", async () => {
    const weights = [1, 0, 3];
    const drawn = [...(await random.choice(1, 3, count, { weights }).data())];
    const share = drawn.filter((i) => i === 2).length / count;
    expect(drawn).not.toContain(1);
    expect(Math.abs(share - 0.75)).toBeLessThan(3.3 * Math.sqrt(0.1875 / count));
    const pair = [...(await random.choice(2, 3, 2, { replace: false, weights }).data())];
    expect(pair.sort()).toEqual([0, 2]);
  });

  test("of rows, without replacement", async () => {
    const rows = tensor([[1], [2], [3], [4]]);
    const all = (await random.choice(5, rows, 4, { replace: false }).data()) as Float32Array;
    expect([...all].sort()).toEqual([1, 2, 3, 4]);
    const moved = (await random.permutation(6, rows).data()) as Float32Array;
    expect([...moved].sort()).toEqual([1, 2, 3, 4]);
  });

  test("messages", () => {
    const messageOf = (body: () => unknown): string => {
      try {
        body();
      } catch (error) {
        return (error as Error).message.replace(/[^ ]*\/([\w.]+):\d+:\d+/g, "$1");
      }
      return "no error";
    };
    expect(messageOf(() => random.choice(1, 3, 4, { replace: false }))).toMatchInlineSnapshot(
      `"random.choice: cannot take 4 of 3 without replacement (at random.test.ts)"`,
    );
    expect(messageOf(() => random.choice(1, 3, 4, { weights: [1, 2] }))).toMatchInlineSnapshot(
      `"random.choice: weights have shape (2), need (3,) (at random.test.ts)"`,
    );
    expect(messageOf(() => random.uniform(1, [2], { low: 1, high: 1 }))).toMatchInlineSnapshot(
      `"random.uniform: needs finite bounds low < high, got [1, 1) (at random.test.ts)"`,
    );
    expect(messageOf(() => random.integers(1, [2], 0, 2.5))).toMatchInlineSnapshot(
      `"random.integers: needs integers low < high of 32 bits, got 0 and 2.5 (at random.test.ts)"`,
    );
    expect(messageOf(() => random.truncatedNormal(1, [2], { low: 1, high: 0 }))).toMatchInlineSnapshot(
      `"random.truncatedNormal: needs low < high, got [1, 0] (at random.test.ts)"`,
    );
    expect(messageOf(() => random.permutation(1, -1))).toMatchInlineSnapshot(
      `"random: needs a number of elements that is known, from 0 to 2^31 - 1, got -1 (at random.test.ts)"`,
    );
    expect(messageOf(() => random.key(-1))).toMatchInlineSnapshot(
      `"the seed must be an integer from 0 to 2^53 - 1, got -1 (at random.test.ts)"`,
    );
  });
});
