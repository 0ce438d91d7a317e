/** Steps of a generative adversarial network: two models, two optimizers, each step differentiating one of them. */
import { compile, grad, stopGradient, type Tensor, tensor } from "netwright";
import { binaryCrossEntropy } from "netwright/losses";
import { LeakyReLU, Linear, ReLU, Sequential } from "netwright/nn";
import { Adam } from "netwright/optim";

type Weights = Record<string, number[] | number[][]>;
const states = (weights: Weights) =>
  Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, tensor(w as number[])]));

export async function gan(given: {
  noise: number[][][];
  real: number[][];
  generator: Weights;
  discriminator: Weights;
}) {
  const generator = new Sequential(new Linear(2, 8), new ReLU(), new Linear(8, 2));
  const discriminator = new Sequential(
    new Linear(2, 8),
    new LeakyReLU({ negativeSlope: 0.2 }),
    new Linear(8, 1),
  );
  generator.loadStateDict(states(given.generator));
  discriminator.loadStateDict(states(given.discriminator));
  const improve = new Adam(generator.parameters(), { learningRate: 0.01, betas: [0.5, 0.999] });
  const judge = new Adam(discriminator.parameters(), { learningRate: 0.01, betas: [0.5, 0.999] });
  const toward = (logits: Tensor, label: number) => binaryCrossEntropy(logits, logits.mul(0).add(label));

  const step = compile((real: Tensor, noise: Tensor) => {
    const fake = stopGradient(generator.forward(noise));
    const lossD = toward(discriminator.forward(real), 1).add(toward(discriminator.forward(fake), 0));
    judge.step(grad(lossD, discriminator.parameters()));
    const lossG = toward(discriminator.forward(generator.forward(noise)), 1);
    improve.step(grad(lossG, generator.parameters()));
    return { lossD, lossG };
  });

  const losses: number[][] = [];
  for (const noise of given.noise) {
    const { lossD, lossG } = step(given.real, noise);
    losses.push([await lossD.item(), await lossG.item()]);
  }
  return { losses, samples: await generator.forward(tensor(given.noise[0]!)).toArray() };
}
