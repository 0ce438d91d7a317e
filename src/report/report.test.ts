import { expect, test } from "vitest";
import { ShapeError } from "../base/errors.ts";
import { drawImage, drawImages, sparkline, worstMistakes } from "./index.ts";

test("a sparkline spans its range and marks what is not finite", () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7])).toBe("▁▂▃▄▅▆▇█");
  expect(sparkline([2, Number.NaN, 1])).toBe("█×▁");
  expect(sparkline([3, 3, 3])).toBe("▁▁▁");
  expect(sparkline([])).toBe("");
});

test("a long series is averaged to the width", () => {
  const values = Array.from({ length: 1000 }, (_, i) => i);
  expect(sparkline(values, { width: 8 })).toBe("▁▂▃▄▅▆▇█");
});

test("an odd last row is drawn over background", () => {
  const image = { pixels: [1, 0, 0, 1, 1, 1], height: 3, width: 2, caption: "7 → 1" };
  expect(drawImage(image)).toEqual(["▀▄", "▀▀", "7 "]);
});

test("in colour each pair of pixels has two tones, and the line ends with a reset", () => {
  const drawn = drawImage({ pixels: [0, 1], height: 2, width: 1 }, { color: true });
  expect(drawn).toEqual(["\x1b[38;5;232;48;5;255m▀\x1b[0m"]);
});

test("images stand side by side as the width allows", () => {
  const image = { pixels: [1, 1, 1, 1], height: 2, width: 2 };
  expect(drawImages([image, image, image], { columns: 6 })).toEqual(["██  ██", "", "██"]);
});

test("pixels that are not height × width are refused", () => {
  const draw = (): unknown => drawImage({ pixels: [1, 2, 3], height: 2, width: 2 });
  expect(draw).toThrow(ShapeError);
  expect(draw).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: drawImage: 2 × 2 pixels are 4 numbers, got 3]`,
  );
});

test("the worst mistakes come first", () => {
  const probabilities = [0.1, 0.9, 0.8, 0.2, 0.45, 0.55, 0.3, 0.7];
  expect(worstMistakes(probabilities, [0, 0, 0, 1])).toEqual([
    { index: 0, actual: 0, predicted: 1, confidence: 0.9 },
    { index: 2, actual: 0, predicted: 1, confidence: 0.55 },
  ]);
  expect(worstMistakes(probabilities, [0, 0, 0, 1], { count: 1 })).toHaveLength(1);
  expect(() => worstMistakes([1, 2, 3], [0, 1])).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: worstMistakes: 3 probabilities do not divide into rows for 2 labels]`,
  );
});
