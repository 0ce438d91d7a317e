import { describe, expect, it } from "vitest";
import {
  bf16ToNumber,
  type DType,
  f16ToNumber,
  numberToBf16,
  numberToF16,
  type TypedArray,
} from "../../base/dtype.ts";
import { dimension } from "../../base/size.ts";
import { addAffine, constantAffine, scaleAffine } from "../../ir/affine.ts";
import { evaluateKernel } from "../../ir/evaluate.ts";
import { exact, exact16, kernelBuffer, kernelOf, zeros } from "../../testing/kernels.ts";
import { runWasmKernel } from "../../testing/wasm-kernel.ts";

/** Copies n elements from one dtype to another, by vectors and one by one. */
function convertAll(from: DType, to: DType, input: TypedArray): { vector: TypedArray; scalar: TypedArray } {
  const count = input.length;
  const x = kernelBuffer("x", from, count);
  const [v, s] = [kernelBuffer("v", to, count, "write"), kernelBuffer("s", to, count, "write")];
  const kernel = kernelOf("convert", [x, v, s], (b) => {
    b.vector("i", count, (i) => b.store(v, i, b.load(x, i)));
    b.serial("i", count, (i) => b.store(s, i, b.load(x, i)));
  });
  const [vector, scalar] = [zeros(to, count), zeros(to, count)];
  runWasmKernel(kernel, [input, vector, scalar]);
  return { vector, scalar };
}

describe("16-bit floats", () => {
  const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const meanings = {
    f16: { read: f16ToNumber, write: numberToF16 },
    bf16: { read: bf16ToNumber, write: numberToBf16 },
  } as const;
  for (const dtype of ["f16", "bf16"] as const) {
    const { read, write } = meanings[dtype];
    it(`${dtype}: all patterns to f32`, () => {
      const expected = exact(Array.from(patterns, read));
      const { vector, scalar } = convertAll(dtype, "f32", patterns);
      expect(exact(vector)).toEqual(expected);
      expect(exact(scalar)).toEqual(expected);
    });
    it(`${dtype}: all patterns, the middles between them and the next to those, from f32`, () => {
      const values: number[] = [];
      const bits = new Uint32Array(1);
      const float = new Float32Array(bits.buffer);
      for (const pattern of patterns) {
        float[0] = read(pattern);
        const start = bits[0]!;
        const half = dtype === "f16" ? 0x1000 : 0x8000;
        for (const step of [0, half - 1, half, half + 1, -half - 1, -half, -half + 1]) {
          bits[0] = start + step;
          values.push(float[0]!);
        }
      }
      const input = Float32Array.from(values);
      const expected = exact16(dtype, Array.from(input, write));
      const { vector, scalar } = convertAll("f32", dtype, input);
      expect(exact16(dtype, vector)).toEqual(expected);
      expect(exact16(dtype, scalar)).toEqual(expected);
    });
  }
});

describe("strides and tails", () => {
  const dtypes = ["f32", "f64", "f16", "i32", "i8", "u8", "bool"] as const satisfies DType[];
  const late = dimension("n", { min: 0, max: 40 });
  const lateStride = dimension("stride", { min: 0, max: 3 });
  const strides = [1, -1, 0, 2, 3, -2, lateStride] as const;
  for (const dtype of dtypes)
    for (const isLate of [false, true])
      it(`${dtype}, ${isLate ? "late" : "early"} extents`, () => {
        for (const stride of strides)
          for (const storeStride of stride === 1 ? [1, -1, 2] : [1])
            for (const n of [0, 1, 3, 4, 6, 16, 18, 39]) {
              const [x, y] = [kernelBuffer("x", dtype, 130), kernelBuffer("y", dtype, 130, "write")];
              const kernel = kernelOf("copy", [x, y], (b) =>
                b.vector("i", isLate ? late : n, (i) => {
                  const isDown = typeof stride === "number" && stride < 0;
                  const from = addAffine(constantAffine(isDown ? 125 : 2), scaleAffine(i, stride));
                  const to = addAffine(
                    constantAffine(storeStride < 0 ? 120 : 3),
                    scaleAffine(i, storeStride),
                  );
                  b.store(y, to, b.load(x, from));
                }),
              );
              const dimensions = new Map([
                [late, n],
                [lateStride, 3],
              ]);
              const input = zeros(dtype, 130);
              for (let i = 0; i < 130; i++) input[i] = dtype === "bool" ? (i * i) % 2 : (i * 37) % 101;
              const [out, expected] = [zeros(dtype, 130), zeros(dtype, 130)];
              evaluateKernel(kernel, { buffers: [input, expected], dimensions });
              runWasmKernel(kernel, [input, out], { dimensions });
              expect(out, `stride ${stride}, ${storeStride}, n ${n}`).toEqual(expected);
            }
      });

  it("reads nothing beyond the end of memory where lanes lie far apart", () => {
    const [x, y] = [kernelBuffer("x", "f32", 100_000 * 4 + 1), kernelBuffer("y", "f32", 5, "write")];
    for (const extent of [1, 2, 3, 5, dimension("n", { max: 5 })]) {
      const kernel = kernelOf("far", [x, y], (b) =>
        b.vector("i", extent, (i) => b.store(y, i, b.load(x, scaleAffine(i, 100_000)))),
      );
      const dimensions = typeof extent === "number" ? undefined : new Map([[extent, 2]]);
      const input = new Float32Array(400_001).fill(1);
      const out = new Float32Array(5);
      runWasmKernel(kernel, [input, out], { dimensions });
      const count = typeof extent === "number" ? extent : 2;
      expect([...out]).toEqual([0, 1, 2, 3, 4].map((i) => (i < count ? 1 : 0)));
    }
  });
});
