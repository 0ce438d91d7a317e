/** Convolutions and their gradients as programs: the same bits however they run, and no windows in memory. */
import { describe, expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import type { GraphFunction } from "../../graph/function.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import type { Device } from "../../runtime/device.ts";
import { createWasmDevice } from "../../runtime/wasm-device.ts";
import { createNativeDevice } from "../../runtime/x64-device.ts";
import { nativeDevices } from "../../testing/native-targets.ts";
import { reshape } from "../broadcast.ts";
import { contract, dot } from "../dot.ts";
import { mul, sum } from "../index.ts";
import { permute } from "../permute.ts";
import { parameter } from "../sources.ts";
import { windows } from "../windows.ts";
import { type ConvolutionGeometry, convolution } from "./convolution.ts";

const numbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + seed) * 3);
const countOf = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

interface Layer {
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly geometry: ConvolutionGeometry;
}

const plain = {
  strides: [1, 1],
  dilations: [1, 1],
  padding: [
    [0, 0],
    [0, 0],
  ],
  groups: 1,
} as const;

const traced = (build: () => Omit<GraphFunction, "name" | "assignments">): GraphFunction =>
  withTrace(new Trace("compiled"), () => ({ name: "layer", assignments: [], ...build() }));

/** A layer, and its gradients for the cotangent 2·y. */
const trainingOf = ({ x, weight, geometry }: Layer): GraphFunction =>
  traced(() => {
    const inputs = [x, weight].map((shape) => parameter({ shape, dtype: "f32" }));
    const y = convolution(inputs[0]!, inputs[1]!, geometry);
    return { parameters: inputs, results: [y, ...gradients(sum(mul(y, y)), inputs)] };
  });

function run(device: Device, fn: GraphFunction): Float32Array[] {
  const executable = device.compile(fn);
  const results = executable.run(
    fn.parameters.map(({ shape }, i) => {
      const sizes = shape as readonly number[];
      return { dtype: "f32", shape: sizes, data: numbers(countOf(sizes), i) };
    }),
  );
  const data = results.map((result) => (result.readSync() as Float32Array).slice());
  for (const result of results) result.release();
  executable.dispose();
  return data;
}

const threaded = (threads: number): Device =>
  createNativeDevice({ threads, backgroundMs: Number.POSITIVE_INFINITY, keepsSubnormals: true });

const layers: readonly Layer[] = [
  { x: [8, 16, 14, 13], weight: [32, 16, 3, 3], geometry: plain },
  {
    x: [5, 24, 15, 15],
    weight: [40, 24, 3, 3],
    geometry: {
      ...plain,
      strides: [2, 2],
      padding: [
        [1, 1],
        [1, 1],
      ],
    },
  },
  {
    x: [16, 64, 4, 4],
    weight: [64, 64, 3, 3],
    geometry: {
      ...plain,
      padding: [
        [1, 1],
        [1, 1],
      ],
    },
  },
  { x: [3, 8, 40, 40], weight: [8, 1, 3, 3], geometry: { ...plain, groups: 8 } },
  { x: [6, 12, 30, 30], weight: [12, 6, 3, 3], geometry: { ...plain, groups: 2, dilations: [2, 2] } },
];

describe.skipIf(nativeDevices.length === 0)("machine code", () => {
  test.each(layers)(
    "$x.1 → $weight.0 channels: the same bits on any number of threads and any vectors",
    (layer) => {
      const fn = trainingOf(layer);
      const want = run(threaded(1), fn);
      for (const threads of [2, 3]) expect(run(threaded(threads), fn), `${threads} threads`).toEqual(want);
      for (const device of nativeDevices) expect(run(device, fn), device.name).toEqual(want);
    },
  );
});

test("a convolution has the bits of a product with its windows copied out", () => {
  const [[N, C, H, W], [O, , k]] = [
    [3, 20, 9, 8],
    [17, 20, 3],
  ] as const;
  const fn = traced(() => {
    const image = parameter({ shape: [N, H, W, C], dtype: "f32" });
    const weight = parameter({ shape: [O, C, k, k], dtype: "f32" });
    const seen = permute(windows(image, { axes: [1, 2], sizes: [k, k] }), [0, 1, 2, 4, 5, 3]);
    const factors = permute(weight, [2, 3, 1, 0]);
    const direct = contract(seen, factors, { batch: 0, depth: 3 });
    const [rows, depth] = [N * (H - k + 1) * (W - k + 1), k * k * C];
    const copied = dot(reshape(seen, [rows, depth]), reshape(factors, [depth, O]));
    return { parameters: [image, weight], results: [direct, copied] };
  });
  for (const device of [createWasmDevice(), ...nativeDevices]) {
    const [direct, copied] = run(device, fn);
    expect(direct, device.name).toEqual(copied);
  }
});

describe("memory", () => {
  const device = nativeDevices[0] ?? createWasmDevice();
  const arenaOf = (fn: GraphFunction): { arena: number; kernels: readonly string[] } => {
    const executable = device.compile(fn);
    const { arenaBytes, kernels } = executable.describe();
    executable.dispose();
    return { arena: arenaBytes, kernels: kernels.map(({ name }) => name) };
  };

  test.each([
    {
      x: [4, 32, 32, 32],
      weight: [32, 32, 5, 5],
      geometry: {
        ...plain,
        padding: [
          [2, 2],
          [2, 2],
        ],
      },
    },
    { x: [4, 32, 33, 33], weight: [32, 32, 5, 5], geometry: { ...plain, strides: [2, 2] } },
  ] as const)("a training step of $weight by stride $geometry.strides spreads no windows", (layer) => {
    const { arena, kernels } = arenaOf(trainingOf(layer));
    const [N, C, , size] = layer.x;
    const places = Math.floor((size + 2 * layer.geometry.padding[0][0] - 5) / layer.geometry.strides[0]) + 1;
    expect(arena).toBeLessThan(4 * N * C * places ** 2 * 25);
    expect(kernels.filter((name) => /foldWindows/.test(name))).toEqual([]);
  });

  test("what follows elementwise is part of the product's kernel", () => {
    const { kernels } = arenaOf(
      traced(() => {
        const x = parameter({ shape: [2, 8, 8, 8], dtype: "f32" });
        const weight = parameter({ shape: [8, 8, 3, 3], dtype: "f32" });
        const bias = parameter({ shape: [8], dtype: "f32" });
        const y = convolution(x, weight, plain, bias);
        return { parameters: [x, weight, bias], results: [permute(mul(y, y), [0, 2, 3, 1])] };
      }),
    );
    expect(kernels).toEqual([expect.stringMatching(/^dot .* \+ add,mul$/)]);
  });
});
