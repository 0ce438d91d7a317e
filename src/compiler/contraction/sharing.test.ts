/** Products come out to the same bits on any number of threads, whatever is packed and however the work is cut. */
import { expect, test } from "vitest";
import { byTier } from "../../../test/tier.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import { dot, parameter, permute } from "../../ops/index.ts";
import { createNativeDevice } from "../../runtime/x64-device.ts";
import { nativeDevices } from "../../testing/native-targets.ts";

const numbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + seed) * 3);

/** The product of matrices that are stored as they are, or the other way round. */
function product(threads: number, form: string, size: readonly number[]): Float32Array {
  return productAgain(threads, form, size, 1)[0]!;
}

/** The same so many times, by one program. */
function productAgain(
  threads: number,
  form: string,
  [m, k, n]: readonly number[],
  times: number,
): Float32Array[] {
  const [aShape, bShape] = [form[0] === "t" ? [k!, m!] : [m!, k!], form[1] === "t" ? [n!, k!] : [k!, n!]];
  const fn = withTrace(new Trace("compiled"), () => {
    const a = parameter({ shape: aShape, dtype: "f32" });
    const b = parameter({ shape: bShape, dtype: "f32" });
    const turned = (x: typeof a, isTurned: boolean) => (isTurned ? permute(x, [1, 0]) : x);
    const y = dot(turned(a, form[0] === "t"), turned(b, form[1] === "t"));
    return { name: "product", parameters: [a, b], results: [y], assignments: [] };
  });
  const executable = createNativeDevice({ threads, backgroundMs: Number.POSITIVE_INFINITY }).compile(fn);
  const inputs = [
    { dtype: "f32" as const, shape: aShape, data: numbers(m! * k!, 1) },
    { dtype: "f32" as const, shape: bShape, data: numbers(k! * n!, 2) },
  ];
  const products = Array.from({ length: times }, () => {
    const [result] = executable.run(inputs);
    const data = (result!.readSync() as Float32Array).slice();
    result!.release();
    return data;
  });
  executable.dispose();
  return products;
}

/** What the first rows and columns, and some others, should be, summed in f64. */
function expectRight(got: Float32Array, form: string, [m, k, n]: readonly number[]): void {
  const [a, b] = [numbers(m! * k!, 1), numbers(k! * n!, 2)];
  for (let step = 0; step < 400; step++) {
    const [i, j] = [(step * 37) % m!, (step * 101) % n!];
    let sum = 0;
    for (let d = 0; d < k!; d++) {
      const x = form[0] === "t" ? a[d * m! + i]! : a[i * k! + d]!;
      sum += x * (form[1] === "t" ? b[j * k! + d]! : b[d * n! + j]!);
    }
    expect(Math.abs(got[i * n! + j]! - sum), `element (${i}, ${j})`).toBeLessThan(1e-3 * k!);
  }
}

const sizes = [
  [128, 64, 1568],
  [128, 128, 128],
  [192, 160, 130],
  [97, 300, 131],
  [64, 1000, 64],
  [1000, 61, 70],
  [33, 512, 600],
] as const;

test.skipIf(nativeDevices.length === 0).each(
  sizes.flatMap((size, i) =>
    // Each size in two forms, in turn.
    byTier(i % 2 ? ["nn", "tt"] : ["tn", "nt"], ["nn", "tn", "nt", "tt"]).map((form) => ({
      form,
      size,
      title: `${form} ${size.join("×")}`,
    })),
  ),
)("$title", ({ form, size }) => {
  const alone = product(1, form, size);
  expectRight(alone, form, size);
  for (const threads of byTier([2, 3], [2, 3, 4]))
    expect(product(threads, form, size), `${threads} threads`).toEqual(alone);
});

// What is left of the columns beside the panels is one thread's work, and adds to sums. Two that do it need not collide each time.
test.skipIf(nativeDevices.length === 0)("a single piece of work is done once", () => {
  const size = [16, 5000, 130];
  const [alone] = productAgain(1, "nt", size, 1);
  for (const again of productAgain(2, "nt", size, byTier(15, 60))) expect(again).toEqual(alone);
});
