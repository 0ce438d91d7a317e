/** Subnormals are zero inside programs, whichever thread runs them; JavaScript's arithmetic is as it was afterwards. */
import { describe, expect, it } from "vitest";
import { Trace, withTrace } from "../../graph/trace.ts";
import { like, mul, parameter } from "../../ops/index.ts";
import { createNativeDevice, type NativeDeviceOptions } from "../x64-device.ts";
import { doctor } from "./doctor.ts";

const { isa, reasons } = doctor();
const count = 300_000;
const halved = withTrace(new Trace("compiled"), () => {
  const x = parameter({ shape: [count], dtype: "f32" });
  return { name: "halved", parameters: [x], results: [mul(x, like(x, 0.5))], assignments: [] };
});
/** The smallest normal number, whose half is subnormal, a subnormal, and others. */
const values = [2 ** -126, -(2 ** -126), 2 ** -130, 2 ** -125, 3, -0];
const data = Float32Array.from({ length: count }, (_, i) => values[i % values.length]!);

/** Of this thread, with numbers that the optimiser cannot know. */
function javaScriptKeepsSubnormals(): boolean {
  const [half, tiny] = [Number(process.argv.length > 0) / 2, 2 ** -1022 * Number(process.pid > 0)];
  return tiny * half === 2 ** -1023 && Math.fround(2 ** -126 * half) === 2 ** -127;
}

const cases: Record<string, NativeDeviceOptions> = {
  "in the call": { backgroundMs: Number.POSITIVE_INFINITY },
  "on several threads": { backgroundMs: Number.POSITIVE_INFINITY, threads: 3 },
  "on another thread": { backgroundMs: 0 },
  "for AVX2": { isa: "avx2" },
};

describe.skipIf(isa === undefined)(`subnormals${isa ? "" : ` (${reasons.join("; ")})`}`, () => {
  it.each(Object.keys(cases))("are zero %s, and there again in JavaScript", async (name) => {
    const run = async (options: NativeDeviceOptions): Promise<number[]> => {
      const executable = createNativeDevice(options).compile(halved);
      const [result] = executable.run([{ dtype: "f32", shape: [count], data }]);
      const got = (await result!.read()) as Float32Array;
      expect(javaScriptKeepsSubnormals()).toBe(true);
      for (let i = values.length; i < count; i++)
        if (!Object.is(got[i], got[i % values.length])) expect.unreachable(`element ${i} is ${got[i]}`);
      return [...got.subarray(0, values.length)];
    };
    expect(await run(cases[name]!)).toEqual([0, -0, 0, 2 ** -126, 1.5, -0]);
    const kept = [2 ** -127, -(2 ** -127), 2 ** -131, 2 ** -126, 1.5, -0];
    expect(await run({ ...cases[name], keepsSubnormals: true })).toEqual(kept);
  });
});
