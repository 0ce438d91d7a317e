/** Dropout. */
import type { DType } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { RandomKey } from "../base/random.ts";
import type { Features, TensorShape } from "../base/shape-types.ts";
import { randomUniform } from "../ops/index.ts";
import { type Tensor, where } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { RandomStream } from "./random-stream.ts";

export interface DropoutOptions {
  /** What masks are drawn from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

/**
 * In training each element is 0 with probability p, else x / (1 − p), anew in every call: the mean stays. In evaluation x
 * itself. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.
 *
 * The masks follow from a state of the layer, so runs repeat and resume exactly.
 *
 * @throws ArgumentError unless 0 ≤ p ≤ 1
 * @example
 * const layer = new Dropout(0.5, { key: 1 });
 * const y = layer.forward(tensor([1, 1, 1, 1]));
 * await y.toArray(); // [0, 2, 0, 2]
 * await layer.eval().forward(tensor([1, 1, 1, 1])).toArray(); // [1, 1, 1, 1]
 */
export class Dropout extends Module {
  declare readonly features: Features<"Dropout", number, "same">;
  /** The probability with which an element is dropped. */
  readonly p: number;
  readonly random: RandomStream;

  constructor(p = 0.5, options: DropoutOptions = {}) {
    super();
    checkOptions("Dropout", options, ["key"]);
    if (!(p >= 0 && p <= 1))
      throw new ArgumentError(`Dropout: the probability must be from 0 to 1, got ${p}`);
    this.p = p;
    this.random = new RandomStream(options.key);
  }

  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    if (!this.training || this.p === 0) return x;
    if (this.p === 1) return (x as Tensor).mul(0);
    const draws = fromNode(randomUniform(nodeOf(this.random.next()), nodeOf(x).shape));
    return where(draws.less(this.p), 0, (x as Tensor).mul(1 / (1 - this.p)));
  }

  protected override describe(): string {
    return String(this.p);
  }
}
