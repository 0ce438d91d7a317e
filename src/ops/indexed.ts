/** gather and scatterAdd: each is the gradient of the other. They check and clamp their indices themselves. */
import { DTypeError, ShapeError } from "../base/errors.ts";
import { normalizeAxis, type Shape, shapeText } from "../base/shape.ts";
import { type Size, subtractSizes } from "../base/size.ts";
import type { Node, TensorType } from "../graph/node.ts";
import type { DenseArray, IndexedOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { clampIndices } from "./check.ts";
import { zerosLike } from "./constants.ts";
import {
  countOf,
  dense,
  forEachIndex,
  positionOf,
  requireDType,
  requireSameDType,
  shapesAgree,
  typeText,
} from "./rules.ts";

/** The shape in which the indexed axis is replaced by the indices' axes. */
const gatheredShape = (shape: Shape, indices: Shape, axis: number): Shape => [
  ...shape.slice(0, axis),
  ...indices,
  ...shape.slice(axis + 1),
];

function requireIndices(name: string, indices: TensorType): void {
  if (indices.dtype !== "i32")
    throw new DTypeError(`${name}: indices are i32, got ${typeText(indices)}; cast them first`);
}

/** The sentence of the error for an index outside. */
const ruleOf = (name: string, axis: number, size: Size): string =>
  `${name}: indices into axis ${axis} of size ${size} must be 0 … ${subtractSizes(size, 1)}`;

/** Where in x an element of the gathered shape lies. */
function sourceIndex(
  index: readonly number[],
  axis: number,
  indices: DenseArray,
  at: Float64Array,
): number[] {
  const rank = indices.shape.length;
  const chosen = at[positionOf(index.slice(axis, axis + rank), indices.shape)]!;
  return [...index.slice(0, axis), chosen, ...index.slice(axis + rank)];
}

export const gatherOp: IndexedOp = {
  name: "gather",
  kind: "indexed",
  direction: "gather",
  type([x, indices], { axis }) {
    requireIndices("gather", indices!);
    return { shape: gatheredShape(x!.shape, indices!.shape, axis), dtype: x!.dtype };
  },
  reference([x, indices], { axis }, context, node) {
    const out = context.outputs[0]!;
    if (countOf(x!.shape) === 0) return [dense(out, () => 0)];
    const at = clampIndices(indices!.data, x!.shape[axis]!, (position, value) =>
      context.fail(node, position, value),
    );
    return [dense(out, (index) => x!.data[positionOf(sourceIndex(index, axis, indices!, at), x!.shape)]!)];
  },
  gradient: ({ inputs: [x, indices], attributes: { axis } }, [g]) => [
    scatterAdd(zerosLike(x!), indices!, g!, axis),
    null,
  ],
};

/**
 * x at `indices` (i32, any shape) along an axis: the axis is replaced by the indices' axes. An index outside 0 … size − 1 fails
 * the run and names itself.
 *
 * @example gather(embedding, tokens, 0) // (vocabulary, C), (B, T) → (B, T, C)
 */
export function gather(x: Node, indices: Node, axis = 0): Node {
  const at = normalizeAxis(axis, x.shape.length, "gather");
  return makeNode(gatherOp, [x, indices], { axis: at, rule: ruleOf("gather", at, x.shape[at]!) });
}

export const scatterAddOp: IndexedOp = {
  name: "scatterAdd",
  kind: "indexed",
  direction: "scatterAdd",
  type([x, indices, updates], { axis }) {
    requireDType("scatterAdd", x!, "number");
    requireIndices("scatterAdd", indices!);
    requireSameDType("scatterAdd", x!, updates!);
    const expected = gatheredShape(x!.shape, indices!.shape, axis);
    if (!shapesAgree(expected, updates!.shape)) {
      const text = `${shapeText(x!.shape)} at indices ${shapeText(indices!.shape)} along axis ${axis}`;
      throw new ShapeError(
        `scatterAdd: ${text} takes updates ${shapeText(expected)}, got ${shapeText(updates!.shape)}`,
      );
    }
    return { shape: x!.shape, dtype: x!.dtype };
  },
  reference([x, indices, updates], { axis }, context, node) {
    const out = context.outputs[0]!;
    const sums = new Float64Array(x!.data);
    const at = clampIndices(indices!.data, x!.shape[axis]!, (position, value) =>
      context.fail(node, position, value),
    );
    if (sums.length > 0) {
      forEachIndex(updates!.shape, (index, position) => {
        sums[positionOf(sourceIndex(index, axis, indices!, at), x!.shape)]! += updates!.data[position]!;
      });
    }
    return [dense(out, (_index, position) => sums[position]!)];
  },
  gradient: ({ inputs: [, indices], attributes: { axis } }, [g]) => [g!, null, gather(g!, indices!, axis)],
};

/**
 * x with updates added at `indices` (i32) along an axis, in the order of the indices; updates have the shape of
 * `gather(x, indices, axis)`. An index outside fails the run.
 *
 * @example scatterAdd(zeros, tokens, gradients, 0) // (vocabulary, C), (B, T), (B, T, C) → (vocabulary, C)
 */
export function scatterAdd(x: Node, indices: Node, updates: Node, axis = 0): Node {
  const at = normalizeAxis(axis, x.shape.length, "scatterAdd");
  const rule = ruleOf("scatterAdd", at, x.shape[at]!);
  return makeNode(scatterAddOp, [x, indices, updates], { axis: at, rule });
}
