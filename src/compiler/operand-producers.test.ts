/** Operands that are computed from fewer bytes: as contractions load them, to the bits that they have in memory. */
import { expect, test } from "vitest";
import { type DType, encode } from "../base/dtype.ts";
import type { Node } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import * as ops from "../ops/index.ts";
import type { Device } from "../runtime/device.ts";
import { createWasmDevice } from "../runtime/wasm-device.ts";
import { nativeDevices, unfusedNativeDevices } from "../testing/native-targets.ts";

interface Input {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

const x = (rows: number, depth: number): Input => ({ dtype: "f32", shape: [rows, depth] });
const transposed = (w: Node): Node => ops.permute(w, [1, 0]);
const f32 = (node: Node): Node => ops.cast(node, "f32");

/** Weights of 8 bits with a scale for each output. */
const scaled = (weight: Node, scale: Node): Node =>
  ops.mul(f32(weight), ops.broadcastTo(ops.reshape(scale, [weight.shape[0]!, 1]), weight.shape));

/** Two weights of 4 bits a byte, the lower first; 32 along the depth share a scale. */
function fourBits(packed: Node, scale: Node, [outputs, depth]: readonly [number, number]): Node {
  const shape = [outputs, depth / 32, 2, 16];
  const bytes = ops.broadcastTo(ops.reshape(packed, [outputs, depth / 32, 1, 16]), shape);
  const shifts = ops.broadcastTo(
    ops.reshape(ops.array({ dtype: "u8", shape: [2], data: new Uint8Array([0, 4]) }), [1, 1, 2, 1]),
    shape,
  );
  const nibbles = ops.and(ops.shiftRight(bytes, shifts), ops.like(bytes, 15));
  const scales = ops.broadcastTo(ops.reshape(scale, [outputs, depth / 32, 1, 1]), shape);
  return ops.reshape(ops.mul(ops.sub(f32(nibbles), ops.like(scales, 8)), scales), [outputs, depth]);
}

const spread = (node: Node, shape: readonly number[]): Node =>
  ops.broadcastTo(ops.reshape(node, [...node.shape.slice(0, 2), 1, node.shape[2]!]), shape);
const constant = (dtype: DType, values: readonly number[], shape: readonly number[]): Node =>
  ops.broadcastTo(
    ops.reshape(ops.array({ dtype, shape: [2], data: encode(dtype, values) }), [1, 1, 2, 1]),
    shape,
  );
const partOf = (node: Node, start: number, length: number): Node => ops.sliceAxis(node, 2, start, length);

/** A scale, a minimum, 32 numbers two a byte. */
function blocksOfFour(bytes: Node, halves: Node): Node {
  const shape = [bytes.shape[0]!, bytes.shape[1]!, 2, 16] as number[];
  const bits = ops.and(
    ops.cast(spread(partOf(bytes, 4, 16), shape), "i32"),
    constant("i32", [15, 240], shape),
  );
  const [scale, least] = [0, 1].map((place) => f32(spread(partOf(halves, place, 1), shape)));
  const steps = ops.mul(scale!, constant("f32", [1, 1 / 16], shape));
  return ops.reshape(ops.add(ops.mul(f32(bits), steps), least!), [shape[0]!, shape[1]! * 32]);
}

/** A scale and 32 numbers. */
function blocksOfEight(bytes: Node, halves: Node): Node {
  const shape = [bytes.shape[0]!, bytes.shape[1]!, 1, 32] as number[];
  const numbers = f32(spread(partOf(bytes, 2, 32), shape));
  const scaled = ops.mul(numbers, f32(spread(partOf(halves, 0, 1), shape)));
  return ops.reshape(scaled, [shape[0]!, shape[1]! * 32]);
}

/** (panels, blocks, bytes, rows of a panel), and scales and minima in the same order. */
function panels(bytes: Node, halves: Node): Node {
  const [count, blocks, each, rows] = bytes.shape as [number, number, number, number];
  const perByte = bytes.dtype === "i8" ? 1 : 2;
  const shape = [count, blocks, each, perByte, rows];
  const over = (node: Node): Node =>
    ops.broadcastTo(ops.reshape(node, [...node.shape.slice(0, 3), 1, rows]), shape);
  const scaleAt = (place: number): Node => f32(over(ops.sliceAxis(halves, 2, place, 1)));
  const own = (dtype: DType, values: readonly number[]): Node =>
    ops.broadcastTo(
      ops.reshape(ops.array({ dtype, shape: [2], data: encode(dtype, values) }), [1, 1, 1, 2, 1]),
      shape,
    );
  const values =
    perByte === 1
      ? ops.mul(f32(over(bytes)), scaleAt(0))
      : ops.add(
          ops.mul(
            f32(ops.and(ops.cast(over(bytes), "i32"), own("i32", [15, 240]))),
            ops.mul(scaleAt(0), own("f32", [1, 1 / 16])),
          ),
          scaleAt(1),
        );
  return ops.reshape(ops.permute(values, [0, 4, 1, 2, 3]), [count * rows, blocks * each * perByte]);
}

interface Case {
  readonly title: string;
  readonly inputs: readonly Input[];
  readonly product: (...inputs: readonly Node[]) => Node;
}

const cases: readonly Case[] = [
  ...[1, 3, 20].map((rows) => ({
    title: `${rows} rows by weights of 8 bits, a scale for each output`,
    inputs: [x(rows, 96), { dtype: "i8" as const, shape: [70, 96] }, { dtype: "f32" as const, shape: [70] }],
    product: (a: Node, w: Node, scale: Node) => ops.dot(a, transposed(scaled(w, scale))),
  })),
  ...[1, 20].map((rows) => ({
    title: `${rows} rows by weights of 4 bits, a scale for each 32`,
    inputs: [
      x(rows, 96),
      { dtype: "u8" as const, shape: [40, 48] },
      { dtype: "f32" as const, shape: [40, 3] },
    ],
    product: (a: Node, w: Node, scale: Node) => ops.dot(a, transposed(fourBits(w, scale, [40, 96]))),
  })),
  // Widths that are no multiple of what is under way at once.
  ...[1, 3, 20].map((rows) => ({
    title: `${rows} rows by blocks of 4 bits with their scales and minima among them`,
    inputs: [
      x(rows, 96),
      { dtype: "u8" as const, shape: [45, 3, 20] },
      { dtype: "f16" as const, shape: [45, 3, 10] },
    ],
    product: (a: Node, w: Node, halves: Node) => ops.dot(a, transposed(blocksOfFour(w, halves))),
  })),
  ...[1, 20].map((rows) => ({
    title: `${rows} rows by blocks of 8 bits with their scales among them`,
    inputs: [
      x(rows, 64),
      { dtype: "i8" as const, shape: [45, 2, 34] },
      { dtype: "f16" as const, shape: [45, 2, 17] },
    ],
    product: (a: Node, w: Node, halves: Node) => ops.dot(a, transposed(blocksOfEight(w, halves))),
  })),
  ...[
    [1, 3, 48],
    [1, 2, 64],
    [5, 3, 16],
    [9, 1, 64],
    [20, 2, 32],
    [40, 3, 48],
  ].flatMap(([rows = 1, count = 1, size = 16]) =>
    (["u8", "i8"] as const).map((dtype) => ({
      title: `${rows} rows by ${count} panels of ${size} columns, ${dtype}`,
      inputs: [
        x(rows, 96),
        { dtype, shape: [count, 3, dtype === "u8" ? 16 : 32, size] },
        { dtype: "f16" as const, shape: [count, 3, 2, size] },
      ],
      product: (a: Node, w: Node, halves: Node) => ops.dot(a, transposed(panels(w, halves))),
    })),
  ),
  {
    title: "a row by 4-bit weights whose depth is cut alike",
    inputs: [x(1, 8192), { dtype: "u8", shape: [20, 4096] }, { dtype: "f32", shape: [20, 256] }],
    product: (a, w, scale) => ops.dot(a!, transposed(fourBits(w!, scale!, [20, 8192]))),
  },
  {
    title: "a vector by bf16 columns that lie side by side",
    inputs: [x(1, 300), { dtype: "bf16", shape: [300, 1024] }],
    product: (a, w) => ops.dot(a!, f32(w!)),
  },
  ...[1, 20].map((rows) => ({
    title: `${rows} rows of 8 bits by weights of 8 bits, summed in 32`,
    inputs: [
      { dtype: "u8" as const, shape: [rows, 75] },
      { dtype: "i8" as const, shape: [50, 75] },
    ],
    product: (a: Node, w: Node) => ops.dot(ops.cast(a, "i32"), transposed(ops.cast(w, "i32"))),
  })),
  {
    title: "pixels, scaled and shifted, by a weight",
    inputs: [
      { dtype: "u8", shape: [33, 50] },
      { dtype: "f32", shape: [50, 21] },
    ],
    product: (pixels, w) => {
      const scaled = ops.mul(f32(pixels!), ops.full([33, 50], 1 / 255, "f32"));
      return ops.dot(ops.sub(scaled, ops.like(scaled, 0.5)), w!);
    },
  },
  {
    title: "batches, both sides of bf16",
    inputs: [
      { dtype: "bf16", shape: [3, 9, 40] },
      { dtype: "bf16", shape: [3, 40, 17] },
    ],
    product: (a, b) => ops.dot(f32(a!), f32(b!)),
  },
];

function compiled(device: Device, { inputs, product }: Case) {
  const fn = withTrace(new Trace("compiled"), () => {
    const parameters = inputs.map((input) => ops.parameter(input));
    return { name: "product", parameters, results: [product(...parameters)], assignments: [] };
  });
  const executable = device.compile(fn);
  const [result] = executable.run(inputs.map(arrayOf));
  const data = Array.from(result!.readSync() as Float32Array);
  const { kernels } = executable.describe();
  result!.release();
  executable.dispose();
  return { data, kernels: kernels.map(({ name }) => name) };
}

/** Integers of all bits; floats whose sums round. */
function arrayOf({ dtype, shape }: Input, seed: number) {
  const count = shape.reduce((n, size) => n * size, 1);
  const floats = Float64Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + seed) * 3);
  const data = encode(dtype, dtype === "i8" || dtype === "u8" ? floats.map((v) => (v * 1e4) & 0x7f) : floats);
  return { dtype, shape, data };
}

const pairs = [
  ...nativeDevices.map((device) => ({ device, unfused: unfusedNativeDevices()[0]! })),
  { device: createWasmDevice(), unfused: createWasmDevice({ isFused: false }) },
];

test.each(cases)("$title", (what) => {
  for (const { device, unfused } of pairs) {
    const { data, kernels } = compiled(device, what);
    expect(data, device.name).toEqual(compiled(unfused, what).data);
    expect(
      kernels.filter((name) => !name.startsWith("dot")),
      "kernels that are no part of the product",
    ).toEqual([]);
  }
});

test("what others read, or what is no fewer bytes, stays in memory", () => {
  const device = createWasmDevice();
  const weight: Input = { dtype: "i8", shape: [48, 40] };
  const kernelsOf = (product: Case["product"], inputs: readonly Input[]): number =>
    compiled(device, { title: "", inputs, product }).kernels.filter((name) => !name.startsWith("dot")).length;
  expect(kernelsOf((a, b) => ops.dot(ops.exp(a!), b!), [x(9, 48), { dtype: "f32", shape: [48, 40] }])).toBe(
    1,
  );
  const twice = (a: Node | undefined, w: Node | undefined): Node => {
    const f = f32(w!);
    return ops.dot(ops.dot(a!, f), transposed(f));
  };
  expect(kernelsOf(twice, [x(9, 48), weight])).toBe(1);
  // 11,008 as one axis is cut into 3,670, in blocks of 32 into 3,680: another order of the sum.
  const [rows, depth] = [2, 11_008];
  expect(
    kernelsOf(
      (a, w, scale) => ops.dot(a!, transposed(fourBits(w!, scale!, [rows, depth]))),
      [x(1, depth), { dtype: "u8", shape: [rows, depth / 2] }, { dtype: "f32", shape: [rows, depth / 32] }],
    ),
  ).toBe(1);
});
