/** Weights of few bits: the values that the format's definition gives, gathered, multiplied, and as a frozen base. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hashedUniform } from "../../test/fixtures.ts";
import { openGguf } from "../formats/index.ts";
import { compile, grad, type Tensor, tensor, zeros } from "../tensor/index.ts";
import {
  Embedding,
  Linear,
  QuantizedWeight,
  quantizeBlocks,
  quantizeModel,
  ReLU,
  Sequential,
} from "./index.ts";
import { setQuantizedWeight } from "./quantized.ts";

const fixture = join(import.meta.dirname, "../../test/fixtures/quantized.gguf");
const types = ["Q4_0", "Q4_1", "Q8_0"] as const;

const blocksOf = (data: Float32Array, rows: number, type: (typeof types)[number]) => {
  const blocks = quantizeBlocks(data, type);
  return { dtype: "u8" as const, shape: [rows, blocks.length / rows], data: blocks };
};

describe.each(types)("%s", (type) => {
  test("has the elements of the reference, mapped and read, all and by rows", async () => {
    for (const mmap of [true, false]) {
      const file = await openGguf(fixture, { mmap });
      // Their zeros may be negative: a scale below 0 times 0.
      const wanted = ((await file.read(`${type} in f32`)).data as Float32Array).map((x) => x + 0);
      const weight = new QuantizedWeight({ type, shape: [2, 256], blocks: await file.blocks(type) });
      expect(await weight.forward().data()).toEqual(wanted);
      const rows = weight.rows(tensor([[1], [0]], { dtype: "i32" }) as Tensor);
      expect(rows.shape).toEqual([2, 1, 256]);
      expect(await rows.data()).toEqual(Float32Array.of(...wanted.subarray(256), ...wanted.subarray(0, 256)));
      await file.close();
    }
  });

  test("rounds to the nearest multiple of a block's scale; nothing and extremes stay", async () => {
    const data = hashedUniform(3, 64 * 4, 5);
    data.fill(0, 0, 32);
    data[40] = 60;
    const shape = [4, 64] as const;
    const weight = new QuantizedWeight({ type, shape, blocks: blocksOf(data, 4, type) });
    const got = (await weight.forward().data()) as Float32Array;
    expect(got.subarray(0, 32).every((x) => x === 0)).toBe(true);
    for (let block = 0; block < data.length; block += 32) {
      const own = data.subarray(block, block + 32);
      const reach = Math.max(...own) - Math.min(...own);
      const most = Math.max(...own.map(Math.abs));
      const step = type === "Q8_0" ? most / 127 : type === "Q4_1" ? reach / 15 : most / 8;
      // Q4_0 has one step less on the side away from its largest number.
      const slack = type === "Q4_0" ? 1.01 : 0.51;
      for (const [i, x] of own.entries())
        expect(Math.abs(got[block + i]! - x)).toBeLessThanOrEqual(step * slack + most * 1e-3);
    }
  });

  // 70 rows lie one behind the other, 96 and 192 in panels.
  test.each([70, 96, 192])(
    "%i outputs: the bits of the same numbers in f32, for few rows and many; gradients flow through",
    async (outputs) => {
      const data = hashedUniform(5, outputs * 96, 2);
      const layer = new Linear(96, outputs, { bias: false });
      const shape = [outputs, 96] as const;
      const quantized = new QuantizedWeight({ type, shape, blocks: blocksOf(data, outputs, type) });
      layer.weight.assign(
        await quantized
          .forward()
          .data()
          .then((values) => tensor(values, { shape })),
      );
      const other = setQuantizedWeight(new Linear(96, outputs, { bias: false }), {
        type,
        shape,
        blocks: blocksOf(data, outputs, type),
      });
      expect(other.parameters()).toEqual([]);
      for (const rows of [1, 5, 18, 40]) {
        const x = tensor(hashedUniform(rows, rows * 96, 1), { shape: [rows, 96] }) as Tensor;
        const run = (own: Linear) =>
          compile((input: Tensor) => {
            const y = own.forward(input) as Tensor;
            return [y, grad(y.square().sum() as Tensor, [input])[0]!] as const;
          })(x);
        const [[y, dx], [wantedY, wantedDx]] = [run(other), run(layer)];
        expect(await y.data()).toEqual(await wantedY.data());
        expect(await dx.data()).toEqual(await wantedDx.data());
      }
    },
  );
});

/** Random blocks of 256, whose scales of 16 bits are small. */
function kBlocks(type: "Q4_K" | "Q5_K" | "Q6_K", rows: number) {
  const [bytes, places] = ({ Q4_K: [144, [0, 2]], Q5_K: [176, [0, 2]], Q6_K: [210, [208]] } as const)[type];
  const data = Uint8Array.from(hashedUniform(11, rows * bytes, 128), (x) => Math.floor(x + 128));
  for (let row = 0; row < rows; row++)
    for (const place of places) data.set([row * 7 + place, 0x1c + (row % 4)], row * bytes + place);
  return { dtype: "u8" as const, shape: [rows, bytes], data };
}

describe.each(["Q4_K", "Q5_K", "Q6_K"] as const)("%s", (type) => {
  test("has the elements of the reference, all and by rows", async () => {
    const file = await openGguf(fixture);
    const wanted = ((await file.read(type)).data as Float32Array).map((x) => x + 0);
    const weight = new QuantizedWeight({ type, shape: [2, 256], blocks: await file.blocks(type) });
    await file.close();
    expect(((await weight.forward().data()) as Float32Array).map((x) => x + 0)).toEqual(wanted);
    const rows = weight.rows(tensor([1], { dtype: "i32" }) as Tensor);
    expect(((await rows.data()) as Float32Array).map((x) => x + 0)).toEqual(wanted.subarray(256));
    expect(() => new QuantizedWeight({ type, shape: [2, 32], blocks: kBlocks(type, 2) })).toThrow(
      `${type} keeps matrices with rows of whole blocks of 256`,
    );
  });

  test("a product has no copy in f32", () => {
    const shape = [960, 256] as const;
    const layer = setQuantizedWeight(new Linear(256, 960, { bias: false }), {
      type,
      shape,
      blocks: kBlocks(type, 960),
    });
    const product = compile((x: Tensor) => layer.forward(x) as Tensor);
    expect(product.describe(zeros([1, 256]) as Tensor).peakMemoryBytes).toBeLessThan(960 * 256 * 4);
  });

  test.each([70, 96])("%i outputs: the bits of the same numbers in f32", async (outputs) => {
    const shape = [outputs, 256] as const;
    const blocks = kBlocks(type, outputs);
    const values = await new QuantizedWeight({ type, shape, blocks }).forward().data();
    const plain = new Linear(256, outputs, { bias: false });
    plain.weight.assign(tensor(values, { shape }));
    const kept = setQuantizedWeight(new Linear(256, outputs, { bias: false }), { type, shape, blocks });
    for (const rows of [1, 5, 40]) {
      const x = tensor(hashedUniform(rows, rows * 256, 1), { shape: [rows, 256] }) as Tensor;
      const run = (own: Linear) => compile((input: Tensor) => own.forward(input) as Tensor)(x).data();
      const found = (await run(kept)) as Float32Array;
      expect(found.every(Number.isFinite)).toBe(true);
      expect(found).toEqual(await run(plain));
    }
  });
});

test("rows have the elements of the blocks, in panels too", async () => {
  for (const type of types) {
    const shape = [96, 64] as const;
    const data = hashedUniform(3, 96 * 64, 5);
    const blocks = blocksOf(data, 96, type);
    const weight = new QuantizedWeight({ type, shape, blocks });
    const all = (await weight.forward().data()) as Float32Array;
    // Each row by itself, as one that makes no panel.
    const rowBytes = blocks.data.length / 96;
    for (const row of [0, 1, 47, 48, 95]) {
      const own = {
        ...blocks,
        shape: [1, rowBytes],
        data: blocks.data.slice(row * rowBytes, (row + 1) * rowBytes),
      };
      const alone = new QuantizedWeight({ type, shape: [1, 64], blocks: own });
      expect(await alone.forward().data(), type).toEqual(all.slice(64 * row, 64 * row + 64));
    }
  }
});

test.each([50, 96])("an embedding of %i rows computes those that it looks up", async (size) => {
  const data = hashedUniform(9, size * 32, 2);
  const table = setQuantizedWeight(new Embedding(size, 32), {
    type: "Q8_0",
    shape: [size, 32],
    blocks: blocksOf(data, size, "Q8_0"),
  });
  await expect(table.forward(tensor([size], { dtype: "i32" }) as Tensor).data()).rejects.toThrow(
    new RegExp(`axis 0 of size ${size} must be 0 … ${size - 1}`),
  );
  const rows = (await table.forward(tensor([7, 0, 49], { dtype: "i32" }) as Tensor).data()) as Float32Array;
  const all = (await (table.weight as Tensor).data()) as Float32Array;
  for (const [i, row] of [7, 0, 49].entries())
    expect(rows.subarray(i * 32, i * 32 + 32)).toEqual(all.subarray(row * 32, row * 32 + 32));
});

test("a model's linear layers are rounded where they can be", async () => {
  const model = new Sequential(new Linear(64, 32), new ReLU(), new Linear(32, 3), new Linear(3, 2));
  const before = model.namedParameters().size;
  expect(await quantizeModel(model, { type: "Q4_0", filter: (path) => path !== "2" })).toEqual(["0"]);
  expect(model.namedParameters().size).toBe(before - 1);
  expect(String(model)).toContain("QuantizedWeight(Q4_0, 32 × 64)");
  await expect(quantizeModel(model, { filter: () => false })).rejects.toThrow(/no linear layer was chosen/);
});

test("what does not fit", () => {
  const message = (body: () => unknown): string => {
    try {
      body();
    } catch (error) {
      return (error as Error).message;
    }
    return expect.unreachable();
  };
  const blocks = blocksOf(new Float32Array(64), 2, "Q8_0");
  expect([
    message(() => new QuantizedWeight({ type: "Q8_0", shape: [2, 33], blocks })),
    message(() => new QuantizedWeight({ type: "Q4_0", shape: [2, 32], blocks })),
    message(() => new QuantizedWeight({ type: "Q5_0" as never, shape: [2, 32], blocks })),
    message(() => setQuantizedWeight(new Linear(32, 3), { type: "Q8_0", shape: [2, 32], blocks })),
    message(() => quantizeBlocks(new Float32Array(31), "Q4_1")),
  ]).toMatchInlineSnapshot(`
    [
      "Q8_0 keeps matrices with rows of whole blocks of 32, got (2, 33)",
      "Q4_0 of (2, 32) are u8 (2, 18), got u8 (2, 34)",
      "weights are kept as Q4_0, Q4_1, Q8_0, Q4_K, Q5_K, Q6_K; got "Q5_0"",
      "the weight of Linear is (3, 32), the blocks are of (2, 32)",
      "Q4_1 takes whole blocks of 32 numbers, got 31",
    ]
  `);
});
