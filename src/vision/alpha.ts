/**
 * Colours under alpha. A mean of pixels weighs each colour by its alpha: a pixel that cannot be seen lends its neighbours nothing. As Pillow
 * does it (`Convert.c`), bit for bit on bytes: colours are multiplied by alpha before, and divided by it after.
 */
import { emptyLike, type Image } from "./image.ts";

/** Whether means of this image's pixels need that: not where all pixels can be seen as much as each other. */
function hasAlpha({ data, shape: [, , channels] }: Image): boolean {
  if (channels % 2 === 1) return false;
  const first = data[channels - 1]!;
  for (let i = channels - 1; i < data.length; i += channels) if (data[i] !== first) return true;
  return false;
}

/** a · b / 255, rounded, for bytes. */
export function multipliedBytes(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/** What `change` makes of the image; what it makes of pixels are means of their numbers. */
export function underAlpha(image: Image, change: (image: Image, isMultiplied: boolean) => Image): Image {
  return hasAlpha(image) ? divided(change(multiplied(image), true)) : change(image, false);
}

function multiplied(image: Image): Image {
  const [height, width, channels] = image.shape;
  const out = emptyLike(image, height, width);
  const [from, to] = [image.data, out.data];
  const times = image.dtype === "u8" ? multipliedBytes : (color: number, alpha: number) => color * alpha;
  for (let i = 0; i < from.length; i += channels) {
    const alpha = from[i + channels - 1]!;
    for (let c = i; c < i + channels - 1; c++) to[c] = times(from[c]!, alpha);
    to[i + channels - 1] = alpha;
  }
  return out;
}

/** In place: nobody else has the image. */
function divided(image: Image): Image {
  const { data, dtype } = image;
  const channels = image.shape[2];
  for (let i = 0; i < data.length; i += channels) {
    const alpha = data[i + channels - 1]!;
    for (let c = i; c < i + channels - 1; c++) {
      if (dtype === "f32") data[c] = alpha > 0 ? data[c]! / alpha : 0;
      else if (alpha > 0 && alpha < 255) data[c] = Math.min(255, Math.trunc((255 * data[c]!) / alpha));
    }
  }
  return image;
}
