/** Operands whose rows lie apart are packed by turning square blocks in registers: the product's bits stay the same. */
import { expect, test } from "vitest";
import { Trace, withTrace } from "../../graph/trace.ts";
import { dot, parameter, permute } from "../../ops/index.ts";
import { nativeDevices } from "../../testing/native-targets.ts";

/** Numbers whose sums round. */
const numbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + seed) * 3);

function product(device: (typeof nativeDevices)[number], [m, k, n]: readonly number[], isTurned: boolean) {
  const [a, b] = [numbers(m! * k!, 1), numbers(n! * k!, 2)];
  const fn = withTrace(new Trace("compiled"), () => {
    const x = parameter({ shape: [m!, k!], dtype: "f32" });
    const y = parameter({ shape: isTurned ? [n!, k!] : [k!, n!], dtype: "f32" });
    return {
      name: "product",
      parameters: [x, y],
      results: [dot(x, isTurned ? permute(y, [1, 0]) : y)],
      assignments: [],
    };
  });
  const straight = Float32Array.from({ length: k! * n! }, (_, i) => b[(i % n!) * k! + Math.floor(i / n!)]!);
  const executable = device.compile(fn);
  const [result] = executable.run([
    { dtype: "f32", shape: [m!, k!], data: a },
    { dtype: "f32", shape: isTurned ? [n!, k!] : [k!, n!], data: isTurned ? b : straight },
  ]);
  const data = Array.from(result!.readSync() as Float32Array);
  result!.release();
  executable.dispose();
  return data;
}

// Blocks of 16 (8) by 16 (8), what remains of them along both axes, and less than one.
const sizes = [
  [64, 64, 64],
  [33, 47, 70],
  [6, 100, 129],
  [40, 15, 64],
  [40, 16, 17],
  [7, 5, 3],
] as const;

test.skipIf(nativeDevices.length === 0).each(sizes)("%i×%i by %i", (...size) => {
  for (const device of nativeDevices)
    expect(product(device, size, true), device.name).toEqual(product(device, size, false));
});
