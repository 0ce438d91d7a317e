/** Parts of an image hidden. */
import { checkOptions } from "../base/options.ts";
import { fillNormal, fold, type RandomKey } from "../base/random.ts";
import { draws } from "../data/index.ts";
import { drawn } from "./crop.ts";
import type { Frame } from "./frame.ts";
import { checkNumber, checkRange, type Image, type Region } from "./image.ts";
import { type Transform, transformOf } from "./transform.ts";

export interface RandomErasingOptions {
  /** Default 0.5. */
  readonly probability?: number;
  /** The part's area over the image's; default [0.02, 0.33]. */
  readonly scale?: readonly [from: number, to: number];
  /** The part's height over its width; default [0.3, 3.3]. */
  readonly ratio?: readonly [from: number, to: number];
  /** What stands there: a number for all channels, or "random" for normal noise; default 0. */
  readonly value?: number | "random";
}

/**
 * A part of the image hidden at random. Works after `normalize` too, where 0 is the mean colour. Zhong and others, "Random erasing data
 * augmentation", 2017.
 *
 * @throws ArgumentError for numbers outside their ranges
 * @example randomErasing({ probability: 1 })(photo, 7).shape // [4, 4, 3]
 */
export function randomErasing(options: RandomErasingOptions = {}): Transform {
  checkOptions("randomErasing", options, ["probability", "scale", "ratio", "value"]);
  const { probability = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], value = 0 } = options;
  checkNumber("randomErasing: probability", probability, 0, 1);
  checkRange("randomErasing: scale", scale, 0, 1);
  checkRange("randomErasing: ratio", ratio, 1e-6);
  const step = (frame: Frame, key: RandomKey): Frame => {
    const random = draws(key);
    if (!random.boolean(probability)) return frame;
    const [height, width] = frame.channelsFirst ? frame.image.shape.slice(1) : frame.image.shape;
    for (let attempt = 0; attempt < 10; attempt++) {
      const area = height! * width! * drawn(random, scale);
      const aspect = Math.exp(drawn(random, [Math.log(ratio[0]), Math.log(ratio[1])]));
      const [h, w] = [Math.round(Math.sqrt(area * aspect)), Math.round(Math.sqrt(area / aspect))];
      if (h < 1 || w < 1 || h >= height! || w >= width!) continue;
      const region = {
        top: random.integer(height! - h + 1),
        left: random.integer(width! - w + 1),
        height: h,
        width: w,
      };
      return { ...frame, image: erased(frame, region, value, key) };
    }
    return frame;
  };
  return transformOf("randomErasing", step, { isRandom: true, takesAnyLayout: true });
}

function erased(
  { image, channelsFirst }: Frame,
  { top, left, height, width }: Region,
  value: number | "random",
  key: RandomKey,
): Image {
  const [outer, rowLength, rows] = channelsFirst
    ? [image.shape[0], image.shape[2], image.shape[1]]
    : [1, image.shape[1] * image.shape[2], image.shape[0]];
  const step = channelsFirst ? 1 : image.shape[2];
  const data = image.data.slice();
  const noise = value === "random" ? noiseFor(image, outer * height * width * step, key) : undefined;
  for (let o = 0, n = 0; o < outer; o++)
    for (let y = top; y < top + height; y++) {
      const start = (o * rows + y) * rowLength + left * step;
      if (noise) data.set(noise.subarray(n, (n += width * step)), start);
      else data.fill(value as number, start, start + width * step);
    }
  return { ...image, data };
}

/** Standard normal for f32; around gray, a quarter of the range wide, for bytes. */
function noiseFor({ dtype }: Image, count: number, key: RandomKey): Float32Array | Uint8ClampedArray {
  const noise = new Float32Array(count);
  // Draws fold small numbers: this one is free.
  fillNormal(fold(key, 2 ** 32), noise);
  return dtype === "f32" ? noise : Uint8ClampedArray.from(noise, (x) => 127.5 + 64 * x);
}
