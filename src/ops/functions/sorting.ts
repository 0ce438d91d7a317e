/** What follows from the order of elements: sorting, the largest few, quantiles, places in a sorted list, what is different. */
import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { normalizeAxis, shapeText } from "../../base/shape.ts";
import { productOf } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { add, div, sub } from "../arithmetic.ts";
import { broadcastTo, reshape, sum } from "../broadcast.ts";
import { cast } from "../cast.ts";
import { check } from "../check.ts";
import { equal, less, lessEqual, notEqual } from "../compare.ts";
import { concat } from "../concat.ts";
import { full, like, zerosLike } from "../constants.ts";
import { gather, scatterAdd } from "../indexed.ts";
import { and, not, or } from "../logical.ts";
import { minimum, remainder } from "../magnitude.ts";
import { permute } from "../permute.ts";
import { select } from "../select.ts";
import { sliceAxis } from "../slice.ts";
import { argsort } from "../sort.ts";
import { iota } from "../sources.ts";
import { takeAlong } from "./arrangement.ts";
import { cumulativeSum } from "./cumulative.ts";
import { lerp } from "./numbers.ts";

/** The indices (i32) that sort x along an axis: equal elements keep their order, NaN counts as larger than everything. */
export function orderAlong(x: Node, axis: number, descending = false): Node {
  const at = normalizeAxis(axis, x.shape.length, "argsort");
  if (at === x.shape.length - 1) return argsort(x, descending);
  const swapped = x.shape.map((_, i) => (i === at ? x.shape.length - 1 : i === x.shape.length - 1 ? at : i));
  return permute(argsort(permute(x, swapped), descending), swapped);
}

/** x sorted along an axis; the gradient goes where each element came from. */
export const sort = (x: Node, axis: number, descending = false): Node =>
  takeAlong(x, orderAlong(x, axis, descending), axis);

/** The k largest (or smallest) along an axis, in order, and their indices. */
export function topk(
  x: Node,
  k: number,
  { axis = -1, largest = true }: { axis?: number; largest?: boolean } = {},
): { values: Node; indices: Node } {
  const at = normalizeAxis(axis, x.shape.length, "topk");
  const size = x.shape[at]!;
  if (!Number.isInteger(k) || k < 0 || (typeof size === "number" && k > size))
    throw new ArgumentError(
      `topk: k must be an integer from 0 to ${size}, the size of axis ${axis}, got ${k}`,
    );
  const indices = sliceAxis(orderAlong(x, at, largest), at, 0, k);
  return { values: takeAlong(x, indices, at), indices };
}

/**
 * The value below which a share q of the elements along an axis lies: between two of them in a straight line, as in NumPy. A NaN
 * among them makes it NaN.
 */
export const quantile = (x: Node, q: number, axis: number): Node => quantilesOf(x, [q], axis)[0]!;

/** The same for a list of shares, as a new first axis, from one sorting. */
export const quantiles = (x: Node, q: readonly number[], axis: number): Node =>
  q.length === 0
    ? full([0, ...withoutAxis(x, normalizeAxis(axis, x.shape.length, "quantile"))], 0, x.dtype)
    : concat(
        quantilesOf(x, q, axis).map((value) => reshape(value, [1, ...value.shape])),
        0,
      );

const withoutAxis = (x: Node, axis: number) => x.shape.filter((_, i) => i !== axis);

function quantilesOf(x: Node, list: readonly number[], axis: number): Node[] {
  const wrong = list.find((q) => !(q >= 0 && q <= 1));
  if (wrong !== undefined) throw new ArgumentError(`quantile: q must be from 0 to 1, got ${wrong}`);
  const at = normalizeAxis(axis, x.shape.length, "quantile");
  const size = x.shape[at]!;
  if (typeof size !== "number" || size === 0)
    throw new ShapeError(`quantile: axis ${axis} of ${shapeText(x.shape)} has no elements to choose of`);
  const sorted = sort(x, at);
  const element = (i: number): Node => reshape(sliceAxis(sorted, at, i, 1), withoutAxis(x, at));
  const last = element(size - 1);
  return list.map((q) => {
    const position = q * (size - 1);
    const [low, high] = [Math.floor(position), Math.ceil(position)];
    const below = element(low);
    const value = low === high ? below : lerp(below, element(high), like(below, position - low));
    return select(notEqual(last, last), last, value);
  });
}

/**
 * How many elements of a sorted vector are below each value ("left"), or not above it ("right"): where it would be put in.
 * NaN stands after everything. A search by halves: as many steps as the length has bits.
 */
export function searchSorted(sorted: Node, values: Node, side: "left" | "right" = "left"): Node {
  const [size] = sorted.shape;
  if (sorted.shape.length !== 1 || typeof size !== "number")
    throw new ShapeError(`searchSorted: searches a vector of known size, got ${shapeText(sorted.shape)}`);
  const comesBefore = (a: Node, v: Node): Node => {
    const isNoNumber = notEqual(v, v);
    return side === "left" ? or(less(a, v), and(isNoNumber, equal(a, a))) : or(lessEqual(a, v), isNoNumber);
  };
  let found = full(values.shape, 0, "i32");
  if (size === 0) return found;
  for (let step = 2 ** Math.floor(Math.log2(size)); step >= 1; step /= 2) {
    const candidate = add(found, like(found, step));
    const isInside = lessEqual(candidate, like(found, size));
    const place = sub(minimum(candidate, like(found, size)), like(found, 1));
    const takes = and(isInside, comesBefore(gather(sorted, place, 0), values));
    found = select(takes, candidate, found);
  }
  return found;
}

/** How often each of 0 … length − 1 occurs in x (i32, any shape), or the sum of the weights there. Another number fails the run. */
export function bincount(x: Node, length: number, weights?: Node): Node {
  if (!Number.isInteger(length) || length < 0)
    throw new ArgumentError(`bincount: the length must be an integer of 0 or more, got ${length}`);
  const count = productOf(x.shape);
  const flat = reshape(x, [count]);
  const amounts = weights ? reshape(weights, [count]) : full([count], 1, "i32");
  return scatterAdd(full([length], 0, amounts.dtype), flat, amounts, 0);
}

/**
 * How many elements of x lie in each of the bins between `edges` (rising, a vector): low ≤ x < high, the last bin with its upper
 * edge. What lies outside, and NaN, is left out.
 */
export function histogram(x: Node, edges: Node): Node {
  const bins = (edges.shape[0] as number) - 1;
  const flat = reshape(x, [productOf(x.shape)]);
  const edge = (i: number): Node => broadcastTo(reshape(sliceAxis(edges, 0, i, 1), []), flat.shape);
  const place = sub(searchSorted(edges, flat, "right"), full(flat.shape, 1, "i32"));
  const isInside = and(lessEqual(edge(0), flat), lessEqual(flat, edge(bins)));
  const bin = select(isInside, minimum(place, like(place, bins - 1)), zerosLike(place));
  return bincount(bin, bins, cast(isInside, "i32"));
}

/** What occurs in x, sorted, in the first places of a list of stated length. */
export interface Distinct {
  /** (size): the first `count` are the different elements, sorted; zeros behind. */
  readonly values: Node;
  /** i32 of shape (): how many different elements there are. */
  readonly count: Node;
  /** i32 of x's shape: where in `values` each element stands. */
  readonly inverse: Node;
  /** i32 (size): how often each of `values` occurs. */
  readonly counts: Node;
}

/** The different elements of x, NaN once; more of them than `size` fail the run. */
export function unique(x: Node, size: number): Distinct {
  requireBound("unique", size);
  const length = lengthOf("unique", x);
  const flat = reshape(x, [length]);
  const order = argsort(flat, false);
  const sorted = gather(flat, order, 0);
  const isNew = not(sameAsBefore(sorted));
  const place = sub(cumulativeSum(cast(isNew, "i32"), 0), full([length], 1, "i32"));
  const found = add(lastOf(place), full([], 1, "i32"));
  const rule = `unique: there must be at most ${size} different elements (size)`;
  const count = check(found, lessEqual(found, like(found, size)), rule);
  // Through the checked count, so that whoever uses a result has asked for the check.
  const at = minimum(place, broadcastTo(sub(count, full([], 1, "i32")), place.shape));
  const firsts = select(isNew, sorted, zerosLike(sorted));
  return {
    values: scatterAdd(full([size], 0, x.dtype), at, firsts, 0),
    count,
    inverse: reshape(scatterAdd(full([length], 0, "i32"), order, at, 0), x.shape),
    counts: scatterAdd(full([size], 0, "i32"), at, full([length], 1, "i32"), 0),
  };
}

/** Whether each element of a sorted vector equals the one before it; NaN is NaN. */
function sameAsBefore(sorted: Node): Node {
  const [length] = sorted.shape as [number];
  const before = sliceAxis(sorted, 0, 0, length - 1);
  const here = sliceAxis(sorted, 0, 1, length - 1);
  const isSame = or(equal(here, before), and(notEqual(here, here), notEqual(before, before)));
  return concat([full([1], 0, "bool"), isSame], 0);
}

const lastOf = (x: Node): Node => reshape(sliceAxis(x, 0, (x.shape[0] as number) - 1, 1), []);

/**
 * Where x is not 0: a row of indices (i32) for each, in row-major order, in the first of `size` rows, zeros behind; and how many
 * there are. More of them than `size` fail the run.
 */
export function nonzero(x: Node, size: number): { indices: Node; count: Node } {
  requireBound("nonzero", size);
  const length = lengthOf("nonzero", x);
  const flat = reshape(x, [length]);
  const isThere = notEqual(flat, zerosLike(flat));
  const found = sum(cast(isThere, "i32"), [0]);
  const rule = `nonzero: there must be at most ${size} elements other than 0 (size)`;
  const count = check(found, lessEqual(found, like(found, size)), rule);
  const place = sub(cumulativeSum(cast(isThere, "i32"), 0), full([length], 1, "i32"));
  // One row more takes what is left out.
  const at = select(isThere, minimum(place, like(place, size)), like(place, size));
  const positions = sliceAxis(scatterAdd(full([size + 1], 0, "i32"), at, iota([length], 0), 0), 0, 0, size);
  const isUsed = less(iota([size], 0), broadcastTo(count, [size]));
  return {
    indices: coordinates(select(isUsed, positions, zerosLike(positions)), x.shape as readonly number[]),
    count,
  };
}

/** Positions in row-major order as rows of indices. */
function coordinates(positions: Node, shape: readonly number[]): Node {
  const columns = shape.map((size, axis) => {
    const stride = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const index = remainder(div(positions, like(positions, stride)), like(positions, size));
    return reshape(index, [...positions.shape, 1]);
  });
  return concat(columns, 1);
}

/** The number of elements, where it is known and not 0. */
function lengthOf(what: string, x: Node): number {
  const length = productOf(x.shape);
  if (typeof length === "number" && length > 0 && x.shape.length > 0) return length;
  throw new ShapeError(`${what}: takes a tensor of known size with elements, got ${shapeText(x.shape)}`);
}

function requireBound(what: string, size: number): void {
  if (Number.isInteger(size) && size > 0) return;
  throw new ArgumentError(
    `${what}: size, the largest number of results, must be a positive integer, got ${size}`,
  );
}
