/** Buffers beyond 4 GiB, where offsets need more than 32 bits; full tier, where there is the memory for it. */
import { freemem } from "node:os";
import { expect } from "vitest";
import { fullTest } from "../../../test/tier.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import { add, like, mul, parameter } from "../../ops/index.ts";
import { nativeDevices } from "../../testing/native-targets.ts";

const count = 1_200_000_000;
const neededBytes = 18 * 2 ** 30;

fullTest(
  "1.2 G numbers are written, computed and read",
  (context) => {
    context.skip(nativeDevices.length === 0, "machine code cannot run here");
    context.skip(
      freemem() < neededBytes,
      `${Math.round(freemem() / 2 ** 30)} GiB of memory are free, 18 are needed`,
    );
    const data = new Float32Array(count);
    const marks = [0, 5, 1_073_741_823, 1_073_741_824, 1_100_000_001, count - 1];
    marks.forEach((at, i) => {
      data[at] = i + 3;
    });
    const fn = withTrace(new Trace("compiled"), () => {
      const x = parameter({ shape: [count], dtype: "f32" });
      return {
        name: "large",
        parameters: [x],
        results: [add(mul(x, like(x, 0.5)), like(x, 1))],
        assignments: [],
      };
    });
    const device = nativeDevices.at(-1)!;
    const executable = device.compile(fn);
    const [result] = executable.run([{ dtype: "f32", shape: [count], data }]);
    const got = result!.readSync();
    expect(marks.map((at) => got[at])).toEqual(marks.map((_, i) => (i + 3) / 2 + 1));
    expect([got[1], got[count - 2], got.length]).toEqual([1, 1, count]);
    result!.release();
    executable.dispose();
  },
  600_000,
);
