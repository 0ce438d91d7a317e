/** slice, flip and pad: each is part of another's gradient. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { normalizeAxes, normalizeAxis, type Shape, sameShape, shapeText } from "../base/shape.ts";
import { addSizes, multiplySizes, type Size, subtractSizes } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { MovementOp, PlacementOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { flipView, sliceView } from "../graph/view.ts";
import { zerosLike } from "./constants.ts";
import { dense, forEachIndex, isAtMost, positionOf, requirePerAxis } from "./rules.ts";

type Slice = { start: readonly Size[]; step: readonly number[]; shape: Shape };

/** The last index a slice takes along an axis. */
const lastOf = (start: Size, step: number, size: Size): Size =>
  addSizes(start, multiplySizes(subtractSizes(size, 1), step));

export const sliceOp: MovementOp<Slice> = {
  name: "slice",
  kind: "movement",
  type([x], { start, step, shape }) {
    for (const [what, list] of Object.entries({ start, step, shape }))
      requirePerAxis("slice", what, list, x!);
    x!.shape.forEach((size, axis) => {
      const [from, by] = [start[axis]!, step[axis]!];
      if (!Number.isInteger(by) || by === 0)
        throw new ArgumentError(`slice: step ${by} of axis ${axis} must be an integer other than 0`);
      if (shape[axis] === 0) return;
      const last = lastOf(from, by, shape[axis]!);
      const [low, high] = by > 0 ? [from, last] : [last, from];
      if (isAtMost("slice", 0, low) && isAtMost("slice", addSizes(high, 1), size)) return;
      const taken = `elements ${from} … ${last} of axis ${axis}`;
      throw new ShapeError(
        `slice: ${taken} are outside ${shapeText(x!.shape)}; indices go from 0 to size − 1`,
      );
    });
    return { shape, dtype: x!.dtype };
  },
  reference([x], { start, step }, { outputs: [out], size }) {
    const from = start.map(size);
    return [
      dense(out!, (index) => {
        const source = index.map((i, axis) => from[axis]! + i * step[axis]!);
        return x!.data[positionOf(source, x!.shape)]!;
      }),
    ];
  },
  gradient({ inputs: [x], attributes: { start, step, shape } }, [g]) {
    if (shape.some((size) => size === 0)) return [zerosLike(x!)];
    const backwards = step.flatMap((by, axis) => (by < 0 ? [axis] : []));
    const last = shape.map((size, axis) => lastOf(start[axis]!, step[axis]!, size));
    const low = step.map((by, axis) => (by > 0 ? start[axis]! : last[axis]!));
    const top = step.map((by, axis) => (by > 0 ? last[axis]! : start[axis]!));
    const high = top.map((at, axis) => subtractSizes(subtractSizes(x!.shape[axis]!, 1), at));
    const interior = step.map((by) => Math.abs(by) - 1);
    return [pad(flip(g!, backwards), { low, high, interior })];
  },
  view: (input, { start, step, shape }) => sliceView(input, start, step, shape),
  map: ({ attributes: { start, step, shape } }, { inputs: [x], size }) =>
    slice(x!, { start: [0, ...start], step: [1, ...step], shape: [size, ...shape] }),
};

/**
 * Elements start, start + step, … along each axis, `shape` of them. Steps may be negative; 1 when left out.
 *
 * @throws ShapeError when an element lies outside
 * @example slice(x, { start: [0, 2], shape: [3, 4] })
 */
export function slice(
  x: Node,
  { start, step, shape }: { start: readonly Size[]; step?: readonly number[]; shape: Shape },
): Node {
  const by = step ?? start.map(() => 1);
  const whole = sameShape(shape, x.shape) && start.every((s) => s === 0) && by.every((s) => s === 1);
  return whole ? x : makeNode(sliceOp, [x], { start, step: by, shape });
}

/** `size` elements from `start` along one axis. @example sliceAxis(x, 1, 2, 4) // x[:, 2:6] */
export function sliceAxis(x: Node, axis: number, start: Size, size: Size): Node {
  const at = normalizeAxis(axis, x.shape.length, "sliceAxis");
  return slice(x, {
    start: x.shape.map((_, i) => (i === at ? start : 0)),
    shape: x.shape.map((full, i) => (i === at ? size : full)),
  });
}

export const flipOp: MovementOp<{ axes: readonly number[] }> = {
  name: "flip",
  kind: "movement",
  type: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  reference([x], { axes }, { outputs: [out] }) {
    const mirrored = (index: readonly number[]): number[] =>
      index.map((i, axis) => (axes.includes(axis) ? out!.shape[axis]! - 1 - i : i));
    return [dense(out!, (index) => x!.data[positionOf(mirrored(index), x!.shape)]!)];
  },
  gradient: ({ attributes: { axes } }, [g]) => [flip(g!, axes)],
  view: (input, { axes }) => flipView(input, axes),
  map: ({ attributes: { axes } }, { inputs: [x] }) =>
    flip(
      x!,
      axes.map((axis) => axis + 1),
    ),
};

/** x walked backwards along `axes`. */
export function flip(x: Node, axes: number | readonly number[]): Node {
  const list = normalizeAxes(axes, x.shape.length, "flip");
  return list.length === 0 ? x : makeNode(flipOp, [x], { axes: list });
}

type Pad = { low: readonly Size[]; high: readonly Size[]; interior: readonly number[]; value: number };

/** low + size + interior between elements + high. */
function paddedSize(size: Size, low: Size, high: Size, interior: number): Size {
  const gaps = interior === 0 || size === 0 ? 0 : multiplySizes(subtractSizes(size, 1), interior);
  return addSizes(addSizes(low, high), addSizes(size, gaps));
}

export const padOp: PlacementOp<Pad> = {
  name: "pad",
  kind: "placement",
  accumulates: false,
  type([x], { low, high, interior }) {
    for (const [what, list] of Object.entries({ low, high, interior })) requirePerAxis("pad", what, list, x!);
    x!.shape.forEach((size, axis) => {
      for (const by of [low[axis]!, high[axis]!, interior[axis]!]) {
        if (!isAtMost("pad", 0, by))
          throw new ArgumentError(`pad: ${by} of axis ${axis} is negative; use slice to cut elements off`);
      }
      if (interior[axis] !== 0 && size !== 0 && !isAtMost("pad", 1, size))
        throw new ShapeError(`pad: interior padding of axis ${axis} needs a dimension of at least 1`);
    });
    const shape = x!.shape.map((size, axis) => paddedSize(size, low[axis]!, high[axis]!, interior[axis]!));
    return { shape, dtype: x!.dtype };
  },
  reference([x], { low, interior, value }, { outputs: [out], size }) {
    const from = low.map(size);
    const result = dense(out!, () => value);
    forEachIndex(x!.shape, (index, position) => {
      const target = index.map((i, axis) => from[axis]! + i * (interior[axis]! + 1));
      result.data[positionOf(target, out!.shape)] = x!.data[position]!;
    });
    return [result];
  },
  gradient: ({ inputs: [x], attributes: { low, interior } }, [g]) => [
    slice(g!, { start: low, step: interior.map((gap) => gap + 1), shape: x!.shape }),
  ],
  fill: ({ value }) => value,
  permuted({ low, high, interior, value }, order) {
    const pick = <T>(list: readonly T[]): T[] => order.map((axis) => list[axis]!);
    return { low: pick(low), high: pick(high), interior: pick(interior), value };
  },
  destinations: (output, [x], { low, interior }) => [
    sliceView(
      output,
      low,
      interior.map((gap) => gap + 1),
      x!.shape,
    ),
  ],
  map: ({ attributes: { low, high, interior, value } }, { inputs: [x] }) =>
    pad(x!, { low: [0, ...low], high: [0, ...high], interior: [0, ...interior], value }),
};

/**
 * x with `low` elements of `value` (0 when left out) before, `high` after and `interior` between its elements along each axis.
 *
 * @example pad(x, { low: [0, 1], high: [0, 1] }) // (2, 3) → (2, 5)
 */
export function pad(
  x: Node,
  {
    low,
    high,
    interior,
    value = 0,
  }: { low: readonly Size[]; high: readonly Size[]; interior?: readonly number[]; value?: number },
): Node {
  const between = interior ?? low.map(() => 0);
  const isEmpty = [...low, ...high, ...between].every((by) => by === 0);
  return isEmpty ? x : makeNode(padOp, [x], { low, high, interior: between, value });
}
