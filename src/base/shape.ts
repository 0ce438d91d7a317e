/** Shapes at the value level: lists of sizes, row-major strides, broadcasting and axes. */
import { ShapeError } from "./errors.ts";
import { maxOf, multiplySizes, productOf, type Size, sameSize, sizeKey, sizesAgree } from "./size.ts";

export type Shape = readonly Size[];

export const elementCount = (shape: Shape): Size => productOf(shape);
/** Elements at the bounds of every dimension: what is allocated. */
export const maxElementCount = (shape: Shape): number => shape.reduce<number>((n, s) => n * maxOf(s), 1);
export const shapeKey = (shape: Shape): string => shape.map(sizeKey).join(",");
export const shapeText = (shape: Shape): string =>
  `(${shape.map(String).join(", ")}${shape.length === 1 ? "," : ""})`;
export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((size, i) => sameSize(size, b[i]!));
export const isStatic = (shape: Shape): shape is readonly number[] =>
  shape.every((size) => typeof size === "number");

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): Size[] {
  const strides: Size[] = [];
  let stride: Size = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride = multiplySizes(stride, shape[axis]!);
  }
  return strides;
}

/** The shape two shapes broadcast to (NumPy's rule), or a ShapeError that starts with `what`. */
export function broadcastShapes(a: Shape, b: Shape, what = "broadcast"): Shape {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x === 1) return y;
    if (y === 1 || sizesAgree(x, y)) return x;
    throw new ShapeError(
      `${what}: cannot broadcast ${shapeText(a)} with ${shapeText(b)}: sizes ${x} and ${y} differ on axis ${axis}; ` +
        "reshape one so that they are equal or 1",
    );
  });
}

/** An axis counted from either end as 0 … rank − 1. */
export function normalizeAxis(axis: number, rank: number, what: string): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new ShapeError(`${what}: axis ${axis} is out of range for rank ${rank} (${-rank} … ${rank - 1})`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Sorted, distinct axes; undefined means all of them. */
export function normalizeAxes(
  axes: number | readonly number[] | undefined,
  rank: number,
  what: string,
): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === "number" ? [axes] : axes).map((axis) => normalizeAxis(axis, rank, what));
  const distinct = [...new Set(list)].sort((a, b) => a - b);
  if (distinct.length !== list.length) throw new ShapeError(`${what}: axes ${list.join(", ")} repeat one`);
  return distinct;
}
