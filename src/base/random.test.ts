import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  fillBits,
  fillNormal,
  fillUniform,
  fold,
  growingPermutation,
  normal,
  permutation,
  randomKey,
  split,
  threefry2x32,
  uniform,
} from "./random.ts";

const hex = (words: ArrayLike<number>): string[] => Array.from(words, (word) => word.toString(16));

describe("threefry2x32", () => {
  test("Random123's known answers", () => {
    expect(hex(threefry2x32(0, 0, 0, 0))).toEqual(["6b200159", "99ba4efe"]);
    const ones = 0xffffffff;
    expect(hex(threefry2x32(ones, ones, ones, ones))).toEqual(["1cb996fc", "bb002be7"]);
    const pi = threefry2x32(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3);
    expect(hex(pi)).toEqual(["c4923a9c", "483df7a0"]);
  });
});

describe("keys", () => {
  test("a seed's 64 bits", () => {
    expect(randomKey(42)).toEqual([0, 42]);
    expect(randomKey(2 ** 53 - 1)).toEqual([2 ** 21 - 1, 2 ** 32 - 1]);
    for (const seed of [-1, 0.5, NaN, 2 ** 53, Infinity]) expect(() => randomKey(seed)).toThrow("got");
    expect(() => randomKey(-1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: the seed must be an integer from 0 to 2^53 - 1, got -1]`,
    );
  });

  test("splits, folds and draws of one key never meet", () => {
    const key = randomKey(7);
    const words = new Uint32Array(2000);
    fillBits(key, words);
    const pairs = Array.from({ length: 1000 }, (_, i) => `${words[2 * i]},${words[2 * i + 1]}`);
    const split1000 = split(key, 1000).map(String);
    const folded = Array.from({ length: 1000 }, (_, i) => String(fold(key, i)));
    const large = [String(fold(key, 2 ** 32)), String(fold(key, 2 ** 53 - 1))];
    expect(new Set([...pairs, ...split1000, ...folded, ...large]).size).toBe(3002);
    expect(split(key)).toEqual(split(key, 1000).slice(0, 2));
  });
});

describe("words", () => {
  test("word i is output i mod 2 at counter ⌊i/2⌋, wherever a fill starts and ends", () => {
    const key = randomKey(123456789012);
    const at = (i: number): number =>
      threefry2x32(key[0], key[1], Math.floor(i / 2 ** 33), Math.floor(i / 2))[i % 2]!;
    for (const [start, length] of [
      [0, 1],
      [0, 7],
      [2046, 5],
      [2 ** 33 - 2, 4],
    ] as const) {
      const out = new Uint32Array(length);
      fillBits(key, out, start);
      expect(Array.from(out)).toEqual(Array.from(out, (_, i) => at(start + i)));
    }
    expect(() => fillBits(key, new Uint32Array(1), 1)).toThrow("odd");
  });
});

describe("uniform", () => {
  test("the top 24 bits, exactly", () => {
    const words = new Uint32Array(5000);
    fillBits(randomKey(3), words);
    expect(uniform(randomKey(3), 5000)).toEqual(Float32Array.from(words, (word) => (word >>> 8) / 2 ** 24));
    expect(uniform(randomKey(3), 4097)).toEqual(uniform(randomKey(3), 5000).subarray(0, 4097));
  });

  test("stays in [low, high) where f32 is coarse, and is spread evenly", () => {
    const coarse = new Float32Array(100_000);
    fillUniform(randomKey(1), coarse, 2 ** 24, 2 ** 24 + 8);
    expect(coarse.every((x) => x >= 2 ** 24 && x < 2 ** 24 + 8)).toBe(true);

    const out = new Float32Array(1_000_000);
    fillUniform(randomKey(1), out, -0.1, 0.3);
    const bins = new Float64Array(100);
    for (const x of out) bins[Math.floor(((x + 0.1) / 0.4) * 100)]! += 1;
    const chiSquare = bins.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0);
    // 99 degrees of freedom: mean 99, deviation 14.
    expect(chiSquare).toBeGreaterThan(50);
    expect(chiSquare).toBeLessThan(160);
    expect(() => fillUniform(randomKey(0), out, 1, 1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: fillUniform: needs finite bounds low < high, got [1, 1)]`,
    );
    expect(() => fillUniform(randomKey(0), out, NaN, 1)).toThrow("bounds");
  });
});

describe("normal", () => {
  test("agrees with the formula in the engine's own functions", () => {
    const words = new Uint32Array(100_000);
    fillBits(randomKey(5), words);
    const out = normal(randomKey(5), words.length);
    for (let i = 0; i < words.length; i += 2) {
      const radius = Math.sqrt(-2 * Math.log((words[i]! + 1) / 2 ** 32));
      const angle = (2 * Math.PI * words[i + 1]!) / 2 ** 32;
      expect(Math.abs(out[i]! - radius * Math.cos(angle))).toBeLessThan(4e-7);
      expect(Math.abs(out[i + 1]! - radius * Math.sin(angle))).toBeLessThan(4e-7);
    }
  });

  test("moments and tails of a million draws", () => {
    const x = normal(randomKey(9), 1_000_000);
    const moment = (p: number): number => x.reduce((sum, v) => sum + v ** p, 0) / x.length;
    expect(Math.abs(moment(1))).toBeLessThan(0.004);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.006);
    expect(Math.abs(moment(3))).toBeLessThan(0.012);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.05);
    const beyond = (t: number): number => x.filter((v) => Math.abs(v) > t).length;
    expect(Math.abs(beyond(1.959964) / 50_000 - 1)).toBeLessThan(0.02);
    expect(Math.abs(beyond(3.290527) / 1000 - 1)).toBeLessThan(0.12);
  });

  test("mean, deviation, odd lengths, and the start of a longer draw", () => {
    const out = new Float32Array(4097);
    fillNormal(randomKey(2), out, 10, 0.5);
    const standard = normal(randomKey(2), 5000);
    for (let i = 0; i < out.length; i++) expect(out[i]).toBeCloseTo(10 + 0.5 * standard[i]!, 5);
    expect(normal(randomKey(2), 1)).toEqual(standard.subarray(0, 1));
    expect(normal(randomKey(2), 0)).toEqual(new Float32Array(0));
  });

  test("the bits are fixed: a change here changes every network's start", () => {
    const digest = (out: Float32Array): string =>
      createHash("sha256").update(new Uint8Array(out.buffer)).digest("hex").slice(0, 16);
    expect(digest(normal(randomKey(0), 100_000))).toMatchInlineSnapshot(`"0aa4ba56f03dab4c"`);
    expect(digest(uniform(randomKey(0), 100_000))).toMatchInlineSnapshot(`"8bbf2a462336040b"`);
  });
});

describe("permutation", () => {
  test("holds each index once, the same for the same key", () => {
    for (const n of [0, 1, 2, 3, 100, 60_000]) {
      const order = permutation(randomKey(1), n);
      expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      expect(permutation(randomKey(1), n)).toEqual(order);
    }
    expect(permutation(randomKey(1), 100)).not.toEqual(permutation(randomKey(2), 100));
    expect(() => permutation(randomKey(1), -1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: permutation: the count must be an integer from 0 to 2^32 - 1, got -1]`,
    );
  });

  test("worked out in pieces it is the same, and what is settled stays", () => {
    const whole = permutation(randomKey(4), 1000);
    const { order, settle } = growingPermutation(randomKey(4), 1000);
    for (const end of [0, 1, 33, 32, 500, 1000, 1000, 2000]) {
      settle(end);
      expect(order.subarray(0, end)).toEqual(whole.subarray(0, end));
      expect(new Set(order).size).toBe(1000);
    }
  });

  test("each of the 24 orders of four is as frequent as the others", () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 24_000; seed++) {
      const order = permutation(randomKey(seed), 4).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    expect(counts.size).toBe(24);
    // 23 degrees of freedom: 99.9 % below 49.7.
    expect(chiSquare).toBeLessThan(49.7);
  });
});
