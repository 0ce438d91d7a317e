import { describe, expect, it } from "vitest";
import { compile, type Tensor, tensor } from "../tensor/index.ts";
import { KeyValueCache, PagedCache, scaledDotProductAttention } from "./index.ts";

const ids = (values: readonly number[] | readonly (readonly number[])[]): Tensor =>
  tensor(values as number[], { dtype: "i32" }) as Tensor;
const numbers = (seed: number, ...shape: number[]): Float32Array =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7 + seed) * 2);

const [heads, shared, size] = [4, 2, 8];

/** Queries, keys and values of one token of a text. */
const tokenOf = (text: number, at: number): readonly [Float32Array, Float32Array, Float32Array] => {
  const seed = 10 * text + at;
  return [numbers(seed, heads, size), numbers(seed + 0.3, shared, size), numbers(seed + 0.6, shared, size)];
};

/** What the last token of a text of so many gets, all of it read at once. */
async function wanted(text: number, length: number, options: object): Promise<Float32Array> {
  const tokens = Array.from({ length }, (_, at) => tokenOf(text, at));
  const joined = (part: number, count: number): Tensor =>
    (
      tensor(Float32Array.from(tokens.flatMap((token) => [...token[part]!])), {
        shape: [1, length, count, size],
      }) as Tensor
    ).permute([0, 2, 1, 3]) as Tensor;
  const q = joined(0, heads).slice(2, length - 1, length) as Tensor;
  const found = scaledDotProductAttention(q, joined(1, shared), joined(2, shared), {
    ...{ causal: true, offset: length - 1, ...options },
  });
  return (await found.data()) as Float32Array;
}

describe("PagedCache", () => {
  it.each([
    ["all keys", {}],
    ["a window and a soft cap", { window: [5, 0] as const, softCap: 2, scale: 0.7 }],
  ])("gives texts of any lengths what each gets alone: %s", async (_, options) => {
    const cache = new PagedCache({ pages: 12, pageSize: 4, numHeads: shared, headSize: size });
    const read = compile(
      (q: Tensor, k: Tensor, v: Tensor, tables: Tensor, positions: Tensor, places: Tensor) =>
        cache.at({ tables, positions, places }).attend(q, k, v, { causal: true, ...options }),
    );
    // Pages of three texts, in no order; text 1 begins when the others have 4 tokens.
    const tables = [
      [7, 2, 9, 4],
      [1, 8, 3, 10],
      [5, 11, 6, 0],
    ];
    for (let step = 0; step < 14; step++) {
      // A row without a text is read into the last page, where nobody looks.
      const rows = [0, 1, 2].map((text) => ({ text, at: text === 1 ? step - 4 : step }));
      const given = rows.map(({ text, at }) => tokenOf(text, at));
      const joined = (part: number, count: number): Tensor =>
        tensor(Float32Array.from(given.flatMap((token) => [...token[part]!])), {
          shape: [3, count, 1, size],
        }) as Tensor;
      const places = rows.map(({ text, at }) => (at < 0 ? 3 : tables[text]![at >> 2]! * 4 + (at % 4)));
      const made = (await read(
        ...([joined(0, heads), joined(1, shared), joined(2, shared)] as const),
        ids(tables),
        ids(rows.map(({ at }) => Math.max(0, at))),
        ids(places),
      ).data()) as Float32Array;
      for (const [row, { text, at }] of rows.entries()) {
        if (at < 0) continue;
        const alone = await wanted(text, at + 1, options);
        for (const [i, x] of alone.entries()) expect(made[row * heads * size + i]).toBeCloseTo(x, 5);
      }
    }
    expect(read.signatures).toBe(1);
  });

  it("gives the same bits beside any other texts, in any number of rows", async () => {
    const bits: string[] = [];
    for (const rows of [1, 3, 16]) {
      const cache = new PagedCache({ pages: 20, pageSize: 4, numHeads: shared, headSize: size });
      const read = compile(
        (q: Tensor, k: Tensor, v: Tensor, tables: Tensor, positions: Tensor, places: Tensor) =>
          cache.at({ tables, positions, places }).attend(q, k, v, { causal: true }),
      );
      let last: Float32Array | undefined;
      for (let at = 0; at < 11; at++) {
        const given = Array.from({ length: rows }, (_, row) => tokenOf(row === rows - 1 ? 0 : row + 5, at));
        const joined = (part: number, count: number): Tensor =>
          tensor(Float32Array.from(given.flatMap((token) => [...token[part]!])), {
            shape: [rows, count, 1, size],
          }) as Tensor;
        const tables = given.map((_, row) => (row === rows - 1 ? [17, 18, 19] : [row, row, row]));
        const places = tables.map((table, row) =>
          row === rows - 1 ? table[at >> 2]! * 4 + (at % 4) : row * 4,
        );
        const positions = given.map((_, row) => (row === rows - 1 ? at : 0));
        last = (await read(
          ...([joined(0, heads), joined(1, shared), joined(2, shared)] as const),
          ids(tables),
          ids(positions),
          ids(places),
        ).data()) as Float32Array;
      }
      bits.push(new Uint32Array(last!.slice(-heads * size).buffer).join());
    }
    expect(new Set(bits).size).toBe(1);
  });

  it("is written where it lies: a step costs the same at any number of pages", () => {
    const costOf = (pages: number): number => {
      const cache = new PagedCache({ pages, pageSize: 4, numHeads: shared, headSize: size });
      const x = tensor(numbers(1, shared, size), { shape: [1, shared, 1, size] }) as Tensor;
      const step = compile((tables: Tensor, at: Tensor) =>
        cache.at({ tables, positions: at, places: at }).attend(x, x, x, { causal: true }),
      );
      return step.describe(ids([[0, 0]]), ids([0])).arenaBytes;
    };
    expect(costOf(10_000)).toBe(costOf(10));
  });

  it("refuses what it cannot do", () => {
    const cache = new PagedCache({ pages: 2, pageSize: 4, numHeads: shared, headSize: size });
    const x = tensor(numbers(1, shared, 2, size), { shape: [1, shared, 2, size] }) as Tensor;
    const at = cache.at({ tables: ids([[0, 1]]), positions: ids([0]), places: ids([0]) });
    expect(() => at.attend(x, x, x, { causal: true })).toThrow(
      /tables are of as many texts of one token, got queries \(1, 2, 2, 8\)/,
    );
    const one = x.slice(2, 0, 1) as Tensor;
    expect(() => at.attend(one, one, one, {})).toThrow(/attention is causal there/);
    expect(() => new PagedCache({ pages: 0, numHeads: 1, headSize: 1 })).toThrow(
      "PagedCache: pages must be a positive integer, got 0",
    );
    expect(at.maxLength).toBe(8);
    expect(new KeyValueCache({ batchSize: 1, numHeads: 1, headSize: 1, maxLength: 8 }).maxLength).toBe(8);
  });
});
