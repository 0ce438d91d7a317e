/** Colours as hue, saturation and value in bytes, and back: Smith, "Color gamut transform pairs", 1978, in Pillow's arithmetic. */
import { type ByteImage, emptyBytes } from "./image.ts";

const float = Math.fround;

/** The image with its hues turned by `turn` of a circle. */
export function shiftHue(image: ByteImage, turn: number): ByteImage {
  const [height, width, channels] = image.shape;
  if (channels < 3) return image;
  const out = emptyBytes(height, width, channels);
  const shift = Math.trunc(turn * 255) & 255;
  const [from, to] = [image.data, out.data];
  for (let i = 0; i < from.length; i += channels) {
    const [red, green, blue] = [from[i]!, from[i + 1]!, from[i + 2]!];
    const high = Math.max(red, green, blue);
    const low = Math.min(red, green, blue);
    // The shift turns gray's hue of 0 too, which its saturation of 0 makes meaningless.
    if (low === high) to[i] = to[i + 1] = to[i + 2] = high;
    else {
      const saturation = Math.trunc(float((high - low) / high) * 255);
      writeColor(to, i, (hueByte(red, green, blue, high, low) + shift) & 255, saturation, high);
    }
    if (channels === 4) to[i + 3] = from[i + 3]!;
  }
  return out;
}

function hueByte(red: number, green: number, blue: number, high: number, low: number): number {
  const range = high - low;
  const r = float((high - red) / range);
  const g = float((high - green) / range);
  const b = float((high - blue) / range);
  let sixths: number;
  if (red === high) sixths = float(b - g);
  else if (green === high) sixths = float(2 + r - b);
  else sixths = float(4 + g - r);
  // Never negative, as a remainder of a negative number would be.
  return Math.min(255, Math.trunc(float((sixths / 6 + 1) % 1) * 255));
}

function writeColor(to: Uint8Array, at: number, hue: number, saturation: number, value: number): void {
  const sixths = float((hue * 6) / 255);
  const sector = Math.floor(sixths);
  const rest = float(sixths - sector);
  const s = float(saturation / 255);
  const p = rounded(value * (1 - s));
  const q = rounded(value * (1 - s * rest));
  const t = rounded(value * (1 - s * (1 - rest)));
  const [red, green, blue] = sectors[sector % 6]!;
  const levels = [value, p, q, t];
  to[at] = levels[red]!;
  to[at + 1] = levels[green]!;
  to[at + 2] = levels[blue]!;
}

const rounded = (value: number): number => Math.floor(value + 0.5);

/** Which of value, p, q, t are red, green and blue in each sixth of the circle. */
const sectors = [
  [0, 3, 1],
  [2, 0, 1],
  [1, 0, 3],
  [1, 2, 0],
  [3, 1, 0],
  [0, 1, 2],
] as const;
