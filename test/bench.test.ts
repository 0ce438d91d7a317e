import { describe, expect, test } from "vitest";
import { chartOf } from "../bench/chart.ts";
import { hashedUniform as benchUniform, hashedLabels, oneHot } from "../bench/data.ts";
import { readOptions } from "../bench/options.ts";
import { arithmeticLoop, triadLoop } from "../bench/probe/wasm.ts";
import { Reader } from "../bench/reader.ts";
import type { BenchRecord } from "../bench/record.ts";
import { round3, table } from "../bench/report.ts";
import { agrees, summarize } from "../bench/statistics.ts";
import { targetsOf } from "../bench/targets.ts";
import { cases, casesFor, inUnit } from "../bench/workloads.ts";
import { hashedUniform } from "./fixtures.ts";

test("summarize takes medians of odd and even counts", () => {
  expect(summarize([3, 1, 2])).toEqual({ median: 2, minimum: 1, maximum: 3, samples: 3 });
  expect(summarize([4, 1, 3, 2]).median).toBe(2.5);
  expect(() => summarize([])).toThrowErrorMatchingInlineSnapshot(
    `[RangeError: summarize: no values, expected at least one sample]`,
  );
});

test("agrees compares relative to the largest number", () => {
  expect(agrees([1, 1000.5], [1, 1000])).toBe(true);
  expect(agrees([1, 1002], [1, 1000])).toBe(false);
  expect(agrees([1, NaN], [1, 1000])).toBe(false);
  expect(agrees([1], [1, 2])).toBe(false);
});

test("the bench's inputs are the fixtures' numbers", () => {
  expect(benchUniform(5, 100, 0.3)).toEqual(hashedUniform(5, 100, 0.3));
  const labels = hashedLabels(11, 1000, 10);
  expect(new Set(labels).size).toBe(10);
  expect(oneHot(Int32Array.of(2, 0), 3)).toEqual(Float32Array.of(0, 0, 1, 1, 0, 0));
});

test("the machine's probes are valid modules that compute what they say", () => {
  const loop = arithmeticLoop(8, false)!;
  expect(loop.flop).toBe(64);
  // Eight chains of four lanes would tend to shift / (1 - scale) = 1 each; one lane of each is summed.
  expect(loop.run(100_000)).toBeCloseTo(8, 1);
  const triad = triadLoop(64);
  triad.b.fill(1);
  triad.c.forEach((_, i) => {
    triad.c[i] = i;
  });
  triad.run();
  expect(Array.from(triad.a)).toEqual(Array.from({ length: 64 }, (_, i) => 1 + 3 * i));
});

test("cases have names of their own, chosen by their beginning", () => {
  expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
  expect(casesFor(["matmul/512"]).map(({ id }) => id)).toEqual([
    "matmul/512/nn",
    "matmul/512/tn",
    "matmul/512/nt",
  ]);
  expect(casesFor(["matmul/5"])).toEqual([]);
  const [chain] = casesFor(["matmul/20x32/nt"]);
  expect(chain).toMatchObject({ title: "a chain of 20, 32³ A·Bᵀ", amount: 20 * 2 * 32 ** 3 });
  const [batched] = casesFor(["matmul/64x64x32x64/tn"]);
  expect(batched).toMatchObject({ title: "64×(64×32 by 32×64) Aᵀ·B", amount: 2 * 64 * 64 * 32 * 64 });
  expect(inUnit({ unit: "GFLOP/s", amount: 2e9 }, 0.5)).toBe(4);
  expect(inUnit({ unit: "µs", amount: 1 }, 0.5)).toBe(500_000);
});

test("machine code is held against the best sample of the machine's loop, and cannot beat it", () => {
  const figures = (contender: string, values: number[]) => ({
    contender,
    threads: 1,
    value: summarize(values),
  });
  const against = (own: number, id = "matmul/32x784x64/nn") => {
    const [product] = casesFor([id]);
    const measurements = [figures("netwright-x64", [own]), figures("machine-x64", [50, 50, 100])];
    const record = { results: [{ ...product, measurements }], startup: [], compile: [] };
    return targetsOf(record as unknown as BenchRecord).map(({ bound, value, holds }) => [
      bound,
      value,
      holds,
    ]);
  };
  expect(against(69)).toEqual([["≥ 70 %", "69.0 %", false]]);
  expect(against(69, "matmul/20x32/nn"), "in a chain").toEqual([["≥ 70 %", "69.0 %", false]]);
  expect(against(69, "matmul/32/nn"), "alone, mostly the call").toEqual([]);
  expect(against(71)).toEqual([["≥ 70 %", "71.0 %", true]]);
  expect(against(110)).toEqual([["≥ 70 %", "110 %: the loop was held up, measure longer", false]]);
});

test("a longer sequence must compile in the time of a shorter one, into the same graph", () => {
  const compiled = (id: string, ms: number, nodes: number, kernels: number, contender = "netwright-x64") => ({
    ...{ id, contender, title: "Netwright x64", nodes, kernels, compileMs: summarize([ms]) },
  });
  const judged = (...compile: readonly object[]) =>
    targetsOf({ results: [], startup: [], compile } as unknown as BenchRecord).map(({ value, holds }) => [
      value,
      holds,
    ]);
  const short = compiled("lstm/64", 100, 167, 28);
  // Sums over more steps are cut into slices, a kernel each more.
  expect(judged(short, compiled("lstm/1024", 84, 167, 30))).toEqual([["0.840 times", true]]);
  expect(judged(short, compiled("lstm/1024", 116, 167, 28))).toEqual([["1.16 times", false]]);
  expect(judged(short, compiled("lstm/1024", 100, 170, 28))).toEqual([
    ["1.00 times, 170 nodes instead of 167", false],
  ]);
  const kept = "netwright-x64-kept";
  expect(judged(compiled("lstm/64", 4, 167, 28, kept), compiled("lstm/1024", 6, 167, 30, kept))).toEqual([]);
});

test("a step whose products near the loop's speed is held against that as well", () => {
  const [[step], [product]] = [casesFor(["gpt-small"]), casesFor(["matmul/512/nn"])];
  const timed = (contender: string, seconds: number) => ({
    contender,
    threads: 1,
    seconds: summarize([seconds]),
  });
  const against = (milliseconds: number) => {
    const loop = { contender: "machine-x64", threads: 1, value: summarize([100]) };
    const own = { ...timed("netwright-x64", milliseconds / 1000), value: summarize([50]) };
    const results = [
      { ...product, measurements: [own, loop] },
      { ...step, measurements: [own, timed("torch", 0.06)] },
    ];
    const record = { results, startup: [], compile: [] };
    const found = targetsOf(record as unknown as BenchRecord).find(({ what }) => what.includes("small GPT"));
    return [found!.value, found!.holds];
  };
  // 3.96 GFLOP: 12 · 4 · 128² weights and 128 · 65, attention over 64 places, thrice for 768 tokens.
  expect(against(50)).toEqual(["1.20 times, 79.3 %", true]);
  expect(against(55)).toEqual(["1.09 times, 72.1 %", false]);
  expect(against(38)).toEqual(["1.58 times, 104 %", true]);
});

test("the chart has a bar for each contender that has a figure", async () => {
  const [call] = casesFor(["call"]);
  const figures = (contender: string, seconds: number) => ({
    contender,
    threads: 1,
    seconds: summarize([seconds]),
  });
  const measurements = [figures("torch", 4), figures("netwright-x64", 1), figures("tfjs", 8)];
  const record = { results: [{ ...call, measurements }] } as unknown as BenchRecord;
  const titles = new Map([
    ["netwright-x64", "Netwright x64"],
    ["tfjs", "TensorFlow.js"],
  ]);
  const svg = await chartOf(record, [{ id: "call", what: "a call" }], titles);
  const bars = [...svg.matchAll(/aria-label="times: ([\d.]+)[^"]*contender: ([^"]+)"/g)];
  expect(bars.map(([, times, contender]) => [contender, Number(times)])).toEqual([
    ["Netwright x64", 4],
    ["TensorFlow.js", 0.5],
  ]);
});

test("options name what is accepted", () => {
  expect(readOptions(["mlp", "--peers", "torch", "--threads", "2"])).toMatchObject({
    words: ["mlp"],
    contenders: ["netwright", "netwright-x64", "netwright-x64-kept", "torch", "machine", "machine-x64"],
    threads: 2,
  });
  expect(readOptions(["--help"])).toBeNull();
  expect(() => readOptions(["mpl"])).toThrowErrorMatchingInlineSnapshot(
    `[Error: no workload "mpl": choose of machine, mlp, cnn, resnet, call, matmul, matvec, softmax, layernorm, gelu, adamw, elementwise, lstm, gpt-small, transformer, vit, attention, inference, startup, compile, generate, csv, search, image-pipeline]`,
  );
  expect(() => readOptions(["--peers", "karas"])).toThrowErrorMatchingInlineSnapshot(
    `[Error: no peer "karas": choose of netwright, netwright-x64, netwright-x64-kept, torch, torch-fused, torch-compile, keras, onnx, tfjs, jax-js, machine, machine-x64, node, python, or none]`,
  );
  expect(() => readOptions(["--threads", "0"])).toThrowErrorMatchingInlineSnapshot(
    `[Error: --threads 0: expected a whole number of at least 1]`,
  );
});

test("tables are Markdown with three digits", () => {
  expect(round3(1234.5)).toBe("1,235");
  expect(round3(0.0123456)).toBe("0.0123");
  expect(table(["a", "b"], [["long", "x"]])).toMatchInlineSnapshot(`
    "| a    | b |
    |------|---|
    | long | x |"
  `);
});

describe("a reader whose process", () => {
  const readerOf = (script: string, file = process.execPath) => new Reader({ file, args: ["-e", script] });
  const answering =
    'process.stdin.on("data", () => { console.log(JSON.stringify({ seconds: 1, cpuSeconds: 2 })); ';

  test("answers gives its figures, also when it ends with them", async () => {
    const reader = readerOf(`${answering} process.exit() })`);
    expect(await reader.sample("a.csv")).toEqual({ seconds: 1, cpuSeconds: 2 });
    reader.close();
  });

  test("ends before it is asked, or instead of answering, is an error", async () => {
    await expect(readerOf("process.exit(3)").sample("a.csv")).rejects.toThrow("ended with exit code 3");
    const ended = readerOf(`${answering} process.exit(4) })`);
    await ended.sample("a.csv");
    // Whether it has ended by now or not.
    await expect(ended.sample("b.csv")).rejects.toThrow("ended with exit code 4");
    await expect(ended.sample("c.csv")).rejects.toThrow("ended with exit code 4");
  });

  test("cannot start is an error", async () => {
    await expect(readerOf("", "/no/such/program").sample("a.csv")).rejects.toThrow("did not start");
  });
});
