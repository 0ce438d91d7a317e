/** A small data set in MNIST's files: digits that a network can tell apart after a few steps. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashedUnit } from "./fixtures.ts";

/** Writes the four IDX files into `folder`: `trainCount` and `testCount` images, a bright bar whose place is the label. */
export function writeSmallMnist(folder: string, { trainCount = 320, testCount = 64 } = {}): void {
  writePair(folder, "train", trainCount, 1);
  writePair(folder, "t10k", testCount, 2);
}

function writePair(folder: string, prefix: string, count: number, seed: number): void {
  const images = Buffer.alloc(16 + count * 784);
  const labels = Buffer.alloc(8 + count);
  [0x803, count, 28, 28].forEach((value, i) => void images.writeUInt32BE(value, 4 * i));
  [0x801, count].forEach((value, i) => void labels.writeUInt32BE(value, 4 * i));
  for (let i = 0; i < count; i++) {
    const label = i % 10;
    labels[8 + i] = label;
    for (let pixel = 0; pixel < 784; pixel++) {
      const isBar = Math.floor((pixel % 28) / 2.8) === label;
      images[16 + i * 784 + pixel] = Math.floor(hashedUnit(seed, i * 784 + pixel) * 128) + (isBar ? 127 : 0);
    }
  }
  writeFileSync(join(folder, `${prefix}-images-idx3-ubyte`), images);
  writeFileSync(join(folder, `${prefix}-labels-idx1-ubyte`), labels);
}
