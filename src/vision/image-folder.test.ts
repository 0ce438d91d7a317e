/** Folders of images: classes, order, what is damaged, and what does not fit. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostArray } from "../base/host-array.ts";
import { loader } from "../data/index.ts";
import {
  augment,
  imageFolder,
  normalize,
  randomFlip,
  randomResizedCrop,
  resize,
  writeImage,
} from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "netwright-folder-"));
const photos = join(root, "photos");
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Gray of one level. */
const gray = (level: number, height = 6, width = 8) =>
  hostArray("u8", [height, width, 3], new Uint8Array(height * width * 3).fill(level));

beforeAll(async () => {
  for (const folder of ["dog", "cat/old", "empty"]) mkdirSync(join(photos, folder), { recursive: true });
  rmSync(join(photos, "empty"), { recursive: true });
  await writeImage(join(photos, "dog", "b.png"), gray(40));
  await writeImage(join(photos, "dog", "a.jpg"), gray(30, 12, 10));
  await writeImage(join(photos, "cat", "z.PNG"), gray(20));
  await writeImage(join(photos, "cat", "old", "1.webp"), gray(10, 9, 9));
  writeFileSync(join(photos, "cat", "notes.txt"), "no image");
});

test("classes and samples in the order of names; every image at one size", async () => {
  const dataset = await imageFolder(photos, { size: [4, 5] });
  expect(dataset.classes).toEqual(["cat", "dog"]);
  expect(dataset.paths.map((path) => path.slice(photos.length + 1))).toEqual([
    join("cat", "old", "1.webp"),
    join("cat", "z.PNG"),
    join("dog", "a.jpg"),
    join("dog", "b.png"),
  ]);
  expect(dataset.columns.images).toEqual({ dtype: "u8", shape: [4, 5, 3] });
  const { images, labels } = await dataset.load([0, 1, 2, 3]);
  expect(labels.data).toEqual(Int32Array.of(0, 0, 1, 1));
  expect([0, 1, 2, 3].map((i) => images.data[i * 60])).toEqual([10, 20, 30, 40]);
  // Labels need no file.
  expect(dataset.column("labels").data).toEqual(labels.data);
});

test("samples differ from epoch to epoch, and are the same in batches of any size", async () => {
  const transform = augment(randomResizedCrop(4), randomFlip(), normalize());
  const datasets = [
    await imageFolder(photos, { transform }),
    (await imageFolder(photos, { size: 8 })).map(transform),
  ];
  for (const dataset of datasets) {
    expect(dataset.columns.images).toEqual({ dtype: "f32", shape: [3, 4, 4] });
    const read = async (batchSize: number): Promise<string[]> => {
      const samples: string[] = [];
      for await (const { images, labels } of loader(dataset, { batchSize, shuffle: { seed: 3 } }))
        for (const [i, label] of labels.data.entries())
          samples.push(`${label}: ${images.data.subarray(i * 48, (i + 1) * 48).join()}`);
      return samples;
    };
    expect(await read(3)).toEqual(await read(2));
  }
});

describe("a damaged file", () => {
  const broken = join(root, "broken");
  beforeAll(async () => {
    for (const name of ["a", "b"]) mkdirSync(join(broken, name), { recursive: true });
    for (const [i, name] of ["a/0.png", "a/1.png", "b/2.png"].entries())
      await writeImage(join(broken, name), gray(i));
    writeFileSync(join(broken, "a", "1.png"), "\x89PNG\r\n\x1a\n and nothing more", "latin1");
  });

  test("is named", async () => {
    const dataset = await imageFolder(broken, { size: 2 });
    await expect(dataset.load([0, 1])).rejects.toThrow(
      /sample 1 \(".*1\.png"\) cannot be delivered: ".*1\.png": a PNG that cannot be read: /,
    );
  });

  test("is left out where the user says so, and noted", async () => {
    const batches = loader((await imageFolder(broken, { size: 2 })).map(augment(normalize())), {
      batchSize: 2,
      corrupt: "skip",
    });
    const labels: number[] = [];
    for await (const batch of batches) labels.push(...batch.labels.data);
    expect(labels).toEqual([0, 1]);
    expect(batches.skipped.map(({ index }) => index)).toEqual([1]);
  });
});

test("mistakes", async () => {
  await expect(imageFolder(join(root, "none"))).rejects.toThrow("there is no such folder");
  await expect(imageFolder(join(photos, "dog"))).rejects.toThrow("it needs one for each class");
  mkdirSync(join(root, "hollow", "x"), { recursive: true });
  await expect(imageFolder(join(root, "hollow"))).rejects.toThrow("has no images in it");
  await expect(imageFolder(photos, { size: 3, transform: augment(resize(3)) })).rejects.toThrow("not both");
  const mixed = await imageFolder(photos);
  await expect(mixed.load([1])).rejects.toThrow(
    "the image is (6, 8, 3), the first one is (9, 9, 3); give imageFolder a size",
  );
});
