/** The detector of boxes: its targets, its loss, and that it learns to find things. */
import { describe, expect, test } from "vitest";
import { fillUniform, fold, randomKey } from "../base/random.ts";
import { type Box, detectionScores } from "../metrics/index.ts";
import { Adam } from "../optim/index.ts";
import { compile, grad, type HostArray, seed, type Tensor, tensor } from "../tensor/index.ts";
import { CenterDetector, type CenterTensors, centerLoss, centerTargets } from "./index.ts";

const size = 32;
const place = { numClasses: 2, height: size, width: size };

const tensorsOf = (targets: Readonly<Record<string, HostArray>>): CenterTensors =>
  Object.fromEntries(
    Object.entries(targets).map(([name, { data, shape }]) => [
      name,
      tensor(data as Float32Array, { shape: shape as number[] }) as Tensor,
    ]),
  ) as never;

describe("targets", () => {
  const box: Box = [5, 6, 19, 14];
  const targets = centerTargets([[], [{ box, label: 1 }]], place);
  test("stand where the centre is", () => {
    const at = (host: HostArray, channel: number): number => {
      const channels = host.shape[1]!;
      return Number(host.data[((channels + channel) * 8 + 2) * 8 + 3]); // image 1, row 2, column 3
    };
    expect(at(targets.centers, 1)).toBe(1);
    expect(at(targets.centers, 0)).toBe(0);
    expect([at(targets.sizes, 0), at(targets.sizes, 1)]).toEqual([14 / 4, 8 / 4]);
    expect([at(targets.offsets, 0), at(targets.offsets, 1)]).toEqual([0, 0.5]);
    expect(targets.isCenter.data.filter((value) => value === 1)).toHaveLength(1);
  });
  test("fall off around it, alike on both sides", () => {
    const wide = centerTargets([[{ box: [0, 0, 32, 32], label: 0 }]], place).centers.data;
    const row = Array.from({ length: 8 }, (_, column) => Number(wide[4 * 8 + column]));
    expect(row[4]).toBe(1);
    expect(row[3]).toBeGreaterThan(0);
    expect(row[3]).toBeLessThan(1);
    expect(row[3]).toBe(row[5]);
  });
  test.each([
    [[0, 0, 33, 4], 0, "is not within an image of 32×32"],
    [[4, 4, 4, 8], 0, "is not within an image of 32×32"],
    [[0, 0, Number.NaN, 4], 0, "is not within an image of 32×32"],
    [[0, 0, 4, 4], 2, "label 2 is not one of 2 classes"],
  ] as const)("refuse box %j of class %i", (box, label, message) => {
    expect(() => centerTargets([[{ box, label }]], place)).toThrow(message);
  });
});

test("the loss is the papers' formula, and next to nothing for maps that are right", async () => {
  const targets = centerTargets([[{ box: [4, 4, 20, 12], label: 0 }]], place);
  const logits = targets.centers.data.map((_, i) => Math.sin(i));
  const maps = {
    centers: tensor(Float32Array.from(logits), { shape: [1, 2, 8, 8] }),
    sizes: tensor(new Float32Array(128), { shape: [1, 2, 8, 8] }),
    offsets: tensor(new Float32Array(128), { shape: [1, 2, 8, 8] }),
  } as never;
  const focal = Array.from(logits).reduce((sum: number, z, i) => {
    const p = 1 / (1 + Math.exp(-Number(z)));
    const y = Number(targets.centers.data[i]);
    return sum - (y === 1 ? (1 - p) ** 2 * Math.log(p) : (1 - y) ** 4 * p ** 2 * Math.log(1 - p));
  }, 0);
  const sizes = 0.1 * (16 / 4 + 8 / 4);
  expect(await centerLoss(maps, tensorsOf(targets as never)).item()).toBeCloseTo(focal + sizes, 4);

  const sure = targets.centers.data.map((y) => (y === 1 ? 20 : -20)) as Float32Array;
  const right = { ...targets, centers: { ...targets.centers, data: sure } };
  expect(await centerLoss(tensorsOf(right as never), tensorsOf(targets as never)).item()).toBeLessThan(1e-6);
});

/** Bright squares (0) and dark ones (1) on grey. */
function scene(key: ReturnType<typeof randomKey>, count: number) {
  const images = new Float32Array(count * size * size).fill(0.5);
  const boxes = Array.from({ length: count }, (_, image) => {
    const draws = new Float32Array(4);
    fillUniform(fold(key, image), draws);
    const side = 8 + Math.floor(draws[0]! * 9);
    const [x, y] = [1, 2].map((i) => Math.floor(draws[i]! * (size - side))) as [number, number];
    const label = draws[3]! < 0.5 ? 0 : 1;
    for (let r = y; r < y + side; r++)
      images.fill(1 - label, (image * size + r) * size + x, (image * size + r) * size + x + side);
    return [{ box: [x, y, x + side, y + side] as const, label }];
  });
  return { images: { dtype: "f32" as const, shape: [count, 1, size, size], data: images }, boxes };
}

test("learns to find squares it never saw", async () => {
  seed(4);
  const model = new CenterDetector({
    numClasses: 2,
    inChannels: 1,
    width: 4,
    features: 8,
    blocks: [1, 1, 1, 1],
  });
  const optimizer = new Adam(model.parameters(), { learningRate: 1e-2 });
  const step = compile((images: Tensor, targets: CenterTensors) => {
    const loss = model.loss(images, targets);
    optimizer.step(grad(loss, model.parameters()));
    return loss;
  });
  const key = randomKey(7);
  for (let i = 0; i < 80; i++) {
    const { images, boxes } = scene(fold(key, i), 8);
    step(images as never, centerTargets(boxes, place) as never);
  }
  model.eval();
  const { images, boxes } = scene(randomKey(8), 32);
  const found = await model.detect(tensor(images.data, { shape: images.shape }) as Tensor);
  expect(detectionScores(found, boxes).averagePrecision50).toBeGreaterThan(0.9);
}, 60_000);
