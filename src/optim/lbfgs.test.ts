/** L-BFGS against PyTorch's, and at its edges. */
import { describe, expect, it } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import { binaryCrossEntropy } from "../losses/binary-cross-entropy.ts";
import { Parameter } from "../nn/index.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { LBFGS, type LBFGSOptions } from "./index.ts";

interface Run {
  readonly problem: "rosenbrock" | "logistic";
  readonly start: readonly number[];
  readonly options: Partial<LBFGSOptions>;
  readonly losses: readonly number[];
  readonly after: readonly number[];
}
const {
  lbfgs: runs,
  x,
  y,
} = readFixture<{ lbfgs: readonly Run[]; x: EncodedArray; y: EncodedArray }>("optimizers.json");
const inputs = tensor(decodeArray(x), { shape: [8, 3] }) as Tensor;
const labels = Array.from({ length: 8 }, (_, i) => (decodeArray(y)[4 * i]! > 0 ? 1 : 0));

const problems: Record<Run["problem"], (w: Parameter) => Tensor> = {
  rosenbrock: (w) => {
    const [a, b] = [w.slice(0, 0, -1), w.slice(0, 1)] as [Tensor, Tensor];
    return a.neg().add(1).square().add(b.sub(a.square()).square().mul(100)).sum() as Tensor;
  },
  logistic: (w) =>
    binaryCrossEntropy(inputs.matmul(w) as Tensor, labels).add(w.square().sum().mul(0.01)) as Tensor,
};

describe("L-BFGS", () => {
  it.each(runs.map((run) => [`${run.problem} ${JSON.stringify(run.options)}`, run] as const))(
    "is PyTorch's on %s",
    async (_, { problem, start, options, losses, after }) => {
      const w = new Parameter([...start]);
      const step = new LBFGS([w], options).compiled(() => problems[problem](w));
      for (const expected of losses)
        expect(Math.abs((await step()) - expected)).toBeLessThan(1e-4 * expected);
      const found = (await w.toArray()) as number[];
      found.forEach((value, i) => {
        expect(Math.abs(value - after[i]!)).toBeLessThan(2e-4);
      });
    },
  );

  it("takes inputs, leaves frozen parameters, and compiles once", async () => {
    const [w, frozen] = [new Parameter([[4], [5]]), new Parameter(1)];
    frozen.trainable = false;
    let traces = 0;
    const step = new LBFGS([w, frozen]).compiled((rows: Tensor) => {
      traces++;
      return rows.matmul(w).add(frozen).square().mean() as Tensor;
    });
    for (let i = 0; i < 3; i++)
      await step([
        [1, 2],
        [3, 1],
        [2, 2],
      ] as never);
    expect(traces).toBe(1);
    expect(await frozen.item()).toBe(1);
    expect(
      await step([
        [1, 2],
        [3, 1],
        [2, 2],
      ] as never),
    ).toBeLessThan(0.1);
  });

  it("stays where the gradient is 0", async () => {
    const w = new Parameter([0, 0]);
    const step = new LBFGS([w]).compiled(() => w.square().sum() as Tensor);
    expect(await step()).toBe(0);
    expect(await w.toArray()).toEqual([0, 0]);
  });

  it("checks its options", () => {
    const w = [new Parameter(1)];
    expect(() => new LBFGS([])).toThrow(
      "LBFGS: no parameters; pass model.parameters(), of a model that has some",
    );
    expect(() => new LBFGS(w, { lineSearch: "armijo" as never })).toThrow(
      'LBFGS: lineSearch must be "strong wolfe" or "none", got "armijo"',
    );
    expect(() => new LBFGS(w, { historySize: -1 })).toThrow("LBFGS: historySize must be 0 or more, got -1");
  });
});
