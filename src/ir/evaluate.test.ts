import { describe, expect, it } from "vitest";
import { dimension } from "../base/size.ts";
import { addAffine, constantAffine, scaleAffine, zeroAffine } from "./affine.ts";
import { KernelBuilder } from "./builder.ts";
import { evaluateKernel } from "./evaluate.ts";
import { fusedMultiplyAdd } from "./fused.ts";
import type { Kernel, KernelBuffer, Register } from "./kernel.ts";

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

describe("evaluateKernel", () => {
  it("sums over sixteen lanes, then folds them as a tree", () => {
    const [x, y] = [f32("x", 40), f32("y", 1, "write")];
    const sum: Register = { name: "sum", dtype: "f32", count: 1, lanes: 16 };
    const time = dimension("time", { max: 40 });
    const kernel = kernelOf("sum", [x, y], (b) => {
      b.set(sum, b.constant("f32", 0));
      b.vector("i", time, (i) => b.set(sum, b.binary("add", b.read(sum), b.load(x, i))));
      b.store(y, zeroAffine, b.combine(sum, "add"));
    });
    const data = Float32Array.from({ length: 40 }, (_, i) => 0.1 * (i + 1));
    const lanes = new Float32Array(16);
    for (let i = 0; i < 37; i++) lanes[i % 16]! += data[i]!;
    for (let half = 8; half >= 1; half /= 2) for (let l = 0; l < half; l++) lanes[l]! += lanes[l + half]!;
    const out = new Float32Array(1);
    evaluateKernel(kernel, { buffers: [data, out], dimensions: new Map([[time, 37]]) });
    expect(out[0]).toBe(lanes[0]);
  });

  it("runs the remainder of a stepped loop one index at a time", () => {
    const y = f32("y", 11, "write");
    const kernel = kernelOf("steps", [y], (b) => {
      b.loop("serial", "i", 11, {
        step: 4,
        body: (i) => b.unrolled("u", 4, (u) => b.store(y, addAffine(i, u), b.constant("f32", 1))),
        remainder: (i) => b.store(y, i, b.constant("f32", 2)),
      });
    });
    const out = new Float32Array(11);
    evaluateKernel(kernel, { buffers: [out] });
    expect([...out]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2]);
  });

  it("clamps an index that is outside and reports the lowest position", () => {
    const indices: KernelBuffer = { ...f32("indices", 4), dtype: "i32" };
    const [table, y] = [f32("table", 6), f32("y", 4, "write")];
    const kernel = kernelOf("gather", [indices, table, y], (b) => {
      b.loop("serial", "i", 4, {
        body: (i) => {
          const position = addAffine(constantAffine(3), scaleAffine(i, -1));
          const at = b.at({ check: 2, position }, () => b.checkIndex(b.load(indices, i), 3));
          b.store(y, i, b.load(table, zeroAffine, [{ index: at, stride: 2 }]));
        },
      });
    });
    const out = new Float32Array(4);
    const failure = evaluateKernel(kernel, {
      buffers: [Int32Array.of(7, 1, -2, 2), Float32Array.of(10, 0, 11, 0, 12, 0), out],
    });
    expect([...out]).toEqual([12, 11, 10, 12]);
    expect(failure).toEqual({ check: 2, position: 1, value: -2 });
  });

  it("flushes subnormals only into the buffers it is told", () => {
    const [x, y, z] = [f32("x", 2), f32("y", 2, "write"), f32("z", 2, "write")];
    const kernel = kernelOf("copy", [x, y, z], (b) =>
      b.vector("i", 2, (i) => {
        b.store(y, i, b.load(x, i));
        b.store(z, i, b.load(x, i));
      }),
    );
    const [flushed, kept] = [new Float32Array(2), new Float32Array(2)];
    evaluateKernel(kernel, { buffers: [Float32Array.of(1e-40, -1e-40), flushed, kept], flush: new Set([y]) });
    expect(flushed).toEqual(Float32Array.of(0, -0));
    expect(kept).toEqual(Float32Array.of(1e-40, -1e-40));
  });

  it("refuses an access outside a buffer", () => {
    const y = f32("y", 3, "write");
    const kernel = kernelOf("outside", [y], (b) =>
      b.serial("i", 4, (i) => b.store(y, i, b.constant("f32", 1))),
    );
    expect(() =>
      evaluateKernel(kernel, { buffers: [new Float32Array(3)] }),
    ).toThrowErrorMatchingInlineSnapshot(`[InternalError: element 3 of y is outside its 3]`);
  });
});

describe("fusedMultiplyAdd", () => {
  it("rounds once", () => {
    const a = Math.fround(1 + 2 ** -12);
    expect(fusedMultiplyAdd("f32", a, a, -1)).toBe(Math.fround(2 ** -11 + 2 ** -24));
    // Halfway cases that f64 would round twice: the tail decides the direction.
    expect(fusedMultiplyAdd("f32", 1 + 2 ** -23, 1, 2 ** -24 + 2 ** -47)).toBe(1 + 2 ** -22);
    expect(fusedMultiplyAdd("f32", 2 ** 12, 2 ** 12, 1 + 2 ** -23)).toBe(2 ** 24 + 2);
    const b = 1 + 2 ** -30;
    expect(fusedMultiplyAdd("f64", b, b, -1)).toBe(2 ** -29 + 2 ** -60);
    expect(fusedMultiplyAdd("f64", 2 ** 600, 2 ** 600, 0)).toBe(Infinity);
    expect(fusedMultiplyAdd("f64", 2 ** -537, 2 ** -538, 0)).toBe(0);
    expect(fusedMultiplyAdd("f64", 3 * 2 ** -537, 2 ** -538, 0)).toBe(2 * 2 ** -1074);
    expect(fusedMultiplyAdd("f64", 1, 1, -1)).toBe(0);
  });
});
