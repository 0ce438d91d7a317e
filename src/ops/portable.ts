/**
 * Functions in f64 whose bits are the same on every target, for random numbers: only + − × ÷, square roots, comparisons and
 * integers, product and sum rounded apart. Their definition is their own instructions, run on numbers.
 */

import type { DType } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import type { ScalarBuilder, ScalarDType } from "../graph/scalar.ts";
import { makeNode } from "../graph/trace.ts";
import { add, div, mul, neg } from "./arithmetic.ts";
import { like } from "./constants.ts";
import type { NoAttributes } from "./elementwise.ts";
import { exp64 } from "./expand/exp64.ts";
import { Float } from "./expand/float.ts";
import { gaussian } from "./expand/gaussian.ts";
import { log64 } from "./expand/log64.ts";
import { numberBuilder } from "./expand/number-builder.ts";
import { quantile } from "./expand/quantile.ts";
import { requireSameShape, typeText } from "./rules.ts";

/** Product and sum rounded apart, as all targets can. */
class Unfused<V> extends Float<V> {
  override mulAdd(x: V, y: V | number, z: V | number): V {
    return this.add(this.mul(x, y), z);
  }
}

interface Block {
  readonly name: string;
  readonly takes: DType & ScalarDType;
  readonly cost: number;
  body<V>(f: Float<V>, inputs: readonly V[], b: ScalarBuilder<V>): V;
  gradient?(g: Node, node: Node): readonly (Node | null)[];
}

function portableOp({ name, takes, cost, body, gradient }: Block): ElementwiseOp<NoAttributes> {
  const expand = <V>(b: ScalarBuilder<V>, inputs: readonly V[]): V =>
    body(new Unfused(b, b.constant("f64", 0)), inputs, b);
  return {
    name,
    kind: "elementwise",
    cost,
    type(inputs) {
      for (const input of inputs) {
        if (input.dtype !== takes) throw new DTypeError(`${name}: takes ${takes}, got ${typeText(input)}`);
        requireSameShape(name, inputs[0]!, input);
      }
      return { shape: inputs[0]!.shape, dtype: "f64" };
    },
    reference(inputs, _attributes, { outputs: [out] }) {
      const at = (i: number): number =>
        expand(
          numberBuilder,
          inputs.map(({ data }) => numberBuilder.constant(takes, data[i]!)),
        ).value;
      return [{ ...out!, data: inputs[0]!.data.map((_, i) => at(i)) }];
    },
    gradient: (node, [g]) => gradient?.(g!, node) ?? node.inputs.map(() => null),
    expand,
  };
}

export const portableLogOp = /* @__PURE__ */ portableOp({
  name: "portableLog",
  takes: "f64",
  cost: 70,
  body: (f, [x]) => log64(f, x!),
  gradient: (g, { inputs: [x] }) => [div(g, x!)],
});
/** ln x in f64, the same bits on every target, to about 1e-16. */
export const portableLog = (x: Node): Node => makeNode(portableLogOp, [x], {});

export const portableExpOp = /* @__PURE__ */ portableOp({
  name: "portableExp",
  takes: "f64",
  cost: 40,
  body: (f, [x]) => exp64(f, x!),
  gradient: (g, node) => [mul(g, node)],
});
/** eˣ in f64, the same bits on every target, to about 1e-16. */
export const portableExp = (x: Node): Node => makeNode(portableExpOp, [x], {});

export const normalQuantileOp = /* @__PURE__ */ portableOp({
  name: "normalQuantile",
  takes: "f64",
  cost: 160,
  body: (f, [p]) => quantile(f, p!),
  // Φ⁻¹ rises by 1/φ(x).
  gradient: (g, node) => {
    const square = mul(mul(node, node), like(node, -0.5));
    return [div(g, mul(portableExp(square), like(node, 1 / Math.sqrt(2 * Math.PI))))];
  },
});
/**
 * Φ⁻¹(p) in f64, to about 1e-16 relative, the same bits on every target: Wichura, "Algorithm AS 241: the percentage points of
 * the normal distribution", 1988. ∓Infinity at 0 and 1, NaN outside.
 */
export const normalQuantile = (p: Node): Node => makeNode(normalQuantileOp, [p], {});

const gaussianOf = (part: 0 | 1): ElementwiseOp<NoAttributes> =>
  portableOp({
    name: part === 0 ? "gaussianCosine" : "gaussianSine",
    takes: "u32",
    cost: 120,
    body: (f, [radius, turn]) => gaussian(f, radius!, turn!, part),
  });
export const gaussianCosineOp = /* @__PURE__ */ gaussianOf(0);
export const gaussianSineOp = /* @__PURE__ */ gaussianOf(1);
/** Two standard normal numbers in f64 from two words of random bits, by Box and Muller: those of `fillNormal`. */
export const gaussianPair = (radius: Node, turn: Node): [Node, Node] => [
  makeNode(gaussianCosineOp, [radius, turn], {}),
  makeNode(gaussianSineOp, [radius, turn], {}),
];

/** −ln(1 − x) for x in [0, 1) in f64: a standard exponential number from a uniform one. */
export const exponentialOf = (x: Node): Node => neg(portableLog(add(neg(x), like(x, 1))));
