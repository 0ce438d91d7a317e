/** Sounds that are a little different each time. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import { arange, random, type Tensor, where } from "../tensor/index.ts";

type Key = Parameters<typeof random.uniform>[0];

export interface SpecAugmentOptions {
  /** What is drawn from: a key, or a seed. */
  readonly key: Key;
  /** Masks over frequencies; default 2. */
  readonly frequencyMasks?: number;
  /** Bands a mask hides at most; default 27. */
  readonly frequencyWidth?: number;
  /** Masks over time; default 2. */
  readonly timeMasks?: number;
  /** Frames a mask hides at most; default 100. */
  readonly timeWidth?: number;
  /** What stands in place of what is hidden; default 0. */
  readonly value?: number;
}

/**
 * Bands and frames hidden at random, others in each spectrogram. Park and others, "SpecAugment", 2019.
 *
 * Shapes: (N, bands, frames) → the same.
 *
 * @throws ShapeError for other axes, ArgumentError for counts or widths that are no whole numbers
 * @example specAugment(ones([2, 80, 300]), { key: 1 }).shape // [2, 80, 300]
 */
export function specAugment(x: Tensor, options: SpecAugmentOptions): Tensor {
  checkOptions("specAugment", options, [
    ...(["key", "frequencyMasks", "frequencyWidth", "timeMasks", "timeWidth", "value"] as const),
  ]);
  const { key, frequencyMasks = 2, frequencyWidth = 27, timeMasks = 2, timeWidth = 100, value = 0 } = options;
  for (const [name, number] of Object.entries({ frequencyMasks, frequencyWidth, timeMasks, timeWidth }))
    if (!Number.isInteger(number) || number < 0)
      throw new ArgumentError(`specAugment: ${name} must be an integer of at least 0, got ${number}`);
  const shape = x.shape as readonly number[];
  if (shape.length !== 3)
    throw new ShapeError(`specAugment: expects (N, bands, frames), got ${shapeText(shape)}`);
  let result = x;
  const hide = (axis: 1 | 2, mask: number, width: number): void => {
    const size = shape[axis]!;
    const draws = random.uniform(random.fold(key, 2 * mask + axis - 1), [2, shape[0]!, 1]) as Tensor;
    const [lengths, places] = [draws.slice(0, 0, 1).squeeze(0), draws.slice(0, 1, 2).squeeze(0)];
    const length = lengths.mul(Math.min(width, size)) as Tensor; // (N, 1)
    const start = places.mul(length.neg().add(size)).floor() as Tensor;
    const at = arange(size).cast("f32");
    const isHidden = at.greaterEqual(start).and(at.less(start.add(length.floor()))) as Tensor; // (N, size)
    result = where(isHidden.expandDims(axis === 1 ? 2 : 1), value, result) as Tensor;
  };
  for (let mask = 0; mask < frequencyMasks; mask++) hide(1, mask, frequencyWidth);
  for (let mask = 0; mask < timeMasks; mask++) hide(2, mask, timeWidth);
  return result;
}

/**
 * Noise added so that the sound is `decibels` louder than it, each row by its own mean power.
 *
 * Shapes: (…, length), and noise of the same shape.
 *
 * @example addNoise(tensor([[1, -1, 1, -1]]), tensor([[1, 1, 1, 1]]), 20) // [[1.1, -0.9, 1.1, -0.9]]
 */
export function addNoise(x: Tensor, noise: Tensor, decibels: number | Tensor): Tensor {
  const power = (of: Tensor): Tensor => of.square().mean(-1, { keepDims: true }) as Tensor;
  const ratio = power(x).div(power(noise).maximum(1e-20)) as Tensor;
  const level = typeof decibels === "number" ? 10 ** (-decibels / 20) : decibels.mul(-Math.LN10 / 20).exp();
  return x.add(noise.mul(ratio.sqrt().mul(level))) as Tensor;
}
