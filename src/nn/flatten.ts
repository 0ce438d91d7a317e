/** Layers that only change the shape, or nothing. */
import type { DType } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { normalizeAxis } from "../base/shape.ts";
import type { Features, TensorShape } from "../base/shape-types.ts";
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

/**
 * One axis made several: (B, 784) → (B, 28, 28) with `new Unflatten(1, [28, 28])`.
 *
 * @throws ShapeError in `forward` when the sizes do not multiply to the axis's
 * @example
 * new Unflatten(1, [28, 28]).forward(zeros([32, 784])).shape; // [32, 28, 28]
 */
export class Unflatten extends Module {
  declare readonly features: Features<"Unflatten", number, number>;
  readonly axis: number;
  readonly sizes: readonly number[];
  constructor(axis: number, sizes: readonly number[]) {
    super();
    if (!sizes.every((size) => Number.isInteger(size) && size >= 0))
      throw new ArgumentError(`Unflatten: sizes must be integers of 0 or more, got [${sizes.join(", ")}]`);
    this.axis = axis;
    this.sizes = [...sizes];
  }
  forward(x: Tensor): Tensor {
    const at = normalizeAxis(this.axis, x.shape.length, "Unflatten");
    return x.reshape([...x.shape.slice(0, at), ...this.sizes, ...x.shape.slice(at + 1)]);
  }
  protected override describe(): string {
    return `axis ${this.axis} → (${this.sizes.join(", ")})`;
  }
}

/**
 * x itself: stands where a layer may be left out.
 *
 * @example
 * await new Identity().forward(tensor([1, 2])).toArray(); // [1, 2]
 */
export class Identity extends Module {
  declare readonly features: Features<"Identity", number, "same">;
  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    return x;
  }
}
