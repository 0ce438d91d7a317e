/** Transforms in a row: keys, datasets, what moves along, and mistakes. */
import { describe, expect, expectTypeOf, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import { type HostArray, hostArray } from "../base/host-array.ts";
import { randomKey } from "../base/random.ts";
import { arrayDataset, type Batch, type Column, loader } from "../data/index.ts";
import {
  affine,
  augment,
  brightness,
  centerCrop,
  colorJitter,
  crop,
  gaussianBlur,
  gaussianNoise,
  horizontalFlip,
  type Image,
  normalize,
  perspective,
  randomAffine,
  randomCrop,
  randomFlip,
  randomGrayscale,
  randomPerspective,
  randomResizedCrop,
  randomRotation,
  resize,
  rotate,
  toFloat,
  verticalFlip,
} from "./index.ts";

const fixture = readFixture<Record<"image" | "normalized" | "float", EncodedArray>>("vision.json");
const photo: Image = {
  dtype: "u8",
  shape: [16, 20, 3],
  data: decodeArray(fixture.image) as Uint8Array<ArrayBuffer>,
};

test("normalize and toFloat, to the last bit", () => {
  expect(normalize()(photo)).toEqual({
    dtype: "f32",
    shape: [3, 16, 20],
    data: decodeArray(fixture.normalized),
  });
  expect(toFloat()(photo).data).toEqual(decodeArray(fixture.float));
  const floats = { ...photo, dtype: "f32", data: Float32Array.from(photo.data, (x) => x / 255) } as const;
  expect(normalize()(floats).data).toEqual(decodeArray(fixture.normalized));
  expect(normalize({ mean: 0.5, deviation: [0.5, 0.5, 0.5, 0.5] })(hostArray("u8", [1, 1, 4])).data).toEqual(
    Float32Array.of(-1, -1, -1, -1),
  );
});

test("images in f32 are resized, flipped and blurred as bytes are, without rounding", () => {
  const floats: Image = { ...photo, dtype: "f32", data: Float32Array.from(photo.data) };
  for (const change of [
    resize([9, 31]),
    resize([20, 8], { interpolation: "bicubic" }),
    horizontalFlip(),
    gaussianBlur({ sigma: 1 }),
  ]) {
    const [bytes, numbers] = [change(photo).data, change(floats).data];
    expect(numbers).toBeInstanceOf(Float32Array);
    for (const [i, byte] of bytes.entries())
      expect(Math.abs(byte - Math.min(255, Math.max(0, numbers[i]!)))).toBeLessThan(1.01);
  }
});

describe("what is drawn", () => {
  const change = augment(
    randomResizedCrop(8),
    randomFlip(),
    colorJitter({ brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }),
    randomGrayscale({ probability: 0.2 }),
    gaussianBlur({ kernelSize: 3 }),
    gaussianNoise({ deviation: 0.02 }),
    normalize(),
  );

  test("is a function of the key", () => {
    const data = (key: number): unknown => change({ images: photo }, key).images.data;
    expect(data(1)).toEqual(data(1));
    expect(data(1)).toEqual(change({ images: photo }, randomKey(1)).images.data);
    expect(new Set([1, 2, 3, 4].map((key) => String(data(key)))).size).toBe(4);
  });

  test("is of seed, epoch and sample in a dataset, in any batches, after any resume", () => {
    const images = hostArray("u8", [6, 16, 20, 3]);
    for (let i = 0; i < 6; i++) images.data.set(photo.data as Uint8Array, i * photo.data.length);
    const photos = arrayDataset({ images, labels: Int32Array.of(0, 1, 2, 3, 4, 5) }).map(change);
    expect(photos.columns.images).toMatchObject({ dtype: "f32", shape: [3, 8, 8] });
    expect(photos.columns.labels).toMatchObject({ dtype: "i32", shape: [] });
    const [first, second] = [2, 3].map((batchSize) => {
      const batches = loader(photos, { batchSize, shuffle: { seed: 4 } });
      return [0, 1].map(() => allSamples(batches).sort());
    });
    expect(first).toEqual(second);
    expect(first![0]).not.toEqual(first![1]);
    const resumed = loader(photos, { batchSize: 2, shuffle: { seed: 4 }, epoch: 1 });
    resumed.seek({ epoch: 1, step: 1 });
    const rest = allSamples(resumed);
    expect(rest).toHaveLength(4);
    expect(first![1]).toEqual(expect.arrayContaining(rest));
  });

  test("covers what it may", () => {
    const shifts = new Set<number>();
    const numbered: Image = {
      dtype: "f32",
      shape: [4, 4, 1],
      data: Float32Array.from({ length: 16 }, (_, i) => i + 1),
    };
    for (let key = 0; key < 200; key++) shifts.add(randomCrop(3, { padding: 1 })(numbered, key).data[4]!);
    // The middle of a window of 3 × 3 is anywhere.
    expect([...shifts].sort((a, b) => a - b)).toEqual(Array.from(numbered.data));
    const flips = Array.from({ length: 400 }, (_, key) => randomFlip()(numbered, key).data[0]);
    const share = flips.filter((first) => first === 4).length / 400;
    expect(share).toBeGreaterThan(0.42);
    expect(share).toBeLessThan(0.58);
    const noise = gaussianNoise({ deviation: 0.1 })(
      { dtype: "f32", shape: [100, 100, 1], data: new Float32Array(1e4).fill(0.5) },
      3,
    ).data as Float32Array;
    const mean = noise.reduce((sum, x) => sum + x, 0) / 1e4;
    const deviation = Math.sqrt(noise.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 1e4);
    expect(mean).toBeCloseTo(0.5, 2);
    expect(deviation).toBeCloseTo(0.1, 2);
  });
});

/** Each sample of an epoch as text. */
function allSamples(batches: Iterable<Batch<Readonly<Record<"images" | "labels", Column>>>>): string[] {
  const samples: string[] = [];
  for (const { images, labels } of batches)
    for (const [i, label] of labels.data.entries())
      samples.push(`${label}: ${images.data.subarray(i * 192, (i + 1) * 192).join()}`);
  return samples;
}

describe("what moves with an image", () => {
  const sample = {
    images: photo,
    boxes: hostArray("f32", [3, 4], Float32Array.of(2, 3, 10, 9, 0, 0, 4, 4, 18, 14, 20, 16)),
    labels: hostArray("i32", [3], Int32Array.of(5, 6, 7)),
    keypoints: hostArray("f32", [2, 3], Float32Array.of(2.5, 3.5, 2, 19, 1, 2)),
    masks: hostArray(
      "i32",
      [16, 20],
      Int32Array.from({ length: 320 }, (_, i) => i),
    ),
    weight: 3,
  };

  test("flips", () => {
    const left = augment(horizontalFlip())(sample, 0);
    expect(left.boxes.data).toEqual(Float32Array.of(10, 3, 18, 9, 16, 0, 20, 4, 0, 14, 2, 16));
    expect(left.keypoints.data).toEqual(Float32Array.of(17.5, 3.5, 2, 1, 1, 2));
    expect(left.masks.data[0]).toBe(19);
    expect(left.labels.data).toEqual(sample.labels.data);
    expect(left.weight).toBe(3);
    const down = augment(verticalFlip())(sample, 0);
    expect(down.boxes.data.slice(0, 4)).toEqual(Float32Array.of(2, 7, 10, 13));
    expect(down.masks.data[0]).toBe(300);
    expect(augment(horizontalFlip(), horizontalFlip(), verticalFlip(), verticalFlip())(sample, 0)).toEqual(
      sample,
    );
  });

  test("a crop clips boxes; one that is gone is zeros, and its label −1", () => {
    const part = augment(crop({ top: 2, left: 1, height: 8, width: 10 }))(sample, 0);
    expect(part.boxes.data).toEqual(Float32Array.of(1, 1, 9, 7, 0, 0, 3, 2, 0, 0, 0, 0));
    expect(part.labels.data).toEqual(Int32Array.of(5, 6, -1));
    expect(part.keypoints.data).toEqual(Float32Array.of(1.5, 1.5, 2, 18, -1, 0));
    expect(part.masks).toMatchObject({ dtype: "i32", shape: [8, 10] });
    expect(part.masks.data.slice(0, 3)).toEqual(Int32Array.of(41, 42, 43));
    // Once gone, gone; a tenth of the area is the limit.
    const again = augment(
      crop({ top: 0, left: 0, height: 8, width: 10 }),
      crop({ top: -4, left: -4, height: 30, width: 30 }),
    );
    expect(again(sample, 0).boxes.data.slice(8)).toEqual(Float32Array.of(0, 0, 0, 0));
    const left = (width: number): number => augment(crop({ top: 0, left: 0, height: 16, width }))({ images: photo, boxes: hostArray("f32", [1, 4], Float32Array.of(0, 0, 20, 16)) }, 0).boxes.data[2]!; // biome-ignore format: one call
    expect([left(1), left(2), left(3)]).toEqual([0, 2, 3]);
    expect(augment(centerCrop([30, 30]))(sample, 0).boxes.data.slice(0, 4)).toEqual(
      Float32Array.of(7, 10, 15, 16),
    );
  });

  test("a pixel that is marked in image, mask, box and point stays marked in all", () => {
    const size = 40;
    const change = augment(
      randomResizedCrop(size, { scale: [0.5, 1] }),
      randomFlip(),
      randomFlip({ direction: "vertical" }),
    );
    let found = 0;
    for (let key = 0; key < 20; key++) {
      const [y, x] = [8 + (key % 5), 9 + (key % 7)];
      const images = hostArray("u8", [24, 24, 1]);
      const masks = hostArray("u8", [1, 24, 24]);
      for (let i = -1; i < 2; i++)
        for (let j = -1; j < 2; j++)
          images.data[(y + i) * 24 + x + j] = masks.data[(y + i) * 24 + x + j] = 255;
      const boxes = hostArray("f32", [1, 4], Float32Array.of(x - 1, y - 1, x + 2, y + 2));
      const keypoints = hostArray("f32", [1, 2], Float32Array.of(x + 0.5, y + 0.5));
      const out = change({ images, masks, boxes, keypoints }, key);
      const [px, py] = out.keypoints.data;
      if (!(px! > 4 && px! < size - 4 && py! > 4 && py! < size - 4)) continue;
      found++;
      const at = Math.floor(py!) * size + Math.floor(px!);
      expect(out.images.data[at]).toBeGreaterThan(250);
      expect(out.masks.data[at]).toBe(255);
      const [left, top, right, bottom] = out.boxes.data;
      expect((left! + right!) / 2).toBeCloseTo(px!, 4);
      expect((top! + bottom!) / 2).toBeCloseTo(py!, 4);
      const marked = Array.from(out.masks.data).filter((value) => value > 0).length;
      expect(Math.abs(marked - (right! - left!) * (bottom! - top!))).toBeLessThan(
        2 * (right! - left! + bottom! - top!),
      );
    }
    expect(found).toBeGreaterThan(8);
  });
});

test.each(
  Object.entries({
    rotate: rotate(33),
    expanded: rotate(-70, { expand: true }),
    quarter: rotate(90, { expand: true }),
    affine: affine({ rotate: 20, translate: [3, -2], scale: 0.8, shear: [10, 5] }),
    perspective: perspective(
      [
        [0, 0],
        [30, 0],
        [30, 24],
        [0, 24],
      ],
      [
        [4, 2],
        [27, 0],
        [30, 20],
        [1, 24],
      ],
    ),
    randomAffine: randomAffine({ rotate: 40, translate: [0.1, 0.1], scale: [0.7, 1.2], shear: 10 }),
    randomPerspective: randomPerspective({ probability: 1, distortion: 0.4 }),
    randomRotation: randomRotation([20, 60]),
  }),
)("%s takes a marked square, its mask, box and point to one place", (_, transform) => {
  const [left, top] = [12, 9];
  const images = hostArray("u8", [24, 30, 1]);
  for (let y = top; y < top + 5; y++) images.data.fill(255, y * 30 + left, y * 30 + left + 5);
  const masks = hostArray("u8", [24, 30], images.data.slice());
  const boxes = hostArray("f32", [1, 4], Float32Array.of(left, top, left + 5, top + 5));
  const keypoints = hostArray("f32", [1, 2], Float32Array.of(left + 2.5, top + 2.5));
  const out = augment(transform)({ images, masks, boxes, keypoints }, 11);
  const [height, width] = out.images.shape;
  expect(out.masks.shape).toEqual([height, width]);
  const [x, y] = out.keypoints.data as Float32Array;
  const at = Math.floor(y!) * width + Math.floor(x!);
  expect([out.images.data[at], out.masks.data[at]]).toEqual([255, 255]);
  const [x0, y0, x1, y1] = out.boxes.data as Float32Array;
  const marked = Array.from(out.masks.data).flatMap((value, i) =>
    value > 0 ? [[i % width, Math.floor(i / width)] as const] : [],
  );
  const [xs, ys] = [marked.map(([x]) => x), marked.map(([, y]) => y)];
  const around = [Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1];
  for (const [i, edge] of [x0, y0, x1, y1].entries()) expect(Math.abs(edge! - around[i]!)).toBeLessThan(1.5);
});

test("types: what moved knows its shape", () => {
  const out = augment(normalize())({ images: photo, labels: 3 }, 0);
  expectTypeOf(out.images).toEqualTypeOf<Image>();
  expectTypeOf(out.labels).toEqualTypeOf<number>();
  const mapped = arrayDataset({ images: hostArray("u8", [1, 4, 4, 3]), labels: Int32Array.of(1) }).map(
    augment(resize(2)),
  );
  expectTypeOf(mapped.columns.labels.dtype).toEqualTypeOf<"i32">();
  expectTypeOf(mapped.sample(0).labels).toEqualTypeOf<number>();
  expect(mapped.sample(0).images).toHaveLength(12);
});

test("mistakes", () => {
  expect(() => augment(normalize(), resize(3))).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: augment: resize comes after normalize, which gives (channels, height, width); put it before]`,
  );
  expect(() => randomFlip()(photo)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: randomFlip: draws at random; give a key or a seed as well: randomFlip(…)(image, seed)]`,
  );
  expect(() => normalize({ mean: [0.5, 0.5] })(photo)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: normalize: 2 numbers for an image of 3 channels; give mean and deviation as one number, or one for each channel]`,
  );
  expect(() =>
    brightness(1)({ ...photo, dtype: "f32", data: new Float32Array(960) }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: brightness: works on bytes, got an image in f32; put it before what makes f32 of them]`,
  );
  expect(() => resize([0, 3])).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: resize: a size is a positive integer, or [height, width] of two, got [0,3]]`,
  );
  expect(() => resize(3, { interpolation: "cubic" as never })).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: resize: interpolation must be one of nearest, bilinear, bicubic, lanczos, got cubic]`,
  );
  expect(() => randomResizedCrop(3, { scale: [1, 0.5] })).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: randomResizedCrop: scale must be [from, to] with 0 ≤ from ≤ to, got [1,0.5]]`,
  );
  expect(() => gaussianBlur({ sigma: 5 })(hostArray("u8", [4, 4, 3]))).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: gaussianBlur: a kernel of 31 is too wide for an image of 4 × 4; lower kernelSize or sigma]`,
  );
  expect(() => augment(resize(2))({ images: new Uint8Array(12) }, 0)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: augment: "images" is an array without a shape; give { dtype, shape, data }]`,
  );
  const masks: HostArray = hostArray("u8", [3, 3]);
  expect(() => augment(resize(2))({ images: photo, masks }, 0)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: augment: "masks" must be (height, width) or (n, height, width) of the image (16, 20, 3), got (3, 3)]`,
  );
  expect(() =>
    augment(resize(2))({ images: photo, boxes: hostArray("i32", [1, 4]) }, 0),
  ).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: augment: "boxes" must be f32 with rows of 4 numbers, got i32 (1, 4)]`,
  );
});
