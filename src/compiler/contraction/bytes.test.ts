/** Products of bytes summed in 32 bits are exact on every target, whatever the signs, the layout, and who reads what. */
import { describe, expect, it } from "vitest";
import { arrayTypeOf, type DType } from "../../base/dtype.ts";
import type { HostArray } from "../../base/host-array.ts";
import type { Node } from "../../graph/node.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import { wasmTarget, x64Target } from "../../ir/target.ts";
import { add, cast, dot, parameter, permute, slice } from "../../ops/index.ts";
import type { Device } from "../../runtime/device.ts";
import { InterpreterDevice } from "../../runtime/interpreter-device.ts";
import { createWasmDevice } from "../../runtime/wasm-device.ts";
import { createNativeDevice } from "../../runtime/x64-device.ts";
import { nativeDevices } from "../../testing/native-targets.ts";
import { compileProgram } from "../compile.ts";

const devices: readonly Device[] = [
  createWasmDevice({ threads: 1 }),
  ...nativeDevices,
  ...(nativeDevices.length > 1 ? [createNativeDevice({ isa: "avx512", byteProducts: false })] : []),
  ...(nativeDevices.length > 0 ? [createNativeDevice({ threads: 3 })] : []),
];

type Byte = "i8" | "u8";
interface Case {
  readonly a: Byte;
  readonly b: Byte;
  readonly form: "nn" | "tn" | "nt" | "tt";
  readonly shape: readonly [batch: number, rows: number, depth: number, columns: number];
  /** Operands are cast to i32, or the product is one of bytes that wraps. */
  readonly result?: "i32" | "bytes";
}

const turned = (x: Node): Node => permute(x, [0, 2, 1]);

function traced({ a, b, form, shape: [batch, rows, depth, columns], result = "i32" }: Case) {
  return withTrace(new Trace("compiled"), () => {
    const x = parameter({ shape: form[0] === "t" ? [batch, depth, rows] : [batch, rows, depth], dtype: a });
    const y = parameter({
      shape: form[1] === "t" ? [batch, columns, depth] : [batch, depth, columns],
      dtype: b,
    });
    const wide = (v: Node): Node => (result === "i32" ? cast(v, "i32") : v);
    const [left, right] = [wide(x), wide(y)];
    const product = dot(form[0] === "t" ? turned(left) : left, form[1] === "t" ? turned(right) : right);
    return { name: "bytes", parameters: [x, y], results: [product], assignments: [] };
  });
}

/** Extremes among them. */
function bytes(dtype: Byte, shape: readonly number[], seed: number): HostArray {
  const data = new (arrayTypeOf(dtype as DType))(shape.reduce((n, size) => n * size, 1));
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state % 5 === 0 ? (dtype === "i8" ? -128 : 255) : state % 7 === 0 ? 127 : state >>> 24;
  }
  return { dtype, shape: [...shape], data };
}

function check(example: Case): void {
  const fn = traced(example);
  const inputs = fn.parameters.map(({ shape, dtype }, i) => bytes(dtype as Byte, shape as number[], i + 1));
  const run = (device: Device) => {
    const executable = device.compile(fn);
    const data = executable.run(inputs)[0]!.readSync();
    executable.dispose();
    return data;
  };
  const want = run(new InterpreterDevice());
  for (const device of devices)
    expect(differing(run(device), want), `${JSON.stringify(example)} on ${device.name}`).toEqual([]);
}

/** Where they differ first. */
function differing(got: ArrayLike<number>, want: ArrayLike<number>): number[] {
  for (let i = 0; i < want.length; i++) if (got[i] !== want[i]) return [i, got[i]!, want[i]!];
  return [];
}

const pairs = [
  ["i8", "i8"],
  ["u8", "i8"],
  ["i8", "u8"],
  ["u8", "u8"],
] as const;

describe("products of bytes", () => {
  it.each(pairs)("are exact: %s by %s", (a, b) => {
    check({ a, b, form: "nn", shape: [1, 21, 28, 37] });
    check({ a, b, form: "nt", shape: [1, 18, 32, 19] });
    check({ a, b, form: "tn", shape: [1, 3, 20, 35] });
    check({ a, b, form: "nt", shape: [2, 19, 12, 17] });
  });

  it("are exact whatever is stored transposed, for few rows, and where four do not divide the depth", () => {
    check({ a: "i8", b: "i8", form: "tt", shape: [1, 20, 24, 33] });
    check({ a: "u8", b: "i8", form: "tn", shape: [1, 20, 24, 33] });
    check({ a: "i8", b: "u8", form: "nt", shape: [1, 2, 64, 300] });
    check({ a: "i8", b: "i8", form: "nn", shape: [1, 1, 512, 600] });
    check({ a: "u8", b: "u8", form: "nn", shape: [1, 20, 30, 20] });
  });

  it("are exact where they wrap, in 32 bits and in eight", () => {
    check({ a: "i8", b: "i8", form: "nn", shape: [1, 20, 32, 18], result: "bytes" });
    check({ a: "u8", b: "u8", form: "nt", shape: [1, 20, 32, 18], result: "bytes" });
    const depth = 40_000;
    const fn = traced({ a: "u8", b: "u8", form: "nt", shape: [1, 17, depth, 18] });
    const inputs = fn.parameters.map(({ shape }) => {
      const sizes = shape as number[];
      return { dtype: "u8" as const, shape: sizes, data: new Uint8Array(sizes[1]! * depth).fill(255) };
    });
    const want = new Int32Array(17 * 18).fill((255 * 255 * depth) | 0);
    for (const device of devices) {
      const got = device.compile(fn).run(inputs)[0]!.readSync();
      expect(differing(got, want), device.name).toEqual([]);
    }
  });

  it("are shared by threads", () => {
    const [rows, depth, columns] = [200, 260, 190];
    for (const form of ["nn", "nt"] as const) {
      const fn = traced({ a: "i8", b: "i8", form, shape: [1, rows, depth, columns] });
      const inputs = fn.parameters.map(({ shape }, i) => bytes("i8", shape as number[], i + 1));
      const [x, y] = inputs.map(({ data }) => data) as [Int8Array, Int8Array];
      const want = Int32Array.from({ length: rows * columns }, (_, place) => {
        const [row, column] = [Math.floor(place / columns), place % columns];
        let sum = 0;
        for (let k = 0; k < depth; k++)
          sum += x[row * depth + k]! * y[form === "nt" ? column * depth + k : k * columns + column]!;
        return sum;
      });
      const got = devices.at(-1)!.compile(fn).run(inputs)[0]!.readSync();
      expect(differing(got, want), form).toEqual([]);
    }
  });

  it("read bytes where four of them follow each other, from any place", () => {
    const fn = withTrace(new Trace("compiled"), () => {
      const x = parameter({ shape: [24, 72], dtype: "i8" });
      const y = parameter({ shape: [20, 72], dtype: "i8" });
      const part = (v: Node, from: number): Node =>
        cast(slice(v, { start: [0, from], shape: [v.shape[0]!, 64] }), "i32");
      const product = (from: number): Node => dot(part(x, from), permute(part(y, from), [1, 0]));
      return { name: "parts", parameters: [x, y], results: [add(product(4), product(3))], assignments: [] };
    });
    const inputs = [bytes("i8", [24, 72], 1), bytes("i8", [20, 72], 2)];
    const want = new InterpreterDevice().compile(fn).run(inputs)[0]!.readSync();
    for (const device of devices)
      expect(device.compile(fn).run(inputs)[0]!.readSync(), device.name).toEqual(want);
  });

  it("take four bytes at a time where the processor multiplies bytes, else two", () => {
    const kindsOf = (target: typeof x64Target, example: Case): string[] => {
      const { compute } = compileProgram(traced(example), { target });
      const text = JSON.stringify(compute, (key, value: unknown) => (key === "name" ? undefined : value));
      return ['"parts":4', '"parts":2', '"mulAdd"'].filter((part) => text.includes(part));
    };
    const square: Case = { a: "i8", b: "i8", form: "nt", shape: [1, 32, 64, 32] };
    expect(kindsOf({ ...x64Target, hasByteProducts: true }, square)).toEqual(['"parts":4']);
    expect(kindsOf(x64Target, square)).toEqual(['"parts":2']);
    expect(kindsOf(wasmTarget, square)).toEqual(['"parts":2']);
    expect(kindsOf({ ...x64Target, hasByteProducts: true }, { ...square, shape: [1, 8, 64, 32] })).toEqual([
      '"parts":2',
    ]);
    expect(kindsOf(x64Target, { ...square, shape: [1, 32, 63, 32] })).toEqual(['"mulAdd"']);
  });
});
