/** Small grey images drawn with characters: two rows of pixels to a line of text. */
import { ShapeError } from "../base/errors.ts";

export interface GreyImage {
  /** Row-major intensities in [0, 1]: 0 is the background. */
  readonly pixels: ArrayLike<number>;
  readonly height: number;
  readonly width: number;
  /** Shown under the image, cut to its width. */
  readonly caption?: string;
}

export interface DrawOptions {
  /** Grey tones by terminal escapes; otherwise each pixel is on or off at one half. */
  readonly color?: boolean;
}

/**
 * An image as lines of half-block characters, its caption last.
 *
 * @throws ShapeError when the pixels are not height × width
 * @example
 * ```ts
 * import { drawImage } from "netwright/report";
 *
 * drawImage({ pixels: [1, 0, 1, 1, 0, 1, 0, 1], height: 4, width: 2 }).join("/"); // "█▄/ █"
 * ```
 */
export function drawImage(image: GreyImage, { color = false }: DrawOptions = {}): string[] {
  const { pixels, height, width, caption } = image;
  if (pixels.length !== height * width) {
    throw new ShapeError(
      `drawImage: ${height} × ${width} pixels are ${height * width} numbers, got ${pixels.length}`,
    );
  }
  const at = (row: number, column: number): number => (row < height ? pixels[row * width + column]! : 0);
  const draw = color ? greyLine : plainLine;
  const lines: string[] = [];
  for (let row = 0; row < height; row += 2) {
    lines.push(draw(Array.from({ length: width }, (_, column) => [at(row, column), at(row + 1, column)])));
  }
  if (caption !== undefined) lines.push(fit(caption, width));
  return lines;
}

/**
 * Images of equal height side by side, as many a row as `columns` characters hold.
 *
 * @example drawImages([{ width: 2, height: 2, pixels: Uint8Array.of(0, 255, 255, 0) }]).length; // 1
 */
export function drawImages(
  images: readonly GreyImage[],
  { columns = 80, color = false }: DrawOptions & { readonly columns?: number } = {},
): string[] {
  const lines: string[] = [];
  for (let at = 0; at < images.length; ) {
    const perRow = Math.max(1, Math.floor((columns + gap.length) / (images[at]!.width + gap.length)));
    const row = images.slice(at, at + perRow).map((image) => drawImage(image, { color }));
    const height = Math.max(...row.map((drawn) => drawn.length));
    if (at > 0) lines.push("");
    for (let line = 0; line < height; line++)
      lines.push(
        row
          .map((drawn) => drawn[line] ?? "")
          .join(gap)
          .trimEnd(),
      );
    at += perRow;
  }
  return lines;
}

const gap = "  ";
const reset = "\x1b[0m";

/** The upper and the lower pixel of a character. */
type Pair = readonly [top: number, bottom: number];

const plainLine = (pairs: readonly Pair[]): string =>
  pairs
    .map(([top, bottom]) => (top >= 0.5 ? (bottom >= 0.5 ? "█" : "▀") : bottom >= 0.5 ? "▄" : " "))
    .join("");

/** The upper half takes the foreground's tone, the lower half the background's: 24 greys, 232 … 255 of the palette. */
function greyLine(pairs: readonly Pair[]): string {
  let before = "";
  const cells = pairs.map(([top, bottom]) => {
    const tones = `\x1b[38;5;${tone(top)};48;5;${tone(bottom)}m`;
    const change = tones === before ? "" : tones;
    before = tones;
    return `${change}▀`;
  });
  return cells.join("") + reset;
}

const tone = (value: number): number => 232 + Math.round(Math.min(1, Math.max(0, value)) * 23);

const fit = (text: string, width: number): string => text.slice(0, width).padEnd(width);
