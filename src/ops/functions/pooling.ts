/** Pooling: windows of the spatial axes of (N, C, …spatial), reduced to one element each. */
import { productOf } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { add, div, mul } from "../arithmetic.ts";
import { expandAxes, sum } from "../broadcast.ts";
import { equal } from "../compare.ts";
import { full, like, zerosLike } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { max, min } from "../reduce.ts";
import { select } from "../select.ts";
import { pad, slice } from "../slice.ts";
import { iota } from "../sources.ts";
import { foldWindows, windows } from "../windows.ts";

/** Entry by entry for the spatial axes. */
export interface PoolGeometry {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Elements put before and after: they are never the largest, and count in an average only where it says so. */
  readonly padding: readonly (readonly [low: number, high: number])[];
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

interface Seen {
  readonly shape: Node["shape"];
  readonly view: Node;
  /** The axes of a window's elements. */
  readonly within: readonly number[];
  readonly options: {
    axes: number[];
    sizes: readonly number[];
    strides: readonly number[];
    dilations: readonly number[];
  };
}

function windowsOf(x: Node, { sizes, strides, dilations, padding }: PoolGeometry, value: number): Seen {
  const whole = padding.every(([low, high]) => low === 0 && high === 0)
    ? x
    : pad(x, {
        low: [0, 0, ...padding.map(([low]) => low)],
        high: [0, 0, ...padding.map(([, high]) => high)],
        value,
      });
  const options = { axes: range(2, sizes.length), sizes, strides, dilations };
  return {
    shape: whole.shape,
    view: windows(whole, options),
    within: range(2 + sizes.length, sizes.length),
    options,
  };
}

/**
 * The largest element of each window; the gradient goes to the first of equal ones, as in PyTorch.
 *
 * @throws ShapeError when a window is larger than the padded input
 */
export function maxPool(x: Node, geometry: PoolGeometry): Node {
  const { view, within, shape, options } = windowsOf(x, geometry, -Infinity);
  const largest = max(view, within);
  // The position in the window, row by row.
  const position = within
    .map((axis, i) => {
      const step = productOf(options.sizes.slice(i + 1)) as number;
      const index = iota(view.shape, axis);
      return mul(index, like(index, step));
    })
    .reduce(add);
  return customGradient(largest, [x], (g) => {
    const isLargest = equal(view, expandAxes(largest, within, view.shape));
    const first = min(select(isLargest, position, like(position, 2 ** 30)), within);
    const isFirst = equal(position, expandAxes(first, within, view.shape));
    const spread = select(isFirst, expandAxes(g, within, view.shape), zerosLike(view));
    return [unpadded(foldWindows(spread, shape, options), x, geometry)];
  });
}

/**
 * The mean of each window. `countsPadding`: zeros that were put around count as elements; else a window's sum is divided by how
 * many of its elements lie in x. `divisor` replaces the count.
 */
export function averagePool(
  x: Node,
  {
    countsPadding,
    divisor,
    ...geometry
  }: PoolGeometry & { countsPadding: boolean; divisor?: number | undefined },
): Node {
  const { view, within } = windowsOf(x, geometry, 0);
  const total = sum(view, within);
  const isPadded = geometry.padding.some(([low, high]) => low > 0 || high > 0);
  if (divisor !== undefined || countsPadding || !isPadded)
    return div(total, like(total, divisor ?? (productOf(geometry.sizes) as number)));
  const ones = windowsOf(full([1, 1, ...x.shape.slice(2)], 1, x.dtype), geometry, 0);
  const counts = sum(ones.view, ones.within);
  return div(total, expandAxes(sum(counts, [0, 1]), [0, 1], total.shape));
}

/** Without what padding put around. */
function unpadded(whole: Node, x: Node, { padding }: PoolGeometry): Node {
  return slice(whole, { start: [0, 0, ...padding.map(([low]) => low)], shape: x.shape });
}
