/** Long programs leave the caller's thread; what they give, and in which order, is as if they had not. */
import { describe, expect, it } from "vitest";
import { Assembler } from "../../codegen/x64/assembler/assembler.ts";
import type { Node } from "../../graph/node.ts";
import { State } from "../../graph/state.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import { add, check, dot, greater, like, parameter, readState, sum } from "../../ops/index.ts";
import type { Device } from "../device.ts";
import { RunQueue } from "../run-queue.ts";
import { createNativeDevice } from "../x64-device.ts";
import { BackgroundThread } from "./background.ts";
import { loadCode } from "./code-memory.ts";
import { doctor } from "./doctor.ts";
import { NativeMemory } from "./memory.ts";
import { requireNativeSystem } from "./system.ts";

const { isa, reasons } = doctor();
const why = `machine code cannot run here: ${reasons.join("; ")}`;

const traced = (parts: () => { parameters: Node[]; results: Node[]; assignments?: [State, Node][] }) =>
  withTrace(new Trace("compiled"), () => ({ name: "test", assignments: [], ...parts() }));

const vector = (...values: number[]) => ({
  dtype: "f32" as const,
  shape: [values.length],
  data: Float32Array.from(values),
});

/** total += x, unless an element of x is not positive; gives the new total and its sum. */
function accumulator(device: Device) {
  const total = new State("total", { shape: [3], dtype: "f32" }, new Float32Array(3));
  const fn = traced(() => {
    const x = parameter({ shape: [3], dtype: "f32" });
    const next = add(readState(total), check(x, greater(x, like(x, 0)), "add: values must be positive"));
    return { parameters: [x], results: [next, sum(next, 0)], assignments: [[total, next]] };
  });
  return { total, executable: device.compile(fn) };
}

/** A product that takes some tens of milliseconds on one thread. */
const size = 1024;
const product = traced(() => {
  const [x, y] = [0, 1].map(() => parameter({ shape: [size, size], dtype: "f32" }));
  return { parameters: [x!, y!], results: [dot(x!, dot(x!, y!))] };
});
const matrix = (seed: number) => ({
  dtype: "f32" as const,
  shape: [size, size],
  data: Float32Array.from({ length: size * size }, (_, i) => Math.sin(i * 12.9898 + seed) / size),
});

describe.skipIf(isa === undefined)(`programs on another thread${isa ? "" : ` (${why})`}`, () => {
  it("run in the order of calls, each with its own arguments", async () => {
    const device = createNativeDevice({ backgroundMs: 0 });
    const { total, executable } = accumulator(device);
    const runs = [1, 2, 3, 4].map((n) => executable.run([vector(n, 10 * n, 100 * n)]));
    expect(runs[3]![0]!.isPending).toBe(true);
    const totals = await Promise.all(runs.map(([next]) => next!.read()));
    expect(totals.map((values) => [...values])).toEqual([
      [1, 10, 100],
      [3, 30, 300],
      [6, 60, 600],
      [10, 100, 1000],
    ]);
    expect([...device.readState(total)]).toEqual([10, 100, 1000]);
  });

  it("take the time that they run, however late the caller looks", () => {
    const system = requireNativeSystem();
    const memory = new NativeMemory(system, new RunQueue());
    const a = new Assembler();
    a.begin("nothing");
    a.emit("ret");
    const { address } = loadCode(system, a.finish());
    const wait = new BackgroundThread(system, memory).start(address, 0, () => {});
    const from = performance.now();
    while (performance.now() - from < 100);
    const took = wait();
    expect(took).toBeGreaterThan(0);
    expect(took).toBeLessThan(50);
  });

  it("are waited for by whoever needs a value at once", () => {
    const device = createNativeDevice({ backgroundMs: 0 });
    const { total, executable } = accumulator(device);
    const [first] = executable.run([vector(1, 2, 3)]);
    const [, second] = executable.run([vector(1, 1, 1)]);
    expect([...device.readState(total)]).toEqual([2, 3, 4]);
    expect([...second!.readSync()]).toEqual([9]);
    expect([...first!.readSync()]).toEqual([1, 2, 3]);
  });

  it("may be read in the call as often as one likes, before the event loop comes to anything", () => {
    const device = createNativeDevice({ backgroundMs: 0 });
    const { executable } = accumulator(device);
    for (let i = 1; i <= 2000; i++)
      expect([...executable.run([vector(1, 1, 1)])[0]!.readSync()]).toEqual([i, i, i]);
  });

  it("take results that are not there yet", async () => {
    const device = createNativeDevice({ backgroundMs: 0 });
    const { executable } = accumulator(device);
    const [first] = executable.run([vector(1, 2, 3)]);
    const [second] = executable.run([first!]);
    expect(second!.isPending).toBe(true);
    expect([...(await second!.read())]).toEqual([2, 4, 6]);
  });

  it("fail with the same error, and nothing that was asked for after them runs", async () => {
    const messages: string[] = [];
    for (const backgroundMs of [0, Number.POSITIVE_INFINITY]) {
      const device = createNativeDevice({ backgroundMs });
      const { total, executable } = accumulator(device);
      const [good] = executable.run([vector(1, 1, 1)]);
      const [bad] = executable.run([vector(1, -2, 1)]);
      if (backgroundMs === 0) {
        // In the call, this one would throw already.
        const [later] = executable.run([vector(5, 5, 5)]);
        await expect(later!.read()).rejects.toThrowError("values must be positive");
      }
      const error = await bad!.read().catch((e: Error) => e);
      messages.push((error as Error).message.replace(/ \(at .*?\)/, ""));
      expect([...(await good!.read())]).toEqual([1, 1, 1]);
      expect([...device.readState(total)]).toEqual([1, 1, 1]);
      const [next] = executable.run([vector(1, 1, 1)]);
      expect([...(await next!.read())]).toEqual([2, 2, 2]);
    }
    expect(messages[0]).toBe(messages[1]);
    expect(messages[0]).toMatchInlineSnapshot(
      `"add: values must be positive, but element [1] is -2. The step changed nothing: states hold what it began with"`,
    );
  });

  it("throw from a later call what nobody has looked at", async () => {
    const device = createNativeDevice({ backgroundMs: 0 });
    const { executable } = accumulator(device);
    const [bad] = executable.run([vector(0, 1, 1)]);
    while (bad!.isPending) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(() => executable.run([vector(1, 1, 1)])).toThrowError("values must be positive");
    expect([...executable.run([vector(1, 1, 1)])[0]!.readSync()]).toEqual([1, 1, 1]);
  });

  it("give memory back only after the runs that use it", async () => {
    const device = createNativeDevice({ backgroundMs: 0 });
    const executable = device.compile(product);
    const { usedBytes } = device.memory();
    const inputs = [device.upload(matrix(1)), device.upload(matrix(2))];
    const [want] = executable.run(inputs);
    const expected = await want!.read();
    const [got] = executable.run(inputs);
    for (const input of inputs) input.release();
    // Would lie where the inputs lay.
    const other = device.upload({ ...matrix(3), data: new Float32Array(size * size).fill(Number.NaN) });
    executable.dispose();
    expect(Buffer.compare(Buffer.from((await got!.read()).buffer), Buffer.from(expected.buffer))).toBe(0);
    for (const value of [want, got, other]) value!.release();
    expect(device.memory().usedBytes).toBeLessThanOrEqual(usedBytes);
  });

  it("work in the same memory again and again where results are let go", async () => {
    const device = createNativeDevice({ backgroundMs: 0 });
    const executable = device.compile(product);
    const [x, y] = [device.upload(matrix(1)), device.upload(matrix(2))];
    const [kept] = executable.run([x, y]);
    const before = device.memory().peakBytes;
    let last = executable.run([x, kept!])[0]!;
    for (let i = 0; i < 3; i++) {
      const [next] = executable.run([x, last]);
      last.release();
      last = next!;
    }
    // Two results at a time: one is read while the next is written.
    expect(device.memory().peakBytes - before).toBeLessThan(2.5 * 4 * size * size);
    let expected = kept!;
    for (let i = 0; i < 4; i++) [expected] = executable.run([x, expected]) as [typeof expected];
    expect(await last.read()).toEqual(await expected.read());
  });

  it("leave timers running, when they are expected to take long", async () => {
    const device = createNativeDevice();
    const executable = device.compile(product);
    const inputs = [device.upload(matrix(1)), device.upload(matrix(2))];
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const started = performance.now();
    for (let i = 0; i < 4; i++) await executable.run(inputs)[0]!.read();
    const milliseconds = performance.now() - started;
    clearInterval(timer);
    // In the call there would be at most a tick between two runs.
    expect(ticks).toBeGreaterThan(Math.min(8, milliseconds / 8));
  });

  it("are not the short ones", () => {
    const { executable } = accumulator(createNativeDevice());
    expect(executable.run([vector(1, 1, 1)])[0]!.isPending).toBe(false);
  });
});
