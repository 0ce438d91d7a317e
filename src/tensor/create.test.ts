import { expect, test } from "vitest";
import { grad, onesLike, scalar, tensor, tri, valueAndGrad } from "./index.ts";

test("tri has ones on and below a diagonal, as NumPy's", async () => {
  expect(await tri(2, 3).toArray()).toEqual([
    [1, 0, 0],
    [1, 1, 0],
  ]);
});

test("onesLike has the shape and dtype of its argument", async () => {
  const ones = onesLike(tensor([[2, 3]], { dtype: "i32" }));
  expect([ones.dtype, await ones.toArray()]).toEqual(["i32", [[1, 1]]]);
});

test("valueAndGrad gives what computing and grad give, in the same tree", async () => {
  const weights = { scale: tensor([1, 2]), shift: scalar(3) };
  const compute = () => weights.scale.mul(weights.scale).add(weights.shift).sum();
  const { value, gradients } = valueAndGrad(compute, weights);
  expect(await value.item()).toBe(11);
  expect(await gradients.scale.toArray()).toEqual([2, 4]);
  expect(await gradients.shift.toArray()).toEqual(await grad(compute(), weights.shift).toArray());
  expect(await gradients.shift.item()).toBe(2);
});
