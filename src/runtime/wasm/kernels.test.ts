import { describe, expect, it } from "vitest";
import { dimension } from "../../base/size.ts";
import { addAffine, scaleAffine, zeroAffine } from "../../ir/affine.ts";
import { KernelBuilder } from "../../ir/builder.ts";
import { evaluateKernel } from "../../ir/evaluate.ts";
import type { Kernel, KernelBuffer, Register } from "../../ir/kernel.ts";
import { runWasmKernel } from "../../testing/wasm-kernel.ts";

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

describe("vector loops", () => {
  const time = dimension("time", { min: 0, max: 40 });
  for (const late of [false, true]) {
    it(`map and sum over 0 … 40, ${late ? "known late" : "known early"}`, () => {
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
        evaluateKernel(kernel, { buffers: expected, dimensions });
        runWasmKernel(kernel, arrays, { dimensions });
        expect(arrays, `${n}`).toEqual(expected);
      }
    });
  }
});

describe("tile loops", () => {
  const depth = dimension("depth", { min: 0, max: 13 });
  for (const late of [false, true]) {
    it(`take every number of steps, ${late ? "known late" : "known early"}`, () => {
      for (let k = 0; k <= 13; k++) {
        const [x, y, z] = [f32("x", 3 * 13), f32("y", 13 * 10), f32("z", 30, "write")];
        const tile: Register = { name: "tile", dtype: "f32", count: 3, lanes: 12 };
        const kernel = kernelOf("tile", [x, y, z], (b) => {
          b.unrolled("i", 3, (i) => b.set(tile, b.constant("f32", 0), i));
          b.serial("k", late ? depth : k, (k) =>
            b.vector(
              "j",
              10,
              (j) => {
                const right = b.load(y, addAffine(scaleAffine(k, 10), j));
                b.unrolled("i", 3, (i) => {
                  const left = b.load(x, addAffine(scaleAffine(i, 13), k));
                  b.set(tile, b.mulAdd(left, right, b.read(tile, i)), i);
                });
              },
              true,
            ),
          );
          b.vector("j", 10, (j) =>
            b.unrolled("i", 3, (i) => b.store(z, addAffine(scaleAffine(i, 10), j), b.read(tile, i))),
          );
        });
        const dimensions = late ? new Map([[depth, k]]) : undefined;
        const arrays = [random(39), random(130), new Float32Array(30)];
        const expected = arrays.map((a) => a.slice());
        evaluateKernel(kernel, { buffers: expected, dimensions });
        runWasmKernel(kernel, arrays, { dimensions });
        expect(arrays, `${k}`).toEqual(expected);
      }
    });
  }
});
