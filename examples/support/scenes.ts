/** Scenes of 64 × 64 pixels: one to three digits of random sizes, among pieces of other digits. Each key draws another scene. */
import { type Column, type Dataset, type Draws, draws, type RandomKey } from "netwright/data";
import type { Box } from "netwright/metrics";
import { resize } from "netwright/vision";

export const sceneSize = 64;
const [most, pieces, pieceSize] = [3, 8, 9];

/** Images of bytes (28, 28), and what they show. */
export type Digits = Dataset<{
  readonly images: Column<[28, 28], "u8">;
  readonly labels: Column<[], "i32">;
}>;

export interface Scene {
  readonly pixels: Uint8Array;
  /** What digit each pixel belongs to; 10 is none. */
  readonly classes: Int32Array;
  readonly things: readonly { readonly box: Box; readonly label: number }[];
}

/** The scene that a key draws from these digits. */
export function drawScene(digits: Digits, key: RandomKey | number): Scene {
  const random = draws(key);
  const pixels = new Uint8Array(sceneSize ** 2);
  const classes = new Int32Array(sceneSize ** 2).fill(10);
  for (let i = 0; i < pieces; i++) drawPiece(pixels, digits, random);
  const things: { box: Box; label: number }[] = [];
  const count = 1 + random.integer(most);
  for (let tries = 0; things.length < count && tries < 20; tries++) {
    const { images, labels } = digits.sample(random.integer(digits.length));
    const size = 18 + random.integer(15);
    const small = resize(size)({ dtype: "u8", shape: [28, 28, 1], data: images as Uint8Array });
    const ink = inkBox(small.data, size);
    if (ink === undefined) continue;
    const [width, height] = [ink[2] - ink[0], ink[3] - ink[1]];
    const [left, top] = [random.integer(sceneSize - width + 1), random.integer(sceneSize - height + 1)];
    const box: Box = [left, top, left + width, top + height];
    if (things.some((other) => overlaps(other.box, box))) continue;
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        const ink1 = small.data[(ink[1] + row) * size + ink[0] + column]!;
        const at = (top + row) * sceneSize + left + column;
        pixels[at] = Math.max(pixels[at]!, ink1);
        if (ink1 >= 64) classes[at] = labels as number;
      }
    things.push({ box, label: labels as number });
  }
  return { pixels, classes, things };
}

/** A square out of a digit: strokes that mean nothing. */
function drawPiece(pixels: Uint8Array, digits: Digits, random: Draws): void {
  const { images } = digits.sample(random.integer(digits.length));
  const [fromRow, fromColumn] = [random.integer(28 - pieceSize), random.integer(28 - pieceSize)];
  const [top, left] = [random.integer(sceneSize - pieceSize), random.integer(sceneSize - pieceSize)];
  for (let row = 0; row < pieceSize; row++)
    for (let column = 0; column < pieceSize; column++) {
      const at = (top + row) * sceneSize + left + column;
      const ink = (images as Uint8Array)[(fromRow + row) * 28 + fromColumn + column]!;
      pixels[at] = Math.max(pixels[at]!, ink);
    }
}

/** The smallest box around what is drawn in a square image. */
function inkBox(data: ArrayLike<number>, size: number): Box | undefined {
  let [left, top, right, bottom] = [size, size, 0, 0];
  for (let i = 0; i < size * size; i++) {
    if (data[i]! < 64) continue;
    const [row, column] = [Math.floor(i / size), i % size];
    [left, right] = [Math.min(left, column), Math.max(right, column + 1)];
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row + 1)];
  }
  return right > left ? [left, top, right, bottom] : undefined;
}

const overlaps = (a: Box, b: Box): boolean => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
