/** Weights in 16 bits: against PyTorch; the same values in f32; what a training keeps of them. */
import { describe, expect, test } from "vitest";
import { loraAdapters } from "../src/finetune/index.ts";
import { crossEntropy, mse } from "../src/losses/index.ts";
import { GPT2, Llama } from "../src/models/index.ts";
import {
  BatchNorm1d,
  Conv2d,
  Embedding,
  isStored,
  Linear,
  type Module,
  Parameter,
  ReLU,
  restoreWeights,
  Sequential,
  type StoredDType,
  storeWeights,
} from "../src/nn/index.ts";
import { adamw, SGD, stochasticRounding } from "../src/optim/index.ts";
import { compile, grad, type Tensor, tensor } from "../src/tensor/index.ts";
import { decodeArray, type EncodedArray, hashedUniform, readFixture } from "./fixtures.ts";
import { expectNear, sizeOf } from "./model-states.ts";

const fixture = readFixture<{
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly rounded: EncodedArray;
  readonly losses: Readonly<Record<StoredDType | "f32", readonly number[]>>;
}>("stored-weights.json");
const hashed = (seed: number, shape: readonly number[], limit: number): Tensor =>
  tensor(hashedUniform(seed, sizeOf(shape), limit), { shape }) as Tensor;

test.each(["bf16", "f16", "f32"] as const)(
  "%s: twenty steps of AdamW, as PyTorch does them",
  async (dtype) => {
    const model = new Sequential(new Linear(6, 8), new ReLU(), new Linear(8, 3));
    for (const [i, parameter] of model.parameters().entries())
      parameter.assign(hashed(20 + i, parameter.shape, 0.5));
    if (dtype !== "f32") expect(storeWeights(model, dtype)).toEqual(["0", "2"]);
    if (dtype === "bf16")
      expect(await (model.layers[0].weight as Tensor).data()).toEqual(decodeArray(fixture.rounded));
    const { learningRate, weightDecay } = fixture;
    const optimizer = adamw({ learningRate, weightDecay })(model.parameters());
    const [x, y] = [hashed(30, [16, 6], 1), hashed(31, [16, 3], 1)];
    const step = compile(() => {
      const loss = mse(model.forward(x), y);
      optimizer.step(grad(loss, optimizer.parameters) as Tensor[]);
      return loss;
    });
    for (const wanted of fixture.losses[dtype])
      expect(Math.abs(((await step().item()) as number) - wanted)).toBeLessThan(2e-4 * wanted);
    const dtypes = [...optimizer.stateDict()].filter(([name]) => name.includes("Moment"));
    expect(new Set(dtypes.map(([, state]) => state.dtype))).toEqual(new Set(["f32"]));
  },
);

const tokens = tensor([[3, 1, 4, 1, 5, 9]], { dtype: "i32" }) as Tensor;
const sizes = { vocabSize: 12, hiddenSize: 16, numLayers: 2, numHeads: 2, intermediateSize: 24, dropout: 0 };

/** Gives weights the values that they would be rounded to. */
async function roundedFirst(model: Module): Promise<void> {
  storeWeights(model, "bf16");
  restoreWeights(model);
}

describe.each([
  ["a decoder with tied embeddings", () => new Llama({ ...sizes, tieEmbeddings: true })],
  ["GPT-2", () => new GPT2({ ...sizes, attentionDropout: 0, maxPositions: 8 })],
] as const)("%s", (_, make) => {
  const make2 = async (): Promise<readonly [Module, Module]> => {
    const [kept, whole] = [make(), make()] as [Module, Module];
    whole.loadStateDict(kept.stateDict());
    await roundedFirst(whole);
    storeWeights(kept, "bf16");
    return [kept, whole];
  };

  test("computes and learns what the same values in f32 do: adapters on a frozen base", async () => {
    const losses = async (model: Module): Promise<number[]> => {
      if (model instanceof Llama) loraAdapters(model, { rank: 2, key: 5 });
      model.train();
      const trained = model.parameters({ trainable: true }).filter(({ dtype }) => dtype === "f32");
      // Of GPT-2, whose layers have no adapters, biases and norms alone.
      const vectors = trained.filter(({ shape }) => model instanceof Llama || shape.length === 1);
      const optimizer = adamw({ learningRate: 0.01 })(vectors);
      const step = compile(() => {
        const logits = (model.forward(tokens) as Tensor).slice(1, 0, 5).reshape([5, -1]);
        const loss = crossEntropy(logits, tokens.slice(1, 1, 6).flatten());
        optimizer.step(grad(loss, vectors) as Tensor[]);
        return loss;
      });
      const all: number[] = [];
      for (let i = 0; i < 5; i++) all.push((await step().item()) as number);
      return all;
    };
    const [kept, whole] = await make2();
    const found = await losses(kept);
    expectNear("losses", found, await losses(whole), 1e-6);
    expect(found.at(-1)!).toBeLessThan(found[0]!);
  });

  test("states are half as large, and back in f32 nothing is lost", async () => {
    const [kept, whole] = await make2();
    const bytes = (model: Module): number =>
      model
        .parameters()
        .reduce((sum, { shape, dtype }) => sum + sizeOf(shape) * (dtype === "f32" ? 4 : 2), 0);
    expect(bytes(kept)).toBeLessThan(0.56 * bytes(whole));
    const before = await (kept.eval().forward(tokens) as Tensor).data();
    restoreWeights(kept);
    expect([...kept.stateDict().keys()].sort()).toEqual([...whole.stateDict().keys()].sort());
    expect(await (kept.forward(tokens) as Tensor).data()).toEqual(before);
  });
});

test("a step at its most needs less memory: no weight lies there in f32", () => {
  const planned = (dtype: StoredDType | undefined): number => {
    const model = new Llama({
      ...sizes,
      vocabSize: 512,
      hiddenSize: 128,
      intermediateSize: 256,
      tieEmbeddings: true,
    });
    if (dtype !== undefined) storeWeights(model, dtype);
    loraAdapters(model, { rank: 2 });
    const parameters = model.train().parameters({ trainable: true });
    const step = compile((x: Tensor) => grad(model.forward(x).square().mean(), parameters));
    return step.describe(tokens).peakMemoryBytes;
  };
  expect(planned("bf16")).toBeLessThan(0.75 * planned(undefined));
});

test("stochastic rounding loses nothing on average, is the same each time, and leaves f32 alone", async () => {
  const count = 20_000;
  const run = async (isStochastic: boolean, dtype: "bf16" | "f16" | "f32"): Promise<ArrayLike<number>> => {
    const bits = dtype === "f16" ? 0x3e00 : 0x3fc0; // 1.5
    const data = dtype === "f32" ? new Float32Array(count).fill(1.5) : new Uint16Array(count).fill(bits);
    const weight = new Parameter({ dtype, shape: [count], data } as never);
    const optimizer = new SGD([weight], {
      learningRate: 1,
      ...(isStochastic && { rounding: stochasticRounding }),
    });
    // A twentieth of a place of bf16, ten times.
    const step = compile(() =>
      optimizer.step([tensor(new Float32Array(count).fill(2 ** -7 / 20)) as Tensor]),
    );
    for (let i = 0; i < 10; i++) step();
    return (weight.cast("f32") as Tensor).data();
  };
  const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / count;
  const wanted = 1.5 - 2 ** -8;
  expect(mean(await run(false, "bf16"))).toBe(1.5);
  const found = await run(true, "bf16");
  expect(Math.abs(mean(found) - wanted)).toBeLessThan(2e-4);
  expect(new Set(Array.from(found)).size).toBeLessThan(8);
  expect(await run(true, "bf16")).toEqual(found);
  expect(Math.abs(mean(await run(true, "f16")) - wanted)).toBeLessThan(2e-5);
  expect(await run(true, "f32")).toEqual(await run(false, "f32"));
});

test("which layers, and what does not fit", () => {
  const model = new Sequential(new Conv2d(2, 3, 3), new ReLU());
  expect(storeWeights(model, "f16")).toEqual(["0"]);
  expect(isStored(model.layers[0])).toBe(true);
  const table = new Embedding(4, 2, { paddingIndex: 0 });
  storeWeights(table, "bf16");
  expect(table.forward(tensor([1, 0], { dtype: "i32" })).dtype).toBe("f32");
  const message = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      return (error as Error).message;
    }
    return expect.unreachable();
  };
  expect([
    message(() => storeWeights(model, "bf16")),
    message(() => storeWeights(new Linear(2, 2), "i8" as never)),
    message(() => storeWeights(new BatchNorm1d(2), "bf16")),
    message(() => storeWeights(new Linear(2, 2), "bf16", { filters: () => true } as never)),
    message(() => restoreWeights(new Linear(2, 2))),
  ]).toMatchInlineSnapshot(`
    [
      "storeWeights: no layer of Sequential was chosen that has a weight of f32 with two axes or more",
      "storeWeights: the dtype must be "bf16" or "f16", got "i8"",
      "storeWeights: no layer of BatchNorm1d was chosen that has a weight of f32 with two axes or more",
      "storeWeights: there is no option "filters"; did you mean "filter"?",
      "restoreWeights: no weight of Linear is kept in 16 bits",
    ]
  `);
});
