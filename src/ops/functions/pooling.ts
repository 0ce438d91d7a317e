/**
 * Pooling: windows of the spatial axes of (N, C, …spatial), reduced to one element each. Channels come last inside, as in
 * convolutions. Backwards each place gathers from the windows that show it (`phases.ts`).
 */
import type { Shape } from "../../base/shape.ts";
import { addSizes, productOf, type Size } from "../../base/size.ts";
import { composed } from "../../graph/composition.ts";
import type { Node } from "../../graph/node.ts";
import { add, div, mul, sub } from "../arithmetic.ts";
import { expandAxes, reshape, sum } from "../broadcast.ts";
import { equal, notEqual } from "../compare.ts";
import { full, like, zerosLike } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { or } from "../logical.ts";
import { maximum, minimum } from "../magnitude.ts";
import { permute } from "../permute.ts";
import { max, min } from "../reduce.ts";
import { select } from "../select.ts";
import { slice } from "../slice.ts";
import { iota } from "../sources.ts";
import { windows } from "../windows.ts";
import { channelsFirst, channelsLast } from "./correlation.ts";
import { framed, gatherWindows, range, type Seen, spatialOf, type WindowGeometry } from "./phases.ts";

/** Entry by entry for the spatial axes. Padding is never the largest, and counts in an average only where it says so. */
export interface PoolGeometry extends WindowGeometry {
  readonly sizes: readonly number[];
}

interface Windows {
  /** (N, …, C) with the axes of windows and of their elements between. */
  readonly view: Node;
  /** The axes of a window's elements. */
  readonly within: readonly number[];
}

/** The windows of x, (N, …spatial, C), with `value` around it. */
function windowsOf(x: Node, geometry: PoolGeometry, value: number): Windows {
  const { sizes, strides, dilations, padding } = geometry;
  const whole = framed(x, padding, value);
  return isTiled(geometry) ? tilesOf(whole, sizes) : slidingWindows(whole, { sizes, strides, dilations });
}

/** Whether windows lie side by side. */
const isTiled = ({ sizes, strides, dilations }: PoolGeometry): boolean =>
  sizes.every((size, i) => size === strides[i] && (dilations[i] === 1 || size === 1));

/** Windows that lie side by side split each axis in two: (N, P, size, Q, size, C). Such a view needs no gradient of its own. */
function tilesOf(x: Node, sizes: readonly number[]): Windows {
  const counts = (spatialOf(x) as readonly number[]).map((size, i) => Math.floor(size / sizes[i]!));
  const used = slice(x, {
    start: x.shape.map(() => 0),
    shape: [x.shape[0]!, ...counts.map((count, i) => count * sizes[i]!), x.shape.at(-1)!],
  });
  const split = counts.flatMap((count, i) => [count, sizes[i]!]);
  return {
    view: reshape(used, [x.shape[0]!, ...split, x.shape.at(-1)!]),
    within: sizes.map((_, i) => 2 * i + 2),
  };
}

/** (N, …windows, …size, C) */
function slidingWindows(
  x: Node,
  options: {
    readonly sizes: readonly number[];
    readonly strides: readonly number[];
    readonly dilations: readonly number[];
  },
): Windows {
  const rank = options.sizes.length;
  const seen = windows(x, { axes: range(1, rank), ...options });
  const order = [...range(0, rank + 1), ...range(rank + 2, rank), rank + 1];
  return { view: permute(seen, order), within: range(rank + 1, rank) };
}

/** The position in the window, row by row, of the elements that are seen of windows of `sizes`. */
function positions(shape: Shape, within: readonly number[], sizes: readonly number[]): Node {
  return within
    .map((axis, i) => {
      const index = iota(shape, axis);
      return mul(index, like(index, productOf(sizes.slice(i + 1)) as number));
    })
    .reduce(add);
}

/**
 * The largest element of each window; the gradient goes to the first of equal ones, as in PyTorch.
 *
 * @throws ShapeError when a window is larger than the padded input
 */
export const maxPool = (x: Node, geometry: PoolGeometry): Node =>
  composed(channelsFirst(maxOfWindows(channelsLast(x), geometry)), "maxPool", [x], { ...geometry });

function maxOfWindows(x: Node, geometry: PoolGeometry): Node {
  const { view, within } = windowsOf(x, geometry, -Infinity);
  const largest = max(view, within);
  const position = positions(view.shape, within, geometry.sizes);
  const isLargest = equal(view, expandAxes(largest, within, view.shape));
  const first = min(select(isLargest, position, like(position, 2 ** 30)), within);
  return customGradient(largest, [x], (g) => [toFirst(g, first, geometry, spatialOf(x))]);
}

/**
 * Where the largest element of each window stands in its image, counted row by row without padding (i32): the first of equal ones. The
 * first NaN counts as the largest.
 */
export const maxPoolIndices = (x: Node, geometry: PoolGeometry): Node =>
  channelsFirst(placesOfMaxima(channelsLast(x), geometry));

function placesOfMaxima(x: Node, geometry: PoolGeometry): Node {
  const { view, within } = windowsOf(x, geometry, -Infinity);
  const { strides, dilations, padding } = geometry;
  const spatial = spatialOf(x) as readonly number[];
  const { shape } = view;
  const scaled = (axis: number, by: number): Node => mul(iota(shape, axis), full(shape, by, "i32"));
  const place = within
    .map((axis, i) => {
      const window = isTiled(geometry) ? axis - 1 : i + 1;
      const at = add(scaled(window, strides[i]!), scaled(axis, dilations[i]!));
      const from = sub(at, full(shape, padding[i]![0], "i32"));
      // Padding is as small as an element can be: where all are, the nearest place stands for it.
      const inside = maximum(minimum(from, full(shape, spatial[i]! - 1, "i32")), full(shape, 0, "i32"));
      return mul(inside, full(shape, productOf(spatial.slice(i + 1)) as number, "i32"));
    })
    .reduce(add);
  const largest = expandAxes(max(view, within), within, shape);
  const isLargest = or(equal(view, largest), notEqual(view, view));
  return min(select(isLargest, place, full(shape, 2 ** 30, "i32")), within);
}

/** An image with each window's g at the element that stands first, and zeros. */
function toFirst(g: Node, first: Node, geometry: PoolGeometry, spatial: Shape): Node {
  const { sizes } = geometry;
  if (isTiled(geometry)) return toFirstOfTiles(g, first, geometry, spatial);
  return gatherWindows(
    [
      { x: g, around: 0 },
      { x: first, around: -1 },
    ],
    {
      geometry,
      sizes,
      spatial,
      channels: g.shape.at(-1)!,
      gather([values, places], seen) {
        const windowsIn = (x: Node): Windows => seenWindows(x, seen);
        const [value, place] = [windowsIn(values!), windowsIn(places!)];
        const position = backwardPositions(place, seen, sizes);
        const chosen = select(equal(place.view, position), value.view, zerosLike(value.view));
        return sum(chosen, value.within);
      },
    },
  );
}

function toFirstOfTiles(g: Node, first: Node, { sizes, padding }: PoolGeometry, spatial: Shape): Node {
  const counts = spatialOf(g) as readonly number[];
  const split = counts.flatMap((count, i) => [count, sizes[i]!]);
  const shape = [g.shape[0]!, ...split, g.shape.at(-1)!];
  const within = sizes.map((_, i) => 2 * i + 2);
  const position = positions(shape, within, sizes);
  const isFirst = equal(position, expandAxes(first, within, shape));
  const spread = select(isFirst, expandAxes(g, within, shape), full(shape, 0, g.dtype));
  const image = reshape(spread, [
    g.shape[0]!,
    ...counts.map((count, i) => count * sizes[i]!),
    g.shape.at(-1)!,
  ]);
  const around = spatial.map((size, i): [Size, Size] => {
    const low = padding[i]![0];
    return [-low, addSizes(size, low - counts[i]! * sizes[i]!)];
  });
  return framed(image, around);
}

const seenWindows = (x: Node, { counts, dilations }: Seen): Windows =>
  slidingWindows(x, { sizes: counts, strides: counts.map(() => 1), dilations });

/** Of each element of windows that are seen backwards, the position in the window of `sizes` that it stands for. */
function backwardPositions(
  { view, within }: Windows,
  { firsts, steps, counts }: Seen,
  sizes: readonly number[],
): Node {
  return within
    .map((axis, i) => {
      const index = iota(view.shape, axis);
      const unit = productOf(sizes.slice(i + 1)) as number;
      const last = (firsts[i]! + steps[i]! * (counts[i]! - 1)) * unit;
      return add(mul(index, like(index, -steps[i]! * unit)), like(index, last));
    })
    .reduce(add);
}

/**
 * The mean of each window. `countsPadding`: zeros that were put around count as elements; else a window's sum is divided by how
 * many of its elements lie in x. `divisor` replaces the count.
 */
export function averagePool(x: Node, options: AveragePoolGeometry): Node {
  const y = averageOfWindows(x, options);
  // A divisor of one's own is no pool that other programs know.
  return options.divisor === undefined ? composed(y, "averagePool", [x], { ...options }) : y;
}

interface AveragePoolGeometry extends PoolGeometry {
  readonly countsPadding: boolean;
  readonly divisor?: number | undefined;
}

function averageOfWindows(x: Node, { countsPadding, divisor, ...geometry }: AveragePoolGeometry): Node {
  const last = channelsLast(x);
  const total = sumOfWindows(last, geometry);
  const isPadded = geometry.padding.some(([low, high]) => low > 0 || high > 0);
  if (divisor !== undefined || countsPadding || !isPadded)
    return channelsFirst(div(total, like(total, divisor ?? (productOf(geometry.sizes) as number))));
  const ones = windowsOf(full([1, ...spatialOf(last), 1], 1, x.dtype), geometry, 0);
  const counts = sum(sum(ones.view, ones.within), [0, spatialOf(last).length + 1]);
  return channelsFirst(div(total, expandAxes(counts, [0, total.shape.length - 1], total.shape)));
}

function sumOfWindows(x: Node, geometry: PoolGeometry): Node {
  const { view, within } = windowsOf(x, geometry, 0);
  if (isTiled(geometry)) return sum(view, within);
  return customGradient(sum(view, within), [x], (g) => [spreadOverWindows(g, geometry, spatialOf(x))]);
}

/** The transpose of `sumOfWindows`: at each place the sum of g over the windows that show it. */
function spreadOverWindows(g: Node, geometry: PoolGeometry, spatial: Shape): Node {
  const spread = gatherWindows([{ x: g, around: 0 }], {
    geometry,
    sizes: geometry.sizes,
    spatial,
    channels: g.shape.at(-1)!,
    gather([values], seen) {
      const { view, within } = seenWindows(values!, seen);
      return sum(view, within);
    },
  });
  return customGradient(spread, [g], (v) => [sumOfWindows(v, geometry)]);
}
