/** Layer norm of rows, with weight and bias: a composition, which the compiler fuses. */
import { compile, type Tensor } from "netwright";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

export function layernorm({ rows, columns, epsilon }: WorkOf<"layernorm">): Promise<Job> {
  const inputs = [uniform(1, [rows, columns], 4), uniform(2, [columns]), uniform(3, [columns])] as const;
  const forward = compile((x: Tensor, weight: Tensor, bias: Tensor): Tensor => {
    const centred = x.sub(x.mean(-1, { keepDims: true })); // (rows, columns)
    const variance = centred.mul(centred).mean(-1, { keepDims: true }); // (rows, 1)
    return centred.mul(variance.add(epsilon).rsqrt()).mul(weight).add(bias);
  });
  return repeated(inputs, () => forward(...inputs));
}
