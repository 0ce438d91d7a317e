/** Folders of encoders, encoder-decoders and images' networks: tasks, prefixes, heads that are left out or begin anew. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, hashedUniform, readFixture } from "../../test/fixtures.ts";
import { expectNear, fillStates, type Seeds, sizeOf, stateOf } from "../../test/model-states.ts";
import { serializeSafetensors } from "../formats/index.ts";
import { PretrainedConfig } from "../models/index.ts";
import type { Module } from "../nn/index.ts";
import { type HostArray, type Tensor, tensor } from "../tensor/index.ts";
import {
  loadPretrained,
  loadSentenceEncoder,
  modelFromConfig,
  type Pooling,
  pooledFeatures,
  SentenceEncoder,
  type Task,
} from "./index.ts";

interface Row {
  readonly model: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, EncodedArray>>;
  readonly output: EncodedArray;
  /** As files name them: which of `stateOf`, and the shape. */
  readonly states?: Readonly<Record<string, readonly [number, readonly number[]]>>;
}
const { cases, ...seeds } = readFixture<Seeds & { cases: readonly Row[] }>("published-models.json");
const rowOf = (model: string): Row => cases.find((row) => row.model === model)!;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "netwright-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function statesOf(model: Module): Promise<Map<string, HostArray>> {
  const reads = [...model.stateDict()].map(async ([name, state]) => [name, await state.toHost()] as const);
  return new Map(await Promise.all(reads));
}

let folders = 0;
function folderOf(
  config: object,
  weights: Map<string, HostArray>,
  more: Record<string, unknown> = {},
): string {
  const path = join(folder, String(folders++));
  mkdirSync(path);
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  writeFileSync(join(path, "model.safetensors"), serializeSafetensors(weights));
  for (const [name, content] of Object.entries(more)) {
    mkdirSync(join(path, name, ".."), { recursive: true });
    writeFileSync(join(path, name), JSON.stringify(content));
  }
  return path;
}

/** The weights of a row, as its fixture filled them. */
async function weightsOf({ config }: Row, task: Task): Promise<Map<string, HostArray>> {
  const model = modelFromConfig(new PretrainedConfig(config), task);
  fillStates(model, seeds);
  return statesOf(model);
}

const input = ({ inputs }: Row, name: string): Tensor => {
  const { dtype, shape } = inputs[name]!;
  return tensor({ dtype, shape, data: decodeArray(inputs[name]!) } as HostArray) as Tensor;
};

const failure = (loading: Promise<unknown>): Promise<string> =>
  loading.then(
    () => expect.unreachable("it was loaded"),
    (error: Error) => error.message.replaceAll(folder, "FOLDER").replace(/FOLDER\/\d+/g, "FOLDER"),
  );

const typed = ({ inputs }: Row): boolean => "token_type_ids" in inputs;
const options = (row: Row) => ({
  attentionMask: input(row, "attention_mask"),
  ...(typed(row) && { typeIds: input(row, "token_type_ids") }),
});

describe("encoders", () => {
  const row = rowOf("BertForSequenceClassification");

  test("by task, without what is another task's", async () => {
    const weights = await weightsOf(row, "text-classification");
    const path = folderOf(row.config, weights);
    const { model, leftOut } = await loadPretrained(path, { task: "text-classification" });
    expect([model.labels, leftOut]).toEqual([["LABEL_0", "LABEL_1", "LABEL_2"], []]);
    const logits = await model.forward(input(row, "input_ids"), options(row)).data();
    expectNear("logits", logits, decodeArray(row.output), 1e-4);
    const plain = await loadPretrained(path, { task: "feature-extraction" });
    expect(plain.leftOut).toEqual(["classifier.bias", "classifier.weight"]);
    const pooled = plain.model.pooled(plain.model.forward(input(row, "input_ids"), options(row)));
    const { data } = weights.get("classifier.weight")!;
    const head = tensor(data as Float32Array, { shape: [3, 16] }) as Tensor;
    const again = pooled.matmul(head.transpose()).add(tensor(weights.get("classifier.bias")!) as Tensor);
    expectNear("by hand", await again.data(), logits, 1e-5);
  });

  test("old files: without a prefix, with tables of places, norms by other names", async () => {
    const bert = rowOf("Bert");
    const old = new Map<string, HostArray>(
      [...(await weightsOf(bert, "feature-extraction"))].map(([name, value]) => [
        `bert.${name}`
          .replace("LayerNorm.weight", "LayerNorm.gamma")
          .replace("LayerNorm.bias", "LayerNorm.beta"),
        value,
      ]),
    );
    old.set("bert.embeddings.position_ids", { dtype: "i32", shape: [1, 2], data: Int32Array.of(0, 1) });
    old.set("cls.predictions.bias", { dtype: "f32", shape: [1], data: Float32Array.of(0) });
    const { model, leftOut } = await loadPretrained(folderOf(bert.config, old), {
      task: "feature-extraction",
    });
    expect(leftOut).toEqual(["cls.predictions.bias"]);
    const features = model.forward(input(bert, "input_ids"), options(bert));
    expectNear("features", await features.data(), decodeArray(bert.output), 1e-4);
  });

  test("a head that begins anew", async () => {
    const bert = rowOf("Bert");
    const path = folderOf(bert.config, await weightsOf(bert, "feature-extraction"));
    const asked = { task: "token-classification", labels: ["O", "NAME"] } as const;
    const { model } = await loadPretrained(path, asked);
    expect(model.labels).toEqual(["O", "NAME"]);
    expect(model.forward(input(bert, "input_ids")).shape).toEqual([2, 9, 2]);
    expect(await failure(loadPretrained(path, { task: "token-classification" }))).toMatchInlineSnapshot(`
      "BertForTokenClassification: the names do not match; rename them, or pass { strict: false } to leave these out:
        no value for "classifier.weight"
        no value for "classifier.bias""
    `);
    expect(await failure(loadPretrained(path))).toMatchInlineSnapshot(
      `""FOLDER/config.json": "bert" is no model for "text-generation"; pass { task: "feature-extraction" | "fill-mask" | "text-classification" | "token-classification" }"`,
    );
    expect(await failure(loadPretrained(path, { task: "translation" as never }))).toMatchInlineSnapshot(
      `"task "translation" is not known; known are text-generation, feature-extraction, fill-mask, text-classification, token-classification, text2text-generation, automatic-speech-recognition, image-classification"`,
    );
  });
});

test("a ViT under Hugging Face's names", async () => {
  const row = rowOf("ViT");
  const weights = new Map<string, HostArray>(
    Object.entries(row.states!).map(([name, [i, shape]]) => [
      name,
      { dtype: "f32", shape, data: stateOf(seeds.stateSeed + i, name, shape) },
    ]),
  );
  const path = folderOf(row.config, weights);
  const { model } = await loadPretrained(path, { task: "image-classification" });
  expectNear("logits", await model.forward(input(row, "pixel_values")).data(), decodeArray(row.output), 1e-4);
  weights.delete("vit.encoder.layer.1.attention.attention.key.weight");
  expect(
    await failure(loadPretrained(folderOf(row.config, weights), { task: "image-classification" })),
  ).toMatchInlineSnapshot(
    `""vit.encoder.layer.1.attention.attention.query.weight" comes without "vit.encoder.layer.1.attention.attention.key.weight""`,
  );
});

test("encoder-decoders", async () => {
  for (const [name, task] of [
    ["T5", "text2text-generation"],
    ["Whisper", "automatic-speech-recognition"],
  ] as const) {
    const row = rowOf(name);
    const path = folderOf(row.config, await weightsOf(row, task));
    const { model } = await loadPretrained(path, { task });
    const source = input(row, name === "T5" ? "input_ids" : "input_features");
    const mask = name === "T5" ? { attentionMask: input(row, "attention_mask") } : {};
    const logits = model.forward(source, input(row, "decoder_input_ids"), mask);
    expectNear(name, await logits.data(), decodeArray(row.output), 1e-4);
  }
});

describe("sentences", () => {
  test("pooling", async () => {
    const features = tensor(hashedUniform(3, sizeOf([2, 3, 4]), 1), { shape: [2, 3, 4] }) as Tensor;
    const mask = tensor([
      [true, true, true],
      [true, false, false],
    ]) as Tensor;
    const rows = (await features.data()) as Float32Array;
    const column = (n: number, j: number) =>
      [0, 1, 2].slice(0, n === 0 ? 3 : 1).map((t) => rows[n * 12 + t * 4 + j]!);
    const wanted = (of: (values: number[]) => number) =>
      [0, 1].flatMap((n) => [0, 1, 2, 3].map((j) => of(column(n, j))));
    const found = async (pooling: Pooling) => pooledFeatures(features, mask, pooling).data();
    expectNear(
      "mean",
      await found("mean"),
      wanted((v) => v.reduce((a, b) => a + b) / v.length),
      1e-6,
    );
    expectNear(
      "max",
      await found("max"),
      wanted((v) => Math.max(...v)),
      1e-6,
    );
    expectNear(
      "cls",
      await found("cls"),
      wanted(([first]) => first!),
      1e-6,
    );
    expectNear(
      "last",
      await found("last"),
      wanted((v) => v.at(-1)!),
      1e-6,
    );
  });

  test("of a causal language model, whose file has no output layer and no prefix: transformers' vectors", async () => {
    const { cases, pooled, ...own } = readFixture<
      Seeds & {
        cases: readonly { config: Record<string, unknown> }[];
        pooled: { tokens: readonly number[][]; mean: EncodedArray; last: EncodedArray };
      }
    >("language-models.json");
    const config = { ...cases[0]!.config, architectures: ["LlamaModel"] };
    const whole = modelFromConfig(new PretrainedConfig(config));
    fillStates(whole, own);
    const states = [...(await statesOf(whole))].filter(([name]) => name !== "lm_head.weight");
    const weights = new Map(states.map(([name, array]) => [name.replace(/^model\./, ""), array]));
    const vocab = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`w${i}`, i]));
    const tokenizer = {
      ...{ version: "1.0", added_tokens: [], normalizer: null, post_processor: null, decoder: null },
      pre_tokenizer: { type: "Whitespace" },
      model: { type: "WordLevel", unk_token: "w0", vocab },
    };
    const texts = pooled.tokens.map((ids) => ids.map((id) => `w${id}`).join(" "));
    for (const [pooling, key] of [
      ["mean", "mean_tokens"],
      ["last", "lasttoken"],
    ] as const) {
      const modules = ["Transformer", "Pooling", "Normalize"].map((name, i) => ({
        type: `sentence_transformers.models.${name}`,
        path: i === 0 ? "" : `${i}_${name}`,
      }));
      const more = { "tokenizer.json": tokenizer, "modules.json": modules };
      const path = folderOf(config, weights, {
        ...more,
        "1_Pooling/config.json": { [`pooling_mode_${key}`]: true },
      });
      const encoder = await loadSentenceEncoder(path);
      expect([encoder.pooling, encoder.maxTokens]).toEqual([pooling, 64]);
      const vectors = await encoder.encode(texts);
      expectNear(
        pooling,
        vectors.flatMap((vector) => [...vector]),
        decodeArray(pooled[pooling]),
        1e-4,
      );
      // Nothing stands behind its texts that a cut would have to keep.
      const short = new SentenceEncoder(encoder.model, encoder.tokenizer, { pooling, maxTokens: 4 });
      expect(short.tokensOf(texts[0]!)).toEqual(pooled.tokens[0]!.slice(0, 4));
    }
  });

  test("modules that are not known are refused", async () => {
    const bert = rowOf("Bert");
    const weights = await weightsOf(bert, "feature-extraction");
    const vocab = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [i === 0 ? "[UNK]" : `w${i}`, i]));
    const tokenizer = {
      ...{ version: "1.0", added_tokens: [], normalizer: null, post_processor: null, decoder: null },
      pre_tokenizer: { type: "Whitespace" },
      model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", vocab },
    };
    const type = (name: string, path = "") => ({ type: `sentence_transformers.models.${name}`, path });
    const made = (modules: unknown, pooling: object = {}, more: object = {}) =>
      folderOf(bert.config, weights, {
        ...{ "tokenizer.json": tokenizer, "modules.json": modules, "1_Pooling/config.json": pooling },
        ...more,
      });
    const usual = [type("Transformer"), type("Pooling", "1_Pooling"), type("Normalize")];
    const encoder = await loadSentenceEncoder(
      made(usual, { pooling_mode_cls_token: true }, { "sentence_bert_config.json": { max_seq_length: 5 } }),
    );
    expect([encoder.pooling, encoder.normalize, encoder.maxTokens]).toEqual(["cls", true, 5]);
    const [vector, other] = await encoder.encode(["w3 w4", "w3 w4 w5 w6 w7 w8 w9"]);
    expect(Math.hypot(...vector!)).toBeCloseTo(1, 5);
    expect(other).toHaveLength(16);
    expect([
      await failure(
        loadSentenceEncoder(made([...usual, type("Dense", "2_Dense")], { pooling_mode_cls_token: true })),
      ),
      await failure(loadSentenceEncoder(made(usual, { pooling_mode_weightedmean_tokens: true }))),
      await failure(loadSentenceEncoder(made([type("Pooling", "../elsewhere")]))),
      await failure(loadSentenceEncoder(made({}))),
    ]).toMatchInlineSnapshot(`
      [
        ""FOLDER/modules.json" has a module "Dense"; Transformer, Pooling, Normalize are known",
        ""FOLDER/1_Pooling/config.json": pools by pooling_mode_weightedmean_tokens; one of mean, max, cls, last is known",
        ""FOLDER/modules.json": "../elsewhere" is no name of a folder",
        ""FOLDER/modules.json" is no list of modules",
      ]
    `);
  });
});

test("a configuration with sizes that no model has is refused before anything is made", () => {
  const sizes = { model_type: "llama", vocab_size: 20, hidden_size: 8, intermediate_size: 12 };
  const config = (more: object): PretrainedConfig =>
    new PretrainedConfig({ ...sizes, num_hidden_layers: 1, num_attention_heads: 2, ...more });
  expect(() => modelFromConfig(config({ num_hidden_layers: 1e9 }))).toThrow(
    "num_hidden_layers must be an integer from 1 to 1024, got 1000000000",
  );
  expect(() => modelFromConfig(config({ vocab_size: 2 ** 40 }))).toThrow(
    "vocab_size must be an integer from 1 to 16777216",
  );
});
