import { roundTo } from "../base/dtype.ts";
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { zerosLike } from "./constants.ts";
import type { NoAttributes } from "./elementwise.ts";
import { requireDType, requireSameDType, requireSameShape } from "./rules.ts";

export const selectOp: ElementwiseOp<NoAttributes> = {
  name: "select",
  kind: "elementwise",
  cost: 1,
  type([condition, a, b]) {
    requireDType("select: condition", condition!, "bool");
    requireSameDType("select", a!, b!);
    requireSameShape("select", a!, b!);
    requireSameShape("select: condition and values", condition!, a!);
    return { shape: a!.shape, dtype: a!.dtype };
  },
  reference([condition, a, b], _attributes, { outputs: [out] }) {
    const pick = (i: number): number => (condition!.data[i] ? a!.data[i]! : b!.data[i]!);
    return [{ ...out!, data: a!.data.map((_, i) => roundTo(out!.dtype, pick(i))) }];
  },
  gradient: ({ inputs: [condition] }, [g]) => {
    const zero = zerosLike(g!);
    return [null, select(condition!, g!, zero), select(condition!, zero, g!)];
  },
  expand: (b, [condition, x, y]) => b.select(condition!, x!, y!),
};

/**
 * Where `condition` (bool) is true the element of `whenTrue`, else of `whenFalse`; all three of one shape. What is not
 * picked has gradient 0, but a NaN or Infinity inside its own gradient still turns 0 into NaN: guard the input, not the output.
 *
 * @example select(greater(x, zero), x, zero)
 */
export const select = (condition: Node, whenTrue: Node, whenFalse: Node): Node =>
  makeNode(selectOp, [condition, whenTrue, whenFalse], {});
