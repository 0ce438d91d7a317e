/** Image files: there and back in every format, cameras' orientation, and what is no image. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { FormatError } from "../base/errors.ts";
import {
  type ByteImage,
  decodeImage,
  encodeImage,
  type ImageFormat,
  readImage,
  writeImage,
} from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-vision-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Smooth, so that lossy formats keep it. */
function gradient(channels: number): ByteImage {
  const [height, width] = [24, 40];
  const data = Uint8Array.from({ length: height * width * channels }, (_, i) => {
    const [pixel, channel] = [Math.floor(i / channels), i % channels];
    return channel === 3
      ? 255 - pixel / 8
      : 40 + 3 * (pixel % width) + 2 * Math.floor(pixel / width) + 10 * channel;
  });
  return { dtype: "u8", shape: [height, width, channels], data };
}
const picture = gradient(3);

function largestDifference(a: ByteImage, b: ByteImage): number {
  expect(a.shape).toEqual(b.shape);
  return a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i]!)), 0);
}

describe("there and back", () => {
  const cases: readonly [ImageFormat, number][] = [
    ["png", 0],
    ["tiff", 12],
    ["jpeg", 6],
    ["webp", 8],
    ["avif", 8],
    ["gif", 24],
  ];
  test.each(cases)("%s", async (format, tolerance) => {
    const bytes = await encodeImage(picture, {
      format,
      ...(format !== "png" && format !== "gif" && { quality: 95 }),
    });
    expect(largestDifference(await decodeImage(bytes), picture)).toBeLessThanOrEqual(tolerance);
  });

  test("gray, and colours with alpha", async () => {
    const png = async (image: ByteImage): Promise<Uint8Array> => encodeImage(image, { format: "png" });
    const gray = gradient(1);
    expect(await decodeImage(await png(gray), { channels: 1 })).toEqual(gray);
    expect((await decodeImage(await png(gray))).data.slice(0, 3)).toEqual(Uint8Array.of(40, 40, 40));
    const clear = gradient(4);
    expect(await decodeImage(await png(clear), { channels: 4 })).toEqual(clear);
    expect(await decodeImage(await png(clear))).toEqual(picture);
    expect((await decodeImage(await png(picture), { channels: 4 })).data[3]).toBe(255);
  });

  test("f32 is 0 … 1", async () => {
    const floats = { dtype: "f32", shape: [1, 4, 1], data: Float32Array.of(-1, 0, 0.5, 2) } as const;
    const bytes = await encodeImage({ ...floats, shape: [1, 4, 1] }, { format: "png" });
    expect((await decodeImage(bytes, { channels: 1 })).data).toEqual(Uint8Array.of(0, 0, 128, 255));
  });

  test("sixteen bits become eight", async () => {
    const raw = Uint16Array.from({ length: 12 }, (_, i) => i * 257 * 20);
    const deep = sharp(raw, { raw: { width: 2, height: 2, channels: 3 } })
      .toColourspace("rgb16")
      .png();
    const { data } = await decodeImage(new Uint8Array(await deep.toBuffer()));
    expect(data).toEqual(Uint8Array.from(raw, (x) => x / 257));
  });
});

test("a camera's orientation is applied", async () => {
  const { data, shape } = picture;
  const raw = { width: shape[1], height: shape[0], channels: 3 } as const;
  const turned = sharp(data, { raw }).withMetadata({ orientation: 6 }).png();
  const found = await decodeImage(new Uint8Array(await turned.toBuffer()));
  expect(found.shape).toEqual([40, 24, 3]);
  // Turned clockwise: the first column from below becomes the first row.
  expect(found.data.slice(0, 3)).toEqual(data.slice(23 * 40 * 3, 23 * 40 * 3 + 3));
});

describe("files", () => {
  test("the ending says the format; nothing but the file is left", async () => {
    for (const name of ["a.png", "b.JPG", "c.tif"]) {
      await writeImage(join(folder, name), picture);
      expect((await readImage(join(folder, name))).shape).toEqual([24, 40, 3]);
    }
    expect(readdirSync(folder).sort()).toEqual(["a.png", "b.JPG", "c.tif"]);
    await expect(writeImage(join(folder, "a.bmp"), picture)).rejects.toThrow(
      "does not end in a format (png, jpeg",
    );
  });

  test("a damaged one is named", async () => {
    const whole = await encodeImage(picture, { format: "jpeg" });
    const cut = join(folder, "cut.jpg");
    writeFileSync(cut, whole.subarray(0, whole.length * 0.8));
    await expect(readImage(cut)).rejects.toThrow(
      /^".*cut\.jpg": a JPEG that cannot be read: .*damaged or cut short$/,
    );
    const text = join(folder, "text.png");
    writeFileSync(text, "<svg xmlns='http://www.w3.org/2000/svg'/>");
    await expect(readImage(text)).rejects.toThrow(`"${text}": no image that is known here`);
    await expect(readImage(join(folder, "none.png"))).rejects.toThrow("there is no such file");
    for (const format of ["png", "webp", "tiff", "gif", "avif"] as const) {
      const bytes = await encodeImage(picture, { format });
      await expect(decodeImage(bytes.subarray(0, bytes.length * 0.6))).rejects.toThrow(FormatError);
      await expect(decodeImage(bytes.subarray(0, 20))).rejects.toThrow(FormatError);
    }
  });

  test("an image of too many pixels is refused", async () => {
    const bytes = await encodeImage(picture, { format: "png" });
    await expect(decodeImage(bytes, { maxPixels: 959 })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FormatError: the given bytes: a PNG that cannot be read: it has more than 959 pixels; raise maxPixels if it is trusted]`,
    );
    expect((await decodeImage(bytes, { maxPixels: 960 })).shape).toEqual([24, 40, 3]);
  });
});

test("mistakes", async () => {
  await expect(encodeImage(picture, { format: "bmp" as never })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: encodeImage: format must be one of png, jpeg, webp, avif, tiff, gif, got bmp]`,
  );
  await expect(
    encodeImage(picture, { format: "jpeg", quality: 0 }),
  ).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: encodeImage: quality must be a number from 1 to 100, got 0]`,
  );
  const cube = { dtype: "u8", shape: [2, 2, 5], data: new Uint8Array(20) } as const;
  await expect(
    encodeImage({ ...cube, shape: [2, 2, 5] }, { format: "png" }),
  ).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: encodeImage: an image is (height, width, channels) with 1 to 4 channels, got (2, 2, 5)]`,
  );
  await expect(decodeImage(new Uint8Array(0))).rejects.toThrow("no image that is known here");
  await expect(decodeImage(Uint8Array.of(255, 216, 255), { chanels: 1 } as never)).rejects.toThrow(
    'did you mean "channels"',
  );
});
