import { expect, test } from "vitest";
import {
  decodeArray,
  type EncodedArray,
  hashedUniform,
  type OpFixture,
  opFixtures,
  readFixture,
} from "./fixtures.ts";

test("hashedUniform gives the bits that the fixture scripts used", () => {
  const { firstWeights } = readFixture<{ firstWeights: number[] }>("mnist-losses.json");
  expect(Array.from(hashedUniform(1, 4, Math.sqrt(6 / (784 + 64))))).toEqual(firstWeights);
});

test("decodeArray reads little-endian base64", () => {
  const f32 = decodeArray({ shape: [2], dtype: "f32", data: "AACAPwAAAMA=" });
  expect(f32).toEqual(Float32Array.of(1, -2));
  expect(decodeArray({ shape: [1], dtype: "i32", data: "/////w==" })).toEqual(Int32Array.of(-1));
  expect(decodeArray({ shape: [2, 1], dtype: "f32", fill: 0.5 })).toEqual(Float32Array.of(0.5, 0.5));
});

test.each(opFixtures)("%s: every array has as many elements as its shape says", (name) => {
  const { cases } = readFixture<OpFixture>(name);
  expect(cases.length).toBeGreaterThan(5);
  for (const row of cases) {
    const arrays = [...row.inputs, row.output, ...row.gradients].filter((a): a is EncodedArray => a !== null);
    for (const array of arrays) {
      expect(decodeArray(array)).toHaveLength(array.shape.reduce((a, b) => a * b, 1));
    }
    expect(row.output === null).toBe(row.error === true);
    row.gradients.forEach((gradient, i) => {
      if (gradient) expect(gradient.shape).toEqual(row.inputs[i]!.shape);
    });
  }
});
