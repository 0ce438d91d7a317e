/** Sorting, the largest few, quantiles, counts. */
import type { DType } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import { normalizeAxis } from "../../base/shape.ts";
import type { AxisCheck, Reduce, ReplaceAxis, TensorShape } from "../../base/shape-types.ts";
import type { FloatOf } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { toNode } from "../convert.ts";
import { asFloat } from "../elementwise.ts";
import type { Tensor } from "../tensor.ts";
import type { TensorLike, TensorOf } from "../types.ts";

export interface SortOptions {
  /** Default false: rising. NaN counts as larger than everything. */
  readonly descending?: boolean;
}

export interface TopkOptions<A extends number = number> {
  /** Default −1. */
  readonly axis?: A;
  /** Default true; false gives the smallest, rising. */
  readonly largest?: boolean;
}

export interface SortingMethods {
  /**
   * Sorted along an axis, the last when left out. Equal elements keep their order; the gradient goes where each came from.
   *
   * @example tensor([3, 1, 2]).sort() // [1, 2, 3]
   */
  sort<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    axis?: number,
    options?: SortOptions,
  ): Tensor<S, D>;
  /** The indices that sort along an axis, the last when left out. @example tensor([3, 1, 2]).argsort() // [1, 2, 0] */
  argsort<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    axis?: number,
    options?: SortOptions,
  ): TensorOf<S, "i32">;
  /**
   * The k largest along an axis (or the smallest), in order, and where they are.
   *
   * @throws ArgumentError when the axis has fewer than k
   * @example
   * const { values, indices } = tensor([3, 1, 4, 1, 5]).topk(2);
   * values; // [5, 4]
   * indices; // [4, 2]
   */
  topk<S extends TensorShape, D extends DType, const A extends number = -1>(
    this: Tensor<S, D>,
    k: number,
    options?: TopkOptions<A & AxisCheck<"topk", S, A>>,
  ): {
    values: TensorOf<ReplaceAxis<S, A, [number]>, D>;
    indices: TensorOf<ReplaceAxis<S, A, [number]>, "i32">;
  };
  /**
   * The value below which a share q of the elements along an axis lies, between two of them in a straight line, as in NumPy. For a
   * list of shares one value each, along a new first axis.
   *
   * @throws ArgumentError unless 0 ≤ q ≤ 1
   * @example
   * tensor([1, 2, 3, 4]).quantile(0.25, 0); // 1.75
   * tensor([1, 2, 3, 4]).quantile([0, 0.5], 0); // [1, 2.5]
   */
  quantile<
    S extends TensorShape,
    D extends DType,
    const A extends number,
    const Q extends number | readonly number[],
  >(
    this: Tensor<S, D>,
    q: Q,
    axis: A & AxisCheck<"quantile", S, A>,
  ): TensorOf<Q extends number ? Reduce<S, A, false> : any, FloatOf<D>>;
  /**
   * The middle element along an axis; of an even number the mean of the middle two, as in NumPy (PyTorch gives the lower).
   *
   * @example tensor([5, 1, 3, 4]).median(0) // 3.5
   */
  median<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    axis: A & AxisCheck<"median", S, A>,
  ): TensorOf<Reduce<S, A, false>, FloatOf<D>>;
  /**
   * The different elements, sorted, of all axes together: `values` (size) with zeros behind, `count` of them, `inverse` (where in
   * `values` each element stands), `counts` (how often each occurs). More than `size` fail the run; all fit when it is left out.
   *
   * @example
   * const { values, count, inverse, counts } = tensor([3, 1, 3]).unique();
   * values; // [1, 3, 0]
   * count; // 2
   * inverse; // [1, 0, 1]
   * counts; // [1, 2, 0]
   */
  unique<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    options?: { readonly size?: number },
  ): {
    values: Tensor<[number], D>;
    count: Tensor<[], "i32">;
    inverse: TensorOf<S, "i32">;
    counts: Tensor<[number], "i32">;
  };
  /**
   * Where values would be put into this sorted vector: before equal elements ("left", the default) or behind them ("right").
   *
   * @example tensor([1, 3, 3, 7]).searchSorted([3, 8]) // [1, 4]
   */
  searchSorted(
    this: Tensor,
    values: TensorLike,
    options?: { readonly side?: "left" | "right" },
  ): Tensor<any, "i32">;
  /**
   * How often each of 0 … length − 1 occurs, or the sum of the weights there. Another number fails the run.
   *
   * @example tensor([0, 2, 2], { dtype: "i32" }).bincount(4) // [1, 0, 2, 0]
   */
  bincount(this: Tensor, length: number, options?: { readonly weights?: TensorLike }): Tensor<[number]>;
  /**
   * How many elements lie in each of `bins` equal bins from `low` to `high`, the last with its upper end; what lies outside is
   * left out. As NumPy's `histogram` with a range.
   *
   * @example
   * const { counts, edges } = tensor([0, 1, 1, 4]).histogram({ bins: 2, low: 0, high: 4 });
   * counts; // [3, 1]
   * edges; // [0, 2, 4]
   */
  histogram(
    this: Tensor,
    options: { readonly bins?: number; readonly low: number; readonly high: number },
  ): { counts: Tensor<[number], "i32">; edges: Tensor<[number], "f32"> };
}

function histogramOf(x: Node, { bins = 10, low, high }: { bins?: number; low: number; high: number }) {
  if (!Number.isInteger(bins) || bins < 1 || !(low < high))
    throw new ArgumentError(
      `histogram: needs 1 or more bins and low < high, got ${bins} bins from ${low} to ${high}`,
    );
  const data = Float32Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins);
  const edges = ops.array({ dtype: "f32", shape: [bins + 1], data });
  return { counts: ops.histogram(ops.cast(x, "f32"), edges), edges };
}

const countOf = (x: Node): number => (x.shape as readonly number[]).reduce((a, b) => a * b, 1);

export const sorting = {
  sort: (x: Node, axis = -1, { descending = false }: SortOptions = {}): Node => ops.sort(x, axis, descending),
  argsort: (x: Node, axis = -1, { descending = false }: SortOptions = {}): Node =>
    ops.orderAlong(x, axis, descending),
  topk: (x: Node, k: number, options?: TopkOptions) => ops.topk(x, k, options),
  quantile: (x: Node, q: number | readonly number[], axis: number): Node =>
    typeof q === "number" ? ops.quantile(asFloat(x), q, axis) : ops.quantiles(asFloat(x), q, axis),
  median: (x: Node, axis: number): Node =>
    ops.quantile(asFloat(x), 0.5, normalizeAxis(axis, x.shape.length, "median")),
  unique: (x: Node, { size = countOf(x) }: { size?: number } = {}) => ({ ...ops.unique(x, size) }),
  searchSorted: (x: Node, values: TensorLike, { side = "left" }: { side?: "left" | "right" } = {}): Node =>
    ops.searchSorted(x, ops.cast(toNode(values, x.dtype, "searchSorted"), x.dtype), side),
  bincount: (x: Node, length: number, { weights }: { weights?: TensorLike } = {}): Node =>
    ops.bincount(
      ops.cast(x, "i32"),
      length,
      weights === undefined ? undefined : toNode(weights, "f32", "bincount"),
    ),
  histogram: histogramOf,
};
