/** Normalization along the last axes with a learnt scale and shift, and its gradients in closed form. */
import type { Node } from "../../graph/node.ts";
import { add, div, mul, sub } from "../arithmetic.ts";
import { broadcastTo, expandAxes, sum } from "../broadcast.ts";
import { like } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { sqrt } from "../magnitude.ts";
import { Again, again } from "../rematerialize.ts";
import { mean, variance } from "./statistics.ts";

/** What is learnt: of the shape of the normalized axes, and of the dtype of x. */
export interface RowAffine {
  readonly weight: Node;
  readonly bias?: Node | undefined;
}

/** The normalized axes are the last ones, as many as the weight has. */
const lastAxes = (x: Node, { weight }: RowAffine): number[] =>
  weight.shape.map((_, axis) => x.shape.length - weight.shape.length + axis);

/**
 * (x − mean x) / √(variance x + ε) · weight + bias over the axes of `weight`, the last ones of x. Ba, Kiros and Hinton, "Layer
 * normalization", 2016.
 */
export function layerNormalization(x: Node, epsilon: number, affine: RowAffine): Node {
  const over = lastAxes(x, affine);
  return normalizedRows(x, over, { centre: mean(x, over), spread: variance(x, over), epsilon }, affine);
}

/**
 * x / √(mean x² + ε) · weight over the axes of `weight`, the last ones of x. Zhang and Sennrich, "Root mean square layer
 * normalization", 2019.
 */
export function rmsNormalization(x: Node, epsilon: number, affine: RowAffine): Node {
  const over = lastAxes(x, affine);
  return normalizedRows(x, over, { spread: mean(mul(x, x), over), epsilon }, affine);
}

interface RowStatistics {
  readonly centre?: Node;
  readonly spread: Node;
  readonly epsilon: number;
}

/**
 * d · s · weight + bias with d = x − centre and s = 1 / √(spread + ε). With h = g · weight, and means along the row, the gradient
 * by x is s · (h − mean h − d · s² · mean(h · d)); without a centre, mean h is left out. Both means are of values that are
 * known at once: one pass over the row, and one for the result. For the gradient only x and two numbers a row are kept.
 */
function normalizedRows(
  x: Node,
  over: readonly number[],
  { centre, spread, epsilon }: RowStatistics,
  { weight, bias }: RowAffine,
): Node {
  const owner = new Again();
  const alongRow = (value: Node): Node => expandAxes(value, over, x.shape);
  const everyRow = (value: Node): Node => broadcastTo(value, x.shape);
  const deviation = (from: Node): Node => (centre === undefined ? from : sub(from, alongRow(centre)));
  const scale = div(like(spread, 1), sqrt(add(spread, like(spread, epsilon))));
  const scaled = mul(mul(deviation(x), alongRow(scale)), everyRow(weight));
  const y = bias === undefined ? scaled : add(scaled, everyRow(bias));
  return customGradient(y, [x, weight, ...(bias === undefined ? [] : [bias])], (g) => {
    const d = deviation(again(x, owner));
    const h = mul(g, everyRow(weight));
    const slope = mul(scale, mul(scale, mean(mul(h, d), over)));
    const level = centre === undefined ? h : sub(h, alongRow(mean(h, over)));
    const byInput = mul(alongRow(scale), sub(level, mul(d, alongRow(slope))));
    const rows = x.shape.flatMap((_, axis) => (over.includes(axis) ? [] : [axis]));
    const byWeight = sum(mul(g, mul(d, alongRow(scale))), rows);
    return [byInput, byWeight, ...(bias === undefined ? [] : [sum(g, rows)])];
  });
}
