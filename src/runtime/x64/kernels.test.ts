/** Generated kernels against the definition of the loop IR, bit by bit, on every instruction set that this machine has. */
import { describe, expect, it } from "vitest";
import { byTier } from "../../../test/tier.ts";
import { decode, type TypedArray } from "../../base/dtype.ts";
import { dimension } from "../../base/size.ts";
import { avx2, avx512, type Isa } from "../../codegen/x64/isa.ts";
import { addAffine, scaleAffine, zeroAffine } from "../../ir/affine.ts";
import { KernelBuilder } from "../../ir/builder.ts";
import { evaluateKernel } from "../../ir/evaluate.ts";
import type { Affine, Kernel, KernelBuffer, Register } from "../../ir/kernel.ts";
import { scalings } from "../../testing/kernels.ts";
import { runNativeKernel } from "../../testing/native-kernel.ts";
import { randomKernel } from "../../testing/random-kernel.ts";
import { doctor } from "./doctor.ts";

const { isa, reasons } = doctor();
const isas: readonly Isa[] = isa === "avx512" ? [avx2, avx512] : isa === "avx2" ? [avx2] : [];
if (isas.length < 2)
  console.log(`machine code is tested for ${isas.length} of 2 instruction sets: ${reasons.join("; ")}`);

const f32 = (name: string, elements: number, access: KernelBuffer["access"] = "read"): KernelBuffer => ({
  name,
  dtype: "f32",
  elements,
  access,
  scope: "program",
});

function kernelOf(name: string, buffers: KernelBuffer[], build: (b: KernelBuilder) => void): Kernel {
  const builder = new KernelBuilder();
  build(builder);
  return { name, buffers, parameters: [], body: builder.statements, cost: { flop: 0, bytes: 0 } };
}

const random = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 10);

it("runs on this machine", (context) => {
  context.skip(isas.length === 0, `machine code cannot run here: ${reasons.join("; ")}`);
  expect(isas).toContain(avx2);
});

describe.each(isas)("$name", (set) => {
  it.each(["min", "max"] as const)("%s of NaN, infinities and zeros of both signs", (operator) => {
    const values = [NaN, 0, -0, 1, -1, Infinity, -Infinity, 1e-40];
    const count = values.length ** 2;
    const [x, y, z] = [f32("x", count), f32("y", count), f32("z", count, "write")];
    const kernel = kernelOf(operator, [x, y, z], (b) =>
      b.vector("i", count, (i) => b.store(z, i, b.binary(operator, b.load(x, i), b.load(y, i)))),
    );
    const arrays = [
      Float32Array.from({ length: count }, (_, i) => values[i % values.length]!),
      Float32Array.from({ length: count }, (_, i) => values[Math.floor(i / values.length)]!),
      new Float32Array(count),
    ];
    const expected = arrays[0]!.map((value, i) => Math[operator](value, arrays[1]![i]!));
    runNativeKernel(kernel, arrays, { isa: set, keepsSubnormals: true });
    expect(arrays[2]).toEqual(expected);
  });

  it("scales by powers of two", () => {
    const { kernel, arrays, expected } = scalings();
    runNativeKernel(kernel, arrays, { isa: set, keepsSubnormals: true });
    for (const result of arrays.slice(2)) expect(result).toEqual(expected);
  });

  it.each([1, 4])("stores past the caches, %i threads", (threads) => {
    const [rows, columns] = [256, 1040];
    const [x, y] = [f32("x", rows * columns), f32("y", rows * columns, "write")];
    const kernel = kernelOf("stream", [x, y], (b) => {
      b.parallel("row", rows, (row) =>
        b.vector("i", columns - 5, (i) => {
          const place = addAffine(scaleAffine(row, columns), i);
          b.store(y, place, b.binary("mul", b.load(x, place), b.constant("f32", 1.1)));
        }),
      );
    });
    const arrays = [random(rows * columns), new Float32Array(rows * columns)];
    const expected = arrays[0]!.map((value, i) => (i % columns < columns - 5 ? value * Math.fround(1.1) : 0));
    runNativeKernel(kernel, arrays, { isa: set, threads, lastCacheBytes: () => 0 });
    expect(arrays[1]).toEqual(expected);
  });

  /** Rows of `side` elements beside each other in each lane; lane groups that are whole and one that is not. */
  it.each([
    [1, 16, 0],
    [2, 21, 3],
    [4, 16, 0],
    [5, 40, 1],
    [7, 80, 0],
    [9, 5, 2],
  ])("upright tiles of %i by %i are stored lane by lane", (side, lanes, gap) => {
    const stride = side + gap;
    const [x, y] = [f32("x", side * lanes), f32("y", stride * lanes, "readwrite")];
    const z: KernelBuffer = { ...f32("z", stride * lanes, "write"), dtype: "bool" };
    const place = (lane: Affine, row: Affine): Affine => addAffine(scaleAffine(lane, stride), row);
    const kernel = kernelOf("upright", [x, y, z], (b) =>
      b.vector("lane", lanes, (lane) => {
        b.unrolled("row", side, (row) => {
          const from = addAffine(scaleAffine(row, lanes), lane);
          const value = b.binary("mul", b.load(x, from), b.constant("f32", 1.1));
          b.store(y, place(lane, row), value);
          b.store(z, place(lane, row), b.compare("less", value, b.constant("f32", 0)));
        });
        // Reads what was stored before, and only that.
        b.unrolled("again", side, (row) =>
          b.store(y, place(lane, row), b.binary("mul", b.load(y, place(lane, row)), b.constant("f32", 3))),
        );
      }),
    );
    const arrays = [random(side * lanes), random(stride * lanes), new Uint8Array(stride * lanes).fill(7)];
    const expected = arrays.map((a) => a.slice());
    evaluateKernel(kernel, { buffers: expected, fused: true });
    runNativeKernel(kernel, arrays, { isa: set });
    expect(arrays).toEqual(expected);
  });

  const time = dimension("time", { min: 0, max: 40 });
  it.each([false, true])("map and sum over 0 … 40, known late: %s", (late) => {
    for (let n = 0; n <= 40; n++) {
      const [x, y, z] = [f32("x", 41), f32("y", 41, "write"), f32("z", 1, "write")];
      const sum: Register = { name: "sum", dtype: "f32", count: 1, lanes: 16 };
      const kernel = kernelOf("sum", [x, y, z], (b) => {
        b.set(sum, b.constant("f32", 0.5));
        b.vector("i", late ? time : n, (i) => {
          const v = b.load(x, i);
          b.store(y, i, b.binary("mul", v, b.constant("f32", 1.1)));
          b.set(sum, b.binary("add", b.read(sum), v));
        });
        b.store(z, zeroAffine, b.combine(sum, "add"));
      });
      const dimensions = late ? new Map([[time, n]]) : undefined;
      const arrays = [random(41), new Float32Array(41), new Float32Array(1)];
      const expected = arrays.map((a) => a.slice());
      evaluateKernel(kernel, { buffers: expected, dimensions, fused: true });
      runNativeKernel(kernel, arrays, { dimensions, isa: set });
      expect(arrays, `${n}`).toEqual(expected);
    }
  });

  it.each([1, 3])("random kernels on %i threads", { timeout: byTier(30_000, 1_200_000) }, (threads) => {
    const [first, count] = [0, byTier(150, 8000)];
    for (let seed = first; seed < first + count; seed++) {
      const { kernel, arrays, dimensions } = randomKernel(seed);
      const expected = arrays.map((a) => a.slice());
      const failure = evaluateKernel(kernel, { buffers: expected, dimensions, fused: true });
      const got = arrays.map((a) => a.slice());
      const reported = runNativeKernel(kernel, got, { dimensions, isa: set, threads, keepsSubnormals: true });
      const numbers = (list: readonly TypedArray[]): Float64Array[] =>
        list.map((array, i) => decode(kernel.buffers[i]!.dtype, array));
      expect(numbers(got), `seed ${seed}`).toEqual(numbers(expected));
      expect(reported?.check, `seed ${seed}`).toBe(failure?.check);
      expect(reported?.position, `seed ${seed}`).toBe(failure?.position);
      expect(reported?.value, `seed ${seed}`).toEqual(failure?.value);
    }
  });
});
