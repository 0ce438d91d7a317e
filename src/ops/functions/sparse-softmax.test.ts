/** Projections onto the simplex: against bisection, with gradients by differences. */
import { describe, expect, it } from "vitest";
import { type Tensor, tensor, zeros } from "../../tensor/index.ts";
import { checkGradients } from "../../testing/index.ts";
import { entmax15, sparsemax } from "./sparse-softmax.ts";

/** τ of sum 1 by bisection: max(x·scale − τ, 0)^power. */
function byBisection(row: readonly number[], scale: number, power: number): number[] {
  const largest = Math.max(...row) * scale;
  let [low, high] = [largest - 1, largest];
  const at = (t: number): number[] => row.map((x) => Math.max(x * scale - t, 0) ** power);
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (at(middle).reduce((a, b) => a + b) > 1) low = middle;
    else high = middle;
  }
  return at((low + high) / 2);
}

const rows = [
  [0.3, -0.2, 0.1, 0.9, -2],
  [1, 1, 1, 1, 1],
  [5, -5, 5, 4.8, 4.9],
  [-400, 400, 399.5, 0, 399.9],
  [0, 0, 0, 0, 1e-3],
];

describe.each([
  ["sparsemax", sparsemax, 1, 1],
  ["entmax15", entmax15, 0.5, 2],
] as const)("%s", (name, function_, scale, power) => {
  it("is the point of the simplex that bisection finds, along any axis", async () => {
    const x = tensor(rows) as Tensor;
    for (const axis of [-1, 0]) {
      const turned = (axis === 0 ? x.transpose() : x) as Tensor;
      const got = (await turned[name](axis).toArray()) as number[][];
      rows.forEach((row, r) => {
        byBisection(row, scale, power).forEach((want, c) => {
          expect(axis === 0 ? got[c]![r]! : got[r]![c]!).toBeCloseTo(want, 4);
        });
      });
    }
  });

  it("has the gradient that differences find", () => {
    const data = Float64Array.from([0.3, -0.2, 0.2, 0.9, -2, 2, 1.7, 1.2, 0.4, -1]);
    checkGradients(([x]) => function_(x!, -1), [{ dtype: "f64", shape: [2, 5], data }]);
  });

  it("gives 1 for a single element and nothing for none", async () => {
    expect(await (tensor([[7], [-7]]) as Tensor)[name]().toArray()).toEqual([[1], [1]]);
    expect((await (zeros([2, 0]) as Tensor)[name](0).toHost()).shape).toEqual([2, 0]);
  });
});
