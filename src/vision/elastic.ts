/** Elastic distortion: every pixel shifted by a smooth random field. Simard, Steinkraus, Platt, "Best practices for convolutional neural networks", 2003. */
import { checkOptions } from "../base/options.ts";
import { fillUniform, fold, type RandomKey } from "../base/random.ts";
import { bellWeights, smoothed } from "./filters.ts";
import { styleOf, type WarpStyle } from "./geometry.ts";
import { checkNumber } from "./image.ts";
import type { Move } from "./move.ts";
import { randomGeometricTransform, type Transform } from "./transform.ts";
import { type Places, warped, warpedMask } from "./warp.ts";

export interface ElasticOptions extends WarpStyle {
  /** How strong: before smoothing, pixels shift by up to half of it; default 50. */
  readonly alpha?: number;
  /** How smooth: the standard deviation of the bell curve that smooths the shifts, in pixels; default 5. */
  readonly sigma?: number;
}

/** For each pixel of the result, how far away in the image it looks. */
export interface Field {
  readonly height: number;
  readonly width: number;
  readonly dx: Float32Array;
  readonly dy: Float32Array;
}

/**
 * Every pixel shifted by a smooth random field (torchvision's `ElasticTransform`, the same field for the same alpha and sigma on average).
 *
 * @throws ArgumentError for a negative alpha, a sigma that is not positive
 * @example elastic({ alpha: 10, sigma: 1 })(photo, 7).shape // [4, 4, 3]
 */
export function elastic(options: ElasticOptions = {}): Transform {
  checkOptions("elastic", options, ["alpha", "sigma", "interpolation", "fill"]);
  const { alpha = 50, sigma = 5 } = options;
  checkNumber("elastic: alpha", alpha, 0);
  checkNumber("elastic: sigma", sigma, 1e-3);
  const style = styleOf("elastic", options);
  return randomGeometricTransform("elastic", (height, width, _, key) =>
    displacing(randomField(height, width, alpha, sigma, key), style),
  );
}

function randomField(height: number, width: number, alpha: number, sigma: number, key: RandomKey): Field {
  const along = (axis: number): Float32Array => {
    const shifts = new Float32Array(height * width);
    fillUniform(fold(key, axis), shifts, -alpha / 2, alpha / 2);
    // No wider than what mirrors into the image.
    const weights = (size: number): Float64Array =>
      bellWeights(Math.min(2 * Math.floor(4 * sigma) + 1, 2 * size - 1), sigma);
    const across = smoothed(shifts, [height, width, 1], weights(width));
    return smoothed(across, [1, height, width], weights(height));
  };
  return { height, width, dx: along(0), dy: along(1) };
}

/** The image seen through a field of shifts. */
export function displacing({ height, width, dx, dy }: Field, style: Required<WarpStyle>): Move {
  const places: Places = (row, xs, ys) => {
    for (let j = 0, i = row * width; j < width; j++, i++) {
      xs[j] = j + 0.5 + dx[i]!;
      ys[j] = row + 0.5 + dy[i]!;
    }
  };
  return {
    height,
    width,
    image: (image) => warped(image, places, { height, width, ...style }),
    mask: (mask) => warpedMask(mask, places, height, width),
    // The result shows at q what the image has at q + shift(q): steps half the way to the q that shows (x, y).
    point(x, y) {
      let [u, v] = [x, y];
      for (let step = 0; step < 30; step++) {
        u += (x - shiftAt(dx, height, width, u, v) - u) / 2;
        v += (y - shiftAt(dy, height, width, u, v) - v) / 2;
      }
      return [u, v];
    },
  };
}

/** Between the middles of pixels in proportion, beyond the outermost as there. */
function shiftAt(shifts: Float32Array, height: number, width: number, x: number, y: number): number {
  const [px, py] = [inside(x - 0.5, width - 1), inside(y - 0.5, height - 1)];
  const [j, i] = [Math.floor(px), Math.floor(py)];
  const [right, below] = [Math.min(j + 1, width - 1), Math.min(i + 1, height - 1)];
  const across = (row: number): number => {
    const [a, b] = [shifts[row * width + j]!, shifts[row * width + right]!];
    return a + (b - a) * (px - j);
  };
  const [upper, lower] = [across(i), across(below)];
  return upper + (lower - upper) * (py - i);
}

const inside = (place: number, last: number): number => Math.min(last, Math.max(0, place));
