import { expect, test } from "vitest";
import { decodeArray, hashedUniform, readFixture } from "./fixtures.ts";

test("hashedUniform gives the bits that the fixture scripts used", () => {
  const { firstWeights } = readFixture<{ firstWeights: number[] }>("mnist-losses.json");
  expect(Array.from(hashedUniform(1, 4, Math.sqrt(6 / (784 + 64))))).toEqual(firstWeights);
});

test("decodeArray reads little-endian base64", () => {
  const f32 = decodeArray({ shape: [2], dtype: "f32", data: "AACAPwAAAMA=" });
  expect(f32).toEqual(Float32Array.of(1, -2));
  expect(decodeArray({ shape: [1], dtype: "i32", data: "/////w==" })).toEqual(Int32Array.of(-1));
});
