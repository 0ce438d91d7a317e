import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashedUniform } from "../../../test/fixtures.ts";
import { bf16ToNumber, f16ToNumber } from "../../base/dtype.ts";
import { ArgumentError, FormatError } from "../../base/errors.ts";
import { MappedArray } from "../../base/mapped-array.ts";
import { parseHeader } from "./header.ts";
import { openGguf } from "./reader.ts";
import { writeGguf } from "./writer.ts";

const fixture = join(import.meta.dirname, "../../../test/fixtures/quantized.gguf");
let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "netwright-"))));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a file of llama.cpp's package", () => {
  test.each(["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"])(
    "%s: elements are those of its reference, bit for bit",
    async (type) => {
      const file = await openGguf(fixture);
      expect(file.tensors.get(type)).toEqual({ type, shape: [2, 256] });
      const [ours, theirs] = [await file.read(type), await file.read(`${type} in f32`)];
      expect(ours).toEqual(theirs);
      expect(new Set(ours.data).size).toBeGreaterThan(20);
      await file.close();
    },
  );

  test("plain types are the bytes of the file", async () => {
    const file = await openGguf(fixture);
    const x = hashedUniform(7, 15, 2);
    expect(await file.read("F32")).toEqual({ dtype: "f32", shape: [3, 5], data: x });
    expect((await file.read("F64")).data).toEqual(Float64Array.from(x));
    const [half, brain] = [await file.read("F16"), await file.read("BF16")];
    expect([half.dtype, brain.dtype]).toEqual(["f16", "bf16"]);
    for (let i = 0; i < 15; i++) {
      expect(Math.abs(f16ToNumber(half.data[i]!) - x[i]!)).toBeLessThan(2 ** -10);
      expect(Math.abs(bf16ToNumber(brain.data[i]!) - x[i]!)).toBeLessThan(2 ** -7);
    }
    expect(await file.read("I8")).toEqual({
      dtype: "i8",
      shape: [1, 2, 3],
      data: Int8Array.of(-3, -2, -1, 0, 1, 2),
    });
    expect((await file.read("I32")).data).toEqual(Int32Array.of(1, -2));
    await file.close();
  });

  test("metadata of every kind", async () => {
    const file = await openGguf(fixture);
    expect(Object.fromEntries(file.metadata)).toEqual({
      "general.architecture": "test",
      words: "größe 🧠",
      yes: true,
      i8: -5,
      u16: 65535,
      i32: -(2 ** 31),
      u64: 2 ** 40,
      "u64.large": 2n ** 63n + 1n,
      f32: Math.fround(0.1),
      f64: 0.1,
      tokens: ["a", "", "Ġthe"],
      scores: [0.5, -1.5],
    });
    await file.close();
  });

  test("mapped, plain tensors stay in the file and so do blocks of the others", async (context) => {
    const file = await openGguf(fixture, { mmap: true });
    context.skip(file.notMapped !== undefined, `files are not mapped here: ${file.notMapped}`);
    const [plain, quantized, blocks] = [
      await file.map("F32"),
      await file.map("Q4_1"),
      await file.blocks("Q4_1"),
    ];
    expect(plain).toBeInstanceOf(MappedArray);
    expect((plain as MappedArray).read()).toEqual(await file.read("F32"));
    expect(quantized).toEqual(await file.read("Q4_1"));
    expect(blocks).toMatchObject({ dtype: "u8", shape: [2, (256 / 32) * 20] });
    const stored = await openGguf(fixture);
    expect((blocks as MappedArray).read()).toEqual(await stored.blocks("Q4_1"));
    await stored.close();
    await file.close();
  });

  test("what is written comes back, metadata of many kilobytes too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "netwright-gguf-"));
    try {
      // Lengths of all kinds, so that each kind of value meets the end of the writer's room.
      for (const extra of [0, 1, 3, 7]) {
        const words = Array.from({ length: 20_000 }, (_, i) => `${"x".repeat((i + extra) % 11)}${i}`);
        const numbers = Int32Array.from({ length: 40_000 + extra }, (_, i) => i);
        const path = join(folder, `${extra}.gguf`);
        await writeGguf(path, { words, numbers, flag: true, half: 0.5, last: "end" }, new Map());
        const { metadata } = await openGguf(path);
        expect(metadata.get("words")).toEqual(words);
        expect(Array.from(metadata.get("numbers") as ArrayLike<number>)).toEqual([...numbers]);
        expect([metadata.get("flag"), metadata.get("half"), metadata.get("last")]).toEqual([
          true,
          0.5,
          "end",
        ]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a name that it does not have", async () => {
    const file = await openGguf(fixture);
    const error = await Promise.resolve()
      .then(() => file.read("Q4_2"))
      .catch((e: Error) => e);
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message).toMatch(/has no tensor "Q4_2"; the nearest is "Q4_0"/);
    await file.close();
  });
});

/** A file of our own words: `GGUF`, version, counts, then what is given. */
class Builder {
  private readonly parts: Uint8Array[] = [];
  u32 = (value: number): this => this.push(new Uint8Array(Uint32Array.of(value).buffer));
  u64 = (value: number | bigint): this => this.push(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    return this.u64(bytes.length).push(bytes);
  }
  private push(bytes: Uint8Array): this {
    this.parts.push(bytes);
    return this;
  }
  bytes = (): Uint8Array => new Uint8Array(Buffer.concat(this.parts));
}

const begin = (tensors: number | bigint, pairs: number | bigint, version = 3): Builder =>
  new Builder().u32(0x46554747).u32(version).u64(tensors).u64(pairs);
const tensor = (
  file: Builder,
  name: string,
  sizes: (number | bigint)[],
  type: number,
  offset: number | bigint,
) => {
  file.text(name).u32(sizes.length);
  for (const size of sizes) file.u64(size);
  return file.u32(type).u64(offset);
};

/** The message of the FormatError that a header gives. */
function errorOf(file: Builder | Uint8Array, extra = 0): string {
  const header = file instanceof Builder ? file.bytes() : file;
  const bytes = new Uint8Array(header.length + extra);
  bytes.set(header);
  try {
    parseHeader("file", bytes, bytes.length);
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return (error as Error).message.replace('"file" is not a valid GGUF file: ', "");
  }
  return expect.unreachable("it was accepted");
}

describe("headers that lie", () => {
  test("each is refused with what is wrong", () => {
    const nested = begin(0, 1).text("k").u32(9);
    for (let i = 0; i < 6; i++) nested.u32(9).u64(1);
    expect([
      errorOf(new Builder().u32(1).u32(3)),
      errorOf(begin(0, 0, 1)),
      errorOf(begin(2n ** 63n, 0)),
      errorOf(begin(0, 2n ** 40n)),
      errorOf(begin(0, 1).u64(2n ** 50n)),
      errorOf(begin(0, 1).text("k").u32(99), 100),
      errorOf(
        begin(0, 1)
          .text("k")
          .u32(9)
          .u32(4)
          .u64(2n ** 60n),
        100,
      ),
      errorOf(nested, 100),
      errorOf(begin(0, 2).text("k").u32(4).u32(1).text("k").u32(4).u32(1), 100),
      errorOf(begin(0, 1).text("general.alignment").u32(4).u32(3), 100),
      errorOf(tensor(begin(1, 0), "w", [4], 0, 0)),
      errorOf(tensor(begin(1, 0), "w", [2n ** 62n, 8], 0, 0), 100),
      errorOf(tensor(begin(1, 0), "w", [40], 3, 0), 100),
      errorOf(tensor(begin(1, 0), "w", [4], 0, 5), 100),
      errorOf(tensor(begin(1, 0), "w", [4], 0, 2n ** 63n), 100),
      errorOf(tensor(begin(1, 0), "w", [4], 16, 0), 100),
      errorOf(tensor(begin(1, 0), "w", [4], 77, 0), 100),
      errorOf(tensor(tensor(begin(2, 0), "w", [4], 0, 0), "w", [4], 0, 0), 100),
      errorOf(tensor(begin(1, 0), "w", Array(9).fill(1), 0, 0), 100),
    ]).toMatchInlineSnapshot(`
      [
        "it does not begin with "GGUF"; it is probably of another format",
        "its version is 1; 2 and 3 are read: convert it with a current llama.cpp",
        "the number of tensors is 9223372036854775808, more than its 24 bytes have room for; it is cut short or damaged: copy or download it again",
        "the number of keys is 1099511627776, more than its 24 bytes have room for; it is cut short or damaged: copy or download it again",
        "the number of keys is 1, more than its 32 bytes have room for; it is cut short or damaged: copy or download it again",
        ""k" has the unknown type 99; it is cut short or damaged: copy or download it again",
        "the number of elements of "k" is 1152921504606846976, more than its 149 bytes have room for; it is cut short or damaged: copy or download it again",
        ""k" holds lists in more than 4 levels",
        "it has the key "k" twice",
        "general.alignment is 3, not a multiple of 8",
        "tensor "w": F32 of shape [4] at 64 takes 16 bytes, the file has 57; it is cut short or damaged: copy or download it again",
        "tensor "w": shape [8, 4611686018427388000] is too large",
        "tensor "w": Q4_1 comes in blocks of 32, its rows have 40 elements",
        "tensor "w": its offset 5 is no multiple of 32",
        "tensor "w": F32 of shape [4] at 9223372036854776000 takes 16 bytes, the file has 157; it is cut short or damaged: copy or download it again",
        "tensor "w": its type IQ2_XXS is not read; those read are F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, I8, I32, F64, BF16: quantize the model anew with one of them",
        "tensor "w": its type 77 is unknown; those read are F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, I8, I32, F64, BF16: quantize the model anew with one of them",
        "it has the tensor "w" twice",
        "tensor "w" has 9 axes, more than 8; it is cut short or damaged: copy or download it again",
      ]
    `);
  });

  test("a file cut anywhere is refused, and random changes never do worse than an error", async () => {
    const good = new Uint8Array(readFileSync(fixture));
    const path = join(folder, "changed.gguf");
    const open = async (bytes: Uint8Array): Promise<unknown> => {
      writeFileSync(path, bytes);
      const file = await openGguf(path).catch((error) => error);
      if (file instanceof FormatError) return file;
      for (const name of file.tensors.keys()) await file.read(name);
      await file.close();
      return undefined;
    };
    for (let length = 0; length < 1400; length += 37)
      expect(await open(good.subarray(0, length))).toBeInstanceOf(FormatError);
    let refused = 0;
    for (let round = 0; round < 100; round++) {
      const bytes = good.slice();
      const [at] = hashedUniform(round, 1, 1300);
      bytes[Math.abs(Math.floor(at!))] = (round * 37) & 255;
      if (await open(bytes)) refused++;
    }
    expect(refused).toBeGreaterThan(10);
  });
});
