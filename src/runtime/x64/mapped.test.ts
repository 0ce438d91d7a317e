/** Values and states that lie in a mapped file: used in place, copied before the first assignment, never written. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, describe, expect, it } from "vitest";
import { mapFile } from "#platform";
import type { DType } from "../../base/dtype.ts";
import { MappedArray } from "../../base/mapped-array.ts";
import type { Node } from "../../graph/node.ts";
import { State } from "../../graph/state.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import { add, cast, check, dot, greater, like, mul, parameter, readState, sum } from "../../ops/index.ts";
import type { Device, Storage } from "../device.ts";
import { InterpreterDevice } from "../interpreter-device.ts";
import { createWasmDevice } from "../wasm-device.ts";
import { createNativeDevice } from "../x64-device.ts";
import { doctor } from "./doctor.ts";

const { isa, reasons } = doctor();
const folder = mkdtempSync(join(tmpdir(), "netwright-mapped-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
/** A file of some bytes and then elements: as often as not at no multiple of their size. */
function mappedOf(data: Float32Array | Uint16Array | Int8Array, dtype: DType, shape: number[], before = 3) {
  const path = join(folder, `${files++}.bin`);
  writeFileSync(
    path,
    Buffer.concat([Buffer.alloc(before, 255), Buffer.from(data.buffer, data.byteOffset, data.byteLength)]),
  );
  const file = mapFile(path);
  if ("reason" in file) throw new Error(file.reason);
  return { path, array: new MappedArray(file, before, { dtype, shape }) };
}
const numbers = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => (i % 251) - 100);

const traced = (parts: Parameters<typeof withTrace<any>>[1]) =>
  withTrace(new Trace("compiled"), () => ({ name: "test", parameters: [], assignments: [], ...parts() }));

const makers: Record<string, () => Device> = {
  interpreter: () => new InterpreterDevice(),
  wasm: () => createWasmDevice({ threads: 1 }),
  ...(isa !== undefined && { avx2: () => createNativeDevice({ isa: "avx2" }) }),
  ...(isa === "avx512" && { avx512: () => createNativeDevice({ isa: "avx512" }) }),
  ...(isa !== undefined && { "another thread": () => createNativeDevice({ backgroundMs: 0, threads: 2 }) }),
};

describe.skipIf(isa === undefined)(`mapped files${isa ? "" : ` (${reasons.join("; ")})`}`, () => {
  describe.each(Object.keys(makers))("%s", (name) => {
    it.each([
      ["f32", 37, 53, numbers(37 * 53), 3],
      ["bf16", 37, 53, Uint16Array.from({ length: 37 * 53 }, (_, i) => 0x3f80 + (i % 100)), 1],
      // A page to the byte: what is behind cannot be read.
      ["f16", 64, 32, Uint16Array.from({ length: 64 * 32 }, (_, i) => 0x3c00 + (i % 100)), 0],
      ["i8", 37, 53, Int8Array.from({ length: 37 * 53 }, (_, i) => i), 0],
    ] as const)(
      "a value of %s at any position, up to the end of its file",
      async (dtype, rows, columns, data, before) => {
        const device = makers[name]!();
        const shape = [rows, columns];
        const { array } = mappedOf(data, dtype, shape, before);
        const fn = traced(() => {
          const x = parameter({ shape, dtype });
          const y = parameter({ shape: [columns, 5], dtype: "f32" });
          return { parameters: [x, y], results: [dot(cast(x, "f32"), y), sum(cast(x, "f32"), 0)] };
        });
        const executable = device.compile(fn);
        const y = { dtype: "f32" as const, shape: [columns, 5], data: numbers(5 * columns) };
        const storage = device.map(array);
        const got = await Promise.all(executable.run([storage, y]).map((result) => result.read()));
        const want = executable.run([{ dtype, shape, data }, y]).map((result) => result.readSync());
        expect(got).toEqual(want);
        expect(storage.readSync()).toEqual(data);
        storage.release();
        expect(() => storage.readSync()).toThrow("released");
      },
    );

    it("a state is copied by the first assignment, and every program sees the same", async () => {
      const device = makers[name]!();
      const { path, array } = mappedOf(numbers(1000), "f32", [1000]);
      const bytes = readFileSync(path);
      const state = new State("weights", { shape: [1000], dtype: "f32" }, new Float32Array(1000).fill(7));
      const total = device.compile(traced(() => ({ results: [sum(readState(state), 0)] })));
      const doubled = device.compile(
        traced(() => {
          const limit = parameter({ shape: [1000], dtype: "f32" });
          const value = readState(state);
          const next = check(mul(value, like(value, 2)), greater(limit, value), "too large");
          return { parameters: [limit], results: [], assignments: [[state, next]] };
        }),
      );
      const run = async (): Promise<number> => (await total.run([])[0]!.read())[0]!;
      expect(await run()).toBe(7000);
      device.mapState(state, array);
      const sumOf = numbers(1000).reduce((a, b) => a + b);
      expect(await run()).toBe(sumOf);
      expect(device.readState(state)).toEqual(numbers(1000));
      const limit = (value: number) => ({
        dtype: "f32" as const,
        shape: [1000],
        data: new Float32Array(1000).fill(value),
      });
      const failed = doubled.run([limit(0)]);
      expect(failed).toEqual([]);
      await new Promise((resolve) => setTimeout(resolve, 10));
      await expect(run()).rejects.toThrow("too large");
      expect(await run()).toBe(sumOf);
      doubled.run([limit(1000)]);
      expect(await run()).toBe(2 * sumOf);
      doubled.run([limit(1000)]);
      expect(await run()).toBe(4 * sumOf);
      device.mapState(state, array);
      expect(await run()).toBe(sumOf);
      device.writeState(state, new Float32Array(1000).fill(1));
      expect(await run()).toBe(1000);
      expect(readFileSync(path).equals(bytes)).toBe(true);
    });

    it("a state may begin in a file", () => {
      const device = makers[name]!();
      const { array } = mappedOf(numbers(10), "f32", [10]);
      const state = new State("weights", { shape: [10], dtype: "f32" }, array);
      expect(device.readState(state)).toEqual(numbers(10));
      const next = new State("weights", { shape: [10], dtype: "f32" }, array);
      device.writeState(next, new Float32Array(10));
      expect(device.readState(next)).toEqual(new Float32Array(10));
    });
  });

  it("are not copied: the device's memory does not grow by them", () => {
    const device = createNativeDevice();
    expect(device.readsMappedFiles).toBe(true);
    const { array } = mappedOf(numbers(500_000), "f32", [500_000]);
    const state = new State("weights", { shape: [500_000], dtype: "f32" }, array);
    const fn = traced(() => {
      const x = parameter({ shape: [500_000], dtype: "f32" });
      return { parameters: [x], results: [sum(add(x, readState(state)), 0)] };
    });
    const executable = device.compile(fn);
    const [got] = executable.run([device.map(array)])[0]!.readSync();
    expect(got).toBe(2 * numbers(500_000).reduce((a, b) => a + b));
    expect(device.memory().peakBytes).toBeLessThan(500_000);
  });

  it("stay while a program reads them, whoever has let go of them", async () => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    const device = createNativeDevice({ backgroundMs: 0 });
    const size = 1024;
    const fn = traced(() => {
      const [x, y] = [0, 1].map(() => parameter({ shape: [size, size], dtype: "f32" })) as [Node, Node];
      return { parameters: [x, y], results: [sum(dot(x, dot(x, dot(x, y))), 0)] };
    });
    const executable = device.compile(fn);
    const data = numbers(size * size).map((x) => x / 1e4);
    const host = { dtype: "f32" as const, shape: [size, size], data };
    const want = executable.run([host, host])[0]!.readSync();
    const begin = (): { result: Storage; path: string } => {
      const { path, array } = mappedOf(data, "f32", [size, size]);
      const storage = device.map(array);
      const [result] = executable.run([storage, storage]);
      storage.release();
      return { result: result!, path };
    };
    const { result, path } = begin();
    const isMapped = (): boolean => readFileSync("/proc/self/maps", "utf8").includes(path);
    let looks = 0;
    for (; looks < 200 && result.isPending; looks++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (result.isPending) expect(isMapped()).toBe(true);
    }
    expect(looks).toBeGreaterThan(0);
    expect(await result.read()).toEqual(want);
    for (let i = 0; i < 100 && isMapped(); i++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    // The result is still held, and does not hold what it was made of.
    expect({ isMapped: isMapped(), error: result.error }).toEqual({ isMapped: false, error: undefined });
  });

  it("give back the memory of a state that moves to a file, and take it again", () => {
    const device = createNativeDevice();
    const { array } = mappedOf(numbers(100_000), "f32", [100_000]);
    const state = new State("weights", { shape: [100_000], dtype: "f32" }, numbers(100_000));
    device.readState(state);
    const { usedBytes } = device.memory();
    for (let i = 0; i < 3; i++) {
      device.mapState(state, array);
      expect(device.memory().usedBytes).toBeLessThan(usedBytes - 390_000);
      device.writeState(state, numbers(100_000));
      expect(device.memory().usedBytes).toBe(usedBytes);
    }
  });
});
