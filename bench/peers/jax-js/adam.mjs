/** Adam and AdamW over a tree of parameters, traced inside a `jit`: jax-js leaves optimizers to its users. */
import { numpy as np, tree } from "@jax-js/jax";

const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];

/** The moments before the first step, for parameters whose like `zeros` makes; the powers are beta1ᵗ and beta2ᵗ. */
export const initialState = (zeros) => ({ first: zeros(), second: zeros(), powers: [np.ones([]), np.ones([])] });

/**
 * New parameters and moments. Takes ownership of every argument, as jax-js's functions do.
 */
export function adamStep(parameters, gradients, { first, second, powers }, { learningRate, weightDecay }) {
  const nextPowers = [powers[0].mul(beta1), powers[1].mul(beta2)];
  const rate = np.reciprocal(nextPowers[0].ref.mul(-1).add(1)).mul(learningRate);
  const scale = np.reciprocal(nextPowers[1].ref.mul(-1).add(1));
  const nextFirst = tree.map((m, g) => m.mul(beta1).add(g.mul(1 - beta1)), first, tree.ref(gradients));
  const nextSecond = tree.map((v, g) => v.mul(beta2).add(g.ref.mul(g).mul(1 - beta2)), second, gradients);
  const next = tree.map(
    (p, m, v) =>
      p.mul(1 - learningRate * weightDecay).sub(m.mul(rate.ref).div(np.sqrt(v.mul(scale.ref)).add(epsilon))),
    parameters,
    tree.ref(nextFirst),
    tree.ref(nextSecond),
  );
  tree.dispose([rate, scale]);
  return [next, { first: nextFirst, second: nextSecond, powers: nextPowers }];
}
