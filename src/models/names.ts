/** What the files of this room share: names of fields in published weights, and blocks that many networks are made of. */
import type { ChainLink } from "../base/shape-types.ts";
import {
  BatchNorm2d,
  Conv2d,
  type ConvolutionOptions,
  type Initializer,
  initializers,
  Sequential,
} from "../nn/index.ts";

/** Fields under the names that published weights have: `{ body: "features" }`. */
export function* renamed(
  fields: Iterable<readonly [string, unknown]>,
  names: Readonly<Record<string, string>>,
): Iterable<readonly [string, unknown]> {
  for (const [name, value] of fields) yield [names[name] ?? name, value];
}

/** N(0, 2 / fan-out): He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015, for what flows backwards. */
export const heFanOut: Initializer = (request) =>
  initializers.normal(0, Math.sqrt(2 / request.fanOut))(request);

export interface ConvNormOptions extends ConvolutionOptions {
  /** What stands behind the norm; nothing when left out. */
  readonly activation?: ChainLink;
  /** Of the norm; default 1e-5. */
  readonly epsilon?: number;
}

/** Convolution without bias, batch norm, activation: 0, 1 and 2 of a chain. "Same" padding for odd kernels. */
export function convNorm(
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  { activation, epsilon, ...options }: ConvNormOptions = {},
): Sequential {
  const layers: ChainLink[] = [
    new Conv2d(inChannels, outChannels, kernelSize, {
      padding: Math.floor((kernelSize - 1) / 2),
      bias: false,
      weightInit: heFanOut,
      ...options,
    }),
    new BatchNorm2d(outChannels, { epsilon }),
  ];
  if (activation !== undefined) layers.push(activation);
  return new Sequential(...layers);
}

/** Channels scaled by a factor, to a multiple of 8 that is not less than nine tenths of it (MobileNet's rule). */
export function scaledChannels(channels: number, factor: number): number {
  const wanted = channels * factor;
  const rounded = Math.max(8, Math.floor((wanted + 4) / 8) * 8);
  return rounded < 0.9 * wanted ? rounded + 8 : rounded;
}
