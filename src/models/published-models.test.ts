/** Encoders and encoder-decoders against those of Hugging Face's transformers: names, outputs, gradients, ten steps of training. */
import { describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, hashedUniform, readFixture } from "../../test/fixtures.ts";
import {
  expectGradients,
  expectNear,
  fillStates,
  type Gradients,
  type Seeds,
  sizeOf,
  weightedSum,
} from "../../test/model-states.ts";
import { byTier } from "../../test/tier.ts";
import { Decoding, generateTokens } from "../generate/index.ts";
import type { Module } from "../nn/index.ts";
import { sgd } from "../optim/index.ts";
import { compile, grad, type HostArray, type Tensor, tensor } from "../tensor/index.ts";
import * as models from "./index.ts";

interface Row {
  readonly model: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, EncodedArray>>;
  readonly output: EncodedArray;
  readonly gradients: Gradients;
  readonly losses: readonly number[];
}

interface Sound {
  readonly bands: number;
  readonly length: number;
  readonly features: EncodedArray;
}
const { cases, learningRate, targetSeed, sounds, ...seeds } = readFixture<
  Seeds & { cases: readonly Row[]; learningRate: number; targetSeed: number; sounds: readonly Sound[] }
>("published-models.json");
const rowOf = (model: string): Row => cases.find((row) => row.model === model)!;

type Family = { fromConfig(config: models.PretrainedConfig): Module };

function made({ model, config }: Row): Module {
  const family = (models as unknown as Record<string, Family>)[model]!;
  const network = family.fromConfig(new models.PretrainedConfig(config)).eval();
  fillStates(network, seeds);
  return network;
}

const tensorOf = (encoded: EncodedArray): Tensor => {
  const { dtype, shape } = encoded;
  return tensor({ dtype, shape, data: decodeArray(encoded) } as HostArray) as Tensor;
};

/** Inputs in the order and under the names that Netwright has. */
function call(model: Module, inputs: Readonly<Record<string, Tensor>>): Tensor {
  const { input_ids: tokens, attention_mask: attentionMask, token_type_ids: typeIds } = inputs;
  const { decoder_input_ids: written, input_features: sound } = inputs;
  if (written !== undefined) return model.forward(sound ?? tokens, written, { attentionMask }) as Tensor;
  return model.forward(tokens, { attentionMask, typeIds }) as Tensor;
}

/** A pooler is not used for features. */
const gradientsOf = (loss: Tensor, model: Module): Tensor[] =>
  grad(loss, model.parameters(), { allowUnused: true }) as Tensor[];

/** The ViT has other names here: `src/pretrained/families.test.ts`. */
const rows = cases
  .filter(({ model }) => model !== "ViT")
  .map((row, i) => ({ row, title: `${i} ${row.model}` }));
const further = byTier([1, 6, 12, 15, 16], [...rows.keys()]).map((i) => rows[i]!);

describe.each(rows)("$title", ({ row }) => {
  const names = Object.keys(row.inputs);
  const inputs = names.map((name) => tensorOf(row.inputs[name]!));
  const given = (x: readonly Tensor[]) => Object.fromEntries(names.map((name, i) => [name, x[i]!]));

  test("names, outputs and gradients", async () => {
    const model = made(row);
    expect([...model.namedParameters().keys()].sort()).toEqual(Object.keys(row.gradients).sort());
    const step = compile((...x: Tensor[]) => {
      const output = call(model, given(x));
      return [output, ...gradientsOf(weightedSum(output, seeds), model)] as Tensor[];
    });
    const [output, ...gradients] = step(...inputs);
    expectNear("output", await output!.data(), decodeArray(row.output), 1e-4);
    await expectGradients([...model.namedParameters().keys()], gradients, row.gradients, seeds);
  });
});

describe.each(further)("$title", ({ row }) => {
  const names = Object.keys(row.inputs);
  const inputs = names.map((name) => tensorOf(row.inputs[name]!));

  test("ten steps of gradient descent", async () => {
    const model = made(row);
    const optimizer = sgd({ learningRate })(model.parameters());
    const { shape } = row.output;
    const target = tensor(hashedUniform(targetSeed, sizeOf(shape), 1), { shape: [...shape] }) as Tensor;
    const step = compile((...x: Tensor[]) => {
      const output = call(model, Object.fromEntries(names.map((name, i) => [name, x[i]!])));
      const loss = output.sub(target).square().mean() as Tensor;
      optimizer.step(gradientsOf(loss, model));
      return loss;
    });
    for (const wanted of row.losses)
      expect(Math.abs(((await step(...inputs).item()) as number) - wanted)).toBeLessThan(1e-3 * wanted);
  });
});

/** Tokens one at a time, behind caches, against all at once. */
describe.each([
  { title: "GPT2", row: rowOf("GPT2") },
  { title: "T5", row: rowOf("T5") },
  { title: "Whisper", row: rowOf("Whisper") },
])("$title", ({ row }) => {
  const [batch, steps, vocabSize] = row.output.shape as [number, number, number];

  test("a text read in pieces, behind caches, gives the same logits", async () => {
    const model = made(row) as Module & models.TokenReader;
    const inputs = Object.fromEntries(Object.entries(row.inputs).map(([name, x]) => [name, tensorOf(x)]));
    const { attention_mask: attentionMask } = inputs;
    const source = inputs.input_features ?? inputs.input_ids!;
    const reader =
      model instanceof models.EncoderDecoder
        ? new models.SourceReader(model, source, { attentionMask })
        : model;
    const ids = inputs.decoder_input_ids ?? inputs.input_ids!;
    const caches = reader.caches(batch, steps + 3);
    const read = compile((x: Tensor) => reader.logits(reader.features(x, { caches })));
    const whole = decodeArray(row.output);
    for (const [from, to] of [
      [0, 4],
      [4, 5],
      [5, steps],
    ] as const) {
      const piece = (await read(ids.slice(1, from, to) as Tensor).data()) as Float32Array;
      for (let n = 0; n < batch; n++) {
        const wanted = whole.subarray((n * steps + from) * vocabSize, (n * steps + to) * vocabSize);
        const found = piece.subarray(n * (to - from) * vocabSize, (n + 1) * (to - from) * vocabSize);
        expectNear(`from ${from}`, found, wanted, 1e-4);
      }
    }
  });
});

test("generation stops where a model's places end, and a reader takes another source", async () => {
  const gpt = made(rowOf("GPT2")) as models.GPT2; // 16 places
  const tokens: number[] = [];
  for await (const token of generateTokens(gpt, [3, 4, 5], { maxNewTokens: 40, temperature: 0 }))
    tokens.push(token);
  expect(tokens).toHaveLength(13);
  let text = [3, 4, 5];
  while (text.length < 16)
    text = [...text, await likeliest(gpt.forward(tensor([text], { dtype: "i32" }) as Tensor))];
  expect(text.slice(3)).toEqual(tokens);

  const t5 = made(rowOf("T5")) as models.T5;
  const sources = [
    [7, 8, 9, 10],
    [30, 21, 12, 3],
  ].map((ids) => tensor([ids], { dtype: "i32" }) as Tensor);
  const reader = new models.SourceReader(t5, sources[0]!);
  const decoding = new Decoding(reader, { maxLength: 8 });
  for (const source of sources) {
    reader.read(source);
    decoding.rewind(0);
    const found = await decoding.read([0, 5, 6]);
    const wanted = (await t5
      .forward(source, tensor([[0, 5, 6]], { dtype: "i32" }) as Tensor)
      .data()) as Float32Array;
    expectNear("logits", found, wanted.subarray(2 * 40), 1e-4);
  }
  expect(() => reader.read(tensor([[1, 2]], { dtype: "i32" }) as Tensor)).toThrow(/fill up the source/);
});

const likeliest = async (logits: Tensor): Promise<number> =>
  Number(await (logits.at(0, -1) as Tensor).argmax(0).item());

test("what Whisper hears is what the feature extractor of transformers gives", async () => {
  for (const { bands, length, features } of sounds) {
    const samples = hashedUniform(seeds.inputSeed + 5, 8000, 0.5).map(
      (x, i) => x * Math.fround(Math.sin(i / 9)),
    );
    const sound = tensor(samples.slice(0, length)) as Tensor;
    const found = models.whisperFeatures(sound, { bands, seconds: 2 });
    expect([1, ...(found.shape as number[]).slice(1)]).toEqual(features.shape);
    expectNear("features", await found.data(), decodeArray(features), 1e-3);
  }
});
