import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bf16ToNumber, f16ToNumber } from "../../base/dtype.ts";
import { ArgumentError, FileError, FormatError } from "../../base/errors.ts";
import { hostArray, type NamedTensors } from "../../base/host-array.ts";
import { fillBits, randomKey, threefry2x32 } from "../../base/random.ts";
import { openSafetensors, parseSafetensors, readSafetensors } from "./reader.ts";
import { serializeSafetensors, writeSafetensors } from "./writer.ts";

const fixture = (name: string): string => join(import.meta.dirname, "../../../test/fixtures", name);
let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "netwright-"))));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file of a header's text (or bytes) and data, with the length it claims. */
function fileOf(header: string | Uint8Array | object, dataBytes = 0, claimed?: bigint): Uint8Array {
  const text = typeof header === "string" || header instanceof Uint8Array ? header : JSON.stringify(header);
  const json = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

/** The FormatError that parsing gives. */
function errorOf(bytes: Uint8Array): string {
  try {
    parseSafetensors(bytes, "file");
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return (error as Error).message;
  }
  return expect.unreachable("it was accepted");
}

describe("files of Hugging Face's implementation", () => {
  test("every dtype is read, bit for bit", async () => {
    const { tensors, metadata } = await readSafetensors(fixture("every-dtype.safetensors"));
    expect(Object.fromEntries(metadata)).toEqual({ format: "np" });
    const get = (name: string) => tensors.get(name)!;
    expect(get("f32.matrix")).toEqual(
      hostArray("f32", [2, 3], Float32Array.of(1, -2, 0.5, Infinity, -0, 3e-45)),
    );
    expect(get("f64.scalar")).toEqual(hostArray("f64", [], Float64Array.of(1 / 3)));
    expect(get("f16").dtype).toBe("f16");
    expect(Array.from(get("f16").data, f16ToNumber)).toEqual([1, -2, 65504, 2 ** -24, Infinity]);
    expect(get("bf16").dtype).toBe("bf16");
    expect(Array.from(get("bf16").data, bf16ToNumber)[1]).toBe(-2);
    expect(get("i32").data).toEqual(Int32Array.of(0, -1, 2 ** 31 - 1, -(2 ** 31)));
    expect(get("u32").data).toEqual(Uint32Array.of(0, 2 ** 32 - 1));
    expect(get("i8")).toEqual(hostArray("i8", [3, 1], Int8Array.of(-128, 127, 5)));
    expect(get("u8").data).toEqual(Uint8Array.of(0, 1, 2, 3, 4));
    expect(get("bool")).toEqual(hostArray("bool", [3], Uint8Array.of(1, 0, 1)));
    expect(get("empty")).toEqual(hostArray("f32", [0, 4]));
    expect(get("\u{1f9e0}").data).toEqual(Float32Array.of(7.5));
    expect(get("__proto__").data).toEqual(Float32Array.of(8));
    expect(tensors.size).toBe(14);
  });

  test("what we write of the same content is the same file", async () => {
    const { tensors, metadata } = await readSafetensors(fixture("every-dtype.safetensors"));
    const shuffled: NamedTensors = new Map([...tensors].reverse());
    const expected = readFileSync(fixture("every-dtype.safetensors"));
    expect(Buffer.compare(serializeSafetensors(shuffled, { metadata }), expected)).toBe(0);
    await writeSafetensors(join(folder, "same.safetensors"), shuffled, { metadata });
    expect(Buffer.compare(readFileSync(join(folder, "same.safetensors")), expected)).toBe(0);
  });

  test("I64 is narrowed where it fits, and refused by position and value where it does not", async () => {
    const file = await openSafetensors(fixture("int64.safetensors")).catch((error) => error);
    expect(file.message.replaceAll(fixture(""), "")).toMatchInlineSnapshot(
      `""/int64.safetensors" is not a valid safetensors file: tensor "unsupported": dtype "U16" is not one of F64, F32, F16, BF16, I64, I32, I8, U32, U8, BOOL; convert it where it was made"`,
    );
    const bytes = readFileSync(fixture("int64.safetensors"));
    const known = new Uint8Array(Buffer.from(bytes.toString("latin1").replace('"U16"', '"F16"'), "latin1"));
    writeFileSync(join(folder, "int64.safetensors"), known);
    const open = await openSafetensors(join(folder, "int64.safetensors"));
    const inRange = hostArray("i32", [2, 2], Int32Array.of(0, -1, 2 ** 31 - 1, -(2 ** 31)));
    expect(await open.read("in range")).toEqual(inRange);
    expect(open.tensors.get("in range")).toMatchObject({ dtype: "i32", shape: [2, 2] });
    const messages = await Promise.all(
      ["too large", "too small", "missing"].map((name) =>
        open.read(name).then(
          () => expect.unreachable(),
          (error: Error) => error.message.replaceAll(folder, "FOLDER"),
        ),
      ),
    );
    await open.close();
    expect(messages).toMatchInlineSnapshot(`
      [
        ""FOLDER/int64.safetensors" is not a valid safetensors file: tensor "too large": the I64 value 2147483648 at [1, 1] does not fit into i32 (-2^31 to 2^31 - 1); convert it where it was made",
        ""FOLDER/int64.safetensors" is not a valid safetensors file: tensor "too small": the I64 value -1099511627776 at [0] does not fit into i32 (-2^31 to 2^31 - 1); convert it where it was made",
        ""FOLDER/int64.safetensors" has no tensor "missing"; it has 5: in range, too large, too small, float, unsupported",
      ]
    `);
  });
});

describe("writing", () => {
  const weight = hostArray("f32", [2], Float32Array.of(1, 2));

  test("data begins at a multiple of 8, every tensor at one of its element size, in a fixed order", () => {
    const tensors: NamedTensors = new Map();
    for (const dtype of ["bool", "f32", "u8", "f64", "f16", "i32"] as const) {
      for (const name of ["b", "a", "10", "9"]) tensors.set(`${dtype}.${name}`, hostArray(dtype, [3]));
    }
    tensors.set("0", weight);
    const bytes = serializeSafetensors(tensors);
    const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(headerBytes % 8).toBe(0);
    const text = new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes));
    const header = JSON.parse(text) as Record<string, { shape: number[]; data_offsets: [number, number] }>;
    for (const {
      shape,
      data_offsets: [begin, end],
    } of Object.values(header)) {
      expect(begin % ((end - begin) / shape[0]!)).toBe(0);
    }
    const names = [...text.matchAll(/"([^"]*)":\{/g)].map(([, name]) => name);
    expect(names.slice(0, 8).join(" ")).toBe("f64.10 f64.9 f64.a f64.b 0 f32.10 f32.9 f32.a");
    expect([...parseSafetensors(bytes).tensors.keys()]).toEqual(names);
  });

  test("an empty map and metadata in any order", () => {
    const { tensors, metadata } = parseSafetensors(
      serializeSafetensors(new Map(), { metadata: { b: "2", a: '"1"' } }),
    );
    expect(tensors.size).toBe(0);
    expect([...metadata]).toEqual([
      ["a", '"1"'],
      ["b", "2"],
    ]);
    expect(parseSafetensors(serializeSafetensors(new Map())).metadata.size).toBe(0);
  });

  test("content no file can hold", () => {
    const write =
      (name: string, array: unknown, metadata = {}) =>
      () =>
        serializeSafetensors(new Map([[name, array]]) as NamedTensors, { metadata });
    expect(write("__metadata__", weight)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: safetensors: the name "__metadata__" is reserved by the format; rename the tensor]`,
    );
    expect(write("\ud800", weight)).toThrow(ArgumentError);
    expect(write("w", { ...weight, shape: [3] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: safetensors: tensor "w" cannot be written: hostArray: shape (3,) needs 3 elements, the data has 2; change one of them]`,
    );
    expect(write("w", { ...weight, data: new Float64Array(2) })).toThrow("stored in a Float32Array");
    expect(write("w", weight, { steps: 3 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: safetensors: metadata "steps" must be a string of valid Unicode]`,
    );
  });

  test("a failed write leaves the old file", async () => {
    const path = join(folder, "kept.safetensors");
    await writeSafetensors(path, new Map([["w", weight]]));
    await expect(writeSafetensors(path, new Map([["__metadata__", weight]]))).rejects.toThrow(ArgumentError);
    expect((await readSafetensors(path)).tensors.get("w")).toEqual(weight);
    await expect(writeSafetensors(join(folder, "none/x"), new Map())).rejects.toThrow(FileError);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("hostile files", () => {
  test.each<[string, Uint8Array]>([
    ["empty", new Uint8Array(0)],
    ["shorter than the length", new Uint8Array(7)],
    ["a header of 2^60 bytes", fileOf("{}", 0, 2n ** 60n)],
    ["a header of 2^64 - 1 bytes", fileOf("{}", 0, 2n ** 64n - 1n)],
    ["a header beyond the file", fileOf("{}", 0, 3n)],
    ["an empty header", fileOf("")],
    ["not JSON", fileOf('{"w": ')],
    ["not UTF-8", fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d))],
    ["a byte order mark", fileOf("\ufeff{}")],
    ["an array", fileOf([])],
    ["null", fileOf("null")],
    ["an entry that is no object", fileOf({ w: 1 })],
    ["no dtype", fileOf({ w: { shape: [], data_offsets: [0, 0] } })],
    ["an unknown dtype", fileOf({ w: { ...f32(0, 4), dtype: "F8_E4M3" } }, 4)],
    ["a prototype's name as dtype", fileOf({ w: { ...f32(0, 4), dtype: "constructor" } }, 4)],
    ["no shape", fileOf({ w: { dtype: "F32", data_offsets: [0, 4] } }, 4)],
    ["a negative size", fileOf({ w: f32(0, 4, [-1]) }, 4)],
    ["a fractional size", fileOf({ w: f32(0, 4, [0.5, 2]) }, 4)],
    ["a size beyond 2^53", fileOf({ w: f32(0, 4, [2 ** 60]) }, 4)],
    ["sizes whose product overflows", fileOf({ w: f32(0, 0, [2 ** 40, 2 ** 40, 0]) })],
    ["a wrong byte count", fileOf({ w: f32(0, 8, [3]) }, 8)],
    ["one offset", fileOf({ w: { ...f32(0, 4), data_offsets: [4] } }, 4)],
    ["offsets in reverse", fileOf({ w: { ...f32(0, 4), data_offsets: [4, 0] } }, 4)],
    ["offsets beyond the file", fileOf({ w: f32(0, 400) }, 4)],
    ["an overlap", fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12)],
    ["a gap", fileOf({ a: f32(0, 4), b: f32(8, 12) }, 12)],
    ["a gap at the start", fileOf({ a: f32(4, 8) }, 8)],
    ["bytes that belong to no tensor", fileOf({ a: f32(0, 4) }, 5)],
    ["a tensor twice", fileOf('{"w": {}, "w": {}}')],
    ["a key twice, once escaped", fileOf('{"w": {"dtype": "F32", "dt\\u0079pe": "F32"}}')],
    ["a lone surrogate", fileOf(`{"\\ud800": ${JSON.stringify(f32(0, 4))}}`, 4)],
    ["metadata that is no object", fileOf({ __metadata__: [] })],
    ["metadata that is no string", fileOf({ __metadata__: { a: 1 } })],
    [
      "a bool of 2",
      (() => {
        const bytes = fileOf({ w: { dtype: "BOOL", shape: [2, 2], data_offsets: [0, 4] } }, 4);
        bytes[bytes.length - 2] = 2;
        return bytes;
      })(),
    ],
    ["a very long name", fileOf({ ["x".repeat(10_000)]: 1 })],
    ["deep nesting", fileOf(`{"w": ${"[".repeat(100_000)}${"]".repeat(100_000)}}`)],
  ])("%s", (_, bytes) => {
    expect(errorOf(bytes)).toMatchSnapshot();
  });

  test("names of an object's prototype are ordinary names", () => {
    const header = `{"__proto__": ${JSON.stringify(f32(0, 4))}, "toString": ${JSON.stringify(f32(4, 8))}}`;
    expect([...parseSafetensors(fileOf(header, 8)).tensors.keys()]).toEqual(["__proto__", "toString"]);
    expect(
      errorOf(fileOf('{"w": {"__proto__": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}}', 4)),
    ).toContain("no dtype");
  });

  test("a truncated file, at every length", () => {
    const whole = readFileSync(fixture("every-dtype.safetensors"));
    for (let length = 0; length < whole.length; length++) {
      expect(errorOf(new Uint8Array(whole.subarray(0, length)))).toContain(
        '"file" is not a valid safetensors file',
      );
    }
  });

  test("a sparse file with a header of 90 MB and no such bytes allocates nothing like it", async () => {
    const path = join(folder, "sparse.safetensors");
    writeFileSync(path, fileOf("{}", 0, 90_000_000n));
    await expect(readSafetensors(path)).rejects.toThrow("claims 90000000 bytes");
    writeFileSync(path, fileOf("{}", 0, 2n ** 60n));
    truncateSync(path, 10 * 2 ** 30);
    await expect(readSafetensors(path)).rejects.toThrow("more than the 100000000 allowed");
    expect(existsSync(path)).toBe(true);
  });

  test("random corruptions give arrays or a FormatError, and arrays no larger than the file", () => {
    const original = new Uint8Array(readFileSync(fixture("every-dtype.safetensors")));
    const rounds = process.env["NETWRIGHT_TEST_TIER"] === "full" ? 300_000 : 6000;
    let accepted = 0;
    for (let round = 0; round < rounds; round++) {
      const bytes = corrupt(original, round);
      try {
        const { tensors } = parseSafetensors(bytes, "file");
        const total = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
        expect(total).toBeLessThanOrEqual(bytes.length);
        accepted++;
      } catch (error) {
        if (!(error instanceof FormatError)) throw new Error(`round ${round}`, { cause: error });
      }
    }
    // Changes of tensors' bytes are no errors, changes of the header are.
    expect(accepted).toBeGreaterThan(rounds / 100);
    expect(accepted).toBeLessThan(rounds / 2);
  });
});

/** One to four changes: bytes set, digits of the header changed, a piece cut out, doubled or cut off. */
function corrupt(original: Uint8Array, round: number): Uint8Array {
  const words = new Uint32Array(16);
  fillBits(randomKey(round), words);
  let bytes: Uint8Array = original.slice();
  for (let change = 0; change <= words[0]! % 4; change++) {
    const [kind, where, value] = words.subarray(1 + 3 * change) as unknown as [number, number, number];
    const at = where % bytes.length;
    const length = value % 20;
    if (kind % 8 < 4) bytes[at] = value;
    else if (kind % 8 === 4) bytes = changeDigit(bytes, at, value);
    else if (kind % 8 === 5) bytes = joined(bytes.subarray(0, at), bytes.subarray(at + length));
    else if (kind % 8 === 6) bytes = joined(bytes.subarray(0, at + length), bytes.subarray(at));
    else bytes = bytes.slice(0, threefry2x32(where, value, 0, 0)[0] % (bytes.length + 1));
    if (bytes.length === 0) break;
  }
  return bytes;
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

function changeDigit(bytes: Uint8Array, from: number, value: number): Uint8Array {
  const at = bytes.findIndex((byte, i) => i >= from && isDigit(byte));
  if (at >= 0) bytes[at] = 0x30 + (value % 10);
  return bytes;
}

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => Uint8Array.from([...a, ...b]);
