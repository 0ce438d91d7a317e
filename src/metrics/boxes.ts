/** Boxes of images, (x1, y1, x2, y2) with x2 and y2 outside of the box: how much they overlap, and which of many to keep. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";

/** Left, top, right and bottom, in any unit. */
export type Box = readonly [x1: number, y1: number, x2: number, y2: number];

/** A box that a detector found. */
export interface Detection {
  readonly box: Box;
  readonly label: number;
  /** How sure it is; larger is surer. */
  readonly score: number;
}

/** Width times height; 0 for a box that is turned inside out. @example boxArea([1, 1, 4, 3]) // 6 */
export const boxArea = ([x1, y1, x2, y2]: Box): number => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);

/** The area that two boxes share. */
export const intersection = (a: Box, b: Box): number =>
  boxArea([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);

/**
 * Intersection over union: the shared area by the area that both cover, 0 … 1; 0 where both are empty.
 *
 * @example boxIoU([0, 0, 2, 2], [1, 0, 3, 2]) // 2 / 6 = 0.3333333333333333
 */
export function boxIoU(a: Box, b: Box): number {
  const shared = intersection(a, b);
  const union = boxArea(a) + boxArea(b) - shared;
  return union > 0 ? shared / union : 0;
}

export interface SuppressionOptions {
  /** A box goes where it overlaps a surer one by more than this; default 0.5. */
  readonly iouThreshold?: number;
  /** Default false: boxes of different labels leave each other alone. True: they compete. */
  readonly acrossLabels?: boolean;
}

/**
 * Non-maximum suppression: of boxes that overlap, the surest. The result is in falling order of scores; of equal ones the first given
 * comes first. As `torchvision.ops.nms`, or `batched_nms` by label.
 *
 * @throws ArgumentError for a NaN or a threshold outside 0 … 1
 * @example
 * const found = [
 *   { box: [0, 0, 10, 10], label: 0, score: 0.9 },
 *   { box: [1, 1, 11, 11], label: 0, score: 0.8 },
 *   { box: [20, 20, 30, 30], label: 0, score: 0.7 },
 * ] as const;
 * nonMaximumSuppression(found).map(({ score }) => score); // [0.9, 0.7]
 */
export function nonMaximumSuppression<D extends Detection>(
  detections: readonly D[],
  options: SuppressionOptions = {},
): D[] {
  checkOptions("nonMaximumSuppression", options, ["iouThreshold", "acrossLabels"]);
  const { iouThreshold = 0.5, acrossLabels = false } = options;
  if (!(iouThreshold >= 0 && iouThreshold <= 1))
    throw new ArgumentError(`nonMaximumSuppression: iouThreshold must be from 0 to 1, got ${iouThreshold}`);
  const broken = detections.find(({ box, score }) => [...box, score].some(Number.isNaN));
  if (broken)
    throw new ArgumentError(
      `nonMaximumSuppression: a box [${broken.box.join(", ")}] with score ${broken.score}`,
    );
  const kept: D[] = [];
  for (const next of byScore(detections)) {
    const isCovered = kept.some(
      (surer) => (acrossLabels || surer.label === next.label) && boxIoU(surer.box, next.box) > iouThreshold,
    );
    if (!isCovered) kept.push(next);
  }
  return kept;
}

/** In falling order of scores, equal ones as they stand. */
export const byScore = <D extends { readonly score: number }>(detections: readonly D[]): D[] =>
  [...detections].sort((a, b) => b.score - a.score);
