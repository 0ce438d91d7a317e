/** The kernel beside loops that take one number at a time, which the fixtures hold against Pillow. */
import { expect, test } from "vitest";
import { randomKey, uniform } from "../base/random.ts";
import { horizontalFlip } from "./crop.ts";
import type { ByteImage, Region } from "./image.ts";
import { lookedUp, mirrored, type Pass, resampled } from "./kernel.ts";
import { inTurn } from "./resample.ts";
import { type Interpolation, weightsOf } from "./weights.ts";

/** Noise, a third of it at the ends of the range, where sums have to be clipped. */
function noise(height: number, width: number, channels: number): ByteImage {
  const units = uniform(randomKey(height * 1000 + width), height * width * channels);
  const data = Uint8Array.from(units, (x) => Math.min(255, Math.max(0, Math.floor(x * 768 - 256))));
  return { dtype: "u8", shape: [height, width, channels], data };
}

const sizes: readonly (readonly [from: number, to: number])[] = [[1, 1], [1, 9], [5, 3], [17, 16], [16, 17], [33, 4], [7, 40], [90, 11]]; // biome-ignore format: a table
const kinds: readonly Exclude<Interpolation, "nearest">[] = ["bilinear", "bicubic", "lanczos"];

for (const kind of kinds)
  for (const antialias of [true, false])
    test(`${kind}, ${antialias ? "smoothed" : "not smoothed"}: both orders of both axes, regions at every border`, () => {
      for (const channels of [1, 2, 3, 4])
        for (const [i, [height, toHeight]] of sizes.entries()) {
          const [width, toWidth] = sizes[(3 * i + channels) % sizes.length]!;
          const image = noise(height + (i % 3), width + (i % 2), channels);
          const region: Region = { top: i % 3, left: i % 2, height, width };
          const across: Pass = { axis: "across", weights: weightsOf(width, toWidth, kind, antialias) };
          const down: Pass = { axis: "down", weights: weightsOf(height, toHeight, kind, antialias) };
          for (const passes of [[across], [down], [across, down], [down, across]])
            expect(resampled(image, region, passes)).toEqual(inTurn(image, region, passes));
        }
    });

test("rows of any length in reverse", () => {
  for (const channels of [1, 2, 3, 4])
    for (const width of [1, 2, 3, 4, 5, 6, 15, 16, 17, 31]) {
      const image = noise(3, width, channels);
      const found = mirrored(image)!;
      expect(found.shape).toEqual(image.shape);
      for (let i = 0; i < image.data.length; i++) {
        const [row, x, c] = [
          Math.floor(i / (width * channels)),
          Math.floor(i / channels) % width,
          i % channels,
        ];
        expect(found.data[i]).toBe(image.data[(row * width + width - 1 - x) * channels + c]);
      }
      expect(horizontalFlip()(found)).toEqual(image);
    }
});

test("numbers from tables, channels first", () => {
  for (const channels of [1, 2, 3, 4])
    for (const width of [1, 2, 3, 5, 8]) {
      const image = noise(3, width, channels);
      const tables = Array.from({ length: channels }, (_, c) =>
        Float32Array.from({ length: 258 }, (_, i) => i / 255 - c),
      );
      const found = lookedUp(image, tables)!;
      const wanted = tables.flatMap((table, c) =>
        Array.from({ length: 3 * width }, (_, i) => table[image.data[i * channels + c]!]!),
      );
      expect([...found]).toEqual(wanted);
    }
});

test("what needs more memory than the kernel has is left to the loops", () => {
  const pass: Pass = { axis: "down", weights: weightsOf(1, 40_000, "bilinear", true) };
  expect(resampled(noise(1, 2000, 1), { top: 0, left: 0, height: 1, width: 2000 }, [pass])).toBeUndefined();
});
