/** Images and sequences as vectors. */

import type { Features } from "../base/shape-types.ts";
import { productOf } from "../base/size.ts";
import type { Tensor } from "../tensor/index.ts";
import { Module } from "./module.ts";

/**
 * All axes but the first made one: (B, 28, 28) → (B, 784).
 *
 * @example
 * new Flatten().forward(zeros([32, 28, 28])).shape; // [32, 784]
 */
export class Flatten extends Module {
  declare readonly features: Features<"Flatten", number, number>;
  forward(x: Tensor): Tensor {
    const [batch = 1, ...rest] = x.shape;
    return x.reshape([batch, productOf(rest)]);
  }
}
