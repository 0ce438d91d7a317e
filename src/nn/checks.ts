/** Checks of a layer's input: the error names the layer's path and the user's line, as those of the graph do. */
import { ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import type { Tensor } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";

/** The last axis of `x` must have `features` elements. */
export function requireFeatures(layer: string, x: Tensor, features: number): void {
  const last: unknown = x.shape[x.shape.length - 1];
  if (last === features) return;
  const found =
    last === undefined ? "a scalar has none" : `the last axis of ${shapeText(x.shape)} has ${String(last)}`;
  throw withPlace(new ShapeError(`${layer} expects ${features} features, ${found}`));
}
