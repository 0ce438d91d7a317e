/** NumPy's indexing: integers, slices, new axes, an ellipsis, lists of indices. */
import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { broadcastShapes, type Shape, shapeText } from "../../base/shape.ts";
import { productOf } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { add, mul } from "../arithmetic.ts";
import { broadcastTo, reshape } from "../broadcast.ts";
import { checkIndex } from "../check.ts";
import { less } from "../compare.ts";
import { full, like, zerosLike } from "../constants.ts";
import { gather, scatter } from "../indexed.ts";
import { permute } from "../permute.ts";
import { select } from "../select.ts";
import { flip, slice } from "../slice.ts";
import { iota } from "../sources.ts";

/** Elements `start` up to before `stop`, each `step`-th, with Python's rules: what is left out is the end that the step walks to. */
export interface Range {
  readonly start: number | undefined;
  readonly stop: number | undefined;
  readonly step: number;
}

/** One index: an integer, a range, a new axis (null), all axes between ("..."), or a tensor of indices (i32). */
export type NodeIndex = number | Range | null | "..." | Node;

const isList = (index: NodeIndex): index is Node =>
  typeof index === "object" && index !== null && "op" in index;

/**
 * x at indices, one an axis from the first on; what is not named stays whole. Integers take their axis away, ranges keep it,
 * `null` adds one. Tensors of indices are broadcast together and replaced by their common axes: in their place where they stand
 * side by side, else in front. Negative ones count from the end; one outside is an error, in a tensor one that fails the run.
 */
export function indexed(x: Node, indices: readonly NodeIndex[]): Node {
  const all = withoutEllipsis(x, indices);
  const [basic, lists] = takeBasic(x, all.some(isList) ? integersAsLists(x, all) : all);
  return lists.length === 0 ? basic : takeLists(basic, lists);
}

/** x with `value`, which broadcasts to what `indexed(x, indices)` gives, in those places: the last of several stays. */
export function withValuesAt(x: Node, indices: readonly NodeIndex[], value: Node): Node {
  const count = productOf(x.shape);
  const places = indexed(reshape(iota([count], 0), x.shape), indices);
  const taken = productOf(places.shape);
  const changed = scatter(
    reshape(x, [count]),
    reshape(places, [taken]),
    reshape(broadcastTo(value, places.shape), [taken]),
    0,
  );
  return reshape(changed, x.shape);
}

/** The ellipsis, or the end, as whole axes. */
function withoutEllipsis(x: Node, indices: readonly NodeIndex[]): Exclude<NodeIndex, "...">[] {
  const rank = x.shape.length;
  const taken = indices.filter((index) => index !== null && index !== "...").length;
  if (taken > rank)
    throw new ShapeError(`at: ${taken} indices for ${rank} axes of ${shapeText(x.shape)}; leave some out`);
  const places = indices.flatMap((index, i) => (index === "..." ? [i] : []));
  if (places.length > 1) throw new ArgumentError('at: "..." may stand once among the indices');
  const [place = indices.length] = places;
  const whole = Array.from({ length: rank - taken }, () => ({ start: undefined, stop: undefined, step: 1 }));
  return [...indices.slice(0, place), ...whole, ...indices.slice(place + 1)] as Exclude<NodeIndex, "...">[];
}

/** Beside tensors of indices an integer is one, too: so NumPy decides where their axes go. */
function integersAsLists(
  x: Node,
  indices: readonly Exclude<NodeIndex, "...">[],
): Exclude<NodeIndex, "...">[] {
  let axis = 0;
  return indices.map((index) => {
    if (index === null) return null;
    const own = axis++;
    return typeof index === "number" ? full([], partOf(x, own, index).start, "i32") : index;
  });
}

/** A tensor of indices, and the axis of the intermediate result that it indexes. */
interface List {
  readonly axis: number;
  readonly indices: Node;
}

/** Integers, ranges and new axes; axes that lists will index stay whole. */
function takeBasic(x: Node, indices: readonly Exclude<NodeIndex, "...">[]): [taken: Node, lists: List[]] {
  const parts = { start: [] as number[], step: [] as number[], shape: [] as Shape[number][] };
  const backwards: number[] = [];
  const result: Shape[number][] = [];
  const lists: List[] = [];
  let axis = 0;
  for (const index of indices) {
    if (index === null) {
      result.push(1);
      continue;
    }
    const size = x.shape[axis]!;
    const { start, step, length, isBackwards } = partOf(x, axis, index);
    parts.start.push(start);
    parts.step.push(step);
    parts.shape.push(length ?? size);
    if (isBackwards) backwards.push(axis);
    if (isList(index)) lists.push({ axis: result.length, indices: index });
    if (typeof index !== "number") result.push(length ?? size);
    axis++;
  }
  const isWhole = parts.shape.every((size, i) => size === x.shape[i]);
  const taken = isWhole ? x : slice(x, parts);
  return [reshape(backwards.length > 0 ? flip(taken, backwards) : taken, result), lists];
}

/** What an index takes of an axis: a rising slice, to be walked backwards where the step is negative; undefined: all. */
function partOf(
  x: Node,
  axis: number,
  index: Exclude<NodeIndex, "..." | null>,
): { start: number; step: number; length: number | undefined; isBackwards: boolean } {
  const size = x.shape[axis]!;
  if (isList(index)) return { start: 0, step: 1, length: undefined, isBackwards: false };
  if (typeof index !== "number" && index.start === undefined && index.stop === undefined && index.step === 1)
    return { start: 0, step: 1, length: undefined, isBackwards: false };
  if (typeof size !== "number")
    throw new ShapeError(
      `at: axis ${axis}, ${size}, is known only when the program runs; index it with a tensor`,
    );
  if (typeof index === "number") {
    const at = index < 0 ? index + size : index;
    if (!Number.isInteger(index) || at < 0 || at >= size)
      throw new ShapeError(`at: index ${index} is outside axis ${axis} of ${shapeText(x.shape)}`);
    return { start: at, step: 1, length: 1, isBackwards: false };
  }
  return rangeOf(index, size);
}

/** Python's `slice.indices`. */
function rangeOf({ start, stop, step }: Range, size: number) {
  for (const bound of [start, stop, step])
    if (bound !== undefined && !Number.isInteger(bound))
      throw new ArgumentError(`at: bounds and steps of a range must be integers, got ${bound}`);
  if (step === 0) throw new ArgumentError("at: the step of a range must not be 0");
  const [lowest, highest] = step > 0 ? [0, size] : [-1, size - 1];
  const bound = (given: number | undefined, otherwise: number): number =>
    given === undefined ? otherwise : Math.min(Math.max(given < 0 ? given + size : given, lowest), highest);
  const from = bound(start, step > 0 ? lowest : highest);
  const to = bound(stop, step > 0 ? highest : lowest);
  const length = Math.max(0, Math.ceil((to - from) / step));
  const first = step > 0 || length === 0 ? from : from + (length - 1) * step;
  return {
    start: length === 0 ? 0 : first,
    step: Math.abs(step),
    length,
    isBackwards: step < 0 && length > 1,
  };
}

/** The axes of the lists in front as one, gathered at the combined indices, their common axes put where they belong. */
function takeLists(x: Node, lists: readonly List[]): Node {
  const axes = lists.map(({ axis }) => axis);
  const rest = x.shape.flatMap((_, i) => (axes.includes(i) ? [] : [i]));
  const common = lists.map(({ indices }) => indices.shape).reduce((a, b) => broadcastShapes(a, b, "at"));
  const table = reshape(permute(x, [...axes, ...rest]), [
    productOf(axes.map((axis) => x.shape[axis]!)),
    ...rest.map((axis) => x.shape[axis]!),
  ]);
  let place: Node = full(common, 0, "i32");
  for (const { axis, indices } of lists) {
    const size = x.shape[axis]!;
    if (typeof size !== "number")
      throw new ShapeError(`at: axis ${axis}, ${size}, is known only when the program runs`);
    const own = broadcastTo(fromStart(indices, size, axis), common);
    place = add(mul(place, like(place, size)), own);
  }
  const found = gather(table, place, 0); // (…common, …rest)
  const isAdjacent = axes.every((axis, i) => axis === axes[0]! + i);
  const before = isAdjacent ? rest.filter((axis) => axis < axes[0]!).length : 0;
  const rank = common.length;
  const order = found.shape.map((_, i) => i);
  return permute(found, [
    ...order.slice(rank, rank + before),
    ...order.slice(0, rank),
    ...order.slice(rank + before),
  ]);
}

/** Negative indices counted from the end; what is outside fails the run. */
function fromStart(indices: Node, size: number, axis: number): Node {
  const isNegative = less(indices, zerosLike(indices));
  const positive = select(isNegative, add(indices, like(indices, size)), indices);
  return checkIndex(
    positive,
    size,
    `at: indices into axis ${axis} of size ${size} must be ${-size} … ${size - 1}`,
  );
}
