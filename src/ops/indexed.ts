/** gather and scatterAdd, each the gradient of the other, and scatter. They check and clamp their indices themselves. */
import { DTypeError, ShapeError } from "../base/errors.ts";
import { normalizeAxis, type Shape, shapeText } from "../base/shape.ts";
import { multiplySizes, type Size, subtractSizes } from "../base/size.ts";
import type { Node, TensorType } from "../graph/node.ts";
import type { DenseArray, IndexedOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { add, mul } from "./arithmetic.ts";
import { broadcastTo, reshape } from "./broadcast.ts";
import { checkIndex, clampIndices } from "./check.ts";
import { like, zerosLike } from "./constants.ts";
import { permute } from "./permute.ts";
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
import { iota } from "./sources.ts";

type IndexedAttributes = { axis: number; rule: string; isSparse?: boolean };

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
  gradient({ inputs: [x, indices], attributes: { axis, isSparse } }, [g]) {
    const rule = ruleOf("scatterAdd", axis, x!.shape[axis]!);
    const given = [zerosLike(x!), indices!, g!];
    return [makeNode(scatterAddOp, given, { axis, rule, ...(isSparse && { isSparse }) }), null];
  },
  map(node, { given: [x, indices], isMapped, inputs, size }) {
    const { axis } = node.attributes;
    if (!isMapped[1]) return makeNode(gatherOp, [x!, indices!], { ...node.attributes, axis: axis + 1 });
    if (!isMapped[0]) return axisFirst(makeNode(gatherOp, [x!, indices!], node.attributes), axis);
    const rank = indices!.shape.length;
    const found = gather(tableOf(inputs[0]!, axis), rowsOf(node, indices!, size), 0);
    return moveBlock(found, 1, rank - 1, axis);
  },
};

/** x with axis `axis` in front, the others in their order. */
const axisFirst = (x: Node, axis: number): Node => moveBlock(x, 0, axis, 1);

/** x with the `count` axes from `start` on behind the `by` axes that follow them. */
function moveBlock(x: Node, start: number, count: number, by: number): Node {
  const axes = x.shape.map((_, i) => i);
  const block = axes.splice(start, count);
  axes.splice(start + by, 0, ...block);
  return permute(x, axes);
}

/** (N, …, S, …) → (N · S, …, …): the rows of all tables in one, axis `axis` of each table indexed. */
function tableOf(x: Node, axis: number): Node {
  const sorted = moveBlock(x, 1, axis, 1);
  const [N, S, ...rest] = sorted.shape as [Size, Size, ...Size[]];
  return reshape(sorted, [multiplySizes(N, S), ...rest]);
}

/** Where the rows of table n stand in `tableOf`: checked against their own table first. */
function rowsOf(node: Node<IndexedAttributes>, indices: Node, size: Size): Node {
  const { axis, rule } = node.attributes;
  const rows = node.inputs[0]!.shape[axis]!;
  if (typeof rows !== "number") throw new ShapeError(`vectorize: ${node.op.name} along a size known late`);
  const checked = checkIndex(indices, rows, rule);
  const start = broadcastTo(
    reshape(iota([size], 0), [size, ...indices.shape.slice(1).map(() => 1)]),
    indices.shape,
  );
  return add(checked, mul(start, like(start, rows)));
}

/**
 * x at `indices` (i32, any shape) along an axis: the axis is replaced by the indices' axes. An index outside 0 … size − 1 fails
 * the run and names itself. With `isSparse` its gradient says that it consists of few rows (`functions/sparse-rows.ts`).
 *
 * @example gather(embedding, tokens, 0) // (vocabulary, C), (B, T) → (B, T, C)
 */
export function gather(x: Node, indices: Node, axis = 0, { isSparse = false } = {}): Node {
  const at = normalizeAxis(axis, x.shape.length, "gather");
  const rule = ruleOf("gather", at, x.shape[at]!);
  return makeNode(gatherOp, [x, indices], { axis: at, rule, ...(isSparse && { isSparse }) });
}

/** What scatterAdd and scatter have in common. */
const scattering = (name: "scatterAdd" | "scatter") =>
  ({
    name,
    kind: "indexed",
    direction: name,
    type([x, indices, updates], { axis }) {
      if (name === "scatterAdd") requireDType(name, x!, "number");
      requireIndices(name, indices!);
      requireSameDType(name, x!, updates!);
      const expected = gatheredShape(x!.shape, indices!.shape, axis);
      if (!shapesAgree(expected, updates!.shape)) {
        const text = `${shapeText(x!.shape)} at indices ${shapeText(indices!.shape)} along axis ${axis}`;
        throw new ShapeError(
          `${name}: ${text} takes updates ${shapeText(expected)}, got ${shapeText(updates!.shape)}`,
        );
      }
      return { shape: x!.shape, dtype: x!.dtype };
    },
    reference([x, indices, updates], { axis }, context, node) {
      const out = context.outputs[0]!;
      const values = new Float64Array(x!.data);
      const at = clampIndices(indices!.data, x!.shape[axis]!, (position, value) =>
        context.fail(node, position, value),
      );
      if (values.length > 0) {
        forEachIndex(updates!.shape, (index, position) => {
          const place = positionOf(sourceIndex(index, axis, indices!, at), x!.shape);
          values[place] = (name === "scatterAdd" ? values[place]! : 0) + updates!.data[position]!;
        });
      }
      return [dense(out, (_index, position) => values[position]!)];
    },
    map(node, { given, isMapped, inputs: [x, , updates], size }) {
      const { axis, rule } = node.attributes;
      const op = node.op as IndexedOp;
      const indices = given[1]!;
      if (!isMapped[1]) return makeNode(op, [x!, indices, updates!], { rule, axis: axis + 1 });
      const rank = indices.shape.length;
      const table = tableOf(x!, axis);
      const rows = rowsOf(node, indices, size);
      const changed = makeNode(op, [table, rows, moveBlock(updates!, 1, axis, rank - 1)], { rule, axis: 0 });
      const { shape } = node.inputs[0]!;
      return moveBlock(reshape(changed, [size, shape[axis]!, ...table.shape.slice(1)]), 1, 1, axis);
    },
  }) satisfies IndexedOp;

export const scatterAddOp: IndexedOp = {
  ...scattering("scatterAdd"),
  gradient: ({ inputs: [, indices], attributes: { axis } }, [g]) => [g!, null, gather(g!, indices!, axis)],
};

export const scatterOp: IndexedOp = {
  ...scattering("scatter"),
  gradient: ({ inputs: [, indices, updates], attributes: { axis } }, [g]) => [
    scatter(g!, indices!, zerosLike(updates!), axis),
    null,
    gather(g!, indices!, axis),
  ],
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

/**
 * x with updates in the places of `indices` (i32) along an axis; of several at one place the last stays, and the gradient of each
 * is that of the place. Updates have the shape of `gather(x, indices, axis)`. An index outside fails the run.
 *
 * @example scatter(zeros, tokens, gradients, 0) // (vocabulary, C), (B, T), (B, T, C) → (vocabulary, C)
 */
export function scatter(x: Node, indices: Node, updates: Node, axis = 0): Node {
  const at = normalizeAxis(axis, x.shape.length, "scatter");
  const rule = ruleOf("scatter", at, x.shape[at]!);
  return makeNode(scatterOp, [x, indices, updates], { axis: at, rule });
}
