/** Transforms against Pillow and torchvision, byte for byte where nothing else is said. */
import { expect, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import type { ByteImage, Image, Transform } from "./index.ts";
import * as vision from "./index.ts";

interface Case {
  readonly name: string;
  readonly arguments: readonly unknown[];
  readonly of: "color" | "gray" | "clear" | "faded";
  readonly output: EncodedArray;
  /** Of bytes; exact where there is none. */
  readonly tolerance?: number;
}

const fixture = readFixture<{
  image: EncodedArray;
  gray: EncodedArray;
  clear: EncodedArray;
  faded: EncodedArray;
  normalized: EncodedArray;
  float: EncodedArray;
  cases: readonly Case[];
}>("vision.json");

const imageOf = ({ shape, data }: EncodedArray): ByteImage => ({
  dtype: "u8",
  shape: shape as [number, number, number],
  data: decodeArray({ shape, data: data!, dtype: "u8" }) as Uint8Array<ArrayBuffer>,
});

const photo = imageOf(fixture.image);
const gray = imageOf(fixture.gray);
const images = { color: photo, gray, clear: imageOf(fixture.clear), faded: imageOf(fixture.faded) };

function largestDifference(a: Image, b: Image): number {
  let largest = 0;
  for (let i = 0; i < a.data.length; i++) largest = Math.max(largest, Math.abs(a.data[i]! - b.data[i]!));
  return largest;
}

const makers: Readonly<Record<string, unknown>> = { ...vision };

test.each(fixture.cases.map((row) => [row.name, JSON.stringify(row.arguments), row] as const))(
  "%s %s",
  (name, _, row) => {
    const make = makers[name] as (...values: readonly unknown[]) => Transform;
    const image = images[row.of];
    const before = image.data.slice();
    const found = make(...row.arguments)(image);
    const wanted = imageOf(row.output);
    expect(image.data).toEqual(before);
    expect(found.shape).toEqual(wanted.shape);
    expect(largestDifference(found, wanted)).toBeLessThanOrEqual(row.tolerance ?? 0);
  },
);

test("a pixel that cannot be seen lends its colour to none, in bytes and in f32", () => {
  // Red that is seen beside blue that is not.
  const bytes = Uint8Array.from([255, 0, 0, 255, 0, 0, 255, 0]);
  const image = (data: Image["data"], dtype: Image["dtype"]) => ({ dtype, shape: [1, 2, 4], data }) as Image;
  for (const [given, one] of [
    [image(bytes, "u8"), 255],
    [
      image(
        Float32Array.from(bytes, (x) => x / 255),
        "f32",
      ),
      1,
    ],
  ] as const) {
    const [red, green, blue, alpha] = vision.resize([1, 1])(given).data;
    expect([red, green, blue]).toEqual([one, 0, 0]);
    expect(alpha! / one).toBeCloseTo(0.5, 2);
    const turned = vision.rotate(45, { interpolation: "bilinear", fill: 0.5 * one })(given);
    for (let i = 0; i < turned.data.length; i += 4) expect(turned.data[i + 2]! / one).toBeLessThan(0.51);
  }
});
