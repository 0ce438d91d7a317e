/** What the blocks of ops share: checks of shapes and dtypes with whole messages, and walking over elements. */
import { type DType, isFloat, isInteger, roundTo } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { type Shape, shapeText } from "../base/shape.ts";
import { boundsOf, type Size, sizesAgree, subtractSizes } from "../base/size.ts";
import type { TensorType } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";

/** `f32 (2, 3)`: how messages name an operand. */
export const typeText = ({ shape, dtype }: TensorType): string => `${dtype} ${shapeText(shape)}`;

/** The dtypes an op takes. */
export type DTypeClass = "float" | "integer" | "number" | "bool" | "bits" | "any";

const classes: Record<DTypeClass, { text: string; has(dtype: DType): boolean; remedy: string }> = {
  float: { text: "a float", has: isFloat, remedy: 'cast(x, "f32")' },
  integer: { text: "an integer", has: isInteger, remedy: 'cast(x, "i32")' },
  number: { text: "numbers", has: (dtype) => dtype !== "bool", remedy: 'cast(x, "f32")' },
  bool: { text: "bool", has: (dtype) => dtype === "bool", remedy: 'cast(x, "bool")' },
  bits: { text: "integers or bool", has: (dtype) => !isFloat(dtype), remedy: 'cast(x, "i32")' },
  any: { text: "anything", has: () => true, remedy: "" },
};

export function requireDType(name: string, x: TensorType, wanted: DTypeClass): void {
  const { text, has, remedy } = classes[wanted];
  if (!has(x.dtype))
    throw new DTypeError(`${name}: takes ${text}, got ${typeText(x)}; cast it first: ${remedy}`);
}

/** Whether two shapes are equal axis by axis; an error where the bounds of a dimension cannot decide. */
export const shapesAgree = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((size, axis) => sizesAgree(size, b[axis]!));

export function requireSameShape(name: string, a: TensorType, b: TensorType): void {
  if (!shapesAgree(a.shape, b.shape)) {
    const shapes = `${shapeText(a.shape)} and ${shapeText(b.shape)}`;
    throw new ShapeError(`${name}: shapes ${shapes} differ; broadcast them to one shape first (broadcastTo)`);
  }
}

export function requireSameDType(name: string, a: TensorType, b: TensorType): void {
  if (a.dtype !== b.dtype) {
    throw new DTypeError(`${name}: dtypes ${a.dtype} and ${b.dtype} differ; cast one of them first (cast)`);
  }
}

/** A list that must have one entry an axis. */
export function requirePerAxis(name: string, what: string, list: readonly unknown[], x: TensorType): void {
  if (list.length !== x.shape.length) {
    const need = `one for each of the ${x.shape.length} axes of ${shapeText(x.shape)}`;
    throw new ArgumentError(`${name}: ${what} has ${list.length} entries, need ${need}`);
  }
}

/** True when a ≤ b for every value of the dimensions, false when never; an error when the bounds cannot decide. */
export function isAtMost(name: string, a: Size, b: Size): boolean {
  const { min, max } = boundsOf(subtractSizes(b, a));
  if (min >= 0) return true;
  if (max < 0) return false;
  throw new ShapeError(`${name}: cannot decide whether ${a} ≤ ${b}: give the dimensions narrower bounds`);
}

// ---- for references ---------------------------------------------------------------------------------------------

export const countOf = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

/** Calls `visit` for every index of a shape in row-major order; the index array is reused. */
export function forEachIndex(
  shape: readonly number[],
  visit: (index: readonly number[], position: number) => void,
): void {
  const count = countOf(shape);
  const index = new Array<number>(shape.length).fill(0);
  for (let position = 0; position < count; position++) {
    visit(index, position);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** The row-major position of an index. */
export function positionOf(index: readonly number[], shape: readonly number[]): number {
  let position = 0;
  for (let axis = 0; axis < shape.length; axis++) position = position * shape[axis]! + index[axis]!;
  return position;
}

/** A dense value whose elements are `value(index, position)`, rounded to the dtype. */
export function dense(
  { shape, dtype }: { shape: readonly number[]; dtype: DType },
  value: (index: readonly number[], position: number) => number,
): DenseArray {
  const data = new Float64Array(countOf(shape));
  forEachIndex(shape, (index, position) => {
    data[position] = roundTo(dtype, value(index, position));
  });
  return { shape, dtype, data };
}
