/** A sequence for a sequence: it learns to turn sequences round, and looks where it should. */
import { expect, test } from "vitest";
import { hashedUnit } from "../../test/fixtures.ts";
import { crossEntropy } from "../losses/index.ts";
import { Adam } from "../optim/index.ts";
import { compile, grad, seed, type Tensor, tensor } from "../tensor/index.ts";
import { Seq2Seq } from "./index.ts";

const [start, end, length] = [1, 2, 5];
const i32 = { dtype: "i32" } as const;

/** Tokens 3 … 8, and the same backwards. */
function batchOf(batch: number, count: number): { source: number[][]; target: number[][] } {
  const source = Array.from({ length: count }, (_, row) =>
    Array.from({ length }, (_, i) => 3 + Math.floor(hashedUnit(batch, row * length + i) * 6)),
  );
  return { source, target: source.map((row) => [...row].reverse()) };
}

test("learns to turn sequences round", async () => {
  seed(2);
  const model = new Seq2Seq({ sourceSize: 9, targetSize: 9, embeddingSize: 16, hiddenSize: 32, dropout: 0 });
  const optimizer = new Adam(model.parameters(), { learningRate: 1e-2 });
  const step = compile((source: Tensor, before: Tensor, after: Tensor) => {
    const logits = model.forward(source, before).reshape([-1, 9]) as Tensor;
    const loss = crossEntropy(logits as never, after.reshape([-1]) as never);
    optimizer.step(grad(loss, model.parameters()));
    return loss;
  });
  for (let i = 0; i < 250; i++) {
    const { source, target } = batchOf(i, 32);
    const before = target.map((row) => [start, ...row]);
    const after = target.map((row) => [...row, end]);
    step(tensor(source, i32) as Tensor, tensor(before, i32) as Tensor, tensor(after, i32) as Tensor);
  }
  model.eval();
  const { source, target } = batchOf(1000, 20);
  const options = { start, end, maxLength: 8 };
  const made = await model.translate(tensor(source, i32) as Tensor, options);
  const right = made.filter(({ tokens }, i) => tokens.join() === target[i]!.join()).length;
  expect(right).toBeGreaterThanOrEqual(17);
  for (const { attention } of made)
    for (const shares of attention) expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 4);

  // Padding at the end changes nothing.
  const padded = source.map((row) => [...row, 0, 0]);
  const again = await model.translate(tensor(padded, i32) as Tensor, options);
  expect(again.map(({ tokens }) => tokens)).toEqual(made.map(({ tokens }) => tokens));
}, 60_000);

test("what cannot be is refused", async () => {
  const model = new Seq2Seq({ sourceSize: 9, targetSize: 9, embeddingSize: 4, hiddenSize: 4 });
  const source = tensor([[3]], i32) as Tensor;
  const odd = { sourceSize: 9, targetSize: 9, embeddingSize: 4, hiddenSize: 5, bidirectional: true };
  expect(() => new Seq2Seq(odd)).toThrow("two directions need an even hiddenSize, got 5");
  await expect(model.translate(source, { start, end, maxLength: 3 })).rejects.toThrow("call eval() first");
  await expect(model.eval().translate(source, { start, end, maxLength: 0 })).rejects.toThrow("got 0");
});
