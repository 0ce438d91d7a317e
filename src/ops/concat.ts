import { ArgumentError, ShapeError } from "../base/errors.ts";
import { normalizeAxis, type Shape, shapeText } from "../base/shape.ts";
import { addSizes, type Size, sizesAgree } from "../base/size.ts";
import type { Node, TensorType } from "../graph/node.ts";
import type { PlacementOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { sliceView } from "../graph/view.ts";
import { dense, forEachIndex, positionOf, requireSameDType } from "./rules.ts";
import { sliceAxis } from "./slice.ts";

/** Where each input begins along the axis. */
function startsOf(inputs: readonly TensorType[], axis: number): Size[] {
  let start: Size = 0;
  return inputs.map(({ shape }) => {
    const before = start;
    start = addSizes(start, shape[axis]!);
    return before;
  });
}

export const concatOp: PlacementOp<{ axis: number }> = {
  name: "concat",
  kind: "placement",
  accumulates: false,
  type(inputs, { axis }) {
    const [first] = inputs as [TensorType];
    for (const input of inputs) {
      requireSameDType("concat", first, input);
      const rank = first.shape.length;
      const fits = (size: Size, at: number): boolean => at === axis || sizesAgree(size, first.shape[at]!);
      if (input.shape.length === rank && input.shape.every(fits)) continue;
      const shapes = `${shapeText(first.shape)} and ${shapeText(input.shape)}`;
      throw new ShapeError(`concat: shapes ${shapes} differ on another axis than ${axis}`);
    }
    const total = inputs.reduce<Size>((sum, { shape }) => addSizes(sum, shape[axis]!), 0);
    return { shape: first.shape.map((size, at) => (at === axis ? total : size)), dtype: first.dtype };
  },
  reference(inputs, { axis }, { outputs: [out] }) {
    const result = dense(out!, () => 0);
    let start = 0;
    for (const input of inputs) {
      forEachIndex(input.shape, (index, position) => {
        const target = index.map((i, at) => (at === axis ? i + start : i));
        result.data[positionOf(target, out!.shape)] = input.data[position]!;
      });
      start += input.shape[axis]!;
    }
    return [result];
  },
  gradient({ inputs, attributes: { axis } }, [g]) {
    const starts = startsOf(inputs, axis);
    return inputs.map((input, i) => sliceAxis(g!, axis, starts[i]!, input.shape[axis]!));
  },
  fill: () => undefined,
  permuted: ({ axis }, order) => ({ axis: order.indexOf(axis) }),
  destinations(output, inputs, { axis }) {
    const starts = startsOf(inputs, axis);
    const along = (shape: Shape, value: Size): Size[] => shape.map((_, at) => (at === axis ? value : 0));
    const ones = output.shape.map(() => 1);
    return inputs.map(({ shape }, i) => sliceView(output, along(shape, starts[i]!), ones, shape));
  },
  map: ({ attributes: { axis } }, { inputs }) => concat(inputs, axis + 1),
};

/**
 * Nodes one after another along an axis; all other sizes must be equal.
 *
 * @example concat([a, b], 1) // (2, 3), (2, 4) → (2, 7)
 */
export function concat(inputs: readonly Node[], axis = 0): Node {
  const [first] = inputs;
  if (first === undefined) throw new ArgumentError("concat: needs at least one input, got none");
  const at = normalizeAxis(axis, first.shape.length, "concat");
  return inputs.length === 1 ? first : makeNode(concatOp, inputs, { axis: at });
}
