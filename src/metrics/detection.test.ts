/** Detected boxes: scores of COCO's own program, suppression of torchvision. */
import { describe, expect, test } from "vitest";
import { readFixture } from "../../test/fixtures.ts";
import { boxIoU, type Detection, detectionScores, nonMaximumSuppression, type TrueBox } from "./index.ts";

interface Scene {
  readonly note: string;
  readonly found: readonly (readonly Detection[])[];
  readonly truths: readonly (readonly TrueBox[])[];
  readonly scores: Readonly<Record<string, number | null>> & {
    readonly classes: readonly (readonly [label: number, score: number | null])[];
  };
  readonly suppression: {
    readonly iouThreshold: number;
    readonly byLabel: readonly number[];
    readonly acrossLabels: readonly number[];
  };
}
const { cases } = readFixture<{ cases: readonly Scene[] }>("detection.json");

/** None: nothing was to be found. */
function expectScore(name: string, found: number | undefined, wanted: number | null): void {
  if (wanted === null) expect(found, name).toBeNaN();
  else expect(found, name).toBeCloseTo(wanted, 10);
}

describe.each(cases)("$note", ({ found, truths, scores, suppression }) => {
  test("COCO's scores", () => {
    const { classes, ...own } = detectionScores(found, truths);
    const { classes: wanted, ...others } = scores;
    for (const [name, score] of Object.entries(others))
      expectScore(name, (own as Record<string, number>)[name], score as number | null);
    for (const [label, score] of wanted) expectScore(`class ${label}`, classes.get(label), score);
  });
  test("torchvision's suppression", () => {
    const flat = found.flat();
    const { iouThreshold, byLabel, acrossLabels } = suppression;
    const kept = (across: boolean): number[] =>
      nonMaximumSuppression(flat, { iouThreshold, acrossLabels: across }).map((d) => flat.indexOf(d));
    expect(kept(false)).toEqual(byLabel);
    expect(kept(true)).toEqual(acrossLabels);
  });
});

test("edges", () => {
  expect(boxIoU([0, 0, 0, 0], [0, 0, 0, 0])).toBe(0);
  expect(boxIoU([0, 0, 1, 1], [1, 0, 2, 1])).toBe(0);
  expect(detectionScores([], []).meanAveragePrecision).toBeNaN();
  expect(detectionScores([[]], [[{ box: [0, 0, 1, 1], label: 3 }]]).meanAveragePrecision).toBe(0);
  expect(() => detectionScores([[]], [])).toThrow("1 lists of detections for 0 images");
  const broken = { box: [0, 0, 1, Number.NaN], label: 0, score: 1 } as const;
  expect(() => detectionScores([[broken]], [[]])).toThrow(
    "a box [0, 0, 1, NaN] with score 1; all must be finite numbers",
  );
  expect(() => nonMaximumSuppression([broken])).toThrow("a box [0, 0, 1, NaN]");
  expect(() => nonMaximumSuppression([], { iouThreshold: 2 })).toThrow("from 0 to 1, got 2");
});
