/** Two ways to change what flows back: nothing, or what a function says. Both show their input as it is. */
import type { Node } from "../graph/node.ts";
import type { Mapped, MovementOp } from "../graph/op.ts";
import { currentTrace, makeNode } from "../graph/trace.ts";
import type { NoAttributes } from "./elementwise.ts";
import { parameter } from "./sources.ts";

export const stopGradientOp: MovementOp<NoAttributes> = {
  name: "stopGradient",
  kind: "movement",
  type: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  reference: ([x]) => [x!],
  gradient: () => [null],
  view: (input) => input,
  map: (_node, { inputs: [x] }) => stopGradient(x!),
};

/** x, through which no gradient flows. */
export const stopGradient = (x: Node): Node => makeNode(stopGradientOp, [x], {});

/** Cotangents of the inputs, or null, from the cotangent of the output and the node it belongs to. */
export type Backward = (cotangent: Node, output: Node) => readonly (Node | null)[];

/** An instance, so that attributes compare it by identity. */
class Rule {
  readonly inputs: readonly Node[];
  readonly backward: Backward;
  constructor(inputs: readonly Node[], backward: Backward) {
    this.inputs = inputs;
    this.backward = backward;
  }
}

export const customGradientOp: MovementOp<{ rule: Rule }> = {
  name: "customGradient",
  kind: "movement",
  type: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  reference: ([x]) => [x!],
  gradientInputs: ({ attributes: { rule } }) => rule.inputs,
  gradient: (node, [g]) => node.attributes.rule.backward(g!, node),
  view: (input) => input,
  /** The same rule, its graph mapped when it is asked for. */
  map(node, { given, isMapped, inputs, of, whole }) {
    const { rule } = node.attributes;
    const sources = of(rule.inputs);
    const someMapped = isMapped[0]! || sources.some((source) => source.isMapped);
    const own = (x: Mapped): Node => (someMapped ? whole(x) : x.node);
    const backward: Backward = (g, output) => {
      const cotangent = parameter(node, "cotangent");
      const found = rule.backward(cotangent, node);
      const stand = new Map([
        [cotangent, { node: g, isMapped: someMapped }],
        [node as Node, { node: output, isMapped: someMapped }],
      ]);
      return found.map((value) => (value === null ? null : own(of([value], stand)[0]!)));
    };
    const made = customGradient(someMapped ? inputs[0]! : given[0]!, sources.map(own), backward);
    return [{ node: made, isMapped: someMapped }];
  },
};

/**
 * `output` with a gradient of its own: cotangents go to `inputs`, which `output` was computed from, by `backward` and not by
 * way of the nodes between. `backward` builds graph, so it is differentiated in turn.
 *
 * @example
 * const y = div(one, add(one, exp(neg(x)))); // sigmoid
 * customGradient(y, [x], (g, y) => [mul(g, mul(y, sub(one, y)))]);
 */
export function customGradient(output: Node, inputs: readonly Node[], backward: Backward): Node {
  const { capture } = currentTrace();
  return makeNode(customGradientOp, [output], {
    rule: new Rule(capture ? inputs.map(capture) : inputs, backward),
  });
}
