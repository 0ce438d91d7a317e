/** The gradient penalty of a Wasserstein critic: a gradient inside of the loss. Gulrajani et al., 2017. */
import { compile, grad, type Tensor, tensor } from "netwright";
import { Linear, Sequential, Tanh } from "netwright/nn";

export async function gradientPenalty(given: {
  real: number[][];
  fake: number[][];
  mix: number[][];
  weights: Record<string, number[] | number[][]>;
}) {
  const critic = new Sequential(new Linear(2, 8), new Tanh(), new Linear(8, 1));
  critic.loadStateDict(
    Object.fromEntries(Object.entries(given.weights).map(([name, w]) => [name, tensor(w as number[])])),
  );
  const penalty = compile((real: Tensor, fake: Tensor, mix: Tensor) => {
    const between = real.mul(mix).add(fake.mul(mix.neg().add(1)));
    const slope = grad(critic.forward(between).sum(), between); // (B, 2)
    const loss = slope.norm(1).sub(1).square().mean();
    const [weight, bias] = grad(loss, critic.parameters().slice(0, 2));
    return { loss, weight: weight!, bias: bias! };
  });
  const { loss, weight, bias } = penalty(given.real, given.fake, given.mix);
  return { loss: await loss.item(), weight: await weight.toArray(), bias: await bias.toArray() };
}
