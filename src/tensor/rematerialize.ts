/** Values that the backward pass computes again instead of keeping them. */
import * as ops from "../ops/index.ts";
import { located } from "./located.ts";
import { build } from "./signature.ts";
import { fromNode } from "./tensor.ts";
import { treeOf } from "./trace-program.ts";

/**
 * `fn`, whose values between are not kept for the gradient but computed again in the backward pass: less memory for about one
 * more forward pass. Chen, Xu, Zhang, Guestrin: "Training deep nets with sublinear memory cost", 2016. `describe()` of the
 * compiled step shows the peak.
 *
 * Tensors and states that it closes over get their gradients too; random numbers are those of the first time, and states that it assigns
 * are assigned once.
 *
 * @example
 * const block = rematerialize((x: Tensor) => x.mul(x).mul(x));
 * const x = tensor([1, 2]);
 * grad(block(x).sum(), x); // [3, 12]
 */
export function rematerialize<A extends readonly unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  return (...args) =>
    located(() => {
      const tree = treeOf("rematerialize", args, "arguments");
      let result: ReturnType<typeof treeOf> | undefined;
      const nodes = ops.rematerialize(tree.nodes, (parameters) => {
        let next = 0;
        const own = build(tree.template, () => fromNode(parameters[next++]!)) as unknown as A;
        result = treeOf("rematerialize", fn(...own));
        return result.nodes;
      });
      let next = 0;
      return build(result!.template, () => fromNode(nodes[next++]!)) as R;
    });
}
