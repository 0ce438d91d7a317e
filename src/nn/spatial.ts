/** What convolution and pooling layers share: options for one to three spatial axes, and checks of their input. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import type { IsKnown, SameSize, Sentence, TensorShape } from "../base/shape-types.ts";
import type { Tensor } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";

/** One number for every spatial axis, or one for each. */
export type PerAxis = number | readonly number[];
/** "same": as many places as the input has (stride 1 only); "valid": none. */
export type Padding = PerAxis | "same" | "valid";
export type PaddingMode = "zeros" | "reflect" | "replicate" | "circular";

/** Axis 1 of `x`, (N, C, …), must have `Channels` elements. */
export type ChannelsCheck<What extends string, S extends TensorShape, Channels extends number> =
  IsKnown<S> extends false
    ? unknown
    : S extends readonly [number, infer C extends number, ...TensorShape]
      ? SameSize<C, Channels> extends true
        ? unknown
        : Sentence<`${What} expects ${Channels} channels, axis 1 has ${C}`>
      : unknown;

/** (N, C, …) with other channels, and spatial sizes that only the run knows. */
export type WithChannels<S extends TensorShape, Channels extends number> =
  IsKnown<S> extends false
    ? any
    : S extends readonly [infer N extends number, number, ...infer R extends TensorShape]
      ? [N, Channels, ...{ -readonly [K in keyof R]: number }]
      : any;

/** A list with a number of at least `least` for each spatial axis. */
export function perAxis(what: string, value: PerAxis, rank: number, least: number): number[] {
  const list = typeof value === "number" ? Array<number>(rank).fill(value) : [...value];
  if (list.length === rank && list.every((n) => Number.isInteger(n) && n >= least)) return list;
  const need = `${rank > 1 ? `one number or ${rank}` : "one number"}, each an integer of at least ${least}`;
  throw new ArgumentError(
    `${what} must be ${need}, got ${typeof value === "number" ? value : `[${list.join(", ")}]`}`,
  );
}

/** Elements before and after each spatial axis. */
export function paddingPairs(
  what: string,
  padding: Padding,
  {
    kernel,
    strides,
    dilations,
  }: { kernel: readonly number[]; strides: readonly number[]; dilations: readonly number[] },
): (readonly [low: number, high: number])[] {
  if (padding === "valid") return kernel.map(() => [0, 0]);
  if (padding === "same") {
    if (strides.some((stride) => stride !== 1))
      throw new ArgumentError(
        `${what}: padding "same" needs stride 1, got ${strides.join(", ")}; give numbers`,
      );
    return kernel.map((size, i) => {
      const total = (size - 1) * dilations[i]!;
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    });
  }
  if (typeof padding === "string")
    throw new ArgumentError(
      `${what}: padding "${padding as string}" is unknown; use "same", "valid" or numbers`,
    );
  return perAxis(`${what}: padding`, padding, kernel.length, 0).map((n) => [n, n]);
}

/** `x` must be (N, channels, …spatial); any number of channels where none is given. */
export function requireImage(layer: string, x: Tensor, rank: number, channels?: number): void {
  const shape = x.shape as readonly number[];
  if (shape.length !== rank + 2)
    throw withPlace(
      new ShapeError(
        `${layer} expects ${rank + 2} axes, (N, C, ${axisNames(rank)}), got ${shapeText(shape)}`,
      ),
    );
  if (channels !== undefined && shape[1] !== channels)
    throw withPlace(
      new ShapeError(`${layer} expects ${channels} channels on axis 1, ${shapeText(shape)} has ${shape[1]}`),
    );
}

export const axisNames = (rank: number): string => ["L", "H, W", "D, H, W"][rank - 1]!;

/** "3" where all are the same, else "3×5". */
export const perAxisText = (list: readonly number[]): string =>
  list.every((n) => n === list[0]) ? `${list[0]}` : list.join("×");
