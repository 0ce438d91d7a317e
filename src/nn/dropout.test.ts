import { afterEach, describe, expect, expectTypeOf, it } from "vitest";
import { split } from "../base/random.ts";
import { check } from "../ops/index.ts";
import { compile, grad, ones, seed, type Tensor, tensor, zeros } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Dropout, Linear, Parameter, RandomStream, ReLU, Sequential } from "./index.ts";

afterEach(() => seed(42));

describe("Dropout", () => {
  it("drops a share p and keeps the mean", async () => {
    const y = await new Dropout(0.3).forward(ones([100, 1000])).data();
    const dropped = y.filter((value) => value === 0).length;
    expect(dropped / y.length).toBeCloseTo(0.3, 2);
    expect(new Set(y)).toEqual(new Set([0, Math.fround(1 / 0.7)]));
  });

  it("draws anew in every call, compiled or not, and the same after the same seed", async () => {
    const run = async (isCompiled: boolean): Promise<number[][]> => {
      const layer = new Dropout(0.5, { key: 3 });
      const step = (x: Tensor): Tensor => layer.forward(layer.forward(x));
      const call = isCompiled ? compile(step) : step;
      const draws = [call(ones([64]) as Tensor), call(ones([64]) as Tensor)];
      return Promise.all(draws.map((y) => y.toArray()));
    };
    const [first, second] = await run(true);
    expect(first).not.toEqual(second);
    // Two masks in one call: a quarter stays, four times as large.
    expect(new Set([...first!, ...second!])).toEqual(new Set([0, 4]));
    expect(await run(true)).toEqual([first, second]);
    expect(await run(false)).toEqual([first, second]);
  });

  it("is nothing in evaluation, or with p 0", async () => {
    const x = tensor([1, 2, 3]);
    expect(await new Dropout(0.5).eval().forward(x).toArray()).toEqual([1, 2, 3]);
    expect(await new Dropout(0).forward(x).toArray()).toEqual([1, 2, 3]);
    expect(await new Dropout(1).forward(x).toArray()).toEqual([0, 0, 0]);
  });

  it("lets gradients through where it lets values through", async () => {
    const w = new Parameter(new Array(64).fill(1) as number[]);
    const y = new Dropout(0.5).forward(w.add(0));
    const found = grad(y.sum(), w);
    const [values, gradient] = await Promise.all([y.toArray(), found.toArray()]);
    expect(gradient).toEqual(values);
    expect(new Set(gradient as number[])).toEqual(new Set([0, 2]));
  });

  it("draws nothing in a step that fails", async () => {
    const layer = new Dropout(0.5, { key: 1 });
    const rule = "inputs must be positive";
    const step = compile((x: Tensor) =>
      layer.forward(fromNode(check(nodeOf(x), nodeOf(x.greater(0)), rule))),
    );
    const before = await layer.random.toArray();
    await expect(step(tensor([1, -1])).data()).rejects.toThrow(
      "inputs must be positive, but element [1] is -1",
    );
    expect(await layer.random.toArray()).toEqual(before);
  });

  it("keeps types and stands in chains", () => {
    expectTypeOf(new Dropout().forward(zeros([2, 3]))).toEqualTypeOf<Tensor<[2, 3], "f32">>();
    const model = new Sequential(new Linear(4, 3), new ReLU(), new Dropout(0.1), new Linear(3, 2));
    expect(String(model.layers[2])).toBe("Dropout(0.1)");
    expect([...model.stateDict().keys()]).toEqual(["0.weight", "0.bias", "3.weight", "3.bias"]);
    expect([...model.namedRandomStreams().keys()]).toEqual(["2.random"]);
    expect(model.namedBuffers().size).toBe(0);
    expect(model.summary([1, 4]).bytes).toBe(4 * (15 + 8));
    expect(() => new Dropout(1.5)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Dropout: the probability must be from 0 to 1, got 1.5]`,
    );
  });
});

describe("RandomStream", () => {
  it("gives and keeps the keys of split", async () => {
    const stream = new RandomStream([1, 2]);
    const [following, drawn] = split([1, 2]);
    expect(await stream.next().toArray()).toEqual([...drawn!]);
    expect(await stream.toArray()).toEqual([...following!]);
  });
});
