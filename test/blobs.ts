/** A small classification problem: three clouds of points in the plane. */
import { arrayDataset, type Dataset } from "../src/data/index.ts";
import { hashedUnit } from "./fixtures.ts";

const centres = [
  [0, 2],
  [2, -1],
  [-2, -1],
];

/** Columns `points` f32 (2) and `labels` i32. */
export function blobs(count: number, seed = 1): Dataset {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const points = Array.from(labels, (label, i) =>
    centres[label]!.map((centre, axis) => centre + 2 * (hashedUnit(seed, 2 * i + axis) - 0.5)),
  );
  return arrayDataset({ points, labels });
}
