import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
import type { Node } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { blockedAttention, mul, parameter, sum } from "../ops/index.ts";
import { createNativeDevice } from "../runtime/x64-device.ts";
import { compile, grad, type Tensor, tensor, vectorize, zeros } from "../tensor/index.ts";
import { nativeDevices } from "../testing/native-targets.ts";
import { type AttentionOptions, Dropout, scaledDotProductAttention } from "./index.ts";

const random = (seed: number, ...shape: number[]): Tensor => {
  let state = seed * 7919 + 1;
  const next = (): number => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state / 2 ** 30 - 1;
  };
  return tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next), { shape }) as Tensor;
};
const numbers = async (x: Tensor): Promise<Float32Array> => (await x.data()) as Float32Array;

type Arguments = readonly Tensor[];

/** Results and gradients of both methods, as far apart as they are. */
async function difference(inputs: Arguments, optionsOf: (more: Tensor | undefined) => AttentionOptions) {
  const run = (method: "plain" | "blocked") =>
    compile((...given: Tensor[]) => {
      const [q, k, v, more] = given as [Tensor, Tensor, Tensor, Tensor | undefined];
      const out = scaledDotProductAttention(q, k, v, { ...optionsOf(more), method });
      const weights = random(9, ...(out.shape as number[]));
      const wanted = more === undefined || more.dtype === "bool" ? [q, k, v] : [q, k, v, more];
      return [out, ...grad(out.mul(weights).sum() as Tensor, wanted)] as Tensor[];
    });
  const [plain, blocked] = [run("plain")(...inputs), run("blocked")(...inputs)];
  let most = 0;
  for (const [i, x] of plain.entries()) {
    const [a, b] = [await numbers(x), await numbers(blocked[i]!)];
    expect(b.length).toBe(a.length);
    for (const [j, value] of a.entries()) {
      const apart = Math.abs(value - b[j]!);
      if (!(apart <= most)) most = apart;
    }
  }
  return most;
}

const tolerance = 4e-6;
/** Two blocks of queries and of keys, neither full. */
const [B, H, K, L, S, E, V] = [2, 4, 2, 70, 150, 4, 6];
const standard: Arguments = [random(1, B, H, L, E), random(2, B, K, S, E), random(3, B, K, S, V)];

describe("attention in blocks is the plain one", () => {
  const cases: readonly [string, Arguments, (more: Tensor | undefined) => AttentionOptions][] = [
    ["heads of keys shared", standard, () => ({})],
    ["causal", standard, () => ({ causal: true })],
    ["causal, from a later position", standard, () => ({ causal: true, offset: 60, softCap: 2 })],
    ["a window", standard, () => ({ window: [40, 20], offset: 30, scale: 1 })],
    [
      "a mask that differs by sample",
      [...standard, random(5, B, 1, L, S).greater(0.2) as Tensor],
      (mask) => ({ mask }),
    ],
    ["numbers added for each head", [...standard, random(6, H, L, S)], (mask) => ({ mask, causal: true })],
    ["numbers added for each key", [...standard, random(6, B, 1, 1, S)], (mask) => ({ mask, softCap: 1 })],
    ["a bias by distance", [...standard, random(7, H, L + S - 1)], (distanceBias) => ({ distanceBias })],
    [
      "padding and a bias for all heads",
      [...standard, random(7, 1, L + S - 1)],
      (distanceBias) => ({
        distanceBias,
        keyPaddingMask: tensor(
          Uint8Array.from({ length: B * S }, (_, i) => (i % S > 120 || i < 40 ? 1 : 0)),
          { shape: [B, S] },
        ).notEqual(0) as Tensor,
      }),
    ],
    ["no heads", [random(1, 130, 4), random(2, 140, 4), random(3, 140, 4)], () => ({ causal: true })],
    [
      "one head for all",
      [random(1, 1, 8, 40, 8), random(2, 1, 1, 40, 8), random(3, 1, 1, 40, 8)],
      () => ({}),
    ],
  ];
  for (const [name, inputs, optionsOf] of cases)
    it(name, async () => {
      expect(await difference(inputs, optionsOf)).toBeLessThan(tolerance);
    });
});

/** Result and gradients of q, k, v alone, as a function of the graph. */
const blocked = (options: AttentionOptions = {}) =>
  compile((q: Tensor, k: Tensor, v: Tensor) => {
    const out = scaledDotProductAttention(q, k, v, { ...options, method: "blocked" });
    return [out, ...grad(out.mul(out).sum() as Tensor, [q, k, v])] as Tensor[];
  });

describe("attention in blocks", () => {
  it("gives 0 where a query may look at nothing, and no gradient", async () => {
    const mask = tensor([[true], [false], [true]]).broadcastTo([3, 140]) as Tensor;
    const [q, k, v] = [random(1, 1, 3, 4), random(2, 1, 140, 4), random(3, 1, 140, 4)];
    const plain = scaledDotProductAttention(q, k, v, { mask, method: "plain" });
    const [out, dq] = blocked({ mask })(q, k, v) as [Tensor, Tensor];
    for (const x of [plain, out, dq]) {
      const row = (await numbers(x)).slice(4, 8);
      expect([...row]).toEqual([0, 0, 0, 0]);
    }
  });

  it("draws the same weights backward as forward", async () => {
    const dropout = new Dropout(0.4, { key: 3 });
    const [q, k] = [random(1, 2, 150, 4), random(2, 2, 140, 4)];
    const run = compile((v: Tensor, g: Tensor) => {
      const out = scaledDotProductAttention(q, k, v, { dropout, method: "blocked" });
      return [out, grad(out.mul(g).sum() as Tensor, [v])[0]!] as Tensor[];
    });
    // The result is linear in v: what comes back weighs as what went forth.
    const [v, g] = [random(3, 2, 140, 3), random(4, 2, 150, 3)];
    const [out, dv] = run(v, g) as [Tensor, Tensor];
    const dot = async (a: Tensor, b: Tensor) => (await a.mul(b).sum().item()) as number;
    expect(await dot(out, g)).toBeCloseTo(await dot(v, dv), 3);
    const ones = scaledDotProductAttention(q, k, v.mul(0).add(1) as Tensor, { dropout, method: "blocked" });
    expect(((await ones.mean().item()) as number) - 1).toBeCloseTo(0, 1);
    const deviation = (await ones.sub(1).abs().mean().item()) as number;
    expect(deviation).toBeGreaterThan(0.01);
  });

  it("takes memory that grows with the length, forward and backward", () => {
    const bytesAt = (length: number): number => {
      const x = zeros([1, 2, length, 16]) as Tensor;
      return blocked({ causal: true }).describe(x, x, x).peakMemoryBytes;
    };
    const [a, b, c] = [512, 1024, 2048].map(bytesAt) as [number, number, number];
    expect(b / a).toBeLessThan(2.05);
    expect(c / b).toBeLessThan(2.05);
    expect(c).toBeLessThan((2 * 2048 * 2048 * 4) / 4);
  });

  it.runIf(nativeDevices.length > 0)("comes out to the same bits on any number of threads", async () => {
    const [B, H, L, E] = [1, 3, 260, 16];
    const types = ["q", "k", "v"].map(
      (name) => [name, { shape: [B, H, L, E], dtype: "f32" as const }] as const,
    );
    const bits = [1, 2, 3].map((threads) => {
      const fn = withTrace(new Trace("compiled"), () => {
        const [q, k, v] = types.map(([name, type]) => parameter(type, name)) as [Node, Node, Node];
        const out = blockedAttention(q, k, v, { scale: 0.25, right: 0 });
        const results = [out, ...gradients(sum(mul(out, out)), [q, k, v])];
        return { name: "attention", parameters: [q, k, v], results, assignments: [] };
      });
      const executable = createNativeDevice({ threads, backgroundMs: Number.POSITIVE_INFINITY }).compile(fn);
      const inputs = types.map(([, type], seed) => ({
        ...type,
        data: Float32Array.from({ length: B * H * L * E }, (_, i) => Math.sin(i * 12.9898 + seed)),
      }));
      const results = executable.run(inputs).map((result) => {
        const data = [...new Uint32Array((result.readSync() as Float32Array).slice().buffer)];
        result.release();
        return data;
      });
      executable.dispose();
      return results;
    });
    for (const other of bits.slice(1)) expect(other).toEqual(bits[0]);
  });

  it("maps over an added axis, and is differentiated twice", async () => {
    const [x, k, v] = [random(1, 2, 2, 140, 4), random(2, 2, 140, 4), random(3, 2, 140, 4)];
    const slope = (method: "plain" | "blocked") => (q: Tensor) => {
      const out = scaledDotProductAttention(q, k, v, { method, causal: true });
      return grad(out.mul(out).sum() as Tensor, [q])[0] as Tensor;
    };
    const second = (method: "plain" | "blocked") => (q: Tensor) => {
      const first = slope(method)(q);
      return grad(first.mul(first).sum() as Tensor, [q])[0] as Tensor;
    };
    for (const of of [slope, second]) {
      const mapped = await numbers(vectorize(of("blocked"))(x) as Tensor);
      const plain = await numbers(vectorize(of("plain"))(x) as Tensor);
      for (const [i, value] of mapped.entries()) expect(value).toBeCloseTo(plain[i]!, 4);
    }
  });

  it("says what does not fit", () => {
    const x = (...shape: number[]) => zeros(shape) as Tensor;
    expect(() => scaledDotProductAttention(x(3, 4), x(5, 6), x(5, 6))).toThrow(
      "attention: queries of 4 numbers meet keys of 6: queries (3, 4), keys (5, 6), values (5, 6)",
    );
    expect(() => scaledDotProductAttention(x(3, 4), x(5, 4), x(6, 4))).toThrow(
      "attention: 5 keys have 6 values: queries (3, 4), keys (5, 4), values (6, 4)",
    );
    expect(() => scaledDotProductAttention(x(3, 4), x(5, 4), x(5, 4), { window: [-1, 0] })).toThrow(
      "attention: a window is two whole numbers of 0 or more, or Infinity; got [-1, 0]",
    );
    expect(() => scaledDotProductAttention(x(3, 4), x(5, 4), x(5, 4), { distanceBias: x(1, 5) })).toThrow(
      "attention: distanceBias must be (heads, 7) for 3 queries and 5 keys, got (1, 5)",
    );
  });
});
