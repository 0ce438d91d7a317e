import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { requireDType, requireSameShape } from "./rules.ts";

/** `rule` is the sentence of the error: `crossEntropy: labels must be classes 0 … 9`. */
type Check = { rule: string };

export const checkOp: ElementwiseOp<Check> = {
  name: "check",
  kind: "elementwise",
  cost: 1,
  reports: true,
  type([condition, x]) {
    requireDType("check: condition", condition!, "bool");
    requireSameShape("check: condition and values", condition!, x!);
    return { shape: x!.shape, dtype: x!.dtype };
  },
  reference([condition, x], _attributes, { fail }, node) {
    condition!.data.forEach((holds, position) => {
      if (!holds) fail(node, position, x!.data[position]!);
    });
    return [x!];
  },
  gradient: (_node, [g]) => [null, g!],
  expand: (b, [condition, x]) => b.check(condition!, x!),
};

/**
 * x itself, where `condition` (bool, of its shape) is true; where it is false the run fails with `rule` and the element, and
 * commits nothing. Only what is used is computed: use the result in place of x.
 *
 * @example check(labels, less(labels, classes), "labels must be below 10")
 */
export const check = (x: Node, condition: Node, rule: string): Node =>
  makeNode(checkOp, [condition, x], { rule });
