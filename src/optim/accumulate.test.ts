import { expect, test } from "vitest";
import { Linear } from "../nn/index.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import { GradientAccumulator, SGD } from "./index.ts";

test("in a loop written out, batches of any sizes give the gradient of their union", async () => {
  const model = new Linear(2, 1, { key: 1 });
  const accumulator = new GradientAccumulator(model.parameters());
  const optimizer = new SGD(model.parameters(), { learningRate: 1 });
  const lossOf = (x: Tensor): Tensor =>
    model
      .forward(x as never)
      .square()
      .mean();
  const add = compile((x: Tensor) =>
    accumulator.add(grad(lossOf(x), model.parameters()), x.shape[0] as number),
  );
  const update = compile(() => optimizer.step(accumulator.take()));
  const x = [
    [1, 2],
    [3, -1],
    [0, 1],
  ];
  const whole = await Promise.all(grad(lossOf(tensor(x)), model.parameters()).map((g) => g.data()));
  const before = await Promise.all(model.parameters().map((p) => p.data()));
  for (let round = 1; round <= 2; round++) {
    add(x.slice(0, 2));
    add(x.slice(2));
    if (round === 1) update();
  }
  const after = await Promise.all(model.parameters().map((p) => p.data()));
  after.forEach((values, i) => {
    values.forEach(
      (value: number, at: number) => void expect(value).toBeCloseTo(before[i]![at]! - whole[i]![at]!, 5),
    );
  });
  const states = accumulator.stateDict();
  expect([...states.keys()]).toEqual(["gradientSum.weight", "gradientSum.bias", "gradientCount"]);
  expect(await states.get("gradientCount")!.item()).toBe(3);
});

test("other gradients are refused", () => {
  const accumulator = new GradientAccumulator(new Linear(2, 1).parameters());
  expect(() => accumulator.add([tensor([1])])).toThrow("1 gradients for 2 parameters");
  expect(() => accumulator.add([tensor([1]), tensor([1])])).toThrow(
    'gradient 0 has shape (1,), parameter "weight" (1, 2)',
  );
});
