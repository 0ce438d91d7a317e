/**
 * The three maps that convolutions are made of, with channels last: x (N, …spatial, C), weight (O, C / groups, …kernel), y
 * (N, …places, O). Each is one contraction over windows, which it reads where they lie.
 *
 * They are the transposes of each other: each is the derivative of ⟨correlation(x, w), g⟩ by one of x, w and g. So the gradient of
 * one is made of the other two, to any order, and none spreads windows over memory.
 */
import type { Shape } from "../../base/shape.ts";
import { addSizes, boundsOf, type Size, subtractSizes } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { mul } from "../arithmetic.ts";
import { broadcastTo, reshape, sum } from "../broadcast.ts";
import { concat } from "../concat.ts";
import { full } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { contract } from "../dot.ts";
import { permute } from "../permute.ts";
import { flip, pad, slice } from "../slice.ts";
import { windows } from "../windows.ts";

/** Entry by entry for the spatial axes; padding as numbers of zeros before and after. */
export interface Geometry {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: readonly (readonly [low: number, high: number])[];
  readonly groups: number;
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** (N, C, …spatial) → (N, …spatial, C). */
export const channelsLast = (x: Node): Node => permute(x, [0, ...range(2, x.shape.length - 2), 1]);
/** (N, …spatial, C) → (N, C, …spatial). */
export const channelsFirst = (x: Node): Node =>
  permute(x, [0, x.shape.length - 1, ...range(1, x.shape.length - 2)]);

const spatialOf = (x: Node): Shape => x.shape.slice(1, -1);

/** y[n, p, o] = Σ over k and c of x[n, p·stride + k·dilation − low, c] · w[o, c, k], summed in this order of k, then c. */
export function correlation(x: Node, weight: Node, geometry: Geometry): Node {
  const y = correlate(framed(x, geometry.padding), forwardKernel(weight, geometry.groups), geometry);
  return customGradient(y, [x, weight], (g) => [
    correlationByInput(g, weight, geometry, spatialOf(x)),
    correlationByWeight(x, g, geometry, weight.shape),
  ]);
}

/** The transpose of `correlation` by x, whose spatial sizes are `spatial`: each element of g is spread over a window. */
export function correlationByInput(g: Node, weight: Node, geometry: Geometry, spatial: Shape): Node {
  const spread = Math.max(...geometry.dilations) === 1 ? spreadInPhases : spreadDilated;
  const x = spread(g, backwardKernel(weight, geometry.groups), geometry, spatial);
  return customGradient(x, [g, weight], (v) => [
    correlation(v, weight, geometry),
    correlationByWeight(v, g, geometry, weight.shape),
  ]);
}

/** The transpose of `correlation` by the weight: w[o, c, k] = Σ over n and p of g[n, p, o] · x[n, p·stride + k·dilation − low, c]. */
export function correlationByWeight(x: Node, g: Node, geometry: Geometry, shape: Shape): Node {
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
function gathered(x: Node, g: Node, { groups, ...steps }: Geometry, shape: Shape): Node {
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

// ---- frames ------------------------------------------------------------------------------------------------------

/** Zeros around the spatial axes; where a number is negative, elements are cut off. */
function framed(x: Node, frame: readonly (readonly [low: Size, high: Size])[]): Node {
  const outside = ([0, ...frame.map(([low]) => atLeastZero(low)), 0] as Size[]).map((low, axis) => [
    low,
    atLeastZero(frame[axis - 1]?.[1] ?? 0),
  ]);
  const wide = pad(x, { low: outside.map(([low]) => low!), high: outside.map(([, high]) => high!) });
  const cut = frame.map(([low, high]) => [cutOff(low), cutOff(high)] as const);
  return slice(wide, {
    start: [0, ...cut.map(([low]) => low), 0],
    shape: wide.shape.map((size, axis) => {
      const [low, high] = cut[axis - 1] ?? [0, 0];
      return subtractSizes(size, addSizes(low, high));
    }),
  });
}

const atLeastZero = (size: Size): Size => (boundsOf(size).min >= 0 ? size : 0);
const cutOff = (size: Size): Size => (boundsOf(size).min >= 0 ? 0 : subtractSizes(0, size));

// ---- spreading ---------------------------------------------------------------------------------------------------

/** Of the places h ≡ phase (mod stride) of an axis: the steps of the kernel that reach them, and the part of g that they see. */
interface Phase {
  /** First of the kernel's steps; the next are `stride` apart, `count` of them. */
  readonly first: number;
  readonly count: number;
  /** Before and after g; negative: cut off. */
  readonly low: number;
  readonly high: Size;
}

/** For each place h of the result, h + low = p·stride + k, so k ≡ h + low (mod stride): each phase sees some k only. */
function phasesOf(
  { stride, low, kernel }: { readonly stride: number; readonly low: number; readonly kernel: number },
  places: Size,
  from: Size,
): Phase[] {
  return range(0, stride).map((phase) => {
    const first = (phase + low) % stride;
    const ahead = Math.floor((phase + low) / stride);
    const count = Math.max(0, Math.ceil((kernel - first) / stride));
    return { first, count, low: count - 1 - ahead, high: addSizes(subtractSizes(places, from), ahead) };
  });
}

/**
 * The transpose of `correlate` by x for kernels without dilation: for each phase of the strides a product over windows of g with
 * the kernel's steps that meet it, backwards; then the phases are put together.
 */
function spreadInPhases(g: Node, kernel: Node, { strides, padding }: Geometry, spatial: Shape): Node {
  const rank = strides.length;
  const places = spatial.map((size, i) =>
    strides[i] === 1 ? size : Math.ceil((size as number) / strides[i]!),
  );
  const phases = strides.map((stride, i) =>
    phasesOf(
      { stride, low: padding[i]![0], kernel: kernel.shape[i + 1] as number },
      places[i]!,
      g.shape[i + 1]!,
    ),
  );
  const most = phases.map((list) =>
    Math.max(0, ...list.filter(({ count }) => count > 0).map(({ low }) => low)),
  );
  const above = phases.map((list) => list.map(({ high }) => high).reduce(larger));
  const whole = framed(
    g,
    most.map((low, i) => [low, atLeastZero(above[i]!)]),
  );
  const product = (chosen: readonly Phase[]): Node => {
    if (chosen.some(({ count }) => count === 0)) {
      const channels = (kernel.shape[0] as number) * (kernel.shape.at(-1) as number);
      return full([g.shape[0]!, ...places, channels], 0, g.dtype);
    }
    const part = slice(whole, {
      start: [0, ...chosen.map(({ low }, i) => most[i]! - low), 0],
      shape: [g.shape[0]!, ...chosen.map(({ count }, i) => addSizes(places[i]!, count - 1)), g.shape.at(-1)!],
    });
    const taken = slice(kernel, {
      start: [0, ...chosen.map(({ first }) => first), 0, 0],
      step: [1, ...strides, 1, 1],
      shape: [kernel.shape[0]!, ...chosen.map(({ count }) => count), ...kernel.shape.slice(-2)],
    });
    const ones = strides.map(() => 1);
    return correlate(part, flip(taken, range(1, rank)), { strides: ones, dilations: ones });
  };
  const assembled = (chosen: readonly Phase[]): Node => {
    const axis = chosen.length;
    if (axis === rank) return product(chosen);
    const parts = phases[axis]!.map((phase) => assembled([...chosen, phase]));
    return interleaved(parts, axis + 1);
  };
  const result = assembled([]);
  return slice(result, {
    start: result.shape.map(() => 0),
    shape: [g.shape[0]!, ...spatial, result.shape.at(-1)!],
  });
}

/** Element i of part j becomes element i · parts + j along the axis. */
function interleaved(parts: readonly Node[], axis: number): Node {
  if (parts.length === 1) return parts[0]!;
  const { shape } = parts[0]!;
  const single = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
  const stacked = concat(
    parts.map((part) => reshape(part, single)),
    axis + 1,
  );
  const joined = (shape[axis] as number) * parts.length;
  return reshape(stacked, [...shape.slice(0, axis), joined, ...shape.slice(axis + 1)]);
}

const larger = (a: Size, b: Size): Size => (boundsOf(subtractSizes(a, b)).min >= 0 ? a : b);

/** The same with dilation: g, its elements as far apart as the strides, seen through windows of the whole kernel. */
function spreadDilated(
  g: Node,
  kernel: Node,
  { strides, dilations, padding }: Geometry,
  spatial: Shape,
): Node {
  const none = g.shape.map(() => 0);
  const apart = pad(g, { low: none, high: none, interior: [0, ...strides.map((stride) => stride - 1), 0] });
  const frame = spatial.map((size, i): [Size, Size] => {
    const low = padding[i]![0];
    const reach = ((kernel.shape[i + 1] as number) - 1) * dilations[i]!;
    return [reach - low, addSizes(subtractSizes(size, apart.shape[i + 1]!), low)];
  });
  const backwards = flip(kernel, range(1, strides.length));
  return correlate(framed(apart, frame), backwards, { strides: strides.map(() => 1), dilations });
}
