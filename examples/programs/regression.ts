/** Linear regression: a layer, the mean squared error, SGD with momentum. */
import { compile, grad, type Tensor, tensor } from "netwright";
import { mse } from "netwright/losses";
import { Linear } from "netwright/nn";
import { SGD } from "netwright/optim";

export async function regression(given: {
  x: number[][];
  y: number[][];
  weight: number[][];
  bias: number[];
}) {
  const model = new Linear(3, 1);
  model.loadStateDict({ weight: tensor(given.weight), bias: tensor(given.bias) });
  const optimizer = new SGD(model.parameters(), { learningRate: 0.05, momentum: 0.9 });

  const step = compile((x: Tensor, y: Tensor) => {
    const loss = mse(model.forward(x), y);
    optimizer.step(grad(loss, model.parameters()));
    return loss;
  });

  const losses: number[] = [];
  for (let i = 0; i < 50; i++) losses.push(await step(given.x, given.y).item());
  return { losses, weight: await model.weight.toArray(), bias: await model.bias!.toArray() };
}
