import { expect, test } from "vitest";
import { randomKey } from "../base/random.ts";
import { arrayDataset } from "./array-dataset.ts";
import { draws } from "./draws.ts";
import { loader } from "./loader.ts";

test("the same key draws the same numbers, in the stated ranges and proportions", () => {
  const take = (seed: number): number[] => {
    const { uniform, normal, integer, boolean } = draws(randomKey(seed));
    return [uniform(), uniform(-3, -2), normal(5, 2), integer(7), Number(boolean(0.3)), uniform()];
  };
  expect(take(1)).toEqual(take(1));
  expect(take(1)).not.toEqual(take(2));
  const random = draws(randomKey(3));
  const counts = new Uint32Array(5);
  let [heads, sum, squares] = [0, 0, 0];
  for (let i = 0; i < 5000; i++) {
    counts[random.integer(5)]!++;
    heads += Number(random.boolean(0.25));
    const x = random.normal();
    sum += x;
    squares += x * x;
  }
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120);
  expect(Math.abs(heads - 1250)).toBeLessThan(130);
  expect([Math.abs(sum / 5000) < 0.06, Math.abs(squares / 5000 - 1) < 0.08]).toEqual([true, true]);
  expect(() => random.integer(0)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: draws: integer needs a bound from 1 to 2^32, got 0]`,
  );
});

test("shuffled: the same values in an array of the same kind, every order about equally often", () => {
  const random = draws(4);
  const values = Int32Array.of(7, 8, 9);
  const counts = new Map<string, number>();
  for (let i = 0; i < 1200; i++) {
    const order = random.shuffled(values).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual(["789", "798", "879", "897", "978", "987"]);
  for (const count of counts.values()) expect(Math.abs(count - 200)).toBeLessThan(60);
  expect(values).toEqual(Int32Array.of(7, 8, 9));
  expect(random.shuffled(values)).toBeInstanceOf(Int32Array);
  expect(draws(5).shuffled(["a", "b", "c", "d"])).toEqual(draws(5).shuffled(["a", "b", "c", "d"]));
});

const numbers = arrayDataset({ n: Int32Array.from({ length: 10 }, (_, i) => i) });
const noisy = numbers.map(({ n }, _, key) => ({ n, x: draws(key).uniform() }));

/** Noise by sample, for one epoch. */
function epochOf(options: Parameters<typeof loader>[1], dataset = noisy): Map<number, number> {
  const found = new Map<number, number>();
  for (const { n, x } of loader(dataset, options)) n.data.forEach((k, i) => void found.set(k, x.data[i]!));
  return found;
}

test("a sample's noise is of seed, epoch and sample, whatever the order and the size of batches", () => {
  const first = epochOf({ shuffle: { seed: 4 }, batchSize: 3 });
  expect(new Set(first.values()).size).toBe(10);
  const sorted = (map: Map<number, number>) => [...map].sort(([a], [b]) => a - b);
  expect(sorted(epochOf({ seed: 4, batchSize: 7 }))).toEqual(sorted(first));
  expect(sorted(epochOf({ seed: 4 }, noisy.subset([3, 2, 1])))).toEqual(
    sorted(first).filter(([n]) => n >= 1 && n <= 3),
  );
  for (const other of [{ seed: 5 }, { seed: 4, epoch: 1 }]) {
    const values = epochOf(other);
    for (const [n, x] of first) expect(values.get(n)).not.toBe(x);
  }
});

test("maps upon maps draw independently", () => {
  const twice = noisy.map(({ n, x }, _, key) => ({ n, x, y: draws(key).uniform() }));
  for (const { x, y } of loader(twice, { seed: 1 }))
    x.data.forEach((value, i) => void expect(y.data[i]).not.toBe(value));
});

test("a restored position goes on with the same noise; another seed is refused, an older state accepted", () => {
  const options = { batchSize: 4, shuffle: { seed: 2 }, seed: 9 };
  const whole = Array.from(loader(noisy, options), ({ x }) => Array.from(x.data));
  const stopped = loader(noisy, options);
  for (const _ of stopped) break;
  const state = stopped.state();
  const resumed = loader(noisy, options);
  resumed.restore(state);
  expect(Array.from(resumed, ({ x }) => Array.from(x.data))).toEqual(whole.slice(1));
  expect(() => loader(noisy, { ...options, seed: 8 }).restore(state)).toThrow("keySeed 9");
  const { keySeed: _, ...older } = state;
  loader(noisy, options).restore(older);
});
