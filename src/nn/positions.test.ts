import { describe, expect, it } from "vitest";
import { compile, type Tensor, tensor, zeros } from "../tensor/index.ts";
import {
  LearnedPositions,
  RelativePositionBias,
  RotaryEmbedding,
  SinusoidalPositions,
  scaledDotProductAttention,
  sinusoidalPositions,
  sinusoidalPositions2d,
} from "./index.ts";

const numbers = (seed: number, ...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7 + seed)),
    { shape },
  ) as Tensor;
const rows = async (x: Tensor): Promise<number[]> => Array.from((await x.data()) as Float32Array);

describe("positions that are added", () => {
  it("are sines and cosines, from any position on", async () => {
    const table = await rows(sinusoidalPositions(7, 4));
    expect(table[5 * 4 + 3]).toBeCloseTo(Math.cos(5 / 100), 6);
    expect(await rows(sinusoidalPositions(2, 4, { first: 5 }))).toEqual(table.slice(20));
    const x = numbers(1, 2, 2, 4);
    const moved = await rows(new SinusoidalPositions(4).forward(x, 5));
    const plain = await rows(x);
    moved.forEach((value, i) => {
      expect(value).toBeCloseTo(plain[i]! + table[20 + (i % 8)]!, 6);
    });
  });
  it("tell the column, then the row of a patch", async () => {
    const table = await rows(sinusoidalPositions2d(2, 3, 8));
    const last = table.slice(5 * 8);
    const want = [2, 1].flatMap((p) => [Math.sin(p), Math.sin(p / 100), Math.cos(p), Math.cos(p / 100)]);
    last.forEach((value, i) => {
      expect(value).toBeCloseTo(want[i]!, 6);
    });
  });
  it("are learnt, at a position known late as at a number", async () => {
    const layer = new LearnedPositions(6, 4, { key: 1 });
    const x = numbers(2, 2, 3, 4);
    const late = compile((y: Tensor, offset: Tensor) => layer.forward(y, offset));
    expect(await rows(late(x, tensor(2, { dtype: "i32" }) as Tensor))).toEqual(
      await rows(layer.forward(x, 2)),
    );
    expect(() => layer.forward(x, 4)).toThrow(
      "LearnedPositions(6 × 4): 3 vectors from position 4 are too many",
    );
    expect(() => new SinusoidalPositions(4).forward(zeros([2, 3]) as Tensor)).toThrow(
      "SinusoidalPositions(4): needs (…, T, 4), got (2, 3)",
    );
  });
});

describe("positions in the scores", () => {
  it("turned vectors meet by their distance alone", async () => {
    const rotary = new RotaryEmbedding(8);
    const [q, k] = [numbers(1, 1, 8), numbers(2, 1, 8)];
    const score = async (i: number, j: number): Promise<number> =>
      (
        await rows(
          rotary.forward(q, { offset: i }).matmul(rotary.forward(k, { offset: j }).transpose()) as Tensor,
        )
      )[0]!;
    expect(await score(9, 4)).toBeCloseTo(await score(105, 100), 5);
    expect(await score(9, 4)).not.toBeCloseTo(await score(9, 5), 2);
  });
  it("a bias by distance from a later position is a part of the whole one", async () => {
    const layer = new RelativePositionBias(2, { numBuckets: 8, maxDistance: 16, key: 1 });
    const [q, k] = [numbers(1, 1, 2, 6, 4), numbers(2, 1, 2, 6, 4)];
    const whole = scaledDotProductAttention(q, k, k, { distanceBias: layer.forward(6, 6) });
    const part = scaledDotProductAttention(q.slice(2, 4, 6) as Tensor, k, k, {
      distanceBias: layer.forward(2, 6, 4),
    });
    expect(await rows(part)).toEqual(await rows(whole.slice(2, 4, 6) as Tensor));
  });
  it("says what it lacks", () => {
    const dynamic = { type: "dynamic", factor: 2, originalMaxPositions: 16 } as const;
    expect(() =>
      new RotaryEmbedding(4, { scaling: dynamic }).forward(zeros([3, 4]) as Tensor, {
        offset: tensor(3, { dtype: "i32" }) as Tensor,
      }),
    ).toThrow('RotaryEmbedding: "dynamic" scaling needs the length where the offset is a tensor');
    expect(() => new RotaryEmbedding(5)).toThrow(
      "RotaryEmbedding: the size must be even and positive, got 5",
    );
    expect(() => new RotaryEmbedding(8).forward(zeros([3, 6]) as Tensor)).toThrow(
      "RotaryEmbedding(8): needs (…, T, 8 or more), got (3, 6)",
    );
  });
});
