/** Bottleneck adapters against PyTorch; where they stand in each family; files; what cannot be merged. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AdaptedLlama, type AdaptedRow } from "../../test/adapted-llama.ts";
import { hashedUniform, readFixture } from "../../test/fixtures.ts";
import { type Seeds, sizeOf } from "../../test/model-states.ts";
import { generateTokens } from "../generate/index.ts";
import { Bert, DistilBert, GPT2, Llama, Phi3, T5 } from "../models/index.ts";
import { Linear, Sequential } from "../nn/index.ts";
import { loadPretrained, savePretrained } from "../pretrained/index.ts";
import type { Tensor } from "../tensor/index.ts";
import {
  applyAdapters,
  type BottleneckAdapters,
  type BottleneckOptions,
  bottleneckAdapters,
  type FinetuneOptions,
  finetune,
  finetunePreferences,
  loadAdapters,
  loadBottleneckAdapters,
  saveBottleneckAdapters,
} from "./index.ts";

interface Row extends AdaptedRow {
  readonly variant: "houlsby" | "pfeiffer";
  readonly activation: "relu" | "gelu";
}
const { cases, learningRate, bottleneckSize, ...seeds } = readFixture<
  Seeds & { cases: readonly Row[]; learningRate: number; bottleneckSize: number }
>("bottleneck-adapters.json");
const modelFile = join(import.meta.dirname, "../../test/fixtures/llama.gguf");

const llama = new AdaptedLlama(seeds);
const { ids } = llama;
const made = (): Llama => llama.made();

let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "netwright-"))));
afterAll(() => rmSync(folder, { recursive: true }));

/** Gives parameters what the fixture's script gave them. */
function filled(adapters: BottleneckAdapters): BottleneckAdapters {
  const named = [...adapters.layers].flatMap(([path, adapter]) =>
    [...adapter.namedParameters()].map(([name, parameter]) => [`${path}.${name}`, parameter] as const),
  );
  named.sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [i, [, parameter]] of named.entries()) {
    const { shape } = parameter;
    const data = hashedUniform(seeds.stateSeed + i, sizeOf(shape), 0.3);
    parameter.assign({ dtype: "f32", shape, data } as never);
  }
  return adapters;
}

describe.each(cases)("$variant, as PyTorch computes it", (row) => {
  const { variant, activation } = row;
  const options = { bottleneckSize, variant, activation };

  test("logits and gradients", async () => {
    const model = made();
    filled(bottleneckAdapters(model, options));
    await llama.expectForward(model, row, (name) => name.replace(".bottleneck.", "."));
  });

  test("ten steps of AdamW", async () => {
    const model = made();
    const parameters = filled(bottleneckAdapters(model, options)).parameters();
    await llama.expectSteps(model, row, { parameters, learningRate });
  });

  test("saved and loaded, by its own function and by the one for all kinds; taken off", async () => {
    const path = join(folder, variant);
    const plain = await made().forward(ids).data();
    const model = made();
    await saveBottleneckAdapters(filled(bottleneckAdapters(model, options)), path, { baseModel: "x" });
    const wanted = await model.forward(ids).data();
    const again = made();
    const adapters = await loadBottleneckAdapters(again, path);
    expect(adapters.settings).toEqual(options);
    expect(await again.forward(ids).data()).toEqual(wanted);
    adapters.remove();
    expect(await again.forward(ids).data()).toEqual(plain);
    await applyAdapters(again, path);
    expect(await again.forward(ids).data()).toEqual(wanted);
  });
});

test("nothing changes at first, to the bit, and the key draws the first values", async () => {
  const model = made();
  const before = await model.forward(ids).data();
  const first = bottleneckAdapters(model, { key: 3 });
  expect(await model.forward(ids).data()).toEqual(before);
  const downs = async (adapters: BottleneckAdapters) =>
    Promise.all([...adapters.layers.values()].map(({ down }) => (down.weight as Tensor).data()));
  expect(await downs(bottleneckAdapters(made(), { key: 3 }))).toEqual(await downs(first));
  expect(await downs(bottleneckAdapters(made(), { key: 4 }))).not.toEqual(await downs(first));
});

test("they stand behind attention and network of each family", () => {
  const sizes = { vocabSize: 20, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 };
  const paths = (model: Parameters<typeof bottleneckAdapters>[0]): string[] => [
    ...bottleneckAdapters(model, { bottleneckSize: 2 }).layers.keys(),
  ];
  expect([
    paths(new Llama(sizes)),
    paths(new Phi3(sizes)),
    paths(new GPT2(sizes)),
    paths(new Bert(sizes)),
    paths(new DistilBert(sizes)),
    paths(new T5({ ...sizes, headSize: 8 })),
  ]).toMatchInlineSnapshot(`
    [
      [
        "model.layers.0.self_attn.o_proj",
        "model.layers.0.mlp.down_proj",
      ],
      [
        "model.layers.0.self_attn.o_proj",
        "model.layers.0.mlp.down_proj",
      ],
      [
        "transformer.h.0.attn.c_proj",
        "transformer.h.0.mlp.c_proj",
      ],
      [
        "encoder.layer.0.attention.output.dense",
        "encoder.layer.0.output.dense",
      ],
      [
        "transformer.layer.0.attention.out_lin",
        "transformer.layer.0.ffn.lin2",
      ],
      [
        "encoder.block.0.layer.0.SelfAttention.o",
        "encoder.block.0.layer.1.DenseReluDense.wo",
        "decoder.block.0.layer.0.SelfAttention.o",
        "decoder.block.0.layer.1.EncDecAttention.o",
        "decoder.block.0.layer.2.DenseReluDense.wo",
      ],
    ]
  `);
});

describe("finetune", () => {
  const conversations = ["a dog", "the dog"].map((text, i) => ({
    messages: [
      { role: "user", content: text },
      { role: "assistant", content: ["0 1 2", "2 1 0"][i]! },
    ],
    place: `line ${i + 1}`,
  }));
  const common: FinetuneOptions = {
    ...{ method: "adapter", bottleneckSize: 8, maxLength: 32, epochs: 30, learningRate: 0.02 },
    ...{ gradientAccumulationSteps: 1, progress: "none" },
  };
  const all = async (tokens: AsyncIterable<number>): Promise<number[]> => {
    const found: number[] = [];
    for await (const token of tokens) found.push(token);
    return found;
  };

  test("a model learns by them; a checkpoint goes on to the same bits; the folder brings them back", async () => {
    const checkpoint = join(folder, "state.safetensors");
    const run = async (more: FinetuneOptions = {}) => {
      const pretrained = await loadPretrained(modelFile);
      const more2 = { validation: conversations, patience: 30 };
      return { ...(await finetune(pretrained, conversations, { ...common, ...more2, ...more })), pretrained };
    };
    const { adapters, bottleneck, perplexity, pretrained } = await run();
    expect([adapters, bottleneck!.layers.size]).toEqual([undefined, 4]);
    expect(perplexity!.after).toBeLessThan(perplexity!.before / 4);
    await run({
      checkpoint,
      callbacks: [{ onStepEnd: (_, training) => void (training.step === 7 && training.stop("enough")) }],
    });
    const gone = await run({ checkpoint, resume: true });
    const values = (of: BottleneckAdapters) => Promise.all(of.parameters().map((each) => each.data()));
    expect(await values(gone.bottleneck!)).toEqual(await values(bottleneck!));

    const path = join(folder, "learnt");
    await saveBottleneckAdapters(bottleneck!, path);
    const again = await loadPretrained(modelFile);
    await applyAdapters(again.model, path);
    const options = { maxNewTokens: 6, temperature: 0 };
    expect(await all(generateTokens(again.model, [3, 4], options))).toEqual(
      await all(generateTokens(pretrained.model, [3, 4], options)),
    );
    await expect(savePretrained(pretrained, join(folder, "whole"))).rejects.toThrow(
      /bottleneck adapters cannot be merged; save them by themselves \(saveBottleneckAdapters\)/,
    );
  });

  test("preferences are learnt by them too", async () => {
    const pairs = ["a dog", "the dog"].map((content, i) => {
      const answered = (answer: string) => [
        { role: "user", content },
        { role: "assistant", content: answer },
      ];
      return { chosen: answered("0 1 2"), rejected: answered("the dog"), place: `line ${i}` };
    });
    const { validation: _, ...rest } = { ...common, validation: undefined };
    const found = await finetunePreferences(await loadPretrained(modelFile), pairs, {
      ...(rest as object),
      ...{ epochs: 10, validation: pairs },
    });
    const losses = found.history.series("loss");
    expect(losses[0]).toBeCloseTo(Math.LN2, 1);
    expect(losses.at(-1)!).toBeLessThan(0.4);
    expect([found.adapters, found.bottleneck!.layers.size]).toEqual([undefined, 4]);
  });
});

test("what does not fit", async () => {
  const error = async (run: () => unknown): Promise<string> => {
    try {
      await run();
    } catch (caught) {
      return (caught as Error).message.replaceAll(folder, "FOLDER");
    }
    return expect.unreachable();
  };
  const asked = (options: BottleneckOptions) => error(() => bottleneckAdapters(made(), options));
  const twice = made();
  const adapters = bottleneckAdapters(twice);
  const path = join(folder, "bad");
  const changed = async (change: object, model = made()): Promise<string> => {
    await saveBottleneckAdapters(bottleneckAdapters(made(), { bottleneckSize: 4 }), path);
    const file = join(path, "adapter_config.json");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...change }));
    return error(() => loadBottleneckAdapters(model, path));
  };
  const pretrained = await loadPretrained(modelFile);
  const messages = [
    { role: "user", content: "a dog" },
    { role: "assistant", content: "0" },
  ];
  const tuned = (options: FinetuneOptions): Promise<string> =>
    error(() => finetune(pretrained, [{ messages, place: "line 1" }], { progress: "none", ...options }));
  expect([
    await asked({ bottleneckSize: 0 }),
    await asked({ variant: "houlsbi" as never }),
    await asked({ activation: "rleu" as never }),
    await asked({ bottleneck: 4 } as never),
    await error(() => bottleneckAdapters(twice)),
    await error(() => bottleneckAdapters(new Sequential(new Linear(4, 4)))),
    await error(() => adapters.merge()),
    await changed({ peft_type: "LORA" }),
    await changed({ bottleneck_size: 8 }),
    await changed({ bottleneck_size: undefined, variant: "none" }),
    await changed({ variant: "pfeiffer" }),
    await changed({}, twice),
    await error(() => loadAdapters(made(), path)),
    await tuned({ bottleneckSize: 4 }),
    await tuned({ method: "adapter", rank: 4 }),
    await tuned({ method: "adapter", bottleneckSize: -1 }),
  ]).toMatchInlineSnapshot(`
    [
      "bottleneckAdapters: bottleneckSize must be a positive integer, got 0",
      "bottleneckAdapters: variant must be "houlsby" or "pfeiffer", got "houlsbi"",
      "bottleneckAdapters: activation must be one of gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish, tanh, got "rleu"; did you mean "relu"?",
      "bottleneckAdapters: there is no option "bottleneck"; did you mean "bottleneckSize"?",
      "bottleneckAdapters: "model.layers.0.self_attn.o_proj" has such an adapter already; go on with that, or remove it first",
      "bottleneckAdapters: Sequential has no layers whose parts end in self_attn.o_proj, attn.c_proj, attention.output.dense, attention.out_lin, SelfAttention.o, EncDecAttention.o, self_attn.out_proj, encoder_attn.out_proj, mlp.down_proj, mlp.c_proj, output.dense, ffn.lin2, DenseReluDense.wo, fc2",
      "merge: bottleneck adapters have a nonlinearity, so no weight of the model computes what they do: leave them on the model, or train with method "lora" what is to be merged",
      ""FOLDER/bad/adapter_config.json": peft_type "LORA" is not known here",
      ""FOLDER/bad/adapter_model.safetensors": "base_model.model.model.layers.0.self_attn.o_proj.adapter_down.weight" is f32 (4, 16), the layer's is f32 (8, 16)",
      ""FOLDER/bad/adapter_config.json" does not fit: bottleneckAdapters: variant must be "houlsby" or "pfeiffer", got "none"",
      ""FOLDER/bad/adapter_model.safetensors" holds "base_model.model.model.layers.0.self_attn.o_proj.adapter_down.bias", which is of no adapted layer; the nearest is "base_model.model.model.layers.0.mlp.down_proj.adapter_down.bias"",
      ""FOLDER/bad/adapter_config.json" does not fit: bottleneckAdapters: "model.layers.0.self_attn.o_proj" has such an adapter already; go on with that, or remove it first",
      ""FOLDER/bad/adapter_config.json": peft_type "BOTTLENECK" is opened by loadBottleneckAdapters or applyAdapters",
      "finetune: bottleneckSize is an option of bottleneck adapters, which method "lora" has none of",
      "finetune: rank is an option of low-rank adapters, which method "adapter" has none of",
      "bottleneckAdapters: bottleneckSize must be a positive integer, got -1",
    ]
  `);
});
