/** What stands around optimizers: averages, Lookahead, SAM, groups without decay. */
import { describe, expect, it } from "vitest";
import {
  BatchNorm1d,
  Dropout,
  LayerNorm,
  Linear,
  Parameter,
  Sequential,
  updateBatchNorm,
} from "../nn/index.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import { Adam, AdamW, ASGD, lookahead, Rprop, SAM, SGD, sgd, WeightAverage } from "./index.ts";

describe("weight averages", () => {
  it("are the mean of all updates where asked for", async () => {
    const w = new Parameter([7, 7], { name: "w" });
    const average = new WeightAverage([w], { decay: "equal" });
    const step = compile((x: Tensor) => {
      w.assign(x);
      average.update();
      return w.value;
    });
    for (const x of [
      [1, 2],
      [3, 2],
      [5, 8],
    ])
      await step(x as never).data();
    expect([...average.stateDict().keys()]).toEqual(["updates", "w"]);
    average.swap();
    expect(await w.toArray()).toEqual([3, 4]);
    average.swap();
    expect(await w.toArray()).toEqual([5, 8]);
    expect(() => new WeightAverage([w], { decay: 1 })).toThrow("decay must be from 0 to below 1, got 1");
  });

  it("get statistics of batch norm of their own", async () => {
    const norm = new BatchNorm1d(2);
    const model = new Sequential(norm, new Dropout(0.5));
    model.eval();
    norm.runningMean!.assign([9, 9]);
    await updateBatchNorm(model, [
      tensor([
        [1, 0],
        [3, 0],
      ]),
      tensor([
        [5, 2],
        [9, 2],
      ]),
      tensor([
        [0, 1],
        [0, 3],
      ]),
    ] as Tensor[]);
    const mean = (await norm.runningMean!.toArray()) as number[];
    expect(mean.map((m) => m.toFixed(4))).toEqual(["3.0000", "1.3333"]);
    const variance = (await norm.runningVar!.toArray()) as number[]; // unbiased: 2, 8, 0 and 0, 0, 2
    expect(variance.map((v) => v.toFixed(4))).toEqual(["3.3333", "0.6667"]);
    expect(await norm.numBatchesTracked!.item()).toBe(3);
    expect([model.training, norm.training, norm.momentum]).toEqual([false, false, 0.1]);
  });
});

describe("lookahead", () => {
  it("begins at values that were loaded after it was made", async () => {
    const w = new Parameter([0], { name: "w" });
    const optimizer = lookahead(sgd({ learningRate: 1 }), { every: 2, alpha: 0.5 })([w]);
    w.assign([10]);
    for (let i = 0; i < 2; i++) optimizer.step([tensor([1])]);
    expect(await w.toArray()).toEqual([9]);
    expect([...optimizer.stateDict().keys()]).toEqual(["step", "learningRate.0", "slow.w"]);
    expect(() => lookahead(sgd(), { every: 0 })).toThrow("lookahead: every must be 1 or more, got 0");
  });
});

describe("SAM", () => {
  const climbed = async (adaptive: boolean): Promise<number[]> => {
    const w = new Parameter([3, 4]);
    const sam = new SAM(new SGD([w], { learningRate: 1 }), { rho: 0.5, adaptive });
    // L = Σ w³/3: the gradient w² at the worst point is what the step takes.
    const step = compile((one: Tensor) => sam.step(() => w.mul(one).pow(3).sum().div(3) as Tensor));
    expect(await step(tensor(1)).item()).toBeCloseTo((27 + 64) / 3, 4);
    return (await w.toArray()) as number[];
  };
  it("takes the gradient at the worst point nearby", async () => {
    const norm = Math.hypot(9, 16);
    const expected = [3, 4].map((w) => w - (w + (0.5 * w ** 2) / norm) ** 2);
    (await climbed(false)).forEach((w, i) => {
      expect(w).toBeCloseTo(expected[i]!, 4);
    });
    const relative = Math.hypot(27, 64);
    const other = [3, 4].map((w) => w - (w + (0.5 * w ** 4) / relative) ** 2);
    (await climbed(true)).forEach((w, i) => {
      expect(w).toBeCloseTo(other[i]!, 3);
    });
  });
});

describe('noDecay: "norms and biases"', () => {
  it("is AdamW without decay for vectors", async () => {
    const make = () =>
      new Sequential(new Linear(3, 4, { key: 1 }), new LayerNorm(4), new Linear(4, 2, { key: 2 }));
    const [a, b] = [make(), make()];
    const one = new AdamW(a.parameters(), { weightDecay: 0.5, noDecay: "norms and biases" });
    const isVector = (p: Parameter): boolean => p.shape.length < 2;
    const other = new AdamW(
      [
        { parameters: b.parameters().filter((p) => !isVector(p)) },
        { parameters: b.parameters().filter(isVector), weightDecay: 0 },
      ],
      { weightDecay: 0.5 },
    );
    expect(one.groupCount).toBe(2);
    const x = tensor([[1, 2, 3]]);
    one.step(
      grad(
        a
          .forward(x as Tensor)
          .square()
          .sum() as Tensor,
        one.parameters,
      ) as Tensor[],
    );
    other.step(
      grad(
        b
          .forward(x as Tensor)
          .square()
          .sum() as Tensor,
        other.parameters,
      ) as Tensor[],
    );
    for (const [i, p] of a.parameters().entries())
      expect(await p.toArray()).toEqual(await b.parameters()[i]!.toArray());
    expect(() => new Rprop(a.parameters(), { noDecay: "norms and biases" })).toThrow(
      "Rprop: there is no weight decay to leave out",
    );
    expect(() => new Adam(a.parameters(), { noDecay: "all" as never })).toThrow(
      'noDecay must be "norms and biases", got "all"',
    );
  });
});

describe("ASGD", () => {
  it("keeps the mean of the weights from its start on", async () => {
    const w = new Parameter([0], { name: "w" });
    const optimizer = new ASGD([w], { learningRate: 1, lambda: 0, start: 1 });
    for (const g of [-1, -1, -4]) optimizer.step([tensor([g])]); // weights 1, 2, 6
    expect(await optimizer.stateDict().get("average.w")!.toArray()).toEqual([6]);
    optimizer.step([tensor([-6])]); // 12: the mean of 6 and 12
    expect(await optimizer.stateDict().get("average.w")!.toArray()).toEqual([9]);
  });
});
