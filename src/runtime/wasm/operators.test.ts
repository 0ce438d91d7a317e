import { describe, expect, it } from "vitest";
import { type DType, decode, encode, roundTo } from "../../base/dtype.ts";
import type { BinaryOperator, CompareOperator, ScalarDType, UnaryOperator } from "../../graph/scalar.ts";
import { constantAffine, zeroAffine } from "../../ir/affine.ts";
import type { KernelBuilder } from "../../ir/builder.ts";
import { binaryMeaning, compareMeaning, convertMeaning, unaryMeaning } from "../../ir/fold.ts";
import type { Value } from "../../ir/kernel.ts";
import {
  exact,
  extremePairs,
  extremesOf,
  kernelBuffer,
  kernelOf,
  scalings,
  zeros,
} from "../../testing/kernels.ts";
import { runWasmKernel } from "../../testing/wasm-kernel.ts";

const scalarDTypes = ["f32", "f64", "i32", "u32", "bool"] as const;
const floats = ["f32", "f64"] as const;
const numbers = ["f32", "f64", "i32", "u32"] as const;

/** `compute` over all pairs of extremes of `dtype`, in a vector loop and one by one. */
function everyPair(
  dtype: ScalarDType,
  result: ScalarDType,
  compute: (b: KernelBuilder, x: Value, y: Value) => Value,
): { a: Float64Array; b: Float64Array; vector: Float64Array; scalar: Float64Array } {
  const pairs = extremePairs(dtype);
  const { count } = pairs;
  const [x, y] = [kernelBuffer("x", dtype, count), kernelBuffer("y", dtype, count)];
  const [v, s] = [kernelBuffer("v", result, count, "write"), kernelBuffer("s", result, count, "write")];
  const kernel = kernelOf("pairs", [x, y, v, s], (b) => {
    b.vector("i", count, (i) => b.store(v, i, compute(b, b.load(x, i), b.load(y, i))));
    b.serial("i", count, (i) => b.store(s, i, compute(b, b.load(x, i), b.load(y, i))));
  });
  const [vector, scalar] = [zeros(result, count), zeros(result, count)];
  runWasmKernel(kernel, [pairs.a, pairs.b, vector, scalar]);
  const [a, b] = [decode(dtype, pairs.a), decode(dtype, pairs.b)];
  return { a, b, vector: decode(result, vector), scalar: decode(result, scalar) };
}

function expectPairs(
  dtype: ScalarDType,
  result: ScalarDType,
  compute: (b: KernelBuilder, x: Value, y: Value) => Value,
  meaning: (a: number, b: number) => number,
): void {
  const { a, b, vector, scalar } = everyPair(dtype, result, compute);
  const expected = exact(a.map((x, i) => roundTo(result, meaning(x, b[i]!))));
  expect(exact(vector)).toEqual(expected);
  expect(exact(scalar)).toEqual(expected);
}

const unaryDTypes: Record<UnaryOperator, readonly ScalarDType[]> = {
  neg: numbers,
  abs: numbers,
  sqrt: floats,
  floor: numbers,
  ceil: numbers,
  trunc: numbers,
  round: numbers,
  not: ["i32", "u32", "bool"],
};
const binaryDTypes: Record<BinaryOperator, readonly ScalarDType[]> = {
  add: scalarDTypes,
  sub: scalarDTypes,
  mul: scalarDTypes,
  div: numbers,
  remainder: ["i32", "u32"],
  min: scalarDTypes,
  max: scalarDTypes,
  and: ["i32", "u32", "bool"],
  or: ["i32", "u32", "bool"],
  xor: ["i32", "u32", "bool"],
  shiftLeft: ["i32", "u32"],
  shiftRight: ["i32", "u32"],
  // Of some numbers only: below.
  scale: [],
};

describe("operators on all pairs of extremes", () => {
  for (const [operator, dtypes] of Object.entries(unaryDTypes) as [UnaryOperator, readonly ScalarDType[]][])
    for (const dtype of dtypes)
      it(`${operator} ${dtype}`, () => {
        const meaning = unaryMeaning[operator];
        expectPairs(
          dtype,
          dtype,
          (b, x) => b.unary(operator, x),
          (a) => meaning(a, dtype),
        );
      });

  for (const [operator, dtypes] of Object.entries(binaryDTypes) as [BinaryOperator, readonly ScalarDType[]][])
    for (const dtype of dtypes)
      it(`${operator} ${dtype}`, () => {
        const meaning = binaryMeaning[operator];
        expectPairs(
          dtype,
          dtype,
          (b, x, y) => b.binary(operator, x, y),
          (a, b) => meaning(a, b, dtype),
        );
      });

  for (const operator of Object.keys(compareMeaning) as CompareOperator[])
    for (const dtype of scalarDTypes)
      it(`${operator} ${dtype}`, () => {
        const meaning = compareMeaning[operator];
        expectPairs(
          dtype,
          "bool",
          (b, x, y) => b.compare(operator, x, y),
          (x, y) => (meaning(x, y) ? 1 : 0),
        );
      });

  for (const dtype of scalarDTypes) {
    it(`mulAdd ${dtype}`, () => {
      const { add, mul } = binaryMeaning;
      expectPairs(
        dtype,
        dtype,
        (b, x, y) => b.mulAdd(x, y, x),
        (x, y) => add(roundTo(dtype, mul(x, y, dtype)), x, dtype),
      );
    });
    it(`select ${dtype}`, () => {
      expectPairs(
        dtype,
        dtype,
        (b, x, y) => b.select(b.compare("less", x, y), x, b.constant(dtype, 1)),
        (x, y) => (x < y ? x : 1),
      );
    });
    for (const to of scalarDTypes)
      it(`convert ${dtype} to ${to}`, () => {
        expectPairs(
          dtype,
          to,
          (b, x) => b.convert(to, x),
          (x) => convertMeaning(dtype, to, x),
        );
      });
  }
});

describe("a constant operand", () => {
  for (const dtype of numbers)
    for (const operator of [
      "min",
      "max",
      ...(dtype[0] === "f" ? [] : (["div", "remainder"] as const)),
    ] as const)
      it(`${operator} ${dtype}`, () => {
        const values = extremesOf(dtype);
        const x = kernelBuffer("x", dtype, values.length);
        for (const constant of values)
          for (const isLeft of [false, true]) {
            const y = kernelBuffer("y", dtype, values.length, "write");
            const kernel = kernelOf("constant", [x, y], (b) => {
              b.vector("i", values.length, (i) => {
                const [c, v] = [b.constant(dtype, constant), b.load(x, i)];
                b.store(y, i, isLeft ? b.binary(operator, c, v) : b.binary(operator, v, c));
              });
            });
            const [input, out] = [encode(dtype, values), zeros(dtype, values.length)];
            runWasmKernel(kernel, [input, out]);
            const c = roundTo(dtype, constant);
            const meaning = (v: number): number =>
              isLeft ? binaryMeaning[operator](c, v, dtype) : binaryMeaning[operator](v, c, dtype);
            expect(exact(out), `${constant} ${isLeft}`).toEqual(
              exact(Array.from(input, (v) => roundTo(dtype, meaning(v)))),
            );
          }
      });
});

describe("bits and shifts", () => {
  it("bitcasts between f32, i32 and u32", () => {
    const bits = Uint32Array.of(0, 1, 0x80000000, 0x3f800000, 0x7f800000, 0xffffffff, 0x7fffffff, 12345);
    for (const [from, to] of [
      ["f32", "i32"],
      ["u32", "f32"],
      ["i32", "u32"],
      ["f32", "f32"],
    ] as const) {
      const [x, y] = [kernelBuffer("x", from, 8), kernelBuffer("y", to, 8, "write")];
      const z = kernelBuffer("z", to, 8, "write");
      const kernel = kernelOf("bitcast", [x, y, z], (b) => {
        b.vector("i", 8, (i) => b.store(y, i, b.bitcast(to, b.load(x, i))));
        b.serial("i", 8, (i) => b.store(z, i, b.bitcast(to, b.load(x, i))));
      });
      const out = [zeros(to, 8), zeros(to, 8)];
      const input = zeros(from, 8);
      new Uint32Array(input.buffer).set(bits);
      runWasmKernel(kernel, [input, ...out]);
      for (const array of out)
        expect(exact(array)).toEqual(exact(new (array.constructor as Float32ArrayConstructor)(bits.buffer)));
    }
  });

  it("scales by powers of two", () => {
    const { kernel, arrays, expected } = scalings();
    runWasmKernel(kernel, arrays);
    for (const result of arrays.slice(2)) expect(exact(result)).toEqual(exact(expected));
  });

  it("shifts by a count that is the same in all lanes", () => {
    for (const dtype of ["i32", "u32"] as const)
      for (const operator of ["shiftLeft", "shiftRight"] as const) {
        const values = extremesOf(dtype);
        const [x, n] = [kernelBuffer("x", dtype, values.length), kernelBuffer("n", dtype, 1)];
        const y = kernelBuffer("y", dtype, values.length, "write");
        const kernel = kernelOf("shift", [x, n, y], (b) =>
          b.vector("i", values.length, (i) =>
            b.store(y, i, b.binary(operator, b.load(x, i), b.load(n, zeroAffine))),
          ),
        );
        for (const count of [0, 1, 31, 32, 33, 255]) {
          const out = zeros(dtype, values.length);
          runWasmKernel(kernel, [encode(dtype, values), encode(dtype, [count]), out]);
          const meaning = binaryMeaning[operator];
          expect([...out]).toEqual(values.map((v) => roundTo(dtype, meaning(v, count, dtype))));
        }
      }
  });
});

describe("what is the same in all lanes", () => {
  it("is computed as a scalar and spread", () => {
    for (const dtype of [
      "f32",
      "f64",
      "i32",
      "u32",
      "bool",
      "f16",
      "bf16",
      "i8",
      "u8",
    ] as const satisfies DType[]) {
      const values = extremesOf(dtype);
      const count = values.length;
      const [x, y] = [kernelBuffer("x", dtype, count), kernelBuffer("y", dtype, count * 5, "write")];
      const z = kernelBuffer("z", dtype, count * 5, "write");
      const kernel = kernelOf("spread", [x, y, z], (b) =>
        b.serial("i", count, (i) =>
          b.vector("j", 5, (j) => {
            const v = b.load(x, i);
            const at = { constant: 0, terms: [{ index: i.terms[0]!.index, stride: 5 }, ...j.terms] };
            b.store(y, at, v);
            b.store(z, at, b.select(b.compare("equal", v, v), b.load(x, constantAffine(0)), v));
          }),
        ),
      );
      const [input, out, other] = [encode(dtype, values), zeros(dtype, count * 5), zeros(dtype, count * 5)];
      runWasmKernel(kernel, [input, out, other]);
      const stored = decode(dtype, input);
      const spread = [...stored].flatMap((v) => Array<number>(5).fill(v));
      expect(exact(decode(dtype, out)), dtype).toEqual(exact(spread));
      expect(exact(decode(dtype, other)), dtype).toEqual(
        exact(spread.map((v) => (Number.isNaN(v) ? v : stored[0]!))),
      );
    }
  });
});
