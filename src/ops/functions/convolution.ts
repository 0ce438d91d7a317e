/**
 * Convolution and its transpose, in any number of spatial axes: products over windows. Layout as in PyTorch: x (N, C, …spatial),
 * weight (O, C / groups, …kernel).
 */
import { ShapeError } from "../../base/errors.ts";
import { type Shape, shapeText } from "../../base/shape.ts";
import { multiplySizes, productOf, type Size } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { broadcastTo, reshape } from "../broadcast.ts";
import { dot } from "../dot.ts";
import { permute, transpose } from "../permute.ts";
import { pad, slice } from "../slice.ts";
import { foldWindows, windows } from "../windows.ts";

/** Entry by entry for the spatial axes. */
export interface ConvolutionGeometry {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Zeros before and after. */
  readonly padding: readonly (readonly [low: number, high: number])[];
  readonly groups: number;
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** (B, …) in `groups` parts along axis 1: (B, groups, size / groups, …). */
function grouped(x: Node, groups: number, axis: number): Node {
  const size = x.shape[axis] as number;
  return reshape(x, [...x.shape.slice(0, axis), groups, size / groups, ...x.shape.slice(axis + 1)]);
}

/**
 * y[n, o, p] = Σ over c and k of x[n, c, p·stride + k·dilation − padding] · weight[o, c, k], within each of the groups that
 * channels fall into (cross-correlation, as everywhere in deep learning).
 *
 * @throws ShapeError when channels, groups or ranks do not fit, or the kernel is larger than the padded input
 */
export function convolution(
  x: Node,
  weight: Node,
  { groups, padding, ...geometry }: ConvolutionGeometry,
): Node {
  requireChannels("convolution", x, weight, { groups, channels: multiplySizes(weight.shape[1]!, groups) });
  const rank = weight.shape.length - 2;
  const [outChannels, , ...kernel] = weight.shape as readonly number[];
  const seen = windows(padded(x, padding), { axes: range(2, rank), sizes: kernel, ...geometry }); // (N, C, …P, …K)
  const places = seen.shape.slice(2, 2 + rank);
  const parts = grouped(seen, groups, 1); // (N, G, C/G, …P, …K)
  const order = [0, 1, 2, ...range(3 + rank, rank), ...range(3, rank)];
  const depth = productOf([parts.shape[2]!, ...kernel]);
  const [batch, area] = [x.shape[0]!, productOf(places)];
  const columns = reshape(permute(parts, order), [batch, groups, depth, area]); // (N, G, C/G·K, P)
  const rows = reshape(weight, [groups, outChannels! / groups, depth]);
  const y = dot(broadcastTo(rows, [batch, ...rows.shape]), columns); // (N, G, O/G, P)
  return reshape(y, [batch, outChannels!, ...places]);
}

/**
 * The transpose of `convolution` by its input: each element of x is spread over a window of the result. The weight is (C,
 * O / groups, …kernel); the result has (size − 1)·stride − low − high + (kernel − 1)·dilation + 1 + `outputPadding` places.
 *
 * @throws ShapeError when channels, groups or ranks do not fit
 */
export function convolutionTranspose(
  x: Node,
  weight: Node,
  geometry: ConvolutionGeometry & { readonly outputPadding: readonly number[] },
): Node {
  const { groups, padding, strides, dilations, outputPadding } = geometry;
  requireChannels("convolutionTranspose", x, weight, { groups, channels: weight.shape[0]! });
  const rank = weight.shape.length - 2;
  const [channels, perGroup, ...kernel] = weight.shape as readonly number[];
  const [batch, , ...places] = x.shape as readonly number[];
  const area = productOf(places);
  const image = reshape(x, [batch!, groups, channels! / groups, area]);
  const taps = productOf(kernel);
  const matrix = transpose(reshape(weight, [groups, channels! / groups, multiplySizes(perGroup!, taps)]));
  const spread = dot(broadcastTo(matrix, [batch!, ...matrix.shape]), image); // (N, G, O/G·K, P)
  const outChannels = perGroup! * groups;
  const tapped = reshape(spread, [batch!, outChannels, ...kernel, ...places]);
  const seen = permute(tapped, [0, 1, ...range(2 + rank, rank), ...range(2, rank)]); // (N, O, …P, …K)
  const full = places.map(
    (size, i) => (size - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1 + outputPadding[i]!,
  );
  const whole = foldWindows(seen, [batch!, outChannels, ...full], {
    axes: range(2, rank),
    sizes: kernel,
    strides,
    dilations,
  });
  return slice(whole, {
    start: [0, 0, ...padding.map(([low]) => low)],
    shape: [batch!, outChannels, ...full.map((size, i) => size - padding[i]![0] - padding[i]![1])],
  });
}

/** x with zeros around its spatial axes. */
function padded(x: Node, padding: ConvolutionGeometry["padding"]): Node {
  if (padding.every(([low, high]) => low === 0 && high === 0)) return x;
  const low = [0, 0, ...padding.map(([before]) => before)];
  return pad(x, { low, high: [0, 0, ...padding.map(([, after]) => after)], value: 0 });
}

function requireChannels(
  what: string,
  x: Node,
  weight: Node,
  { groups, channels }: { readonly groups: number; readonly channels: Size },
): void {
  const text = (shape: Shape): string => shapeText(shape);
  if (x.shape.length !== weight.shape.length || x.shape.length < 3)
    throw new ShapeError(
      `${what}: x ${text(x.shape)} and weight ${text(weight.shape)} need as many axes: (N, C, …spatial) and (O, C, …kernel)`,
    );
  const outChannels = weight.shape[0] as number;
  if (x.shape[1] !== channels)
    throw new ShapeError(
      `${what}: x ${text(x.shape)} has ${String(x.shape[1])} channels, the weight takes ${String(channels)}`,
    );
  if (outChannels % groups !== 0 || (channels as number) % groups !== 0)
    throw new ShapeError(`${what}: ${groups} groups do not divide the weight's ${text(weight.shape)}`);
}
