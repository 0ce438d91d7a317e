/** Statistics along axes, which vanish unless `keepDims` is set: spread, norms, and where the extremes are. */
import type { DType } from "../../base/dtype.ts";
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

export interface StatisticsMethods {
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
  /** √Σ x²; its gradient at 0 is 0. @example tensor([3, 4]).norm() // 5 */
  norm<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"norm", S, A>,
    options?: ReduceOptions<K>,
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

export const statistics = {
  var: spread("var", ops.variance),
  std: spread("std", ops.standardDeviation),
  norm: reduction("norm", (x, axes) => ops.norm(asFloat(x), axes)),
  logSumExp: reduction("logSumExp", (x, axes) => ops.logSumExp(asFloat(x), axes)),
  argmax: reduction("argmax", (x, axes) => ops.argmax(x, axes[0]!)),
  argmin: reduction("argmin", (x, axes) => ops.argmin(x, axes[0]!)),
};
