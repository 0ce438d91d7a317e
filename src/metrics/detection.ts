/**
 * Mean average precision of detected boxes, as the COCO benchmark computes it. Lin and others, "Microsoft COCO: common objects in
 * context", 2014; the figures are those of its own program.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { type Box, boxArea, boxIoU, byScore, type Detection, intersection } from "./boxes.ts";

/** A box that is there. */
export interface TrueBox {
  readonly box: Box;
  readonly label: number;
  /** Default false. True: many things in one box; detections inside are neither right nor wrong. */
  readonly isCrowd?: boolean;
  /** Default the box's area; that of the thing itself where a mask tells it. */
  readonly area?: number;
}

/** Means over the classes that are there, 0 … 1; NaN where nothing is to be found. */
export interface DetectionScores {
  /** Over overlaps 0.50, 0.55 … 0.95: the figure that COCO ranks by. */
  readonly meanAveragePrecision: number;
  /** At an overlap of 0.5, and of 0.75. */
  readonly averagePrecision50: number;
  readonly averagePrecision75: number;
  /** Of things below 32² pixels, up to 96², and above. */
  readonly small: number;
  readonly medium: number;
  readonly large: number;
  /** What is found by the 1, 10 and 100 surest boxes of each image, a mean over overlaps. */
  readonly recall1: number;
  readonly recall10: number;
  readonly recall100: number;
  /** `meanAveragePrecision` of each class. */
  readonly classes: ReadonlyMap<number, number>;
}

/** Overlaps that count as found. */
const overlaps = Array.from({ length: 10 }, (_, i) => 0.5 + 0.05 * i);
/** Where precision is read off. */
const recalls = Array.from({ length: 101 }, (_, i) => i / 100);

type Range = readonly [low: number, high: number];
const everything: Range = [0, 1e10];
const ranges = { small: [0, 32 ** 2], medium: [32 ** 2, 96 ** 2], large: [96 ** 2, 1e10] } as const;

/**
 * How good detections are, image by image.
 *
 * @param predictions what was found in each image
 * @param truths what is there in each image
 * @throws ShapeError when there are not as many lists, ArgumentError for a score or box that is no number
 * @example
 * const truth = [[{ box: [0, 0, 10, 10], label: 0 }]] as const;
 * const found = [[{ box: [0, 0, 10, 8], label: 0, score: 0.9 }]] as const;
 * detectionScores(found, truth).averagePrecision75 > 0.999; // true: they overlap by 0.8
 */
export function detectionScores(
  predictions: readonly (readonly Detection[])[],
  truths: readonly (readonly TrueBox[])[],
): DetectionScores {
  if (predictions.length !== truths.length)
    throw new ShapeError(
      `detectionScores: ${predictions.length} lists of detections for ${truths.length} images; give one for each, empty where nothing was found`,
    );
  for (const { box, score } of predictions.flat())
    if (![...box, score].every(Number.isFinite))
      throw new ArgumentError(
        `detectionScores: a box [${box.join(", ")}] with score ${score}; all must be finite numbers`,
      );
  const labels = [...new Set(truths.flat().map(({ label }) => label))].sort((a, b) => a - b);
  const tables = (range: Range, most: number): Map<number, ClassTable> =>
    new Map(labels.map((label) => [label, tableOf(label, predictions, truths, { range, most })]));
  const all = tables(everything, 100);
  const precision = (table: ClassTable): readonly number[] => table.averagePrecision;
  const within = (range: Range): number => meanOf(tables(range, 100), precision);
  const found = (most: number): number => meanOf(tables(everything, most), (table) => table.recall);
  return {
    meanAveragePrecision: meanOf(all, precision),
    averagePrecision50: meanOf(all, (table) => [table.averagePrecision[0]!]),
    averagePrecision75: meanOf(all, (table) => [table.averagePrecision[5]!]),
    small: within(ranges.small),
    medium: within(ranges.medium),
    large: within(ranges.large),
    recall1: found(1),
    recall10: found(10),
    recall100: meanOf(all, (table) => table.recall),
    classes: new Map([...all].map(([label, table]) => [label, meanOf(new Map([[label, table]]), precision)])),
  };
}

/** One number for each overlap; NaN where nothing of the class is to be found. */
interface ClassTable {
  readonly averagePrecision: readonly number[];
  readonly recall: readonly number[];
}

/** The mean over classes and overlaps that have one. */
function meanOf(
  tables: ReadonlyMap<number, ClassTable>,
  read: (table: ClassTable) => readonly number[],
): number {
  const values = [...tables.values()].flatMap(read).filter((value) => !Number.isNaN(value));
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}

interface Rules {
  readonly range: Range;
  /** Of an image's detections of a class, the surest that count. */
  readonly most: number;
}

/** Whether a detection found something, or is left out of the count. */
interface Verdict {
  readonly score: number;
  readonly isRight: boolean;
  readonly isIgnored: boolean;
}

function tableOf(
  label: number,
  predictions: readonly (readonly Detection[])[],
  truths: readonly (readonly TrueBox[])[],
  rules: Rules,
): ClassTable {
  const images = predictions.map((found, i) => ({
    found: byScore(found.filter((detection) => detection.label === label)).slice(0, rules.most),
    truth: truthOf(truths[i]!, label, rules.range),
  }));
  const wanted = images.reduce(
    (sum, { truth }) => sum + truth.filter(({ isIgnored }) => !isIgnored).length,
    0,
  );
  if (wanted === 0) {
    const none = overlaps.map(() => Number.NaN);
    return { averagePrecision: none, recall: none };
  }
  const curves = overlaps.map((overlap) => {
    const verdicts = images.flatMap((image) => verdictsOf(image, overlap, rules.range));
    return curveOf(byScore(verdicts.filter(({ isIgnored }) => !isIgnored)), wanted);
  });
  return {
    averagePrecision: curves.map(({ averagePrecision }) => averagePrecision),
    recall: curves.map(({ recall }) => recall),
  };
}

interface Wanted extends TrueBox {
  readonly isIgnored: boolean;
}

/** What is there of a class: first what must be found, then what is left out of the count (crowds, other sizes). */
function truthOf(truth: readonly TrueBox[], label: number, [low, high]: Range): Wanted[] {
  const own = truth
    .filter((one) => one.label === label)
    .map((one) => {
      const area = one.area ?? boxArea(one.box);
      return { ...one, isIgnored: one.isCrowd === true || area < low || area > high };
    });
  return [...own.filter(({ isIgnored }) => !isIgnored), ...own.filter(({ isIgnored }) => isIgnored)];
}

/** Each detection takes the free box that it overlaps most, the surest first; boxes that are left out are taken last. */
function verdictsOf(
  { found, truth }: { readonly found: readonly Detection[]; readonly truth: readonly Wanted[] },
  overlap: number,
  [low, high]: Range,
): Verdict[] {
  const taken = new Set<Wanted>();
  return found.map(({ box, score }) => {
    let [best, most]: [Wanted | undefined, number] = [undefined, Math.min(overlap, 1 - 1e-10)];
    for (const one of truth) {
      if (taken.has(one) && !one.isCrowd) continue;
      if (best !== undefined && !best.isIgnored && one.isIgnored) break;
      const iou = overlapOf(box, one);
      if (iou < most) continue;
      [best, most] = [one, iou];
    }
    if (best !== undefined) {
      taken.add(best);
      return { score, isRight: !best.isIgnored, isIgnored: best.isIgnored };
    }
    const area = boxArea(box);
    return { score, isRight: false, isIgnored: area < low || area > high };
  });
}

/** With a crowd: which part of the detection lies in it. */
function overlapOf(box: Box, truth: Wanted): number {
  if (!truth.isCrowd) return boxIoU(box, truth.box);
  const area = boxArea(box);
  return area > 0 ? intersection(box, truth.box) / area : 0;
}

/** Precision read off at 101 recalls, where it may not rise again as recall falls; and the recall at the end. */
function curveOf(
  verdicts: readonly Verdict[],
  wanted: number,
): { readonly averagePrecision: number; readonly recall: number } {
  let right = 0;
  const points = verdicts.map(({ isRight }, i) => {
    if (isRight) right++;
    return { recall: right / wanted, precision: right / (i + 1 + Number.EPSILON) };
  });
  const precision = points.map((point) => point.precision);
  for (let i = precision.length - 2; i >= 0; i--) precision[i] = Math.max(precision[i]!, precision[i + 1]!);
  let at = 0;
  let sum = 0;
  for (const recall of recalls) {
    while (at < points.length && points[at]!.recall < recall) at++;
    sum += precision[at] ?? 0;
  }
  return { averagePrecision: sum / recalls.length, recall: points.at(-1)?.recall ?? 0 };
}
