/** Statistics along axes, which vanish unless `keepDims` is set: spread, norms, and where the extremes are. */
import type { DType } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import type { Axes, AxisCheck, Reduce, TensorShape } from "../../base/shape-types.ts";
import type { FloatOf } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { asFloat } from "../elementwise.ts";
import type { Tensor } from "../tensor.ts";
import type { TensorOf } from "../types.ts";
import { type ReduceOptions, reduction } from "./reduce.ts";

export interface SpreadOptions<K extends boolean = boolean> extends ReduceOptions<K> {
  /** What the count is lessened by: 0 (default) for a population, 1 for the unbiased estimate from a sample. */
  readonly correction?: number;
}

export interface NormOptions<K extends boolean = boolean> extends ReduceOptions<K> {
  /** 2 unless told. */
  readonly order?: number;
}

export interface StatisticsMethods {
  /** Σ x with NaN left out. @example tensor([1, NaN, 2]).nanSum() // 3 */
  nanSum<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"nanSum", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, FloatOf<D>>;
  /** The mean with NaN left out; NaN where nothing else is. @example tensor([1, NaN, 2]).nanMean() // 1.5 */
  nanMean<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"nanMean", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, FloatOf<D>>;
  /** How many are not 0 (i32). @example tensor([1, 0, 2]).countNonzero() // 2 */
  countNonzero<
    S extends TensorShape,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, any>,
    axis?: A & AxisCheck<"countNonzero", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, "i32">;
  /** Σ (x − mean)² / (n − correction), in two passes. @example tensor([1, 2, 3, 4]).var() // 1.25 */
  var<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"var", S, A>,
    options?: SpreadOptions<K>,
  ): TensorOf<Reduce<S, A, K>, FloatOf<D>>;
  /** √var; its gradient is 0 where the variance is. @example tensor([1, 3]).std() // 1 */
  std<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"std", S, A>,
    options?: SpreadOptions<K>,
  ): TensorOf<Reduce<S, A, K>, FloatOf<D>>;
  /**
   * √Σ x²; its gradient at 0 is 0. With `order` p: (Σ |x|ᵖ)^(1/p), the largest magnitude for Infinity, the smallest for
   * −Infinity, and for 0 the number of elements that are not 0.
   *
   * @example
   * tensor([3, 4]).norm(); // 5
   * tensor([3, -4]).norm(0, { order: 1 }); // 7
   */
  norm<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"norm", S, A>,
    options?: NormOptions<K>,
  ): TensorOf<Reduce<S, A, K>, FloatOf<D>>;
  /** log Σ eˣ, right for x of any size. @example tensor([1000, 0]).logSumExp() // 1000 */
  logSumExp<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"logSumExp", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, FloatOf<D>>;
  /** The index of the largest along an axis: of the first NaN, else the first. @example tensor([1, 3]).argmax(0) // 1 */
  argmax<S extends TensorShape, const A extends number, const K extends boolean = false>(
    this: Tensor<S, any>,
    axis: A & AxisCheck<"argmax", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, "i32">;
  /** The index of the smallest along an axis: of the first NaN, else the first. @example tensor([1, 3]).argmin(0) // 0 */
  argmin<S extends TensorShape, const A extends number, const K extends boolean = false>(
    this: Tensor<S, any>,
    axis: A & AxisCheck<"argmin", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, "i32">;
}

type Spread = typeof ops.variance;

const spread =
  (what: string, op: Spread) =>
  (x: Node, axis?: Axes, { correction = 0, ...options }: SpreadOptions = {}): Node =>
    reduction(what, (y, axes) => op(asFloat(y), axes, { correction }))(x, axis, options);

const withoutNaN = (x: Node): Node => ops.select(ops.equal(x, x), x, ops.like(x, 0));

/** Where a sum of powers is 0 its root's gradient is 0, as PyTorch has it. */
function normOf(x: Node, axes: readonly number[], order: number): Node {
  const magnitude = ops.abs(x);
  if (order === 2) return ops.norm(x, axes);
  if (order === 1) return ops.sum(magnitude, axes);
  if (order === Infinity) return ops.max(magnitude, axes);
  if (order === -Infinity) return ops.min(magnitude, axes);
  if (order === 0) return ops.sum(ops.cast(ops.notEqual(x, ops.like(x, 0)), x.dtype), axes);
  if (Number.isNaN(order)) throw new ArgumentError("norm: the order must be a number, got NaN");
  const power = ops.sum(ops.pow(magnitude, ops.like(x, order)), axes);
  const isZero = ops.equal(power, ops.like(power, 0));
  const safe = ops.select(isZero, ops.like(power, 1), power);
  const root = ops.pow(safe, ops.like(power, 1 / order));
  return ops.select(isZero, ops.like(root, order > 0 ? 0 : Infinity), root);
}

export const statistics = {
  var: spread("var", ops.variance),
  std: spread("std", ops.standardDeviation),
  norm: (x: Node, axis?: Axes, { order = 2, ...options }: NormOptions = {}): Node =>
    reduction("norm", (y, axes) => normOf(asFloat(y), axes, order))(x, axis, options),
  nanSum: reduction("nanSum", (x, axes) => ops.sum(withoutNaN(asFloat(x)), axes)),
  nanMean: reduction("nanMean", (x, axes) => {
    const y = asFloat(x);
    const counted = ops.cast(ops.equal(y, y), y.dtype);
    return ops.div(ops.sum(withoutNaN(y), axes), ops.sum(counted, axes));
  }),
  countNonzero: reduction("countNonzero", (x, axes) =>
    ops.sum(ops.cast(ops.notEqual(x, ops.like(x, 0)), "i32"), axes),
  ),
  logSumExp: reduction("logSumExp", (x, axes) => ops.logSumExp(asFloat(x), axes)),
  argmax: reduction("argmax", (x, axes) => ops.argmax(x, axes[0]!)),
  argmin: reduction("argmin", (x, axes) => ops.argmin(x, axes[0]!)),
};
