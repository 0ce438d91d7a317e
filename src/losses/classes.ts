/** Labels of classes: indices in any dtype, checked. */
import { isFloat } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { broadcastTo, equal, iota, reshape } from "../ops/index.ts";
import { asTensor, type Tensor, type TensorLike } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { checked } from "./checks.ts";

/** Labels as floats or i32: in 8 bits a number of classes or an ignored index might wrap. */
export function wideLabels(labels: TensorLike): Tensor {
  const y = asTensor(labels);
  return isFloat(y.dtype) ? y : y.cast("i32");
}

/** The size of the last axis. */
export function classCount(what: string, scores: Tensor): number {
  const classes: unknown = scores.shape.at(-1);
  if (typeof classes === "number") return classes;
  throw new ShapeError(
    `${what}: the number of classes must be known, got ${String(classes)} on the last axis`,
  );
}

/** Wide labels as i32, checked: NaN, fractions and numbers outside 0 … classes − 1 fail the step. */
export function classIndices(what: string, labels: Tensor, classes: number): Tensor {
  const isInRange = labels.greaterEqual(0).and(labels.less(classes));
  const isClass = isFloat(labels.dtype) ? isInRange.and(labels.equal(labels.floor())) : isInRange;
  return checked(labels, isClass, `${what}: labels must be classes 0 … ${classes - 1}`).cast("i32");
}

/** A new last axis of the classes, true at the label's place: (…) → (…, classes). */
export function placesOf(labels: Tensor, classes: number): Tensor {
  const label = nodeOf(labels);
  const shape = [...label.shape, classes];
  const column = broadcastTo(reshape(label, [...label.shape, 1]), shape);
  return fromNode(equal(column, iota(shape, label.shape.length)));
}

/** A weight for each class, shape (classes). */
export function classWeightsOf(what: string, classWeights: TensorLike, classes: number): Tensor {
  const weights = asTensor(classWeights);
  if (sameShape(weights.shape, [classes])) return weights;
  throw new ShapeError(
    `${what}: classWeights must have shape ${shapeText([classes])}, one for each class, got ${shapeText(weights.shape)}`,
  );
}
