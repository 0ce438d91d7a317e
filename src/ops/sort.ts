/** The order of the elements along the last axis: what sorting is made of. */
import { ShapeError } from "../base/errors.ts";
import type { Node } from "../graph/node.ts";
import type { OrderOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { countOf, dense } from "./rules.ts";

export const argsortOp: OrderOp = {
  name: "argsort",
  kind: "order",
  type([x]) {
    if (x!.shape.length === 0) throw new ShapeError("argsort: a scalar has no axis to sort along");
    return { shape: x!.shape, dtype: "i32" };
  },
  reference([x], { descending }, { outputs: [out] }) {
    const length = x!.shape[x!.shape.length - 1]!;
    const order = new Float64Array(countOf(x!.shape));
    for (let start = 0; start < order.length; start += length) {
      const row = Array.from({ length }, (_, i) => i);
      row.sort((a, b) => (descending ? -1 : 1) * compare(x!.data[start + a]!, x!.data[start + b]!) || a - b);
      order.set(row, start);
    }
    return [dense(out!, (_, position) => order[position]!)];
  },
  map: (node, { inputs }) => argsort(inputs[0]!, node.attributes.descending),
};

/** NaN is above everything, −0 is 0. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : Number(a > b);
}

/**
 * The indices (i32) that sort x along its last axis: equal elements keep their order, NaN counts as larger than everything.
 *
 * @example argsort(x, false) // (B, N) → (B, N)
 */
export const argsort = (x: Node, descending: boolean): Node => makeNode(argsortOp, [x], { descending });
