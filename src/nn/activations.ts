/** Activations as layers: each works element by element, keeps the shape and has no parameters. */
import type { DType } from "../base/dtype.ts";
import type { Features, TensorShape } from "../base/shape-types.ts";
import type { Tensor } from "../tensor/index.ts";
import { Module } from "./module.ts";

/** max(x, 0); the gradient at 0 is 0. */
export class ReLU extends Module {
  declare readonly features: Features<"ReLU", number, "same">;
  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    return (x as Tensor).relu();
  }
}

/** 1 / (1 + e⁻ˣ). */
export class Sigmoid extends Module {
  declare readonly features: Features<"Sigmoid", number, "same">;
  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    return (x as Tensor).sigmoid();
  }
}

/** The hyperbolic tangent. */
export class Tanh extends Module {
  declare readonly features: Features<"Tanh", number, "same">;
  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    return (x as Tensor).tanh();
  }
}

/**
 * x·Φ(x) with Φ the normal distribution function; with `approximate: "tanh"`
 * x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). Hendrycks and Gimpel, "Gaussian error linear units", 2016.
 */
export class GELU extends Module {
  declare readonly features: Features<"GELU", number, "same">;
  readonly approximate: "none" | "tanh";
  constructor({ approximate = "none" }: { approximate?: "none" | "tanh" } = {}) {
    super();
    this.approximate = approximate;
  }
  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    return (x as Tensor).gelu({ approximate: this.approximate });
  }
  protected override describe(): string {
    return this.approximate === "none" ? "" : this.approximate;
  }
}

/** x·σ(x), also called swish. Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", 2018. */
export class SiLU extends Module {
  declare readonly features: Features<"SiLU", number, "same">;
  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    return (x as Tensor).silu();
  }
}

/** exp(x − max x) / Σ exp(x − max x) along one axis, the last unless `axis` says otherwise: positive numbers of sum 1. */
export class Softmax extends Module {
  declare readonly features: Features<"Softmax", number, "same">;
  readonly axis: number;
  constructor({ axis = -1 }: { axis?: number } = {}) {
    super();
    this.axis = axis;
  }
  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    return (x as Tensor).softmax(this.axis);
  }
  protected override describe(): string {
    return `axis ${this.axis}`;
  }
}
