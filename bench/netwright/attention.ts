/** Scaled dot-product attention of long sequences. */
import { compile, grad, type Tensor } from "netwright";
import { scaledDotProductAttention } from "netwright/nn";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

export function attention({ batch, heads, length, size, causal }: WorkOf<"attention">): Promise<Job> {
  const [q, k, v] = [1, 2, 3].map((seed) => uniform(seed, [batch, heads, length, size]));
  const forward = compile((a: Tensor, b: Tensor, c: Tensor) =>
    scaledDotProductAttention(a, b, c, { causal }),
  );
  return repeated([q, k, v], () => forward(q, k, v));
}

/** The result, and the gradients of queries, keys and values for a given gradient of it. */
export function attentionBackward(work: WorkOf<"attention-backward">): Promise<Job> {
  const { batch, heads, length, size, causal } = work;
  const [q, k, v, g] = [1, 2, 3, 4].map((seed) => uniform(seed, [batch, heads, length, size]));
  const step = compile((a: Tensor, b: Tensor, c: Tensor, cotangent: Tensor) => {
    const loss = scaledDotProductAttention(a, b, c, { causal }).mul(cotangent).sum();
    return grad(loss, [a, b, c]);
  });
  return repeated([q, k, v, g], () => {
    const [dq, dk, dv] = step(q, k, v, g);
    dk.dispose();
    dv.dispose();
    return dq;
  });
}
