/** Layer norm of rows, with weight and bias: a composition, which the compiler fuses. */
import { compile, grad, type Tensor } from "netwright";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

/** (…, C), (C), (C) → (…, C) */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  const centred = x.sub(x.mean(-1, { keepDims: true })); // (…, C)
  const variance = centred.mul(centred).mean(-1, { keepDims: true }); // (…, 1)
  return centred.mul(variance.add(epsilon).rsqrt()).mul(weight).add(bias);
}

const inputsOf = (rows: number, columns: number) =>
  [uniform(1, [rows, columns], 4), uniform(2, [columns]), uniform(3, [columns])] as const;

export function layernorm({ rows, columns, epsilon }: WorkOf<"layernorm">): Promise<Job> {
  const inputs = inputsOf(rows, columns);
  const forward = compile((x: Tensor, weight: Tensor, bias: Tensor) => layerNorm(x, weight, bias, epsilon));
  return repeated(inputs, () => forward(...inputs));
}

/** All three gradients; the statistics of the rows are computed again. */
export function layernormBackward({ rows, columns, epsilon }: WorkOf<"layernorm-backward">): Promise<Job> {
  const inputs = inputsOf(rows, columns);
  const cotangent = uniform(4, [rows, columns]);
  const backward = compile((x: Tensor, weight: Tensor, bias: Tensor, g: Tensor) => {
    const y = layerNorm(x, weight, bias, epsilon);
    return grad(y.mul(g).sum(), [x, weight, bias]);
  });
  return repeated([...inputs, cotangent], () => {
    const [dx, dWeight, dBias] = backward(...inputs, cotangent);
    dWeight.dispose();
    dBias.dispose();
    return dx;
  });
}
