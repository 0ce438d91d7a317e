/** Layer norm of rows, with weight and bias. */
import { compile, grad, type Tensor } from "netwright";
import { LayerNorm } from "netwright/nn";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

function layerOf(columns: number, epsilon: number): LayerNorm {
  const layer = new LayerNorm(columns, { epsilon });
  layer.weight!.assign(uniform(2, [columns]));
  layer.bias!.assign(uniform(3, [columns]));
  return layer;
}

export function layernorm({ rows, columns, epsilon }: WorkOf<"layernorm">): Promise<Job> {
  const layer = layerOf(columns, epsilon);
  const x = uniform(1, [rows, columns], 4);
  const forward = compile((input: Tensor) => layer.forward(input));
  return repeated([x], () => forward(x));
}

/** All three gradients; the statistics of the rows are computed again. */
export function layernormBackward({ rows, columns, epsilon }: WorkOf<"layernorm-backward">): Promise<Job> {
  const layer = layerOf(columns, epsilon);
  const inputs = [uniform(1, [rows, columns], 4), uniform(4, [rows, columns])] as const;
  const backward = compile((x: Tensor, g: Tensor) =>
    grad(layer.forward(x).mul(g).sum() as Tensor, [x, layer.weight!, layer.bias!]),
  );
  return repeated(inputs, () => {
    const [dx, dWeight, dBias] = backward(...inputs);
    dWeight.dispose();
    dBias.dispose();
    return dx;
  });
}
