/**
 * Convolution and its transpose, in any number of spatial axes. Layout as in PyTorch: x (N, C, …spatial), weight
 * (O, C / groups, …kernel). Inside, channels come last, where they fill vectors whatever the image's size (`correlation.ts`);
 * what is permuted for it costs nothing between layers that permute it back.
 */
import { ShapeError } from "../../base/errors.ts";
import { type Shape, shapeText } from "../../base/shape.ts";
import { multiplySizes, type Size } from "../../base/size.ts";
import { composed } from "../../graph/composition.ts";
import type { Node } from "../../graph/node.ts";
import { add } from "../arithmetic.ts";
import { broadcastTo } from "../broadcast.ts";
import {
  type ConvolutionGeometry,
  channelsFirst,
  channelsLast,
  correlation,
  correlationByInput,
} from "./correlation.ts";

export type { ConvolutionGeometry } from "./correlation.ts";

/**
 * y[n, o, p] = bias[o] + Σ over k and c of x[n, c, p·stride + k·dilation − padding] · weight[o, c, k], within each of the groups
 * that channels fall into (cross-correlation, as everywhere in deep learning).
 *
 * @throws ShapeError when channels, groups or ranks do not fit, or the kernel is larger than the padded input
 */
export function convolution(x: Node, weight: Node, geometry: ConvolutionGeometry, bias?: Node): Node {
  const { groups } = geometry;
  requireChannels("convolution", x, weight, { groups, channels: multiplySizes(weight.shape[1]!, groups) });
  const y = withBias(correlation(channelsLast(x), weight, geometry), bias);
  return composed(y, "convolution", withoutAbsent(x, weight, bias), { ...geometry });
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
  bias?: Node,
): Node {
  const { groups, padding, strides, dilations, outputPadding } = geometry;
  requireChannels("convolutionTranspose", x, weight, { groups, channels: weight.shape[0]! });
  const kernel = weight.shape.slice(2) as readonly number[];
  const places = (x.shape.slice(2) as readonly number[]).map((size, i) => {
    const reach = (size - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1;
    return reach + outputPadding[i]! - padding[i]![0] - padding[i]![1];
  });
  const y = withBias(correlationByInput(channelsLast(x), weight, geometry, places), bias);
  return composed(y, "convolutionTranspose", withoutAbsent(x, weight, bias), { ...geometry });
}

const withoutAbsent = (x: Node, weight: Node, bias: Node | undefined): Node[] =>
  bias === undefined ? [x, weight] : [x, weight, bias];

/** With a number added to each channel, the channels put in front. */
const withBias = (y: Node, bias: Node | undefined): Node =>
  channelsFirst(bias === undefined ? y : add(y, broadcastTo(bias, y.shape)));

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
