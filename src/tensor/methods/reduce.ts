/** Reductions: elements folded along axes, which vanish unless `keepDims` is set. No axis means all of them. */
import type { DType } from "../../base/dtype.ts";
import { normalizeAxes } from "../../base/shape.ts";
import type { Axes, AxisCheck, Reduce, TensorShape } from "../../base/shape-types.ts";
import { productOf } from "../../base/size.ts";
import type { FloatOf, SumDType } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import { all, any, cast, div, like, max, min, prod, reshape, sum } from "../../ops/index.ts";
import { asFloat } from "../elementwise.ts";
import type { Tensor } from "../tensor.ts";
import type { TensorOf } from "../types.ts";

export interface ReduceOptions<K extends boolean = boolean> {
  /** Folded axes stay, with size 1. */
  readonly keepDims?: K;
}

export interface ReduceMethods {
  /** Σ x; bool counts as i32. @example tensor([[1, 2], [3, 4]]).sum(0) // [4, 6] */
  sum<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"sum", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, SumDType<D>>;
  /** The mean; integers give f32. NaN over an empty axis. @example tensor([[1, 2], [3, 4]]).mean(1) // [1.5, 3.5] */
  mean<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"mean", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, FloatOf<D>>;
  /** Π x; its gradient is right with zeros among the factors. @example tensor([[1, 2], [3, 4]]).prod() // 24 */
  prod<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"prod", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, SumDType<D>>;
  /** The largest; NaN if any is. Equal ones share the gradient. @example tensor([[1, 2], [3, 4]]).max(0) // [3, 4] */
  max<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"max", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, D>;
  /** The smallest; NaN if any is. Equal ones share the gradient. @example tensor([[1, 2], [3, 4]]).min() // 1 */
  min<
    S extends TensorShape,
    D extends DType,
    const A extends Axes | undefined = undefined,
    const K extends boolean = false,
  >(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"min", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, D>;
  /** Whether one is true, of bool. @example tensor([-1, 1]).less(0).any() // true */
  any<S extends TensorShape, const A extends Axes | undefined = undefined, const K extends boolean = false>(
    this: Tensor<S, any>,
    axis?: A & AxisCheck<"any", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, "bool">;
  /** Whether all are true, of bool. @example tensor([1, 2]).isFinite().all() // true */
  all<S extends TensorShape, const A extends Axes | undefined = undefined, const K extends boolean = false>(
    this: Tensor<S, any>,
    axis?: A & AxisCheck<"all", S, A>,
    options?: ReduceOptions<K>,
  ): TensorOf<Reduce<S, A, K>, "bool">;
}

type Reduction = (x: Node, axes: readonly number[]) => Node;

/** A reduction with checked axes; kept dimensions are put back by a reshape. */
export const reduction =
  (what: string, reduce: Reduction) =>
  (x: Node, axis?: Axes, { keepDims = false }: ReduceOptions = {}): Node => {
    const axes = normalizeAxes(axis, x.shape.length, what);
    const result = reduce(x, axes);
    return keepDims
      ? reshape(
          result,
          x.shape.map((size, i) => (axes.includes(i) ? 1 : size)),
        )
      : result;
  };

const summable = (x: Node): Node =>
  x.dtype === "bool" || x.dtype === "i8" || x.dtype === "u8" ? cast(x, "i32") : x;

/** Σ x / n, n as a constant unless a size is known late. A sum in 16 bits could overflow: it stays in f32 until the end. */
function mean(x: Node, axes: readonly number[]): Node {
  if (x.dtype === "f16" || x.dtype === "bf16") return cast(mean(cast(x, "f32"), axes), x.dtype);
  const float = asFloat(x);
  const total = sum(float, axes);
  const count = productOf(axes.map((axis) => x.shape[axis]!));
  return div(total, typeof count === "number" ? like(total, count) : countOf(float, axes));
}

/** The number of elements behind each result, counted when the program runs. */
const countOf = (x: Node, axes: readonly number[]): Node => sum(like(x, 1), axes);

export const reductions = {
  sum: reduction("sum", (x, axes) => sum(summable(x), axes)),
  mean: reduction("mean", mean),
  prod: reduction("prod", (x, axes) => prod(summable(x), axes)),
  max: reduction("max", max),
  min: reduction("min", min),
  any: reduction("any", any),
  all: reduction("all", all),
};
