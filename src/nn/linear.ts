/** The affine layer. */
import { nextKey } from "../base/default-key.ts";
import type { DType } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import type { Features, IsKnown, Last, SameSize, Sentence, TensorShape } from "../base/shape-types.ts";
import { lowered } from "../tensor/autocast.ts";
import type { Tensor } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { requireFeatures } from "./checks.ts";
import { glorotUniform, type Initializer, zeros } from "./initializers.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

export interface LinearOptions {
  /** Default true: adds a learnt vector. */
  readonly bias?: boolean;
  /** Default `initializers.glorotUniform()`. */
  readonly weightInit?: Initializer;
  /** Default `initializers.zeros()`. */
  readonly biasInit?: Initializer;
  /** What the initializers draw from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

/** `x` must have `In` features on its last axis. */
export type FeaturesCheck<What extends string, S extends TensorShape, In extends number> =
  IsKnown<S> extends false
    ? unknown
    : SameSize<Last<S>, In> extends true
      ? unknown
      : Sentence<`${What} expects ${In} features, the last axis has ${Last<S>}`>;

/** `S` with its last size replaced. */
export type WithLast<S extends TensorShape, Out extends number> =
  IsKnown<S> extends false
    ? any
    : S extends readonly [...infer I extends TensorShape, number]
      ? [...I, Out]
      : any;

/**
 * y = x·Wᵀ + b on the last axis (Keras's `Dense` without an activation).
 *
 * The weight has shape (outFeatures, inFeatures), as PyTorch and Hugging Face store it, so their files load as they are.
 * First values are Keras's: Glorot uniform weights, zero biases. For PyTorch's U(±1/√inFeatures) give
 * `initializers.fanInUniform()` as `weightInit` and `biasInit`.
 *
 * Shapes: x (…, inFeatures) → (…, outFeatures).
 *
 * @throws ShapeError when the last axis of x is not inFeatures
 * @example
 * const layer = new Linear(784, 64);
 * layer.weight.shape; // [64, 784]
 */
export class Linear<const In extends number = number, const Out extends number = number> extends Module {
  /** For the type checker alone: what a chain of layers compares. */
  declare readonly features: Features<"Linear", In, Out>;
  readonly inFeatures: In;
  readonly outFeatures: Out;
  readonly weight: Parameter<[Out, In]>;
  readonly bias: Parameter<[Out]> | undefined;

  constructor(inFeatures: In, outFeatures: Out, options: LinearOptions = {}) {
    super();
    checkOptions("Linear", options, ["bias", "weightInit", "biasInit", "key"]);
    const { bias = true, weightInit = glorotUniform(), biasInit = zeros(), key = nextKey() } = options;
    requireSize("inFeatures", inFeatures);
    requireSize("outFeatures", outFeatures);
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    const root = toRandomKey(key);
    const fans = { fanIn: inFeatures, fanOut: outFeatures };
    const parameter = <const S extends readonly number[]>(
      name: string,
      shape: S,
      init: Initializer,
      place: number,
    ) => {
      const data = () => init({ shape, ...fans, key: fold(root, place) });
      return new Parameter({ dtype: "f32", shape, data }, { name });
    };
    this.weight = parameter("weight", [outFeatures, inFeatures], weightInit, 0);
    this.bias = bias ? parameter("bias", [outFeatures], biasInit, 1) : undefined;
  }

  forward<S extends TensorShape, D extends DType>(
    x: Tensor<S, D> & FeaturesCheck<"Linear", S, In>,
  ): Tensor<WithLast<S, Out>, D> {
    requireFeatures(this.toString(), x, this.inFeatures);
    const product: Tensor = (x as Tensor).matmul(this.weight.transpose()); // (…, in) × (in, out) → (…, out)
    return this.bias === undefined ? product : product.add(fromNode(lowered(nodeOf(this.bias))));
  }

  protected override describe(): string {
    return `${this.inFeatures} → ${this.outFeatures}${this.bias === undefined ? ", no bias" : ""}`;
  }
}

function requireSize(name: string, size: number): void {
  if (Number.isInteger(size) && size > 0) return;
  throw new ArgumentError(`Linear: ${name} must be a positive integer, got ${size}`);
}
