/** Pictures of batches: where images, masks, boxes and points land. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type HostArray, hostArray } from "../base/host-array.ts";
import { arrayDataset } from "../data/index.ts";
import { augment, normalize, readImage, showBatch } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-show-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "batch.png");

/** Six images of 28 × 28 in one colour each. */
const images = hostArray("u8", [6, 28, 28, 3]);
for (let i = 0; i < images.data.length; i++)
  images.data[i] = (40 * Math.floor(i / 2352) + 60 * (i % 3)) % 256;
const labels = Int32Array.of(0, 1, 2, 0, 1, 2);

/** The colour at a point of the picture. */
async function colorsAt(...points: readonly (readonly [x: number, y: number])[]): Promise<number[][]> {
  const { data, shape } = await readImage(path);
  return points.map(([x, y]) =>
    Array.from(data.subarray((y * shape[1] + x) * 3, (y * shape[1] + x) * 3 + 3)),
  );
}

test("images in rows, enlarged, bytes or normalised floats, all the same", async () => {
  const photos = arrayDataset({ images, labels });
  await showBatch(photos, path, { columns: 3, classes: ["cat", "dog & co", "bird"] });
  const whole = await readImage(path);
  // 28 pixels become 112; a line of text and a gap follow.
  expect(whole.shape).toEqual([2 * (112 + 18 + 6) + 6, 3 * (112 + 6) + 6, 3]);
  expect(await colorsAt([7, 7], [117, 117], [2, 2], [130, 60], [60, 150])).toEqual([
    [0, 60, 120],
    [0, 60, 120],
    [255, 255, 255],
    [40, 100, 160],
    [120, 180, 240],
  ]);
  await showBatch(photos.map(augment(normalize())), path, {
    columns: 3,
    classes: ["cat", "dog & co", "bird"],
  });
  expect(await readImage(path)).toEqual(whole);
  const plain = images.data.subarray(0, 2352).filter((_, i) => i % 3 === 1);
  const gray = hostArray(
    "f32",
    [1, 28, 28],
    Float32Array.from(plain, (x) => x / 255),
  );
  await showBatch({ images: gray }, path);
  expect(await colorsAt([60, 60])).toEqual([[60, 60, 60]]);
});

test("masks, boxes and points", async () => {
  const batch = {
    images: hostArray("u8", [1, 112, 112, 3]),
    masks: hostArray("i32", [1, 112, 112]),
    boxes: hostArray("f32", [1, 2, 4], Float32Array.of(20, 30, 60, 80, 0, 0, 0, 0)),
    keypoints: hostArray("f32", [1, 2, 3], Float32Array.of(90.5, 90.5, 2, 100, 20, 0)),
    labels: hostArray("f32", [1, 3], Float32Array.of(0.25, 0, 0.75)),
  } satisfies Record<string, HostArray>;
  batch.masks.data.fill(1, 0, 112 * 10);
  await showBatch(batch, path);
  const at = (x: number, y: number): [number, number] => [x + 6, y + 6];
  const [mask, outside, edge, point, hidden] = await colorsAt(
    at(50, 5),
    at(50, 20),
    at(20, 50),
    at(90, 90),
    at(100, 20),
  );
  expect(mask).toEqual([0x73, 0x4f, 0]);
  expect(outside).toEqual([0, 0, 0]);
  expect(edge![0]).toBeGreaterThan(150);
  expect(edge![2]).toBeLessThan(60);
  expect(point).toEqual([0xe6, 0, 0x7e]);
  expect(hidden).toEqual([0, 0, 0]);
});

test("mistakes", async () => {
  await expect(showBatch({}, path)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: showBatch: there are no "images"]`,
  );
  await expect(
    showBatch({ images: hostArray("i32", [2, 2]) }, path),
  ).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: showBatch: images are bytes (N, height, width, channels) or f32 (N, channels, height, width), got i32 (2, 2)]`,
  );
  await expect(showBatch({ images }, path, { colums: 3 } as never)).rejects.toThrow('did you mean "columns"');
});
