import { describe, expect, it } from "vitest";
import { byTier } from "../../../test/tier.ts";
import { arrayTypeOf, type DType, decode, encode, type TypedArray } from "../../base/dtype.ts";
import { maxElementCount, type Shape } from "../../base/shape.ts";
import { type Dimension, dimension, evaluateSize, maxOf, type Size } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import {
  broadcastView,
  contiguousView,
  flipView,
  permuteView,
  sliceView,
  type View,
} from "../../graph/view.ts";
import { viewAddress } from "../../ir/affine.ts";
import { evaluateKernel } from "../../ir/evaluate.ts";
import type { Affine, Kernel, KernelBuffer, Value } from "../../ir/kernel.ts";
import { type TargetDescription, wasmTarget } from "../../ir/target.ts";
import { verifyKernel } from "../../ir/verify.ts";
import { runWasmKernel } from "../../testing/wasm-kernel.ts";
import { type ContractionPlan, type ContractionRequest, lowerContraction } from "./lower.ts";
import { cutOf, slicesOf } from "./slices.ts";

const x64: TargetDescription = {
  name: "x64",
  arithmetic: "x64",
  lanes: 16,
  vectorRegisters: 32,
  hasScale: true,
  caches: { l1: { bytes: 32 * 1024, ways: 8 }, l2: { bytes: 1024 * 1024, ways: 8 } },
  threads: 4,
};
const threaded: TargetDescription = { ...wasmTarget, threads: 4 };

interface Operand {
  readonly dtype: DType;
  /** What the memory holds; the view is over it. */
  readonly stored: Shape;
  readonly view: View;
}

/** An operand whose memory is `stored`, seen through `look`. */
const operand = (stored: Shape, look: (v: View) => View = (v) => v, dtype: DType = "f32"): Operand => ({
  dtype,
  stored,
  view: look(contiguousView(stored)),
});
const transposed = (v: View): View =>
  permuteView(v, [...v.shape.keys()].slice(0, -2).concat(v.shape.length - 1, v.shape.length - 2));

/** Numbers whose sums round, the same each time. */
function numbers(count: number, dtype: DType, seed: number): Float64Array {
  const out = new Float64Array(count);
  let state = seed * 2654435761;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const uniform = state / 2 ** 32;
    out[i] = dtype === "u8" || dtype === "i32" ? Math.floor(uniform * 100) : uniform * 2 - 0.9;
  }
  return decode(dtype, encode(dtype, out));
}

interface Run {
  readonly a: Operand;
  readonly b: Operand;
  readonly shape: Shape;
  readonly axes?: ContractionRequest["axes"];
  readonly dtype?: ScalarDType;
  readonly target?: TargetDescription;
  readonly dimensions?: ReadonlyMap<Dimension, number>;
}

const round: Partial<Record<ScalarDType, (x: number) => number>> = { f32: Math.fround, i32: (x) => x | 0 };

/** All places of a box, in row-major order. */
const placesOf = (sizes: readonly number[]): number[][] =>
  sizes.reduce<number[][]>(
    (list, size) => list.flatMap((place) => Array.from({ length: size }, (_, i) => [...place, i])),
    [[]],
  );

/** Element by element from the definition: one chain a slice in rising k, slices added in order. */
function expected(run: Run, memory: Memory): Float64Array {
  const { a, b, shape, dtype = "f32", dimensions = new Map(), target } = run;
  const { batch, depth } = run.axes ?? plainAxes(shape);
  const sizesOf = (list: Shape): number[] => list.map((s) => evaluateSize(s, dimensions));
  const firstColumn = a.view.shape.length - depth;
  const steps = sizesOf(a.view.shape.slice(firstColumn));
  const toDType = round[dtype] ?? ((x: number) => x);
  const fused = target?.arithmetic === "x64";
  /** Where an element lies in memory, by the parts of its place. */
  const addressIn = (view: View): ((...parts: readonly number[][]) => number) => {
    const [strides, offset] = [sizesOf(view.strides), evaluateSize(view.offset, dimensions)];
    return (...parts) => {
      let [address, axis] = [offset, 0];
      for (const part of parts) for (const index of part) address += index * strides[axis++]!;
      return address;
    };
  };
  const [inA, inB] = [addressIn(a.view), addressIn(b.view)];
  const slices = slicesIn(a.view.shape.slice(firstColumn), steps);
  const results = placesOf(sizesOf(shape)).map((place) => {
    const [outer, columns] = [place.slice(0, batch), place.slice(firstColumn)];
    const row = place.slice(0, firstColumn);
    return slices.reduce((total, places) => {
      const chain = places.reduce((sum, k) => {
        const x = toDType(memory.a[inA(row, k)]!);
        const y = toDType(memory.b[inB(outer, k, columns)]!);
        const product = dtype === "i32" ? Math.imul(x, y) : x * y;
        return toDType((fused ? product : toDType(product)) + sum);
      }, 0);
      return toDType(total + chain);
    }, 0);
  });
  return Float64Array.from(results);
}

/** The steps of each slice of the depth: a product's sizes alone decide. */
function slicesIn(depth: Shape, sizes: readonly number[]): number[][][] {
  const cut = cutOf(depth);
  const all = placesOf(sizes);
  if (cut === undefined) return [all];
  const extent = depth[cut.axis]!;
  const length = typeof extent === "number" ? slicesOf(extent, cut.longest).length : cut.longest;
  const slices = new Map<string, number[][]>();
  for (const place of all) {
    const key = [...place.slice(0, cut.axis), Math.floor(place[cut.axis]! / length)].join();
    slices.set(key, [...(slices.get(key) ?? []), place]);
  }
  return [...slices.values()];
}

const plainAxes = (shape: Shape): ContractionRequest["axes"] => ({ batch: shape.length - 2, depth: 1 });

interface Memory {
  readonly a: Float64Array;
  readonly b: Float64Array;
}

/** Lowers with an epilogue that adds a bias; verifies, evaluates unless told not to, compares every bit, on wasm too. */
function check(run: Run, { evaluates = true } = {}): ContractionPlan {
  const { a, b, shape, dtype = "f32", target = wasmTarget, dimensions = new Map() } = run;
  const axes = run.axes ?? plainAxes(shape);
  const buffer = (
    name: string,
    type: DType,
    elements: Size,
    access: KernelBuffer["access"],
  ): KernelBuffer => ({
    name,
    dtype: type,
    elements,
    access,
    scope: "program",
  });
  const count = (sizes: Shape): number => sizes.reduce<number>((n, s) => n * evaluateSize(s, dimensions), 1);
  const out = contiguousView(shape);
  const handles = {
    a: buffer("a", a.dtype, maxElementCount(a.stored), "read"),
    b: buffer("b", b.dtype, maxElementCount(b.stored), "read"),
    bias: buffer("bias", dtype as DType, Math.max(1, maxOf(shape[shape.length - 1]!)), "read"),
    out: buffer("out", dtype as DType, maxElementCount(shape), "write"),
  };
  const epilogue: ContractionRequest["epilogue"] = (builder, accumulated: Value, at: readonly Affine[]) => {
    const biased = builder.binary("add", accumulated, builder.load(handles.bias, at[at.length - 1]!));
    builder.store(handles.out, viewAddress(out, at), biased);
  };
  const plan = lowerContraction({
    name: `dot ${shape.join("×")}`,
    a: { buffer: handles.a, view: a.view },
    b: { buffer: handles.b, view: b.view },
    shape,
    axes,
    dtype,
    target,
    epilogue,
  });
  for (const kernel of plan.kernels) verifyKernel(kernel);
  if (!evaluates) return plan;
  const values = { a: numbers(count(a.stored), a.dtype, 1), b: numbers(count(b.stored), b.dtype, 2) };
  const bias = numbers(Math.max(1, evaluateSize(shape[shape.length - 1]!, dimensions)), dtype as DType, 3);
  const execute = (runKernel: (kernel: Kernel, buffers: TypedArray[]) => unknown): TypedArray => {
    const result = new (arrayTypeOf(dtype as DType))(count(shape)).fill(77);
    const memory = new Map<KernelBuffer, TypedArray>([
      [handles.a, encode(a.dtype, values.a)],
      [handles.b, encode(b.dtype, values.b)],
      [handles.bias, encode(dtype as DType, bias)],
      [handles.out, result],
    ]);
    for (const scratch of plan.scratch)
      memory.set(scratch, new (arrayTypeOf(scratch.dtype))(maxOf(scratch.elements)).fill(NaN));
    for (const kernel of plan.kernels) {
      runKernel(
        kernel,
        kernel.buffers.map((handle) => memory.get(handle)!),
      );
    }
    return result;
  };
  const fused = target.arithmetic === "x64";
  const result = execute((kernel, buffers) => evaluateKernel(kernel, { buffers, dimensions, fused }));
  const want = expected(run, values);
  const N = evaluateSize(shape[shape.length - 1]!, dimensions);
  const toDType = round[dtype] ?? ((x: number) => x);
  for (let p = 0; p < want.length; p++) {
    const value = toDType(want[p]! + bias[p % N]!);
    if (!Object.is(result[p], value) && result[p] !== value)
      expect.fail(`element ${p} of ${shape.join("×")}: got ${result[p]}, expected ${value}`);
  }
  const isEmpty = [a.stored, b.stored, shape].some((sizes) => count(sizes) === 0);
  if (target.arithmetic === "wasm" && !isEmpty)
    expect(execute((kernel, buffers) => runWasmKernel(kernel, buffers, { dimensions }))).toEqual(result);
  return plan;
}

const matmul = (M: Size, K: Size, N: Size): Run => ({
  a: operand([M, K]),
  b: operand([K, N]),
  shape: [M, N],
});

describe("lowerContraction", () => {
  it("computes every small shape, empty ones included", () => {
    const sizes = [0, 1, 2, 3, 5, 8, 13];
    for (const M of sizes) for (const K of [0, 1, 7]) for (const N of sizes) check(matmul(M, K, N));
  });

  it("computes shapes with full tiles and tails, on each target", () => {
    const shapes: [number, number, number][] = [
      [32, 64, 10],
      [33, 17, 65],
      [1, 40, 100],
      [100, 40, 1],
      [7, 9, 24],
      [64, 3, 31],
      [17, 128, 16],
    ];
    for (const target of [wasmTarget, threaded, x64])
      for (const [M, K, N] of shapes) check({ ...matmul(M, K, N), target });
  });

  it("computes transposed, flipped, sliced, broadcast and overlapping operands", () => {
    const [M, K, N] = [19, 23, 21];
    const a = [
      operand([M, K]),
      operand([K, M], transposed),
      operand([M, K], (v) => flipView(v, [0])),
      operand([M, K], (v) => flipView(v, [1])),
      operand([2 * M, 3 * K], (v) => sliceView(v, [1, 2], [2, 3], [M, K])),
      operand([1, K], (v) => broadcastView(v, [M, K])),
      operand([M, 1], (v) => broadcastView(v, [M, K])),
      operand([M + K - 1], (v) => ({ ...v, shape: [M, K], strides: [1, 1] })),
    ];
    const b = [
      operand([K, N]),
      operand([N, K], transposed),
      operand([K, N], (v) => flipView(v, [0])),
      operand([K, N], (v) => flipView(v, [1])),
      operand([K, 2 * N], (v) => sliceView(v, [0, 1], [1, 2], [K, N])),
      operand([K, 1], (v) => broadcastView(v, [K, N])),
      operand([N], (v) => broadcastView(v, [K, N])),
      operand([K + N - 1], (v) => ({ ...v, shape: [K, N], strides: [1, 1] })),
    ];
    for (const left of a) for (const right of b) check({ a: left, b: right, shape: [M, N] });
  });

  it("computes over several axes: windows as rows, as columns, and along the depth", () => {
    const [N, H, W, C, O, k] = [3, 7, 6, 5, 18, 3];
    const places = [N, H - k + 1, W - k + 1];
    // (N, P, Q, k, k, C) over an image (N, H, W, C).
    const rows = operand([N, H, W, C], ({ strides: [n, h, w, c] }) => ({
      shape: [...places, k, k, C],
      strides: [n!, h!, w!, h!, w!, c!],
      offset: 0,
    }));
    const columns = operand([N, H, W, C], ({ strides: [n, h, w, c] }) => ({
      shape: [...places, C, k, k],
      strides: [n!, h!, w!, c!, h!, w!],
      offset: 0,
    }));
    const kernel = operand([O, C, k, k], (v) => permuteView(v, [2, 3, 1, 0]));
    const cotangent = operand([...places, O], (v) => permuteView(v, [3, 0, 1, 2]));
    const axes = { batch: 0, depth: 3 };
    for (const target of [wasmTarget, threaded, x64]) {
      check({ a: rows, b: kernel, shape: [...places, O], axes, target });
      check({ a: cotangent, b: columns, shape: [O, C, k, k], axes, target });
      check({
        a: operand([O, C, k, k], (v) => permuteView(v, [0, 2, 3, 1])),
        b: operand([N, H, W, C], ({ strides: [n, h, w, c] }) => ({
          shape: [k, k, C, ...places],
          strides: [h!, w!, c!, n!, h!, w!],
          offset: 0,
        })),
        shape: [O, ...places],
        axes,
        target,
      });
    }
    const single = { a: operand([4, 3]), b: operand([3]), shape: [4], axes: { batch: 0, depth: 1 } };
    check(single);
    check({ a: operand([4]), b: operand([9]), shape: [4, 9], axes: { batch: 0, depth: 0 } });
  });

  it("cuts a depth of several axes where a chain ends, by its sizes alone", () => {
    const axes = { batch: 0, depth: 2 };
    const over = (K: number, L: number, target: TargetDescription): void => {
      check({ a: operand([3, K, L]), b: operand([K, L, 5]), shape: [3, 5], axes, target });
      check({
        a: operand([3, L, K], (v) => permuteView(v, [0, 2, 1])),
        b: operand([5, K, L], (v) => permuteView(v, [1, 2, 0])),
        shape: [3, 5],
        axes,
        target,
      });
    };
    for (const target of [wasmTarget, x64]) {
      over(70, 64, target);
      over(3, 5000, target);
    }
    const late = dimension("late", { min: 1, max: 90 });
    for (const value of [1, 63, 64, 90])
      check({
        a: operand([2, late, 64]),
        b: operand([late, 64, 9]),
        shape: [2, 9],
        axes,
        dimensions: new Map([[late, value]]),
      });
  });

  it("computes batches, shared and broadcast operands", () => {
    const [M, K, N] = [9, 11, 10];
    const shape = [3, 2, M, N];
    const full = [operand([3, 2, M, K]), operand([3, 2, K, N])] as const;
    check({ a: full[0], b: full[1], shape });
    check({ a: full[0], b: operand([K, N], (v) => broadcastView(v, [3, 2, K, N])), shape });
    check({ a: operand([3, 1, M, K], (v) => broadcastView(v, [3, 2, M, K])), b: full[1], shape });
    check({
      a: operand([3, M, 2, K], (v) => permuteView(v, [0, 2, 1, 3])),
      b: operand([3, 2, N, K], transposed),
      shape,
    });
    check({ a: operand([0, M, K]), b: operand([0, K, N]), shape: [0, M, N] });
  });

  it("computes other dtypes: converted as they are loaded", () => {
    const [M, K, N] = [10, 12, 17];
    for (const dtype of ["u8", "bf16", "f16"] as const) {
      check({ a: operand([M, K], (v) => v, dtype), b: operand([K, N]), shape: [M, N] });
      check({ a: operand([M, K]), b: operand([N, K], transposed, dtype), shape: [M, N] });
    }
    const integers = {
      a: operand([M, K], (v) => v, "i32"),
      b: operand([K, N], (v) => v, "u8"),
      shape: [M, N],
    };
    check({ ...integers, dtype: "i32" });
    check({
      a: operand([M, K], (v) => v, "f64"),
      b: operand([K, N], (v) => v, "f64"),
      shape: [M, N],
      dtype: "f64",
    });
  });

  it("computes dimensions in any place, at every value", () => {
    const late = dimension("late", { min: 1, max: 21 });
    const other = dimension("other", { min: 0, max: 9 });
    const runs: Run[] = [
      matmul(late, 5, 12),
      matmul(6, late, 12),
      matmul(6, 5, late),
      matmul(late, 5, late),
      matmul(late, late, other),
      { a: operand([late, 6, 5]), b: operand([late, 5, 4]), shape: [late, 6, 4] },
      { a: operand([2, late, 5]), b: operand([2, late, 5], transposed), shape: [2, late, late] },
      { a: operand([5, late], transposed), b: operand([other, 5], transposed), shape: [late, other] },
    ];
    for (const run of runs) {
      for (const value of byTier([1, 7, 16, 21], [1, 2, 7, 8, 15, 16, 21]))
        for (const second of [0, 1, 9])
          check({
            ...run,
            dimensions: new Map([
              [late, value],
              [other, second],
            ]),
          });
    }
  });

  it("cuts a long depth into equal slices, added in order", () => {
    for (const K of byTier([4097], [4096, 4097, 8192, 10_000])) {
      check(matmul(3, K, 5));
      check({ ...matmul(5, K, 9), target: x64 });
      check({ a: operand([K, 3], transposed), b: operand([5, K], transposed), shape: [3, 5] });
    }
    check({ a: operand([2, 2, 5000]), b: operand([2, 5000, 3]), shape: [2, 2, 3] });
    const late = dimension("late", { min: 1, max: 9000 });
    for (const value of byTier([1, 4096, 9000], [1, 4095, 4096, 9000]))
      check({ ...matmul(2, late, 9), dimensions: new Map([[late, value]]) });
  });

  it("shares large work among threads: batch, columns or rows, and gives the rest to one", () => {
    const kernelsOf = (run: Run, evaluates = false): string[] =>
      check({ ...run, target: threaded }, { evaluates })
        .kernels.filter(({ name }) => !name.includes("pack"))
        .map(({ body }) => {
          const shared = body.find((s) => s.kind === "loop" && s.mode === "parallel");
          return shared?.kind === "loop" ? `${shared.index.name} ${shared.extent}` : "one thread";
        });
    expect(kernelsOf(matmul(52, 100, 512))).toEqual(["panel 64"]);
    expect(kernelsOf(matmul(1601, 40, 40), true)).toMatchInlineSnapshot(`
      [
        "group 199",
        "one thread",
      ]
    `);
    expect(
      kernelsOf({ a: operand([16, 60, 50]), b: operand([16, 60, 50], transposed), shape: [16, 60, 60] }),
    ).toEqual(["batch0 16"]);
    expect(kernelsOf(matmul(60, 60, 60))).toEqual(["one thread"]);
  });
});
