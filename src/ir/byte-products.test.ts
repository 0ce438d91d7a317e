/** Products of small integers in words mean the same on every target. */
import { expect, it } from "vitest";
import { avx2, avx512, avx512Vnni } from "../codegen/x64/isa.ts";
import { doctor } from "../runtime/x64/doctor.ts";
import { runNativeKernel } from "../testing/native-kernel.ts";
import { runWasmKernel } from "../testing/wasm-kernel.ts";
import { addAffine, constantAffine } from "./affine.ts";
import { KernelBuilder } from "./builder.ts";
import { bytePairs, dotOfParts } from "./byte-products.ts";
import { evaluateKernel } from "./evaluate.ts";
import type { Kernel, KernelBuffer, Value } from "./kernel.ts";
import { verifyKernel } from "./verify.ts";

const count = 37;
const results = 8;
const buffer = (name: string, elements: number, access: KernelBuffer["access"]): KernelBuffer => ({
  name,
  dtype: "i32",
  elements,
  access,
  scope: "program",
});
const [a, b, c] = ["a", "b", "c"].map((name) => buffer(name, count, "read")) as KernelBuffer[];
const out = buffer("out", results * count, "write");

/** Every form of both, of vectors, or one element at a time with uniform operands. */
function kernelOf(mode: "vector" | "serial"): Kernel {
  const builder = new KernelBuilder();
  builder.loop(mode, "i", count, {
    body: (i) => {
      const [x, y, z] = [a!, b!, c!].map((from) => builder.load(from, i)) as [Value, Value, Value];
      const uniform = builder.load(a!, constantAffine(3));
      const pairs = (v: Value) =>
        [true, false].flatMap((sign) =>
          (["even", "odd"] as const).map((which) => builder.bytePairs(which, sign, v)),
        );
      const all = [
        ...pairs(x),
        builder.dotAdd(2, x, y, z),
        builder.dotAdd(4, x, y, z),
        builder.dotAdd(4, uniform, y, builder.dotAdd(2, pairs(uniform)[0]!, x, z)),
        builder.dotAdd(4, x, x, x),
      ];
      all.forEach((value, n) => {
        builder.store(out, addAffine(i, constantAffine(n * count)), value);
      });
    },
  });
  const kernel: Kernel = {
    name: `words, ${mode}`,
    buffers: [a!, b!, c!, out],
    parameters: [],
    body: builder.statements,
    cost: { flop: 1, bytes: 1 },
  };
  verifyKernel(kernel);
  return kernel;
}

const words = (seed: number): Int32Array =>
  Int32Array.from({ length: count }, (_, i) =>
    i < 4 ? [0, -1, 0x80808080 | 0, 0x7f7f7f7f][i]! : Math.imul(i * 7919 + seed, 0x9e3779b1),
  );
const arrays = () => [words(1), words(2), words(3), new Int32Array(results * count)];

it("is what the definition says", () => {
  expect(dotOfParts(4, 0xff01ff02 | 0, 0x807f0103 | 0, 10)).toBe(10 + 255 * -128 + 127 + 255 + 6);
  expect(dotOfParts(2, 0x8000fffe | 0, 0x00027fff, 1)).toBe(1 + -32768 * 2 - 2 * 32767);
  expect(bytePairs("even", true, 0x01ff0280 | 0)).toBe(0xffffff80 | 0);
  expect(bytePairs("even", false, 0x01ff0280 | 0)).toBe(0x00ff0080);
  expect(bytePairs("odd", true, 0x81ff0280 | 0)).toBe(0xff810002 | 0);
  expect(bytePairs("odd", false, 0x81ff0280 | 0)).toBe(0x00810002);
});

const { isa, features } = doctor();
const sets = [
  ...(isa === undefined ? [] : [avx2]),
  ...(isa === "avx512" ? [avx512] : []),
  ...(features?.avx512Vnni ? [avx512Vnni] : []),
];

it.each(["vector", "serial"] as const)("is the same on every target: %s", (mode) => {
  const kernel = kernelOf(mode);
  const want = arrays();
  evaluateKernel(kernel, { buffers: want });
  const wasm = arrays();
  runWasmKernel(kernel, wasm);
  expect(wasm[3]).toEqual(want[3]);
  for (const set of sets) {
    const own = arrays();
    runNativeKernel(kernel, own, { isa: set });
    expect(own[3], `${set.name}${set.hasByteProducts ? " with VNNI" : ""}`).toEqual(want[3]);
  }
});
