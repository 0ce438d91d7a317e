import { describe, expect, test } from "vitest";
import { encode } from "../base/dtype.ts";
import { type HostArray, hostArray } from "../base/host-array.ts";
import { floatColumn, plainColumn } from "./column.ts";

const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);

/** value / 255 rounded to f32 as PyTorch's ToTensor does it, in integers: the nearest of the neighbouring floats. */
function exactQuotient(value: number, divisor: number): number {
  const near = Math.fround(value / divisor);
  const bits = new Uint32Array(Float32Array.of(near).buffer)[0]!;
  const neighbours = [bits - 1, bits, bits + 1].map((b) => new Float32Array(Uint32Array.of(b).buffer)[0]!);
  // |f − value/divisor| · divisor · 2^60 is an integer for these f.
  const distance = (f: number): bigint => {
    const difference = BigInt(f * 2 ** 60) * BigInt(divisor) - BigInt(value) * 2n ** 60n;
    return difference < 0n ? -difference : difference;
  };
  return neighbours.filter((f) => f >= 2 ** -30).sort((a, b) => (distance(a) < distance(b) ? -1 : 1))[0]!;
}

describe("floatColumn", () => {
  test("bytes over 255 are correctly rounded, all of them", () => {
    const column = floatColumn(hostArray("u8", [256], everyByte), { divideBy: 255 });
    const out = new Float32Array(256);
    column.gather(Uint32Array.from(everyByte), 0, 256, out);
    for (let value = 1; value < 256; value++) expect(out[value]).toBe(exactQuotient(value, 255));
    expect([out[0], out[255]]).toEqual([0, 1]);
  });

  test.each([1, 2, 3, 4, 7, 8, 9, 16, 31])("rows of %i bytes at any alignment of the result", (size) => {
    const data = Uint8Array.from({ length: 50 * size }, (_, i) => i * 37);
    const column = floatColumn(hostArray("u8", [50, size], data), { divideBy: 255 });
    const indices = Uint32Array.of(0, 49, 7, 7, 20, 33, 1);
    for (const offset of [0, 1, 2]) {
      const out = new Float32Array(7 * size + 4).fill(-1);
      column.gather(indices, 1, 5, out.subarray(offset));
      const expected = Array.from(indices.subarray(1, 6)).flatMap((row) =>
        Array.from(data.subarray(row * size, (row + 1) * size), (byte) => Math.fround(byte / 255)),
      );
      expect(Array.from(out.subarray(offset, offset + 5 * size))).toEqual(expected);
      expect(out.subarray(offset + 5 * size).every((x) => x === -1)).toBe(true);
      expect(out.subarray(0, offset).every((x) => x === -1)).toBe(true);
    }
  });

  test("other dtypes: signed bytes, bools, 16-bit floats, integers", () => {
    const quotients = (array: HostArray, divideBy = 2): number[] => {
      const out = new Float32Array(array.data.length);
      floatColumn(array, { divideBy }).gather(Uint32Array.from(array.data.keys()), 0, array.data.length, out);
      return Array.from(out);
    };
    expect(quotients(hostArray("i8", [3], Int8Array.of(-128, -1, 127)))).toEqual([-64, -0.5, 63.5]);
    expect(quotients(hostArray("bool", [2], Uint8Array.of(0, 1)))).toEqual([0, 0.5]);
    expect(quotients(hostArray("f16", [2], encode("f16", [1.5, -3]) as Uint16Array))).toEqual([0.75, -1.5]);
    expect(quotients(hostArray("bf16", [1], encode("bf16", [3]) as Uint16Array))).toEqual([1.5]);
    expect(quotients(hostArray("i32", [2], Int32Array.of(-7, 2 ** 30)))).toEqual([-3.5, 2 ** 29]);
    expect(quotients(hostArray("f64", [1], Float64Array.of(1)), 3)).toEqual([Math.fround(1 / 3)]);
  });

  test("mistakes", () => {
    const images = hostArray("u8", [2, 28, 28]);
    expect(() => floatColumn(images, { sampleShape: [783] })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: floatColumn: samples of shape (28, 28) have 784 elements, sampleShape (783,) has 783; give a shape with as many]`,
    );
    expect(() => floatColumn(images, { divideBy: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: floatColumn: divideBy must be a positive number, got 0]`,
    );
    expect(() => floatColumn(hostArray("u8", []))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: column "floatColumn": shape () has no axis of samples; give it one, for example (1,)]`,
    );
  });
});

test("plainColumn delivers rows and scalars as they are stored", () => {
  const rows = plainColumn("x", hostArray("i32", [3, 2], Int32Array.of(1, 2, 3, 4, 5, 6)));
  expect([rows.length, rows.shape, rows.dtype]).toEqual([3, [2], "i32"]);
  const out = new Int32Array(4);
  rows.gather(Uint32Array.of(9, 2, 0), 1, 2, out);
  expect(out).toEqual(Int32Array.of(5, 6, 1, 2));
  const ones = plainColumn("y", hostArray("f64", [3], Float64Array.of(0.1, 0.2, 0.3)));
  const two = new Float64Array(2);
  ones.gather(Uint32Array.of(2, 1), 0, 2, two);
  expect(two).toEqual(Float64Array.of(0.3, 0.2));
});
