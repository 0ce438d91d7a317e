/**
 * The three maps that convolutions are made of, with channels last: x (N, …spatial, C), weight (O, C / groups, …kernel), y
 * (N, …places, O). Each is one contraction over windows, which it reads where they lie.
 *
 * They are the transposes of each other: each is the derivative of ⟨correlation(x, w), g⟩ by one of x, w and g. So the gradient of
 * one is made of the other two, to any order, and none spreads windows over memory.
 */
import type { Shape } from "../../base/shape.ts";
import type { Size } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { mul } from "../arithmetic.ts";
import { broadcastTo, reshape, sum } from "../broadcast.ts";
import { customGradient } from "../custom-gradient.ts";
import { contract } from "../dot.ts";
import { permute } from "../permute.ts";
import { flip, slice } from "../slice.ts";
import { windows } from "../windows.ts";
import { framed, gatherWindows, range, type Seen, spatialOf, type WindowGeometry } from "./phases.ts";

/** What is put around are zeros. */
export interface ConvolutionGeometry extends WindowGeometry {
  readonly groups: number;
}

/** (N, C, …spatial) → (N, …spatial, C). */
export const channelsLast = (x: Node): Node => permute(x, [0, ...range(2, x.shape.length - 2), 1]);
/** (N, …spatial, C) → (N, C, …spatial). */
export const channelsFirst = (x: Node): Node =>
  permute(x, [0, x.shape.length - 1, ...range(1, x.shape.length - 2)]);

/** y[n, p, o] = Σ over k and c of x[n, p·stride + k·dilation − low, c] · w[o, c, k], summed in this order of k, then c. */
export function correlation(x: Node, weight: Node, geometry: ConvolutionGeometry): Node {
  const y = correlate(framed(x, geometry.padding), forwardKernel(weight, geometry.groups), geometry);
  return customGradient(y, [x, weight], (g) => [
    correlationByInput(g, weight, geometry, spatialOf(x)),
    correlationByWeight(x, g, geometry, weight.shape),
  ]);
}

/** The transpose of `correlation` by x, whose spatial sizes are `spatial`: each element of g is spread over a window. */
export function correlationByInput(
  g: Node,
  weight: Node,
  geometry: ConvolutionGeometry,
  spatial: Shape,
): Node {
  const kernel = backwardKernel(weight, geometry.groups);
  const x = gatherWindows([{ x: g, around: 0 }], {
    geometry,
    sizes: weight.shape.slice(2) as readonly number[],
    spatial,
    channels: (weight.shape[1] as number) * geometry.groups,
    gather: ([part], seen) =>
      correlate(part!, stepsSeen(kernel, seen), { ...seen, strides: seen.counts.map(() => 1) }),
  });
  return customGradient(x, [g, weight], (v) => [
    correlation(v, weight, geometry),
    correlationByWeight(v, g, geometry, weight.shape),
  ]);
}

/** The transpose of `correlation` by the weight: w[o, c, k] = Σ over n and p of g[n, p, o] · x[n, p·stride + k·dilation − low, c]. */
export function correlationByWeight(x: Node, g: Node, geometry: ConvolutionGeometry, shape: Shape): Node {
  const weight = reshape(gathered(framed(x, geometry.padding), g, geometry, shape), shape);
  return customGradient(weight, [x, g], (v) => [
    correlationByInput(g, v, geometry, spatialOf(x)),
    correlation(x, v, geometry),
  ]);
}

// ---- kernels as (groups, …kernel, in, out) -----------------------------------------------------------------------

function inGroups(weight: Node, groups: number): Node {
  const [out, ...rest] = weight.shape as readonly number[];
  return reshape(weight, [groups, out! / groups, ...rest]);
}

function forwardKernel(weight: Node, groups: number): Node {
  const rank = weight.shape.length - 2;
  return permute(inGroups(weight, groups), [0, ...range(3, rank), 2, 1]);
}

/** From the results' channels to the input's, its steps not yet backwards. */
function backwardKernel(weight: Node, groups: number): Node {
  const rank = weight.shape.length - 2;
  return permute(inGroups(weight, groups), [0, ...range(3, rank), 1, 2]);
}

/** The steps of a kernel that places see, backwards. */
function stepsSeen(kernel: Node, { firsts, steps, counts }: Seen): Node {
  const taken = slice(kernel, {
    start: [0, ...firsts, 0, 0],
    step: [1, ...steps, 1, 1],
    shape: [kernel.shape[0]!, ...counts, ...kernel.shape.slice(-2)],
  });
  return flip(taken, range(1, counts.length));
}

// ---- contractions ------------------------------------------------------------------------------------------------

interface Steps {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** Windows of the spatial axes, (N, …places, C, …kernel). */
function windowsOf(x: Node, kernel: Shape, { strides, dilations }: Steps): Node {
  const sizes = kernel as readonly number[];
  return windows(x, { axes: range(1, sizes.length), sizes, strides, dilations });
}

/** The last axis, of channels, as (groups, channels of a group), and the groups in front. */
function groupsFirst(x: Node, axis: number, groups: number): Node {
  const size = (x.shape[axis] as number) / groups;
  const parts = reshape(x, [...x.shape.slice(0, axis), groups, size, ...x.shape.slice(axis + 1)]);
  return permute(parts, [axis, ...range(0, axis), ...range(axis + 1, x.shape.length - axis)]);
}

const isDepthwise = (groups: number, inputs: Size, outputs: Size): boolean =>
  groups > 1 && inputs === 1 && outputs === 1;

/** Every window of x, which is padded, times the kernel: (N, …places, out). */
function correlate(x: Node, kernel: Node, steps: Steps): Node {
  const rank = x.shape.length - 2;
  const [groups, inputs, outputs] = [kernel.shape[0] as number, ...kernel.shape.slice(-2)] as number[];
  const seen = windowsOf(x, kernel.shape.slice(1, -2), steps);
  const [outer, channels, within] = [range(0, rank + 1), rank + 1, range(rank + 2, rank)];
  if (isDepthwise(groups!, inputs!, outputs!)) {
    const parts = permute(seen, [...outer, ...within, channels]); // (N, …P, …K, C)
    const factors = permute(reshape(kernel, kernel.shape.slice(0, -2)), [...range(1, rank), 0]); // (…K, C)
    return sum(mul(parts, broadcastTo(factors, parts.shape)), range(rank + 1, rank));
  }
  if (groups === 1) {
    const parts = permute(seen, [...outer, ...within, channels]); // (N, …P, …K, C)
    return contract(parts, reshape(kernel, kernel.shape.slice(1)), { batch: 0, depth: rank + 1 });
  }
  const parts = groupsFirst(seen, channels, groups!); // (G, N, …P, C/G, …K)
  const ordered = permute(parts, [0, ...range(1, rank + 1), ...range(rank + 3, rank), rank + 2]);
  const y = contract(ordered, kernel, { batch: 1, depth: rank + 1 }); // (G, N, …P, O/G)
  const back = permute(y, [...range(1, rank + 1), 0, rank + 2]);
  return reshape(back, [...back.shape.slice(0, -2), groups! * outputs!]);
}

/** Every window of x, which is padded, times the cotangent g of its place, summed over the places: (G, O/G, C/G, …K). */
function gathered(x: Node, g: Node, { groups, ...steps }: ConvolutionGeometry, shape: Shape): Node {
  const rank = x.shape.length - 2;
  const seen = windowsOf(x, shape.slice(2), steps); // (N, …P, C, …K)
  if (isDepthwise(groups, shape[1]!, (shape[0] as number) / groups)) {
    const parts = permute(seen, [...range(0, rank + 1), ...range(rank + 2, rank), rank + 1]); // (N, …P, …K, C)
    const spread = reshape(g, [...g.shape.slice(0, -1), ...range(0, rank).map(() => 1), g.shape.at(-1)!]);
    const weight = sum(mul(parts, broadcastTo(spread, parts.shape)), range(0, rank + 1)); // (…K, C)
    return permute(weight, [rank, ...range(0, rank)]);
  }
  const rows = permute(groupsFirst(g, rank + 1, groups), [0, rank + 2, ...range(1, rank + 1)]); // (G, O/G, N, …P)
  const parts = groupsFirst(seen, rank + 1, groups); // (G, N, …P, C/G, …K)
  return contract(rows, parts, { batch: 1, depth: rank + 1 });
}
