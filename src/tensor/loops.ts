/** Loops inside of a program: their bodies are traced once, however often they run. */
import type { Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import * as ops from "../ops/index.ts";
import { raised } from "./autocast.ts";
import { located } from "./located.ts";
import { nodeOf } from "./nodes.ts";
import { build, type Template } from "./signature.ts";
import { fromNode, type Tensor } from "./tensor.ts";
import { treeOf } from "./trace-program.ts";
import type { AnyShapes } from "./vectorize.ts";

export interface LoopOptions {
  /** How often, where there are no slices. */
  readonly length?: Size;
  /** From the last slice to the first. */
  readonly reverse?: boolean;
  /**
   * Keeps less for the gradient: the carries at the beginning of each segment of so many iterations (of √T for `true`), from which
   * the backward pass computes the rest again. Memory grows with √T instead of T, for one more forward pass. The length must be
   * known, and the body assign no state.
   */
  readonly rematerialize?: boolean | number;
}

/** A tree whose tensors are asked for from a list. */
const fill = (template: Template, nodes: readonly Node[]): unknown => {
  let next = 0;
  return build(template, () => fromNode(nodes[next++]!));
};

/** Carries keep their dtype: within `autocast` they are f32. */
const inFullPrecision = (tree: ReturnType<typeof treeOf>): ReturnType<typeof treeOf> => ({
  ...tree,
  nodes: tree.nodes.map(raised),
});

/**
 * Runs `body` once for each slice along the first axis of `slices` (tensors in arrays and records; null with a `length`),
 * carrying `carry` from one time to the next; what the body returns as `output` is stacked along a new first axis. One loop
 * in the program: the body is traced once. The gradient is a loop the other way round over what the body kept; wrap the body
 * in `rematerialize` to keep the carries alone, or give the option of that name to keep few of those. Lengths may be Dimensions.
 *
 * @throws ShapeError when lengths differ, or the carry changes its shape or dtype
 * @example
 * const x = tensor([1, 2, 3]);
 * const { carry, outputs } = scan((sum: Tensor, x: Tensor) => ({ carry: sum.add(x), output: sum.mul(x) }), tensor(0), x);
 * carry; // 6
 * outputs; // [0, 2, 9]
 */
export function scan<C, X, O = null>(
  body: (carry: C, slice: X) => { readonly carry: C; readonly output?: O },
  carry: C,
  slices: X,
  options: LoopOptions = {},
): { carry: C; outputs: AnyShapes<O> } {
  return located(() => {
    const first = inFullPrecision(treeOf("scan", carry, "carry"));
    const given = treeOf("scan", slices, "slices");
    let output: Template = { kind: "constant", value: null, path: "output" };
    let last: Template = first.template;
    const { rematerialize = false, ...loop } = options;
    const run = (step: Parameters<typeof ops.scan>[2]): ops.ScanResult =>
      rematerialize === false
        ? ops.scan(first.nodes, given.nodes, step, loop)
        : ops.scanInSegments(first.nodes, given.nodes, step, {
            ...loop,
            ...(rematerialize !== true && { segment: rematerialize }),
          });
    const result = run((carried, sliced) => {
      const made = body(fill(first.template, carried) as C, fill(given.template, sliced) as X);
      const next = inFullPrecision(treeOf("scan", made.carry, "carry"));
      const out = treeOf("scan", made.output ?? null, "output");
      last = next.template;
      output = out.template;
      return { carry: next.nodes, stacked: out.nodes };
    });
    return { carry: fill(last, result.carry) as C, outputs: fill(output, result.stacked) as AnyShapes<O> };
  });
}

/**
 * Repeats `body` as long as `condition` holds, `max` times at most. It has no gradient, because the number of its iterations is
 * not known: use `scan` where one must flow.
 *
 * @throws ShapeError when the condition is no bool scalar, or the carry changes its shape or dtype
 * @example
 * repeatWhile((x: Tensor) => x.less(100), (x: Tensor) => x.mul(2), tensor(3), { max: 50 }); // 192
 */
export function repeatWhile<C>(
  condition: (carry: C) => Tensor,
  body: (carry: C) => C,
  carry: C,
  options: { readonly max: number },
): C {
  return located(() => {
    const { template, nodes } = treeOf("repeatWhile", carry, "carry");
    const results = ops.repeatWhile(
      nodes,
      (carried) => nodeOf(condition(fill(template, carried) as C)),
      (carried) => treeOf("repeatWhile", body(fill(template, carried) as C), "carry").nodes,
      options,
    );
    return fill(template, results) as C;
  });
}
