/** A step of MAML: the gradient of the loss after a gradient step, over several tasks at once. Finn, Abbeel, Levine, 2017. */
import { compile, grad, state, type Tensor, vectorize } from "netwright";

export async function metaLearning(given: {
  support: { x: number[][][]; y: number[][][] };
  query: { x: number[][][]; y: number[][][] };
  weights: (number[] | number[][])[];
}) {
  const weights = given.weights.map((w, i) => state(w as number[], { name: `w${i}` }));
  const predict = ([w1, b1, w2, b2]: Tensor[], x: Tensor) =>
    x.matmul(w1!).add(b1!).tanh().matmul(w2!).add(b2!);
  const loss = (weights: Tensor[], x: Tensor, y: Tensor) => predict(weights, x).sub(y).square().mean();

  const afterAdapting = vectorize((x: Tensor, y: Tensor, queryX: Tensor, queryY: Tensor) => {
    const slopes = grad(loss(weights, x, y), weights);
    const adapted = weights.map((w, i) => w.sub(slopes[i]!.mul(0.1)) as Tensor);
    return loss(adapted, queryX, queryY);
  });
  const step = compile((x: Tensor, y: Tensor, queryX: Tensor, queryY: Tensor) => {
    const total = afterAdapting(x, y, queryX, queryY).mean();
    const slopes = grad(total, weights);
    weights.forEach((w, i) => {
      w.assign(w.sub(slopes[i]!.mul(0.05)));
    });
    return total;
  });

  const losses: number[] = [];
  const { support, query } = given;
  for (let i = 0; i < 10; i++) losses.push(await step(support.x, support.y, query.x, query.y).item());
  return { losses, weights: await Promise.all(weights.map((w) => w.toArray())) };
}
