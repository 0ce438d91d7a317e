/** Transforms against Pillow and torchvision, byte for byte where nothing else is said. */
import { expect, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import type { ByteImage, Image, Transform } from "./index.ts";
import * as vision from "./index.ts";

interface Case {
  readonly name: string;
  readonly arguments: readonly unknown[];
  readonly of: "color" | "gray";
  readonly output: EncodedArray;
  /** Of bytes; exact where there is none. */
  readonly tolerance?: number;
}

const fixture = readFixture<{
  image: EncodedArray;
  gray: EncodedArray;
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
    const before = photo.data.slice();
    const found = make(...row.arguments)(row.of === "gray" ? gray : photo);
    const wanted = imageOf(row.output);
    expect(photo.data).toEqual(before);
    expect(found.shape).toEqual(wanted.shape);
    expect(largestDifference(found, wanted)).toBeLessThanOrEqual(row.tolerance ?? 0);
  },
);
