/** The error of a run whose check failed: one text for every device. */
import { StepError } from "../base/errors.ts";
import { isStatic } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import { originText } from "../graph/origin.ts";

/** What the message needs of a node. */
export type CheckedNode = Pick<Node, "attributes" | "shape" | "origin"> & {
  readonly op: { readonly name: string };
};

/** A check that did not hold: the node, the row-major position of the element in it, and the element. */
export interface FailedCheck {
  readonly node: CheckedNode;
  readonly position: number;
  readonly value: number;
}

/**
 * A node whose attributes state the rule that its elements broke says so in its words.
 *
 *     gather: the check of element [2] failed: value 5 (in layer "embedding", at app.ts:12:5). The step changed nothing …
 *     crossEntropy: labels must be classes 0 … 9, but element [2] is 12 (at app.ts:12:5). The step changed nothing …
 */
export function stepError({ node, position, value }: FailedCheck): StepError {
  const index = indexOf(node, position);
  const place = index.length === 0 ? "it" : `element [${index.join(", ")}]`;
  const { rule } = node.attributes as { rule?: unknown };
  const failure =
    typeof rule === "string"
      ? `${rule}, but ${place} is ${value}`
      : `${node.op.name}: the check of ${place} failed: value ${value}`;
  return new StepError(
    `${failure}${originText(node.origin)}. The step changed nothing: states hold what it began with`,
  );
}

/** The position as one index an axis, where the shape is known. */
function indexOf({ shape }: CheckedNode, position: number): number[] {
  if (!isStatic(shape)) return [position];
  const index: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis]!;
    index.unshift(position % size);
    position = Math.floor(position / size);
  }
  return index;
}
