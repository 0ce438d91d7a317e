import { describe, expect, test } from "vitest";
import { compile, dimension, grad, state, type Tensor, tensor, zeros } from "./index.ts";

const images = [
  [1, 2],
  [3, 4],
];

describe("compile", () => {
  test("a training step: states are committed, losses fall as without compile", async () => {
    const losses: number[][] = [];
    for (const wrap of [compile, (fn: any) => fn]) {
      const weight = state([[1], [2]], { name: "weight" });
      const step = wrap((x: Tensor, y: Tensor) => {
        const error = x.matmul(weight).sub(y);
        const loss = error.mul(error).sum();
        const [gradient] = grad(loss, [weight]);
        weight.assign(weight.sub(gradient!.mul(0.01)));
        return { loss };
      });
      const own: number[] = [];
      for (let i = 0; i < 3; i++) own.push(await step(tensor(images), tensor([[1], [2]])).loss.item());
      losses.push(own);
    }
    expect(losses[0]![0]).toBe(97);
    expect(losses[0]![2]).toBeCloseTo(2.55067, 4);
    expect(losses[0]).toEqual(losses[1]);
  });

  test("one program for all sizes of a dimension, and its bounds are kept", async () => {
    const batch = dimension("batch", { min: 1, max: 8 });
    const double = compile((x: Tensor) => x.mul(2).sum(0), { shapes: [[batch, 2]] });
    expect([...(await double(images).data())]).toEqual([8, 12]);
    expect([...(await double([[1, 2]]).data())]).toEqual([2, 4]);
    expect(double.signatures).toBe(1);
    expect(() => double(zeros([9, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: argument 0 has shape (9, 2): "batch" must be between 1 and 8, got 9; give the dimension wider bounds]`,
    );
  });
});
