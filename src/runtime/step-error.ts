/** The error of a run whose check failed: one text for every device. */
import { StepError } from "../base/errors.ts";
import { isStatic } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import { originText } from "../graph/origin.ts";

/** A check that did not hold: the node, the row-major position of the element in it, and the element. */
export interface FailedCheck {
  readonly node: Node;
  readonly position: number;
  readonly value: number;
}

/**
 * @example
 * gather: the check of element [2] failed: value 5 (in layer "embedding", at app.ts:12:5). The step changed nothing …
 */
export function stepError({ node, position, value }: FailedCheck): StepError {
  const place = `element [${indexOf(node, position).join(", ")}]`;
  return new StepError(
    `${node.op.name}: the check of ${place} failed: value ${value}${originText(node.origin)}. ` +
      "The step changed nothing: states hold what it began with",
  );
}

/** The position as one index an axis, where the shape is known. */
function indexOf({ shape }: Node, position: number): number[] {
  if (!isStatic(shape)) return [position];
  const index: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis]!;
    index.unshift(position % size);
    position = Math.floor(position / size);
  }
  return index;
}
