/** Programs that were kept do what compiling anew would do; a file that is not right is as if it were not there. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { dimension } from "../../base/size.ts";
import type { GraphFunction } from "../../graph/function.ts";
import type { Node } from "../../graph/node.ts";
import { State } from "../../graph/state.ts";
import { structureOf } from "../../graph/structure.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import {
  add,
  array,
  check,
  dot,
  exp,
  gather,
  greater,
  like,
  mul,
  parameter,
  readState,
  scan,
  sum,
} from "../../ops/index.ts";
import type { Device } from "../device.ts";
import { doctor } from "../x64/doctor.ts";
import { createNativeDevice, type NativeDeviceOptions } from "../x64-device.ts";
import { type ProgramCache, programCache, setProgramCache } from "./cache.ts";
import { checksum } from "./checksum.ts";
import { decodeProgram, encodeProgram } from "./program-file.ts";

const { isa, reasons } = doctor();
const root = mkdtempSync(join(tmpdir(), "netwright-cache-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folder = "";
let tests = 0;
beforeEach(() => {
  folder = join(root, String(tests++));
  setProgramCache(folder);
});
afterEach(() => setProgramCache(false));
const files = (): string[] => readdirSync(folder).sort();
const pathOf = (name: string): string => join(folder, name);

const traced = (parts: () => Partial<GraphFunction>): GraphFunction =>
  withTrace(new Trace("compiled"), () => ({
    ...{ name: "train", parameters: [], results: [], assignments: [] },
    ...parts(),
  }));

/** States, a constant, a dimension, a loop, an index and a condition that are checked, arrays worth threads. */
function step() {
  const time = dimension("time", { max: 64 });
  const [weight, total] = [
    new State(
      "weight",
      { shape: [8, 300], dtype: "f32" },
      new Float32Array(2400).map((_, i) => (i % 7) - 3),
    ),
    new State("total", { shape: [300], dtype: "f32" }, new Float32Array(300)),
  ];
  const fn = traced(() => {
    const x = parameter({ shape: [time, 8], dtype: "f32" });
    const id = parameter({ shape: [2], dtype: "i32" });
    const products = exp(mul(dot(x, readState(weight)), like(dot(x, readState(weight)), 0.01)));
    const rows = check(
      sum(products, 0),
      greater(sum(products, 0), like(sum(products, 0), 0)),
      "sums must be positive",
    );
    const next = add(readState(total), rows);
    const scales = array({ dtype: "f32", shape: [300], data: new Float32Array(300).map((_, i) => i) });
    const { carry } = scan([mul(next, scales)], [products], ([sofar], [row]) => ({
      carry: [add(sofar!, row!)],
    }));
    const results: Node[] = [gather(products, id, 0), carry[0]!];
    return { parameters: [x, id], results, assignments: [[total, next]] };
  });
  return { fn, total };
}

const inputs = (rows: number, ids = [0, 1], fill = 0.5) => [
  {
    dtype: "f32" as const,
    shape: [rows, 8],
    data: new Float32Array(rows * 8).map((_, i) => fill * ((i % 5) - 2)),
  },
  { dtype: "i32" as const, shape: [2], data: Int32Array.from(ids) },
];

/** What two runs of the step give and leave, on a device of its own. */
function outcome(options: NativeDeviceOptions = {}): unknown {
  const device = createNativeDevice(options);
  const { fn, total } = step();
  const executable = device.compile(fn);
  const runs = [33, 64].map((rows) => executable.run(inputs(rows)).map((result) => result.readSync()));
  return { runs, total: device.readState(total), description: executable.describe() };
}

const failure = (device: Device, rows: number, ids: number[], fill?: number): string => {
  try {
    device
      .compile(step().fn)
      .run(inputs(rows, ids, fill))[0]!
      .readSync();
    return "none";
  } catch (error) {
    return (error as Error).message;
  }
};

describe.skipIf(isa === undefined)(`programs kept on disk${isa ? "" : ` (${reasons.join("; ")})`}`, () => {
  it("do the same, bit for bit, and are described alike", () => {
    setProgramCache(false);
    const want = outcome();
    setProgramCache(folder);
    expect(outcome()).toEqual(want);
    const kept = files();
    expect(kept).toHaveLength(1);
    expect(outcome()).toEqual(want);
    expect(files()).toEqual(kept);
  });

  it("are run instead of compiled ones: a changed one shows", () => {
    outcome();
    const [name] = files();
    const { fn } = step();
    const structure = structureOf(fn)!;
    const file = new Uint8Array(readFileSync(pathOf(name!)));
    const key = file.slice(52, 52 + new DataView(file.buffer).getUint32(40, true));
    const program = decodeProgram(file, key, fn, structure)!;
    const kernels = [{ name: "from the file", flop: 1, bytes: 1 }];
    const changed = encodeProgram(key, { ...program, cost: { ...program.cost, kernels } }, structure)!;
    writeFileSync(pathOf(name!), changed, { mode: 0o600 });
    expect(createNativeDevice().compile(step().fn).describe().kernels).toEqual(kernels);
  });

  it("report failed checks in the same words, with the line that built them", () => {
    const cases = [
      [4, [0, 9]],
      [4, [0, 1], Number.NaN],
    ] as const;
    setProgramCache(false);
    const want = cases.map(([rows, ids, fill]) => failure(createNativeDevice(), rows, [...ids], fill));
    expect(want[0]).toContain("gather: indices into axis 0 of size time must be 0");
    expect(want[1]).toContain("sums must be positive, but element [0] is NaN");
    setProgramCache(folder);
    for (let i = 0; i < 2; i++)
      expect(cases.map(([rows, ids, fill]) => failure(createNativeDevice(), rows, [...ids], fill))).toEqual(
        want,
      );
    expect(want[1]).toMatch(/at .*cache\.test\.ts:\d+/);
  });

  it("are for one target, number of threads and way of fusing", () => {
    const options: NativeDeviceOptions[] = [
      { isa: "avx2" },
      { threads: 2 },
      { isFused: false },
      { threads: 3 },
    ];
    for (const [i, option] of options.entries()) {
      expect((outcome(option) as { total: unknown }).total).toEqual(
        (outcome(option) as { total: unknown }).total,
      );
      expect(files()).toHaveLength(i + 1);
    }
  });

  it("are as if not there when anything in the file is wrong, and written anew", () => {
    const want = outcome();
    const [name] = files();
    const good = readFileSync(pathOf(name!));
    const damaged = [
      Buffer.alloc(0),
      good.subarray(0, 51),
      good.subarray(0, good.length - 1),
      Buffer.concat([good, Buffer.alloc(1)]),
      Buffer.from(good).fill(0),
      ...Array.from({ length: 6 }, (_, i) => {
        const bytes = Buffer.from(good);
        bytes[Math.floor(((i + 0.5) * good.length) / 6)]! ^= 1 << (i % 8);
        return bytes;
      }),
    ];
    for (const bytes of damaged) {
      writeFileSync(pathOf(name!), bytes);
      expect(outcome()).toEqual(want);
      expect(readFileSync(pathOf(name!)).equals(good)).toBe(true);
    }
  });

  it("are not for a key that is only of the same name", () => {
    outcome();
    const [name] = files();
    const file = new Uint8Array(readFileSync(pathOf(name!)));
    const { fn } = step();
    expect(decodeProgram(file, new Uint8Array(file.subarray(52, 80)), fn, structureOf(fn)!)).toBeUndefined();
  });

  it("are not run when others may write the file or its folder", () => {
    const want = outcome();
    const [name] = files();
    const bytes = readFileSync(pathOf(name!));
    chmodSync(pathOf(name!), 0o666);
    // Refused, and replaced by one of its own.
    expect(outcome()).toEqual(want);
    expect(statSync(pathOf(name!)).mode & 0o777).toBe(0o600);
    expect(readFileSync(pathOf(name!)).equals(bytes)).toBe(true);
    chmodSync(folder, 0o777);
    setProgramCache(folder);
    expect(programCache()).toMatchObject({ reason: expect.stringContaining("others may write") });
    expect(outcome()).toEqual(want);
  });

  it("take no more than they may", () => {
    setProgramCache(folder, { maxBytes: 20_000 });
    for (const size of [100, 200, 300, 400, 500, 600]) {
      const fn = traced(() => {
        const x = parameter({ shape: [size, 30], dtype: "f32" });
        return { parameters: [x], results: [dot(x, dot(exp(parameterOf(30)), exp(parameterOf(30))))] };
      });
      // Each as a process of its own would.
      setProgramCache(folder, { maxBytes: 20_000 });
      createNativeDevice().compile(fn);
    }
    const cache = programCache() as ProgramCache;
    expect(cache.folder.usage().files).toBeGreaterThan(0);
    expect(cache.folder.usage().bytes).toBeLessThanOrEqual(20_000);
    setProgramCache(folder, { maxBytes: 10 });
    outcome();
    expect((programCache() as ProgramCache).folder.usage().files).toBeLessThanOrEqual(6);
    expect(() => setProgramCache(true, { maxBytes: Number.NaN })).toThrow("maxBytes must be 0 or more");
  });
});

const parameterOf = (size: number): Node =>
  array({ dtype: "f32", shape: [size, size], data: new Float32Array(size * size) });

it("nothing is kept unless it was asked for", () => {
  setProgramCache(false);
  expect(programCache()).toBeUndefined();
});

it("the checksum is MurmurHash3's", () => {
  const hex = (text: string): string =>
    [...checksum(new TextEncoder().encode(text))].map((word) => word.toString(16).padStart(8, "0")).join("");
  // From the reference implementation (MurmurHash3_x86_128, seed 0).
  expect(hex("")).toBe("00000000000000000000000000000000");
  expect(hex("hello")).toBe("2b2444a0db91def79adb31b69adb31b6");
  expect(hex("The quick brown fox jumps over the lazy dog")).toBe("2f1583c3ecee2c675d7bf66ce5e91d2c");
  const shifted = new Uint8Array(50).subarray(1);
  expect(checksum(shifted)).toEqual(checksum(new Uint8Array(49)));
});
