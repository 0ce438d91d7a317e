import { describe, expect, it } from "vitest";
import { compile, dimension, type Tensor, tensor, zeros } from "../tensor/index.ts";
import { KeyValueCache, MultiheadAttention, RotaryEmbedding } from "./index.ts";

const numbers = (seed: number, ...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7 + seed)),
    { shape },
  ) as Tensor;

describe("KeyValueCache", () => {
  const layer = new MultiheadAttention(16, 4, {
    ...{ numKeyValueHeads: 2, batchFirst: true, key: 1 },
    rotary: new RotaryEmbedding(4),
  });
  const cacheOf = (maxLength: number): KeyValueCache =>
    new KeyValueCache({ batchSize: 2, numHeads: 2, headSize: 4, maxLength });

  it("decodes step by step what the whole text gives at once", async () => {
    const text = numbers(1, 2, 7, 16);
    const whole = await layer.forward(text, text, text, { causal: true }).output.data();
    const cache = cacheOf(9);
    const step = compile((x: Tensor) => layer.forward(x, x, x, { cache }).output);
    for (let again = 0; again < 2; again++) {
      // A prompt of three, then one by one, with one program for all of those.
      const parts = [[0, 3], ...[3, 4, 5, 6].map((at) => [at, at + 1])] as [number, number][];
      for (const [start, stop] of parts) {
        const got = await step(text.slice(1, start, stop) as Tensor).data();
        const want = await (
          tensor(whole as Float32Array, { shape: [2, 7, 16] }).slice(1, start, stop) as Tensor
        ).data();
        for (const [i, x] of got.entries()) expect(x).toBeCloseTo(want[i] as number, 5);
      }
      expect(await cache.length.item()).toBe(7);
      cache.reset();
    }
  });

  it("fails when it is full, and keeps what it held", async () => {
    const cache = cacheOf(4);
    const x = numbers(2, 2, 3, 16);
    const step = compile((y: Tensor) => layer.forward(y, y, y, { cache }).output);
    await step(x).data();
    const before = [...(await cache.keys.data())];
    await expect(step(x).data()).rejects.toThrow(/must be 0 … 3, but element .* is 4/);
    expect(await cache.length.item()).toBe(3);
    expect([...(await cache.keys.data())]).toEqual(before);
  });

  it("within a room looks at nothing behind it, one program for rooms of any size", async () => {
    const [cache, other] = [cacheOf(64), cacheOf(64)];
    // What attention looked at behind the room would show.
    const hidden = new Float32Array(2 * 2 * 64 * 4).map((_, i) => (Math.floor(i / 4) % 64 < 24 ? 0 : NaN));
    for (const state of [cache.keys, cache.values]) state.assign(tensor(hidden, { shape: [2, 2, 64, 4] }));
    const room = dimension("room", { min: 1, max: 64 });
    for (const options of [{ causal: true }, { causal: true, window: [3, 0], softCap: 5 }] as const) {
      const within = compile(
        (x: Tensor, seen: Tensor) => cache.within(seen).attend(x.mul(2) as Tensor, x, x, options),
        { shapes: [[2, 2, 1, 4], [room]] },
      );
      const plain = compile((x: Tensor) => other.attend(x.mul(2) as Tensor, x, x, options));
      for (let i = 0; i < 20; i++) {
        const x = numbers(i, 2, 2, 1, 4);
        const got = await within(x, zeros([Math.ceil((i + 1) / 8) * 8])).data();
        const want = await plain(x).data();
        for (const [at, y] of got.entries()) expect(y).toBeCloseTo(want[at]!, 5);
      }
      for (const each of [cache, other]) each.reset();
    }
    expect(() => cache.within(zeros([2, 2]))).toThrow("KeyValueCache: within needs a vector, got (2, 2)");
  });

  it("within a room looks at all positions where a bias or a mask tells of all of them", async () => {
    const x = numbers(3, 2, 2, 1, 4);
    const distanceBias = numbers(5, 2, 64);
    const mask = numbers(6, 1, 64);
    const keyPaddingMask = zeros([2, 64], { dtype: "bool" }) as Tensor;
    for (const given of [{ distanceBias }, { mask }, { keyPaddingMask }]) {
      const [cache, other] = [cacheOf(64), cacheOf(64)];
      const options = { causal: true, ...given };
      const got = cache.within(zeros([16])).attend(x, x, x, options);
      expect(await got.data()).toEqual(await other.attend(x, x, x, options).data());
    }
  });

  it("is written where it lies: appending costs the same at any room", () => {
    const costOf = (maxLength: number): { bytes: number; arenaBytes: number } => {
      const cache = cacheOf(maxLength);
      const append = compile((x: Tensor) => {
        cache.append(x, x);
      });
      const { bytes, arenaBytes } = append.describe(numbers(1, 2, 2, 1, 4));
      return { bytes, arenaBytes };
    };
    expect(costOf(100_000)).toEqual(costOf(100));
    // A step that reads what it appended makes no second cache either.
    const cache = cacheOf(4096);
    const step = compile((x: Tensor) => layer.forward(x, x, x, { cache }).output);
    const { kernels } = step.describe(numbers(1, 2, 1, 16));
    const writing = kernels.filter(({ name }) => /^(scatter|copy)/.test(name));
    expect(writing.length).toBeGreaterThan(0);
    for (const { name, bytes } of writing) expect(bytes, name).toBeLessThan(1000);
  });

  it("says what does not fit", () => {
    expect(() => cacheOf(0)).toThrow("KeyValueCache: maxLength must be a positive integer, got 0");
    expect(() => cacheOf(4).append(zeros([2, 3, 1, 4]) as Tensor, zeros([2, 2, 1, 4]) as Tensor)).toThrow(
      "KeyValueCache of 4 positions takes keys (2, 2, T, 4), got (2, 3, 1, 4)",
    );
    expect(() => cacheOf(4).append(zeros([2, 2, 5, 4]) as Tensor, zeros([2, 2, 5, 4]) as Tensor)).toThrow(
      "KeyValueCache of 4 positions takes keys (2, 2, T, 4), got (2, 2, 5, 4)",
    );
  });
});
