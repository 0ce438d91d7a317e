/** Few rows by a matrix: read in place and in long runs, to the same bits as tiles. */
import { describe, expect, test } from "vitest";
import { avx2, avx512 } from "../../codegen/x64/isa.ts";
import { contiguousView, permuteView, type View } from "../../graph/view.ts";
import { viewAddress } from "../../ir/affine.ts";
import { evaluateKernel } from "../../ir/evaluate.ts";
import type { Kernel, KernelBuffer } from "../../ir/kernel.ts";
import { type TargetDescription, wasmTarget, x64Target } from "../../ir/target.ts";
import { verifyKernel } from "../../ir/verify.ts";
import { runNativeKernel } from "../../testing/native-kernel.ts";
import { nativeDevices } from "../../testing/native-targets.ts";
import { runWasmKernel } from "../../testing/wasm-kernel.ts";
import { fewRowsOf } from "./few-rows.ts";
import { lowerContraction } from "./lower.ts";
import { problemsOf } from "./problem.ts";
import { slicesOf } from "./slices.ts";

interface Case {
  readonly batch?: number;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  /** Whether the matrix is stored with its depth side by side (a layer's weight). */
  readonly isTurned: boolean;
  /** Whether the few are the columns of the product as it is written: W·xᵀ. */
  readonly isSwapped?: boolean;
}

const turned = (view: View): View =>
  permuteView(view, [...view.shape.keys()].slice(0, -2).concat(view.shape.length - 1, view.shape.length - 2));

/** Numbers whose sums round. Nobody changes them. */
function numbers(count: number, seed: number): Float32Array {
  const key = `${count} ${seed}`;
  const known = made.get(key) ?? new Float32Array(count).map((_, i) => Math.sin(i * 12.9898 + seed) * 3);
  made.set(key, known);
  return known;
}
const made = new Map<string, Float32Array>();

function lowered(
  { batch = 1, rows, depth, columns, isTurned, isSwapped = false }: Case,
  target: TargetDescription,
) {
  const buffer = (name: string, elements: number, access: KernelBuffer["access"]): KernelBuffer => ({
    name,
    dtype: "f32",
    elements,
    access,
    scope: "program",
  });
  const x = contiguousView([batch, rows, depth]);
  const weight = isTurned
    ? turned(contiguousView([batch, columns, depth]))
    : contiguousView([batch, depth, columns]);
  const handles = {
    x: buffer("x", batch * rows * depth, "read"),
    weight: buffer("weight", batch * depth * columns, "read"),
    out: buffer("out", batch * rows * columns, "write"),
  };
  const [left, right] = [
    { buffer: handles.x, view: x },
    { buffer: handles.weight, view: weight },
  ];
  const [a, b] = isSwapped
    ? [
        { ...right, view: turned(weight) },
        { ...left, view: turned(x) },
      ]
    : [left, right];
  const shape = isSwapped ? [batch, columns, rows] : [batch, rows, columns];
  const out = contiguousView(shape);
  const axes = { batch: shape.length - 2, depth: 1 };
  const plan = lowerContraction({
    name: "product",
    a,
    b,
    shape,
    axes,
    dtype: "f32",
    target,
    epilogue: (k, value, at) => k.store(handles.out, viewAddress(out, at), value),
  });
  for (const kernel of plan.kernels) verifyKernel(kernel);
  return { plan, handles, few: fewRowsOf(problemsOf(a, b, shape, axes), "f32", target) };
}

/** The definition: a chain of multiply-adds in rising k for each slice, their sums added in order. */
function expected(
  { batch = 1, rows, depth, columns, isTurned, isSwapped }: Case,
  x: Float32Array,
  weight: Float32Array,
  isFused: boolean,
) {
  const out = new Float32Array(batch * rows * columns);
  const { length } = slicesOf(depth);
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        let total = 0;
        for (let start = 0; start < depth; start += length) {
          let chain = 0;
          for (let k = start; k < Math.min(depth, start + length); k++) {
            const w = weight[n * depth * columns + (isTurned ? j * depth + k : k * columns + j)]!;
            const product = x[(n * rows + i) * depth + k]! * w;
            chain = Math.fround((isFused ? product : Math.fround(product)) + chain);
          }
          total = Math.fround(total + chain);
        }
        out[n * rows * columns + (isSwapped ? j * rows + i : i * columns + j)] = total;
      }
  return out;
}

type RunKernel = (kernel: Kernel, buffers: Float32Array[]) => unknown;

function run(what: Case, target: TargetDescription, runKernel: RunKernel): Float32Array {
  const { plan, handles, few } = lowered(what, target);
  expect(few, "a problem of few rows").toBeDefined();
  const { batch = 1, rows, depth, columns } = what;
  const out = new Float32Array(batch * rows * columns).fill(77);
  const memory = new Map<KernelBuffer, Float32Array>([
    [handles.x, numbers(batch * rows * depth, 1)],
    [handles.weight, numbers(batch * depth * columns, 2)],
    [handles.out, out],
  ]);
  for (const scratch of plan.scratch)
    memory.set(scratch, new Float32Array((scratch.elements as number) * target.threads).fill(NaN));
  for (const kernel of plan.kernels)
    runKernel(
      kernel,
      kernel.buffers.map((handle) => memory.get(handle)!),
    );
  return out;
}

const cases: readonly Case[] = [
  { rows: 1, depth: 131, columns: 600, isTurned: false },
  { rows: 1, depth: 300, columns: 2500, isTurned: false },
  { rows: 2, depth: 128, columns: 513, isTurned: false, isSwapped: true },
  { batch: 3, rows: 2, depth: 129, columns: 512, isTurned: false },
  { rows: 1, depth: 4100, columns: 520, isTurned: false },
  { rows: 1, depth: 64, columns: 33, isTurned: true },
  { rows: 3, depth: 37, columns: 40, isTurned: true },
  { rows: 12, depth: 33, columns: 50, isTurned: true },
  { batch: 2, rows: 5, depth: 20, columns: 32, isTurned: true, isSwapped: true },
  { rows: 2, depth: 9000, columns: 35, isTurned: true },
];
const titled = cases.map((what) => ({ what, title: JSON.stringify(what) }));

const sets = nativeDevices.length === 2 ? [avx2, avx512] : nativeDevices.length === 1 ? [avx2] : [];
const targetOf = (isa: typeof avx2): TargetDescription => ({
  ...x64Target,
  lanes: isa.vector.lanes,
  vectorRegisters: isa.vectorRegisters,
});

describe("few rows by a matrix", () => {
  test.each(titled)("$title", ({ what }) => {
    const { batch = 1, rows, depth, columns } = what;
    const [x, weight] = [numbers(batch * rows * depth, 1), numbers(batch * depth * columns, 2)];
    const fused = expected(what, x, weight, true);
    const isSmall = batch * rows * depth * columns < 200_000;
    for (const isa of sets) {
      const got = run(
        what,
        targetOf(isa),
        (kernel, buffers) => void runNativeKernel(kernel, buffers, { isa }),
      );
      expect(got, isa.name).toEqual(fused);
    }
    if (isSmall) {
      const evaluate: RunKernel = (kernel, buffers) => evaluateKernel(kernel, { buffers, fused: true });
      expect(run(what, x64Target, evaluate), "evaluated").toEqual(fused);
    }
    if (!what.isTurned)
      expect(run(what, wasmTarget, runWasmKernel), "wasm").toEqual(expected(what, x, weight, false));
  });

  test("threads share pieces of the columns, or the batch", () => {
    const threaded = { ...x64Target, threads: 4 };
    const sharedIn = (what: Case): string[] =>
      lowered(what, threaded).plan.kernels.map(({ body: [first] }) =>
        first?.kind === "loop" ? `${first.mode} ${first.index.name} ${first.extent}` : "",
      );
    expect(sharedIn({ rows: 1, depth: 1024, columns: 4100, isTurned: false })).toEqual([
      "parallel piece 4",
      "serial batch0 1",
    ]);
    expect(sharedIn({ rows: 4, depth: 1024, columns: 1024, isTurned: true })).toEqual(["parallel piece 64"]);
    expect(sharedIn({ batch: 64, rows: 1, depth: 64, columns: 1024, isTurned: true })).toEqual([
      "parallel batch0 64",
    ]);
  });

  test("what stays in the caches, has a dimension or many rows is left to tiles", () => {
    const isFew = (what: Case): boolean => lowered(what, x64Target).few !== undefined;
    expect(isFew({ rows: 1, depth: 64, columns: 512, isTurned: false })).toBe(false);
    expect(isFew({ rows: 8, depth: 128, columns: 512, isTurned: false })).toBe(false);
    expect(isFew({ rows: 13, depth: 128, columns: 512, isTurned: true })).toBe(false);
    expect(isFew({ rows: 8, depth: 1024, columns: 512, isTurned: false })).toBe(true);
  });
});
