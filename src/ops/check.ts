import { DTypeError } from "../base/errors.ts";
import type { Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { requireDType, requireSameShape, typeText } from "./rules.ts";

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

export const checkIndexOp: ElementwiseOp<Check & { size: Size }> = {
  name: "checkIndex",
  kind: "elementwise",
  cost: 2,
  reports: true,
  type([x]) {
    if (x!.dtype !== "i32") throw new DTypeError(`checkIndex: takes i32, got ${typeText(x!)}; cast it first`);
    return { shape: x!.shape, dtype: "i32" };
  },
  reference([x], { size }, { outputs: [out], size: sizeOf, fail }, node) {
    const data = clampIndices(x!.data, sizeOf(size), (position, value) => fail(node, position, value));
    return [{ ...out!, data }];
  },
  gradient: () => [null],
  expand: (b, [x], { size }) => b.checkIndex(x!, size),
};

/** Indices clamped to 0 … size − 1; `fail` hears of each that was outside. */
export function clampIndices(
  indices: Float64Array,
  size: number,
  fail: (position: number, value: number) => void,
): Float64Array {
  return indices.map((value, position) => {
    if (value >= 0 && value < size) return value;
    fail(position, value);
    return Math.max(0, Math.min(value, size - 1));
  });
}

/**
 * x (i32), each element clamped to 0 … size − 1; where one is outside the run fails with `rule` and the element, and commits
 * nothing.
 *
 * @example checkIndex(labels, 10, "labels must be classes 0 … 9")
 */
export const checkIndex = (x: Node, size: Size, rule: string): Node =>
  makeNode(checkIndexOp, [x], { size, rule });
