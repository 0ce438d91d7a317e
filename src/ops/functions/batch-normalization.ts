/** Statistics of channels over all axes before the last, and normalization by them. */
import type { Node } from "../../graph/node.ts";
import { add, div, mul, sub } from "../arithmetic.ts";
import { broadcastTo, sum } from "../broadcast.ts";
import { like } from "../constants.ts";
import { customGradient, stopGradient } from "../custom-gradient.ts";
import { sqrt } from "../magnitude.ts";
import { slice } from "../slice.ts";
import { countOver } from "./statistics.ts";

/** Of each channel, (C). */
export interface ChannelStatistics {
  readonly mean: Node;
  /** Σ (x − mean)² / n */
  readonly variance: Node;
}

const outerAxes = (x: Node): number[] => x.shape.slice(0, -1).map((_, axis) => axis);

/**
 * Mean and variance of the channels of x, (…, C), in one pass: sums of x − s and of its square, where s is the mean of one place
 * of each sample. So near the mean nothing is lost when a spread is small against it (Chan, Golub, LeVeque 1983).
 */
export function channelStatistics(x: Node): ChannelStatistics {
  const axes = outerAxes(x);
  const shift = stopGradient(meanOfPlace(x));
  const deviation = sub(x, broadcastTo(shift, x.shape));
  const count = broadcastTo(countOver(x, axes), shift.shape);
  const drift = div(sum(deviation, axes), count);
  const square = div(sum(mul(deviation, deviation), axes), count);
  return { mean: add(shift, drift), variance: sub(square, mul(drift, drift)) };
}

/** Over the first axis, of the place in the middle of the others. */
function meanOfPlace(x: Node): Node {
  const middle = x.shape.slice(1, -1).map((size) => (typeof size === "number" ? Math.floor(size / 2) : 0));
  const start = [0, ...middle, 0];
  const isEmpty = x.shape.slice(1, -1).some((size) => size === 0);
  const shape = [x.shape[0]!, ...middle.map(() => 1), x.shape.at(-1)!];
  const place = isEmpty ? x : slice(x, { start, shape });
  const axes = outerAxes(place);
  const total = sum(place, axes);
  return div(total, broadcastTo(countOver(place, axes), total.shape));
}

/**
 * (x − mean) / √(variance + ε) · weight + bias, by the statistics of x itself; weight and bias, (C), may be left out. With
 * x̂ = (x − mean) / √(variance + ε) and n elements a channel, the gradient by x is
 * weight / √(variance + ε) · (g − Σg / n − x̂ · Σ(g·x̂) / n). Ioffe and Szegedy, 2015.
 */
export function batchNormalization(
  x: Node,
  { mean, variance }: ChannelStatistics,
  { epsilon, weight, bias }: { readonly epsilon: number; readonly weight?: Node; readonly bias?: Node },
): Node {
  const axes = outerAxes(x);
  const scale = div(like(variance, 1), sqrt(add(variance, like(variance, epsilon))));
  const factor = weight === undefined ? scale : mul(weight, scale);
  const everywhere = (vector: Node): Node => broadcastTo(vector, x.shape);
  const centred = sub(x, everywhere(mean));
  const scaled = mul(centred, everywhere(factor));
  const y = bias === undefined ? scaled : add(scaled, everywhere(bias));
  const inputs = [x, ...(weight === undefined ? [] : [weight]), ...(bias === undefined ? [] : [bias])];
  return customGradient(y, inputs, (g) => {
    const total = sum(g, axes);
    const along = mul(scale, sum(mul(g, centred), axes));
    const count = broadcastTo(countOver(x, axes), total.shape);
    const level = everywhere(div(total, count));
    const slope = everywhere(mul(scale, div(along, count)));
    const byInput = mul(everywhere(factor), sub(sub(g, level), mul(centred, slope)));
    return [byInput, ...(weight === undefined ? [] : [along]), ...(bias === undefined ? [] : [total])];
  });
}
