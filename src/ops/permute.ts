import { ArgumentError } from "../base/errors.ts";
import { normalizeAxis, shapeText } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import type { MovementOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { permuteView } from "../graph/view.ts";
import { dense, positionOf } from "./rules.ts";

export const permuteOp: MovementOp<{ order: readonly number[] }> = {
  name: "permute",
  kind: "movement",
  type([x], { order }) {
    const rank = x!.shape.length;
    if (order.length !== rank || new Set(order).size !== rank || !order.every((axis) => axis in x!.shape)) {
      const wanted = `each axis of ${shapeText(x!.shape)} once`;
      throw new ArgumentError(`permute: order [${order.join(", ")}] must name ${wanted}`);
    }
    return { shape: order.map((axis) => x!.shape[axis]!), dtype: x!.dtype };
  },
  reference([x], { order }, { outputs: [out] }) {
    const source: number[] = [];
    return [
      dense(out!, (index) => {
        order.forEach((axis, i) => {
          source[axis] = index[i]!;
        });
        return x!.data[positionOf(source, x!.shape)]!;
      }),
    ];
  },
  gradient: ({ attributes: { order } }, [g]) => [permute(g!, inverse(order))],
  view: (input, { order }) => permuteView(input, order),
  map: ({ attributes: { order } }, { inputs: [x] }) => permute(x!, [0, ...order.map((axis) => axis + 1)]),
};

const inverse = (order: readonly number[]): number[] => order.map((_, axis) => order.indexOf(axis));

/** Axes in another order: axis i of the result is axis `order[i]` of x. @example permute(x, [1, 0]) // (2, 3) → (3, 2) */
export function permute(x: Node, order: readonly number[]): Node {
  const rank = x.shape.length;
  const axes = order.map((axis) => normalizeAxis(axis, rank, "permute"));
  return axes.length === rank && axes.every((axis, i) => axis === i)
    ? x
    : makeNode(permuteOp, [x], { order: axes });
}

/** x with two axes exchanged, the last two when left out. @example transpose(x) // (B, 2, 3) → (B, 3, 2) */
export function transpose(x: Node, axis = -1, with_ = -2): Node {
  const rank = x.shape.length;
  const [a, b] = [normalizeAxis(axis, rank, "transpose"), normalizeAxis(with_, rank, "transpose")];
  return permute(
    x,
    x.shape.map((_, i) => (i === a ? b : i === b ? a : i)),
  );
}
