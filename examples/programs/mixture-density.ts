/** A mixture density network: the outputs are the weights, means and deviations of a mixture. Bishop, 1994. */
import { compile, grad, type Tensor, tensor } from "netwright";
import { Mixture, Normal } from "netwright/distributions";
import { Linear, Sequential, Tanh } from "netwright/nn";
import { Adam } from "netwright/optim";

export async function mixtureDensity(given: {
  x: number[][];
  y: number[];
  weights: Record<string, number[] | number[][]>;
}) {
  const model = new Sequential(new Linear(1, 16), new Tanh(), new Linear(16, 9));
  model.loadStateDict(
    Object.fromEntries(Object.entries(given.weights).map(([name, w]) => [name, tensor(w as number[])])),
  );
  const optimizer = new Adam(model.parameters(), { learningRate: 0.01 });
  const step = compile((x: Tensor, y: Tensor) => {
    const [logits, means, logDeviations] = model.forward(x).split(3, 1) as Tensor[];
    const mixture = new Mixture({ logits: logits! }, new Normal(means!, logDeviations!.exp()));
    const loss = mixture.logProb(y).mean().neg();
    optimizer.step(grad(loss, model.parameters()));
    return loss;
  });
  const losses: number[] = [];
  for (let i = 0; i < 30; i++) losses.push(await step(given.x, given.y).item());
  return { losses };
}
