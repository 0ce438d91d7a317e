/** Prompts against PEFT's: files, outputs, gradients, ten steps, what follows a text; where a prompt stands. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, hashedUnit, readFixture } from "../../test/fixtures.ts";
import { expectNear, fillStates, type Seeds, weightedSum } from "../../test/model-states.ts";
import { readSafetensors } from "../formats/index.ts";
import { Batching, beamSearch, generateTokens } from "../generate/index.ts";
import { crossEntropy } from "../losses/index.ts";
import { type CausalLanguageModel, Gemma2, GPT2, Llama, PretrainedConfig } from "../models/index.ts";
import { quantizeBlocks, setQuantizedWeight } from "../nn/index.ts";
import { adamw } from "../optim/index.ts";
import { loadPretrained } from "../pretrained/index.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import {
  applyAdapters,
  type FinetuneOptions,
  finetune,
  loadAdapters,
  loadPrompt,
  loraAdapters,
  promptTuning,
  saveAdapters,
  savePrompt,
} from "./index.ts";

interface Row {
  readonly kind: string;
  readonly base: number;
  readonly logits: EncodedArray;
  readonly gradient: EncodedArray;
  readonly embedded: EncodedArray;
  readonly losses: readonly number[];
  readonly generated: readonly number[];
}
const { cases, learningRate, ...seeds } = readFixture<
  Seeds & { cases: readonly Row[]; learningRate: number }
>("peft-prompts.json");
const bases = readFixture<{ cases: readonly { model: string; config: Record<string, unknown> }[] }>(
  "language-models.json",
).cases;
const folderOf = (kind: string): string => join(import.meta.dirname, "../../test/fixtures/peft", kind);

function made({ base }: { readonly base: number } = cases[0]!): CausalLanguageModel {
  const { model: name, config } = bases[base]!;
  const kind = name === "Gemma2" ? Gemma2 : Llama;
  const model = kind.fromConfig(new PretrainedConfig(config)) as CausalLanguageModel;
  fillStates(model, seeds);
  return model.eval();
}
const [batch, steps, vocabulary] = [2, 9, 40];
const texts = Array.from({ length: batch }, (_, row) =>
  Array.from({ length: steps }, (_, i) =>
    Math.floor(hashedUnit(seeds.inputSeed, row * steps + i) * vocabulary),
  ),
);
const idsOf = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length] }) as Tensor;
const all = async (tokens: AsyncIterable<number>): Promise<number[]> => {
  const found: number[] = [];
  for await (const token of tokens) found.push(token);
  return found;
};

let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "netwright-"))));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(cases)("$kind, as PEFT saved it", (row) => {
  const { kind, logits, gradient, embedded, losses, generated } = row;

  test("logits and gradient, of the prompt alone", async () => {
    const model = made(row);
    const prompt = await loadPrompt(model, folderOf(kind));
    expect(model.parameters({ trainable: true })).toEqual([prompt.weight]);
    const ids = idsOf(texts.map((text) => [...prompt.tokens, ...text]));
    const step = compile((x: Tensor) => {
      const y = model.forward(x);
      return [y, ...grad(weightedSum(y, seeds), [prompt.weight])] as Tensor[];
    });
    const [found, own] = step(ids);
    expectNear("logits", await found!.data(), decodeArray(logits), 1e-4);
    expectNear("gradient", await own!.data(), decodeArray(gradient), 1e-3);
  });

  test("ten steps of AdamW", async () => {
    const model = made(row);
    const { tokens, weight } = await loadPrompt(model, folderOf(kind));
    const optimizer = adamw({ learningRate })([weight]);
    const count = tokens.length;
    const step = compile((x: Tensor) => {
      const y = model.forward(x).slice(1, count - 1, count + steps - 1) as Tensor;
      const labels = x.slice(1, count, count + steps).flatten();
      const loss = crossEntropy(y.reshape([batch * steps, -1]), labels);
      optimizer.step(grad(loss, [weight]) as Tensor[]);
      return loss;
    });
    // PEFT's labels begin with the text's first token, which follows the prompt.
    const ids = idsOf(texts.map((text) => [...tokens, ...text]));
    for (const wanted of losses)
      expect(Math.abs(((await step(ids).item()) as number) - wanted)).toBeLessThan(3e-3 * wanted);
  });

  test("what follows a text: alone, in a batch, by beams; without the prompt another", async () => {
    const model = made(row);
    const [text, other] = texts as [number[], number[]];
    const options = { maxNewTokens: generated.length, temperature: 0 };
    const plain = await all(generateTokens(model, text, options));
    const prompt = await loadPrompt(model, folderOf(kind));
    expect(await all(generateTokens(model, text, options))).toEqual(generated);
    const batching = new Batching(model, { slots: 2, maxLength: 32, pageSize: 4 });
    const answer = async (request: readonly number[]): Promise<number[]> => {
      const found: number[] = [];
      for await (const { token } of batching.generate({ prompt: request, ...options })) found.push(token);
      return found;
    };
    const answers = await Promise.all([answer(text), answer(other)]);
    expect(answers).toEqual([generated, await all(generateTokens(model, other, options))]);
    expect(batching.maxLength).toBe(32 - prompt.tokens.length);
    const [best] = await beamSearch(model, text, { numBeams: 1, maxNewTokens: generated.length });
    expect(best!.tokens).toEqual(generated);
    prompt.remove();
    expect(await all(generateTokens(model, text, options))).toEqual(plain);
    expect(plain).not.toEqual(generated);
  });

  test("saved again: the same file", async () => {
    const [there, here] = [folderOf(kind), join(folder, kind)];
    await savePrompt(await loadPrompt(made(row), there), here);
    const read = (path: string) => readSafetensors(join(path, "adapter_model.safetensors"));
    expect((await read(here)).tensors).toEqual((await read(there)).tensors);
    const config = (path: string): Record<string, unknown> =>
      JSON.parse(readFileSync(join(path, "adapter_config.json"), "utf8"));
    const theirs = config(there);
    for (const [name, value] of Object.entries(config(here)))
      expect([name, value]).toEqual([name, theirs[name]]);
  });

  test("begins with the embeddings of tokens, over and over", async () => {
    const { weight } = promptTuning(made(row), { virtualTokens: 3, tokens: [3, 7] });
    const wanted = [...decodeArray(embedded)] as number[];
    const found = [...(await weight.data())] as number[];
    expectNear("embeddings", found, [...wanted, ...wanted.slice(0, wanted.length / 2)], 1e-6);
  });
});

test("random first values are normal and go by the key; a quantized table of embeddings has a prompt too", async () => {
  const sizes = { vocabSize: 64, hiddenSize: 64, numLayers: 1, numHeads: 2, intermediateSize: 64 };
  const values = async (key: number): Promise<number[]> =>
    [...(await promptTuning(new Llama(sizes), { key, virtualTokens: 50 }).weight.data())] as number[];
  const found = await values(1);
  expect(found).toEqual(await values(1));
  expect(found).not.toEqual(await values(2));
  expect(Math.abs(found.reduce((sum, x) => sum + x * x, 0) / found.length - 1)).toBeLessThan(0.1);
  for (const model of [new Llama(sizes), new GPT2({ ...sizes, maxPositions: 64 })]) {
    const { table } = model.wordEmbeddings();
    const blocks = quantizeBlocks((await table.weight.data()) as Float32Array, "Q8_0");
    const data = { dtype: "u8", shape: [64, blocks.length / 64], data: blocks } as const;
    setQuantizedWeight(table, { type: "Q8_0", shape: [64, 64], blocks: data });
    model.eval();
    const text = idsOf([[5, 6]]);
    const plain = await model.forward(text).data();
    const prompt = promptTuning(model, { virtualTokens: 2, key: 3 });
    expect(await model.forward(text).data()).toEqual(plain);
    const [behind] = await Promise.all([
      model
        .forward(idsOf([[...prompt.tokens, 5, 6]]))
        .at(0, -1)
        .data(),
    ]);
    expect(behind).not.toEqual(plain.slice(-64));
  }
});

test("a model learns answers by a prompt; a checkpoint goes on with it; the folder brings it back", async () => {
  const file = join(import.meta.dirname, "../../test/fixtures/llama.gguf");
  const conversations = ["a dog", "the dog"].map((text, i) => ({
    messages: [
      { role: "user", content: text },
      { role: "assistant", content: ["0 1 2", "2 1 0"][i]! },
    ],
    place: `line ${i + 1}`,
  }));
  const open = () => loadPretrained(file);
  const checkpoint = join(folder, "state.safetensors");
  const run = async (more: FinetuneOptions = {}) => {
    const pretrained = await open();
    const trained = await finetune(pretrained, conversations, {
      ...{ method: "prompt", virtualTokens: 4, promptText: "the dog", maxLength: 32, epochs: 30 },
      ...{ gradientAccumulationSteps: 1, progress: "none", validation: conversations, patience: 30 },
      ...more,
    });
    return { ...trained, pretrained };
  };
  const { adapters, prompt, history, perplexity, pretrained } = await run();
  expect([adapters, prompt!.tokens.length]).toEqual([undefined, 4]);
  expect(perplexity!.after).toBeLessThan(perplexity!.before / 2);
  await run({ checkpoint, callbacks: [{ onStepEnd: (_, to) => void (to.step === 7 && to.stop("enough")) }] });
  const names = [...(await readSafetensors(checkpoint)).tensors.keys()].filter(
    (name) => !name.startsWith("@"),
  );
  expect(names).toEqual([expect.stringMatching(/embed_tokens\.prompt\.prompt_embeddings$/)]);
  const gone = await run({ checkpoint, resume: true });
  expect(await gone.prompt!.weight.data()).toEqual(await prompt!.weight.data());
  expect(gone.history.epochs.length).toBe(history.epochs.length);

  await savePrompt(prompt!, join(folder, "learnt"));
  const again = await open();
  await applyAdapters(again.model, join(folder, "learnt"));
  const options = { maxNewTokens: 6, temperature: 0 };
  expect(await all(generateTokens(again.model, [3, 4], options))).toEqual(
    await all(generateTokens(pretrained.model, [3, 4], options)),
  );
});

test("what does not fit", async () => {
  const error = async (run: () => unknown): Promise<string> => {
    try {
      await run();
    } catch (caught) {
      return (caught as Error).message.replaceAll(folder, "FOLDER").replaceAll(folderOf(""), "PEFT/");
    }
    return expect.unreachable();
  };
  const twice = made();
  promptTuning(twice);
  const there = join(folder, "bad");
  const changed = async (change: object): Promise<string> => {
    await savePrompt(promptTuning(made(), { virtualTokens: 3 }), there);
    const path = join(there, "adapter_config.json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change }));
    return error(() => loadPrompt(made(), there));
  };
  await saveAdapters(loraAdapters(made(), { rank: 2 }), join(folder, "lora"));
  const pretrained = await loadPretrained(join(import.meta.dirname, "../../test/fixtures/llama.gguf"));
  const messages = [
    { role: "user", content: "a dog" },
    { role: "assistant", content: "0" },
  ];
  const tuned = (options: FinetuneOptions): Promise<string> =>
    error(() => finetune(pretrained, [{ messages, place: "line 1" }], { progress: "none", ...options }));
  expect([
    await error(() => promptTuning(made(), { virtualTokens: 0 })),
    await error(() => promptTuning(made(), { tokens: [3, 40] })),
    await error(() => promptTuning(made(), { tokens: [] })),
    await error(() => promptTuning(twice)),
    await changed({ num_virtual_tokens: 4 }),
    await changed({ num_transformer_submodules: 2 }),
    await error(() => loadPrompt(made(), join(folder, "lora"))),
    await error(() => loadAdapters(made(), there)),
    await error(() =>
      loadPrompt(
        new Llama({ vocabSize: 9, hiddenSize: 8, numLayers: 1, numHeads: 2, intermediateSize: 8 }),
        folderOf("prompt"),
      ),
    ),
    await tuned({ virtualTokens: 3 }),
    await tuned({ promptText: "a dog" }),
    await tuned({ method: "prompt", rank: 4 }),
    await tuned({ method: "prompt", virtualTokens: -1 }),
  ]).toMatchInlineSnapshot(`
    [
      "promptTuning: virtualTokens must be a positive integer, got 0",
      "promptTuning: 40 is no token of a vocabulary of 40",
      "promptTuning: tokens are given, and there are none",
      "promptTuning: the model has a prompt already; remove that first",
      ""FOLDER/bad/adapter_model.safetensors": prompt_embeddings is f32 (3, 16), that of this model and adapter_config.json f32 (4, 16)",
      ""FOLDER/bad/adapter_config.json": num_transformer_submodules 2 is not known here",
      ""FOLDER/lora/adapter_config.json": peft_type "LORA" is not known here",
      ""FOLDER/bad/adapter_config.json": peft_type "PROMPT_TUNING" is opened by loadPrompt or applyAdapters",
      ""PEFT//prompt/adapter_model.safetensors": prompt_embeddings is f32 (5, 16), that of this model and adapter_config.json f32 (5, 8)",
      "finetune: virtualTokens is an option of a prompt, which method "lora" has none of",
      "finetune: promptText goes with method "prompt"",
      "finetune: rank is an option of low-rank adapters, which method "prompt" has none of",
      "promptTuning: virtualTokens must be a positive integer, got -1",
    ]
  `);
});
