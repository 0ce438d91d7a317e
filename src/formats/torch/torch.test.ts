import { describe, expect, test } from "vitest";
import { readFixture } from "../../../test/fixtures.ts";
import { decode } from "../../base/dtype.ts";
import { randomKey, uniform } from "../../base/random.ts";
import { crc32 } from "../crc32.ts";
import { openZip, readerOfBytes } from "../zip.ts";
import { unpickle } from "./pickle.ts";
import { readTorch } from "./reader.ts";

interface Fixture {
  readonly files: readonly {
    readonly name: string;
    readonly file: string;
    readonly tensors: Readonly<Record<string, { dtype: string; shape: number[]; values: number[] }>>;
  }[];
  readonly refused: Readonly<Record<string, string>>;
}
const { files, refused } = readFixture<Fixture>("torch-files.json");
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));
const fileOf = (name: string): Uint8Array => bytesOf(files.find((file) => file.name === name)!.file);

/** PyTorch's dtypes, as they are read. */
const dtypes: Readonly<Record<string, string>> = {
  ...{ float32: "f32", float64: "f64", float16: "f16", bfloat16: "bf16", int64: "i32", int32: "i32" },
  ...{ int16: "i32", int8: "i8", uint8: "u8", bool: "bool" },
};

test.each(files)("$name: the tensors are PyTorch's", async ({ file, tensors }) => {
  const read = await readTorch(bytesOf(file));
  expect([...read.tensors.keys()]).toEqual(Object.keys(tensors));
  for (const [name, { dtype, shape, values }] of Object.entries(tensors)) {
    const array = read.tensors.get(name)!;
    expect([array.dtype, array.shape]).toEqual([dtypes[dtype], shape]);
    expect([...decode(array.dtype, array.data)].map(Number), name).toEqual(values);
  }
});

test("what is no tensor is beside them; one dictionary can be asked for", async () => {
  const { values } = await readTorch(fileOf("training"));
  expect([...values]).toEqual([
    ["epoch", 3],
    ["best", 0.25],
    ["tags", ["a", null, true]],
    ["optimizer.lr", 1e-3],
  ]);
  const { tensors } = await readTorch(fileOf("training"), { key: "model" });
  expect(tensors.has("0.weight")).toBe(true);
  await expect(readTorch(fileOf("training"), { key: "modle" })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: "the given bytes" has no key "modle"; it has epoch, model, best, tags, optimizer. Did you mean "model"?]`,
  );
});

describe("nothing is executed", () => {
  test.each([
    ["a whole model", "holds torch.nn.modules.container.Sequential, which is code of Python and is not run"],
    ["a call", "builtin__.print, which is code of Python"],
    ["complex", "holds torch.ComplexFloatStorage, which is code of Python"],
    ["numpy", "which is code of Python"],
    ["large", '"w": element 0 is 1099511627776, which does not fit into i32'],
    ["pickle", "was not written by torch.save"],
  ])("%s is refused", async (name, message) => {
    await expect(readTorch(bytesOf(refused[name]!))).rejects.toThrow(message);
  });

  test("names of JavaScript's own objects are no classes", () => {
    const options = { what: "x", global: () => undefined, persistent: (id: unknown) => id };
    for (const name of ["constructor\nconstructor", "__proto__\ntoString"]) {
      const bytes = new TextEncoder().encode(`c${name}\n.`);
      expect(() => unpickle(bytes, options)).toThrow("which is code of Python");
    }
  });
});

describe("damage", () => {
  test("a file cut anywhere is an error of its own kind, never another", async () => {
    for (const name of ["state", "state, before 1.6"]) {
      const whole = fileOf(name);
      for (let length = 0; length < whole.length; length += 1 + (length >> 4)) {
        const error = (await readTorch(whole.slice(0, length)).catch((error: unknown) => error)) as Error;
        expect(
          ["FormatError", "FileError", "ArgumentError"],
          `${name} cut to ${length}: ${String(error)}`,
        ).toContain(error.name);
      }
    }
  });

  test("changed bytes are found, or harmless", async () => {
    const whole = fileOf("views");
    const places = uniform(randomKey(1), 600);
    for (let i = 0; i < 300; i++) {
      const bytes = whole.slice();
      bytes[Math.floor(places[2 * i]! * bytes.length)]! ^= 1 + Math.floor(places[2 * i + 1]! * 255);
      const outcome = await readTorch(bytes).catch((error: unknown) => error as Error);
      if (outcome instanceof Error)
        expect(["FormatError", "FileError", "ArgumentError", "ShapeError"]).toContain(outcome.name);
    }
  });

  test("checksums, sizes and directories of archives", async () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
    const whole = fileOf("state");
    const archive = await openZip(readerOfBytes(whole));
    const [entry] = [...archive.entries.values()].filter(({ name }) => name.endsWith("data/0"));
    const damaged = whole.slice();
    const content = await archive.read(entry!.name);
    const place = Buffer.from(damaged).indexOf(Buffer.from(content));
    damaged[place]! ^= 1;
    await expect(readTorch(damaged)).rejects.toThrow("is damaged: its checksum does not fit");
    await expect(archive.read(entry!.name, 3)).rejects.toThrow("3 are allowed");
    await expect(archive.read("archive/data/00")).rejects.toThrow("has no entry");
    await expect(openZip(readerOfBytes(new Uint8Array(100)))).rejects.toThrow("it does not end as one");
  });
});
