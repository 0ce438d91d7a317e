/** Files read through an augmentation: the same numbers as of whole images, whatever is decoded of them. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { describe, expect, test } from "vitest";
import { jpegPixels } from "#platform";
import { byTier } from "../../test/tier.ts";
import { randomKey, uniform } from "../base/random.ts";
import { augment } from "./augment.ts";
import { decodeImage, decodePart, readImage } from "./codec.ts";
import { centerCrop, crop, randomCrop, randomFlip, randomResizedCrop, resize } from "./crop.ts";
import { randomErasing } from "./erase.ts";
import { plainJpegHeader } from "./jpeg-header.ts";
import { normalize } from "./normalize.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-parts-"));
const [height, width] = [45, 61];
const pixels = (channels: number): Buffer =>
  Buffer.from(Uint8Array.from(uniform(randomKey(channels), height * width * channels), (x) => 256 * x));
const picture = (channels: 1 | 3 | 4 = 3): Sharp =>
  sharp(pixels(channels), { raw: { width, height, channels } });

const files = {
  "baseline.jpg": await picture().jpeg({ quality: 90 }).toBuffer(),
  "progressive.jpg": await picture().jpeg({ progressive: true, chromaSubsampling: "4:4:4" }).toBuffer(),
  "gray.jpg": await picture(1).toColourspace("b-w").jpeg().toBuffer(),
  "turned.jpg": await picture().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  "upright.jpg": await picture().withMetadata({ orientation: 1 }).jpeg().toBuffer(),
  "profile.jpg": await picture().withIccProfile("p3").jpeg().toBuffer(),
  "inks.jpg": await picture().toColourspace("cmyk").jpeg().toBuffer(),
  "picture.png": await picture(4).png().toBuffer(),
};
const names = Object.keys(files) as (keyof typeof files)[];
for (const name of names) writeFileSync(join(folder, name), files[name]);

const whole = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await sharp(bytes).rotate().toColourspace("srgb").removeAlpha().raw().toBuffer());

describe("a decoder's pixels are sharp's", () => {
  test.each(names)("%s", async (name) => {
    const { data } = await decodeImage(files[name]);
    expect(Buffer.compare(data, await whole(files[name]))).toBe(0);
  });
});

describe("the part that a crop keeps", () => {
  const regions = [[0, 0, 1, 1], [0, 0, height, width], [44, 60, 1, 1], [7, 9, 30, 21], [17, 0, 28, 61]] as const; // biome-ignore format: a table
  test.each(names)("%s", async (name) => {
    const image = await decodeImage(files[name]);
    for (const [top, left, h, w] of regions) {
      const region = { top, left, height: h, width: w };
      if (name === "turned.jpg" && (top + h > width || left + w > height)) continue;
      const { image: found, part } = await decodePart(files[name], () => ({ region }), {}, name);
      const wanted = crop(region)(image);
      expect(part ? found : crop(region)(found)).toEqual(wanted);
    }
  });
});

test("the same sample as of the whole image, and none is overwritten by the next", async () => {
  const chains = [
    augment(randomResizedCrop(16), randomFlip(), normalize()),
    augment(randomCrop(20, { padding: 4 }), randomFlip()),
    augment(centerCrop(24), randomResizedCrop(9)),
    augment(resize(20), centerCrop(16), randomFlip({ probability: 1 })),
    augment(randomFlip()),
    augment(),
  ];
  const images = new Map(
    await Promise.all(names.map(async (name) => [name, await readImage(join(folder, name))] as const)),
  );
  for (const change of chains) {
    const found = [];
    for (const name of names)
      for (const key of byTier([1, 2], [1, 2, 3]))
        found.push([name, key, await change.read(join(folder, name), key)] as const);
    for (const [name, key, image] of found) {
      const wanted = change({ images: images.get(name)! }, key).images;
      expect(image).toEqual(wanted);
      // In a buffer of its own, not in a larger one that held pixels before.
      expect(image.data.buffer.byteLength).toBe(image.data.byteLength);
    }
  }
});

test("into memory of the caller's where it fits, elsewhere where it does not", async () => {
  const chains = [
    augment(randomResizedCrop(16), randomFlip(), normalize()),
    augment(resize([16, 16]), normalize(), randomErasing({ probability: 1 })),
    augment(resize([16, 16])),
    augment(crop({ top: 0, left: 0, height: 16, width: 16 })),
    augment(),
  ];
  for (const change of chains)
    for (const name of names) {
      const path = join(folder, name);
      const wanted = await change.read(path, 5);
      const ArrayType = wanted.data.constructor as typeof Float32Array;
      const batch = new ArrayType(3 * wanted.data.length).fill(7);
      const into = batch.subarray(wanted.data.length, 2 * wanted.data.length);
      const found = await change.read(path, 5, { into });
      expect(found).toEqual(wanted);
      expect(found.data).toBe(into);
      // Neighbours are as they were, and nothing that comes later writes here.
      await change.read(path, 6);
      expect(into).toEqual(wanted.data);
      expect([batch[wanted.data.length - 1], batch[2 * wanted.data.length]]).toEqual([7, 7]);
      for (const other of [into.subarray(1), new Float64Array(into.length)]) {
        const before = other.slice();
        expect(await change.read(path, 5, { into: other })).toEqual(wanted);
        expect(other).toEqual(before);
      }
    }
});

test("as many at once as a batch has", async () => {
  const wanted = await readImage(join(folder, "baseline.jpg"));
  const several = (read: () => Promise<unknown>) => Promise.all(Array.from({ length: 300 }, read));
  for (const image of await several(() => decodeImage(files["baseline.jpg"]))) expect(image).toEqual(wanted);
  for (const image of await several(() => readImage(join(folder, "baseline.jpg"))))
    expect(image).toEqual(wanted);
});

describe("what a JPEG says of itself", () => {
  const size = { height, width };
  test.each([
    ["baseline.jpg", { ...size, components: 3, hasProfile: false }],
    ["progressive.jpg", { ...size, components: 3, hasProfile: false }],
    ["gray.jpg", { ...size, components: 1, hasProfile: false }],
    ["profile.jpg", { ...size, components: 3, hasProfile: true }],
    ["turned.jpg", undefined],
  ] as const)("%s", (name, header) => {
    expect(plainJpegHeader(files[name])).toEqual(header);
  });

  test("nothing, where it is cut short or damaged anywhere before its pixels", () => {
    const bytes = files["upright.jpg"];
    expect(plainJpegHeader(bytes)).toMatchObject(size);
    for (let length = 0; length < bytes.length; length++)
      expect(plainJpegHeader(bytes.subarray(0, length))).toBeUndefined();
    for (let at = 0; at < 700; at++)
      for (const byte of [0, 1, 0xff]) {
        const damaged = Uint8Array.from(bytes);
        damaged[at] = byte;
        expect(() => plainJpegHeader(damaged)).not.toThrow();
      }
  });

  test("a file that is cut short is an error, whatever of it is wanted", async () => {
    const path = join(folder, "short.jpg");
    writeFileSync(path, files["baseline.jpg"].subarray(0, 1500));
    const change = augment(crop({ top: 0, left: 0, height: 2, width: 2 }));
    await expect(change.read(path, 1)).rejects.toThrow(/short\.jpg": a JPEG that cannot be read/);
  });
});

test("libjpeg-turbo refuses what is damaged, where the system has it", async (context) => {
  const size = { height, width, channels: 3 } as const;
  const into = new Uint8Array(height * width * 3);
  if (!(await jpegPixels(files["baseline.jpg"], size, into))) context.skip("no libjpeg-turbo here");
  expect(await jpegPixels(files["baseline.jpg"].subarray(0, 1500), size, into)).toBe(false);
  expect(await jpegPixels(files["picture.png"], size, into)).toBe(false);
});
