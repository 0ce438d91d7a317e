/** How near vectors are: as functions, and as layers of two inputs. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { asTensor, type Tensor, type TensorLike } from "../tensor/index.ts";
import { Module } from "./module.ts";

export interface CosineSimilarityOptions {
  /** Along which the vectors lie; default the last. */
  readonly axis?: number;
  /** The least length that is divided by; default 1e-8. */
  readonly epsilon?: number;
}

/**
 * a·b / (max(‖a‖, ε)·max(‖b‖, ε)) along an axis: 1 for vectors of one direction, −1 for opposite ones. The inputs broadcast. The
 * gradient by a vector of zeros is 0.
 *
 * @example cosineSimilarity(tensor([[3, 0], [1, 1]]), tensor([2, 0])) // [1, 0.7071067690849304]
 */
export function cosineSimilarity(a: Tensor, b: TensorLike, options: CosineSimilarityOptions = {}): Tensor {
  checkOptions("cosineSimilarity", options, ["axis", "epsilon"]);
  const { axis = -1, epsilon = 1e-8 } = options;
  // max(‖x‖, ε) as √max(‖x‖², ε²): the root's gradient at 0 never runs.
  const least = Math.max(epsilon ** 2, 1e-37);
  const unit = (x: Tensor): Tensor =>
    x.mul(x.square().sum(axis, { keepDims: true }).maximum(least).rsqrt()) as Tensor;
  return unit(a)
    .mul(unit(asTensor(b)))
    .sum(axis) as Tensor;
}

export interface PairwiseDistanceOptions {
  /** The norm, 1 or more, Infinity too; default 2. */
  readonly p?: number;
  /** Added to each difference, so that the gradient exists where two vectors are equal; default 1e-6. */
  readonly epsilon?: number;
  /** Default false: true keeps the last axis with size 1. */
  readonly keepDims?: boolean;
}

/**
 * ‖a − b + ε‖ₚ along the last axis. The inputs broadcast.
 *
 * @throws ArgumentError unless p ≥ 1
 * @example pairwiseDistance(tensor([[3, 4]]), tensor([0, 0]), { epsilon: 0 }) // [5]
 */
export function pairwiseDistance(a: Tensor, b: TensorLike, options: PairwiseDistanceOptions = {}): Tensor {
  checkOptions("pairwiseDistance", options, ["p", "epsilon", "keepDims"]);
  const { p = 2, epsilon = 1e-6, keepDims = false } = options;
  if (!(p >= 1)) throw new ArgumentError(`pairwiseDistance: p must be 1 or more, got ${p}`);
  const d: Tensor = a.sub(asTensor(b)).add(epsilon);
  const axes = { keepDims };
  if (p === 1) return d.abs().sum(-1, axes) as Tensor;
  if (p === 2) return d.square().sum(-1, axes).sqrt() as Tensor;
  if (p === Number.POSITIVE_INFINITY) return d.abs().max(-1, axes) as Tensor;
  const powers = d.abs().pow(p).sum(-1, axes) as Tensor;
  return powers.pow(1 / p) as Tensor;
}

/**
 * {@link cosineSimilarity} as a layer of two inputs; the vectors lie along axis 1 unless told, as in PyTorch.
 *
 * @example new CosineSimilarity().forward(tensor([[3, 0]]), tensor([[2, 0]])) // [1]
 */
export class CosineSimilarity extends Module {
  readonly axis: number;
  readonly epsilon: number;
  constructor({ axis = 1, epsilon = 1e-8 }: CosineSimilarityOptions = {}) {
    super();
    this.axis = axis;
    this.epsilon = epsilon;
  }
  forward(a: Tensor, b: Tensor): Tensor {
    return cosineSimilarity(a, b, { axis: this.axis, epsilon: this.epsilon });
  }
  protected override describe(): string {
    return `axis ${this.axis}`;
  }
}

/**
 * {@link pairwiseDistance} as a layer of two inputs.
 *
 * @example new PairwiseDistance({ p: 1, epsilon: 0 }).forward(tensor([[3, 4]]), tensor([[0, 0]])) // [7]
 */
export class PairwiseDistance extends Module {
  readonly options: PairwiseDistanceOptions;
  constructor(options: PairwiseDistanceOptions = {}) {
    super();
    checkOptions("PairwiseDistance", options, ["p", "epsilon", "keepDims"]);
    this.options = { ...options };
  }
  forward(a: Tensor, b: Tensor): Tensor {
    return pairwiseDistance(a, b, this.options);
  }
  protected override describe(): string {
    return `p ${this.options.p ?? 2}`;
  }
}
