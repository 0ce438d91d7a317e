/** Reductions: elements folded along axes, which vanish unless `keepDims` is set. No axis means all of them. */
import type { DType } from "../../base/dtype.ts";
import { normalizeAxes } from "../../base/shape.ts";
import type { Axes, AxisCheck, Reduce, TensorShape } from "../../base/shape-types.ts";
import type { SumDType } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import { cast, reshape, sum } from "../../ops/index.ts";
import type { Tensor } from "../tensor.ts";
import type { TensorOf } from "../types.ts";

export interface ReduceOptions<K extends boolean = boolean> {
  /** Folded axes stay, with size 1. */
  readonly keepDims?: K;
}

export interface ReduceMethods {
  /** Σ x; bool counts as i32. @example tensor([[1, 2], [3, 4]]).sum(0) // 4, 6 */
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
}

type Reduction = (x: Node, axes: readonly number[]) => Node;

/** A reduction with checked axes; kept dimensions are put back by a reshape. */
const reduction =
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

export const reductions = {
  sum: reduction("sum", (x, axes) => sum(summable(x), axes)),
};
