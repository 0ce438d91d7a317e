/** Causal language models against those of Hugging Face's transformers: names, logits, gradients, ten steps of training, caches. */
import { describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, hashedUnit, readFixture } from "../../test/fixtures.ts";
import {
  expectGradients,
  expectNear,
  fillStates,
  type Gradients,
  type Seeds,
  weightedSum,
} from "../../test/model-states.ts";
import { byTier } from "../../test/tier.ts";
import { ArgumentError } from "../base/errors.ts";
import { crossEntropy } from "../losses/index.ts";
import { sgd } from "../optim/index.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import { PretrainedConfig } from "./config.ts";
import type { CausalLanguageModel } from "./decoder.ts";
import { Gemma2, Gemma3, Llama, Phi3, Qwen2, Qwen3 } from "./index.ts";

const families = { Llama, Qwen2, Qwen3, Gemma2, Gemma3, Phi3 };

interface Row {
  readonly model: keyof typeof families;
  readonly config: Readonly<Record<string, unknown>>;
  readonly logits: EncodedArray;
  readonly gradients: Gradients;
  readonly losses: readonly number[];
}

const { cases, learningRate, ...seeds } = readFixture<
  Seeds & { cases: readonly Row[]; learningRate: number }
>("language-models.json");

function made({ model, config }: Row): CausalLanguageModel {
  const network = families[model].fromConfig(new PretrainedConfig(config));
  fillStates(network, seeds);
  return network;
}

const [batch, steps] = [2, 9];
const tokens = (vocabSize: number): Tensor =>
  tensor(
    Int32Array.from({ length: batch * steps }, (_, i) =>
      Math.floor(hashedUnit(seeds.inputSeed, i) * vocabSize),
    ),
    { shape: [batch, steps] },
  ) as Tensor;

const rows = cases.map((row, i) => ({ row, title: `${i} ${row.config.model_type as string}` }));

/** One of each kind; the others' losses and caches are compared in the full tier. */
const further = byTier([0, 4, 9, 10], [...rows.keys()]).map((i) => rows[i]!);

describe.each(rows)("$title", ({ row }) => {
  const ids = tokens(row.config.vocab_size as number);

  test("names, logits and gradients", async () => {
    const model = made(row);
    expect([...model.namedParameters().keys()].sort()).toEqual(Object.keys(row.gradients).sort());
    const step = compile((x: Tensor) => {
      const logits = model.forward(x);
      return [logits, ...(grad(weightedSum(logits, seeds), model.parameters()) as Tensor[])] as Tensor[];
    });
    const [logits, ...gradients] = step(ids);
    expectNear("logits", await logits!.data(), decodeArray(row.logits), 1e-4);
    await expectGradients([...model.namedParameters().keys()], gradients, row.gradients, seeds);
  });
});

describe.each(further)("$title", ({ row }) => {
  const ids = tokens(row.config.vocab_size as number);

  test("ten steps of gradient descent", async () => {
    const model = made(row);
    const optimizer = sgd({ learningRate })(model.parameters());
    const step = compile((x: Tensor) => {
      const logits = model.forward(x).slice(1, 0, steps - 1) as Tensor;
      const loss = crossEntropy(logits.reshape([batch * (steps - 1), -1]), x.slice(1, 1, steps).flatten());
      optimizer.step(grad(loss, model.parameters()) as Tensor[]);
      return loss;
    });
    // Steps are large for some: rounding grows with them, from 1e-7 to 1e-3 in the last step of Gemma 3.
    for (const wanted of row.losses)
      expect(Math.abs(((await step(ids).item()) as number) - wanted)).toBeLessThan(2e-3 * wanted);
  });

  test("a text read in pieces, behind caches, gives the same logits", async () => {
    const model = made(row);
    const caches = model.caches(batch, steps + 3);
    const read = compile((x: Tensor) => model.forward(x, { caches }));
    const whole = (await model.forward(ids).data()) as Float32Array;
    const vocabSize = row.config.vocab_size as number;
    let from = 0;
    for (const length of [4, 1, 3, 1]) {
      const piece = (await read(ids.slice(1, from, from + length) as Tensor).data()) as Float32Array;
      for (let n = 0; n < batch; n++) {
        const wanted = whole.subarray(
          (n * steps + from) * vocabSize,
          (n * steps + from + length) * vocabSize,
        );
        expectNear(
          `from ${from}`,
          piece.subarray(n * length * vocabSize, (n + 1) * length * vocabSize),
          wanted,
          1e-4,
        );
      }
      from += length;
    }
  });
});

test("padding on the left changes nothing", async () => {
  const model = made(cases[0]!);
  const [text, padded] = [
    tensor([[5, 9, 30]], { dtype: "i32" }),
    tensor([[0, 0, 5, 9, 30]], { dtype: "i32" }),
  ] as [Tensor, Tensor];
  const attentionMask = tensor([[false, false, true, true, true]]) as Tensor;
  const positions = tensor([[0, 0, 0, 1, 2]], { dtype: "i32" }) as Tensor;
  const plain = await model.forward(text).data();
  const masked = (await model.forward(padded, { attentionMask, positions }).data()) as Float32Array;
  expectNear("logits", masked.subarray(2 * 40), plain as Float32Array, 1e-5);
});

describe("configurations that do not fit", () => {
  const config = (changes: object) => new PretrainedConfig({ ...cases[0]!.config, ...changes });
  const error = (changes: object): string => {
    try {
      Llama.fromConfig(config(changes));
    } catch (caught) {
      expect(caught).toBeInstanceOf(ArgumentError);
      return (caught as Error).message;
    }
    return expect.unreachable("it was accepted");
  };
  test("say which key, what came and what is needed", () => {
    expect([
      error({ hidden_size: undefined }),
      error({ vocab_size: "40" }),
      error({ num_key_value_heads: 3 }),
      error({ hidden_act: "relu" }),
      error({ rope_parameters: { rope_type: "longrope", factor: 2 } }),
      error({ rope_parameters: { rope_type: "llama3", factor: 2 } }),
      error({ head_dim: 2.5 }),
    ]).toMatchInlineSnapshot(`
      [
        "config.json has no "hidden_size": the model needs an integer from 1 to 16777216 there",
        "config.json: vocab_size must be an integer from 1 to 16777216, got "40"",
        "3 heads of keys and values must divide 4 of queries",
        "config.json: hidden_act is "relu"; known are silu",
        "config.json: rope_parameters: rope_type is "longrope"; known are default, linear, dynamic, yarn, llama3",
        "config.json: rope_parameters has no "low_freq_factor": the model needs a number there",
        "config.json: head_dim must be an integer from 1 to 16777216, got 2.5",
      ]
    `);
  });
});
