/** Attention, positions and biases against PyTorch and the formulas of Hugging Face: `test/fixtures/attention.py`. */
import { describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, hashedUniform, readFixture } from "../../test/fixtures.ts";
import { grad, type Tensor, tensor } from "../tensor/index.ts";
import {
  type AttentionOptions,
  alibiBias,
  alibiSlopes,
  BahdanauAttention,
  type ContextResult,
  LuongAttention,
  type Module,
  RotaryEmbedding,
  type RotaryOptions,
  relativeBucket,
  scaledDotProductAttention,
} from "./index.ts";

interface Outcome {
  readonly output: EncodedArray;
  readonly gradients: readonly EncodedArray[];
}
interface Fixture {
  readonly weightsSeed: number;
  readonly attention: readonly (Outcome & {
    readonly name: string;
    readonly options: AttentionOptions & { readonly keyPadding?: readonly boolean[][] };
    readonly shapes: readonly (readonly number[])[];
  })[];
  readonly rotary: readonly (Outcome & {
    readonly size: number;
    readonly options: RotaryOptions;
    readonly offset: number;
    readonly shape: readonly number[];
  })[];
  readonly buckets: readonly {
    readonly numBuckets: number;
    readonly maxDistance: number;
    readonly bidirectional: boolean;
    readonly buckets: EncodedArray;
  }[];
  readonly slopes: readonly (readonly number[])[];
  readonly additive: readonly (Outcome & {
    readonly layer: "LuongAttention" | "BahdanauAttention";
    readonly arguments: readonly unknown[];
    readonly keyPadding: readonly boolean[][];
    readonly shapes: readonly (readonly number[])[];
    readonly states: Readonly<Record<string, readonly number[]>>;
    readonly weights: EncodedArray;
  })[];
}
const fixture = readFixture<Fixture>("attention.json");

/** The formula's numbers: seed `seed`, in [−1, 1). */
const numbers = (seed: number, shape: readonly number[]): Tensor =>
  tensor(
    hashedUniform(
      seed,
      shape.reduce((a, b) => a * b, 1),
      1,
    ),
    { shape: [...shape] },
  ) as Tensor;

async function expectNear(what: string, got: Tensor, encoded: EncodedArray): Promise<void> {
  const [found, want] = [await got.data(), decodeArray(encoded)];
  expect(got.shape, what).toEqual(encoded.shape);
  const largest = Math.max(1e-3, ...Array.from(want, Math.abs));
  Array.from(want).forEach((x, i) => {
    const error = Math.abs((found[i] as number) - x) / largest;
    if (!(error <= 1e-5)) expect.fail(`${what}, element ${i}: ${found[i]}, not ${x}`);
  });
}

async function expectOutcome(output: Tensor, inputs: readonly Tensor[], wanted: Outcome): Promise<void> {
  const weights = numbers(fixture.weightsSeed, output.shape as number[]);
  const gradients = grad(output.mul(weights).sum() as Tensor, inputs as Tensor[]) as Tensor[];
  await expectNear("output", output, wanted.output);
  for (const [i, gradient] of gradients.entries())
    await expectNear(`gradient ${i}`, gradient, wanted.gradients[i]!);
}

describe("scaledDotProductAttention is PyTorch's", () => {
  for (const row of fixture.attention)
    for (const method of ["plain", "blocked"] as const)
      test(`${row.name}, ${method}`, async () => {
        const inputs = row.shapes.map((shape, i) => numbers(i + 1, shape));
        const [q, k, v, distanceBias] = inputs as [Tensor, Tensor, Tensor, Tensor | undefined];
        const { keyPadding, ...options } = row.options;
        const keyPaddingMask = keyPadding && (tensor(keyPadding as boolean[][]) as Tensor);
        const output = scaledDotProductAttention(q, k, v, {
          ...options,
          distanceBias,
          keyPaddingMask,
          method,
        });
        await expectOutcome(output, inputs, row);
      });
});

describe("RotaryEmbedding is Hugging Face's", () => {
  for (const [i, row] of fixture.rotary.entries())
    test(`${i} ${row.size} of ${row.shape.at(-1)} ${JSON.stringify(row.options)} from ${row.offset}`, async () => {
      const x = numbers(11, row.shape);
      const rotary = new RotaryEmbedding(row.size, row.options);
      await expectOutcome(rotary.forward(x, { offset: row.offset }), [x], row);
      if (row.options.scaling?.type === "dynamic") return;
      const late = rotary.forward(x, { offset: tensor(row.offset, { dtype: "i32" }) as Tensor });
      await expectNear("from a tensor", late, row.output);
    });
});

test("relativeBucket is T5's", () => {
  for (const { buckets, ...options } of fixture.buckets) {
    const want = decodeArray(buckets);
    expect(Array.from(want, (_, i) => relativeBucket(i - 200, options))).toEqual([...want]);
  }
});

test("alibiSlopes are the paper's", async () => {
  for (const slopes of fixture.slopes)
    alibiSlopes(slopes.length).forEach((slope, i) => {
      expect(slope).toBeCloseTo(slopes[i]!, 12);
    });
  // Query 0 at position 1: one key before it, one at it, one after; then query 1.
  expect([...(await alibiBias(1, 2, 3, 1).data())].map((x) => x * 256 + 0)).toEqual([-2, -1, 0, -1]);
});

describe("attention of recurrent models", () => {
  const layers = { LuongAttention, BahdanauAttention } as unknown as Record<
    string,
    new (
      ...given: readonly unknown[]
    ) => Module & { forward(q: Tensor, k: Tensor, options: object): ContextResult }
  >;
  for (const row of fixture.additive)
    test(`${row.layer}(${JSON.stringify(row.arguments)})`, async () => {
      const layer = new layers[row.layer]!(...row.arguments);
      const states = Object.entries(row.states).map(
        ([name, shape], i) => [name, numbers(23 + i, shape)] as const,
      );
      await layer.loadStateDict(
        new Map(await Promise.all(states.map(async ([name, x]) => [name, await x.toHost()] as const))),
      );
      const [query, keys] = row.shapes.map((shape, i) => numbers(21 + i, shape)) as [Tensor, Tensor];
      const keyPaddingMask = tensor(row.keyPadding as boolean[][]) as Tensor;
      const { context, weights } = layer.forward(query, keys, { keyPaddingMask });
      const parameters = states.map(([name]) => layer.namedParameters().get(name)! as Tensor);
      await expectOutcome(context, [query, keys, ...parameters], row);
      await expectNear("weights", weights, row.weights);
    });
});
