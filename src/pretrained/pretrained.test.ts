import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, hashedUnit, readFixture } from "../../test/fixtures.ts";
import { expectNear, fillStates, type Seeds } from "../../test/model-states.ts";
import { encode } from "../base/dtype.ts";
import type { HostArray } from "../base/host-array.ts";
import { serializeSafetensors } from "../formats/index.ts";
import { Llama, PretrainedConfig } from "../models/index.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { trainBpe } from "../text/index.ts";
import { loadPretrained } from "./index.ts";

const { cases, ...seeds } = readFixture<
  Seeds & { cases: readonly { config: Record<string, unknown>; logits: EncodedArray }[] }
>("language-models.json");
const [plain, tied] = [cases[0]!, cases[1]!];
const fixture = join(import.meta.dirname, "../../test/fixtures/llama.gguf");

const ids = tensor(
  Int32Array.from({ length: 18 }, (_, i) => Math.floor(hashedUnit(seeds.inputSeed, i) * 40)),
  { shape: [2, 9] },
) as Tensor;

let folder = "";
let states: Map<string, HostArray>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "netwright-"));
  const model = Llama.fromConfig(new PretrainedConfig(plain.config));
  fillStates(model, seeds);
  const entries = [...model.stateDict()].map(async ([name, state]) => [name, await state.toHost()] as const);
  states = new Map(await Promise.all(entries));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A folder with these files; objects become JSON. */
function folderOf(name: string, files: Readonly<Record<string, object | Uint8Array | string>>): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (const [file, content] of Object.entries(files))
    writeFileSync(
      join(path, file),
      typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content),
    );
  return path;
}

const failure = (path: string): Promise<string> =>
  loadPretrained(path).then(
    () => expect.unreachable("it was loaded"),
    (error: Error) => error.message.replaceAll(folder, "FOLDER"),
  );

describe("a folder", () => {
  test("of one file, with a tokenizer and a template", async () => {
    const path = folderOf("one", {
      "config.json": { ...plain.config, bos_token_id: 1, eos_token_id: [2, 3] },
      "model.safetensors": serializeSafetensors(states),
      "tokenizer.json": await trainBpe(["a cat and a dog"], { vocabularySize: 260 }),
      "tokenizer_config.json": {
        chat_template: [
          { name: "other", template: "x" },
          { name: "default", template: "y" },
        ],
      },
    });
    const { model, tokenizer, chatTemplate, beginToken, endTokens } = await loadPretrained(path);
    expectNear("logits", await model.forward(ids).data(), decodeArray(plain.logits), 1e-4);
    expect(tokenizer!.decode(tokenizer!.encode("a dog").ids)).toBe("a dog");
    expect({ chatTemplate, beginToken, endTokens }).toEqual({
      chatTemplate: "y",
      beginToken: 1,
      endTokens: [2, 3],
    });
  });

  test("of shards in bf16, without more; read, not mapped", async () => {
    const half = new Map(
      [...states].map(([name, { shape, data }]) => [
        name,
        { dtype: "bf16", shape, data: encode("bf16", Float64Array.from(data)) } as HostArray,
      ]),
    );
    const names = [...half.keys()];
    const shardOf = (name: string): string => `model-0000${names.indexOf(name) % 2}.safetensors`;
    const shards = [0, 1].map((i) => new Map([...half].filter((_, at) => at % 2 === i)));
    const path = folderOf("shards", {
      "config.json": plain.config,
      "model.safetensors.index.json": {
        weight_map: Object.fromEntries(names.map((name) => [name, shardOf(name)])),
      },
      "model-00000.safetensors": serializeSafetensors(shards[0]!),
      "model-00001.safetensors": serializeSafetensors(shards[1]!),
    });
    const { model, tokenizer, chatTemplate } = await loadPretrained(path, { mmap: false });
    expectNear("logits", await model.forward(ids).data(), decodeArray(plain.logits), 0.05);
    expect([tokenizer, chatTemplate]).toEqual([undefined, undefined]);
    rmSync(join(path, "model-00001.safetensors"));
    expect(await failure(path)).toMatch(/model-00001\.safetensors/);
    writeFileSync(join(path, "model.safetensors.index.json"), '{"weight_map":{"a":"../secret.safetensors"}}');
    expect(await failure(path)).toMatch(/"a" lies in "..\/secret.safetensors", which is no name of a shard/);
  });

  test("a tied output matrix may stand in the file", async () => {
    const model = Llama.fromConfig(new PretrainedConfig(tied.config));
    fillStates(model, seeds);
    const entries = [...model.stateDict()].map(
      async ([name, state]) => [name, await state.toHost()] as const,
    );
    const values: Map<string, HostArray> = new Map(await Promise.all(entries));
    values.set("lm_head.weight", values.get("model.embed_tokens.weight")!);
    const path = folderOf("tied", {
      "config.json": tied.config,
      "model.safetensors": serializeSafetensors(values),
    });
    const loaded = await loadPretrained(path);
    expectNear("logits", await loaded.model.forward(ids).data(), decodeArray(tied.logits), 1e-4);
  });

  test("what does not fit is named", async () => {
    const weights = serializeSafetensors(states);
    const without = new Map([...states].filter(([name]) => name !== "model.norm.weight"));
    const config = plain.config;
    const messages = [
      folderOf("empty", {}),
      folderOf("family", { "config.json": { ...config, model_type: "lama" }, "model.safetensors": weights }),
      folderOf("weightless", { "config.json": config }),
      folderOf("missing", { "config.json": config, "model.safetensors": serializeSafetensors(without) }),
      folderOf("wide", { "config.json": { ...config, hidden_size: 32 }, "model.safetensors": weights }),
    ].map(failure);
    expect(await Promise.all(messages)).toMatchInlineSnapshot(`
      [
        "cannot read "FOLDER/empty/config.json": there is no such file or folder; check the path",
        ""FOLDER/family/config.json": model_type "lama" is not known (did you mean "llama"?); known are llama, mistral, qwen2, qwen3, gemma2, gemma3_text, phi3, gpt2, bert, roberta, distilbert, t5, whisper, vit",
        ""FOLDER/weightless" holds neither model.safetensors nor model.safetensors.index.json: is it the folder of a model?",
        "Llama: the names do not match; rename them, or pass { strict: false } to leave these out:
        no value for "model.norm.weight"",
        "Llama: "lm_head.weight" has shape (40, 32), its value (40, 16): the model was built with other sizes",
      ]
    `);
  });
});

test("a configuration that is cut short", async () => {
  expect(await failure(folderOf("torn", { "config.json": "{" }))).toMatch(
    /"FOLDER\/torn\/config.json" is no JSON/,
  );
});

describe("a GGUF file", () => {
  test("is the same model", async () => {
    const { model, tokenizer, chatTemplate, beginToken, endTokens } = await loadPretrained(fixture);
    expectNear("logits", await model.forward(ids).data(), decodeArray(plain.logits), 1e-4);
    expect({ beginToken, endTokens }).toEqual({ beginToken: 0, endTokens: [1] });
    expect(chatTemplate).toMatch(/add_generation_prompt/);
    const { tokens } = tokenizer!.encode("the dog and<|end|>12 dogs");
    expect(tokens).toEqual(["the", "Ġ", "dog", "Ġan", "d", "<|end|>", "1", "2", "Ġ", "dog", "s"]);
    expect(tokenizer!.decode(tokenizer!.encode("the dog and 12 dogs<|user|>").ids)).toBe(
      "the dog and 12 dogs<|user|>",
    );
  });

  test("keeps its matrices of few bits: the same logits to the bit, from a fraction of the memory", async () => {
    const file = join(import.meta.dirname, "../../test/fixtures/llama-quantized.gguf");
    const [whole, kept] = [await loadPretrained(file), await loadPretrained(file, { quantized: true })];
    expect(kept.model.namedParameters().size).toBe(5);
    expect(kept.model.namedModules().get("model.layers.0.mlp.down_proj")!.toString()).toContain(
      "QuantizedWeight(Q4_0, 32 × 64)",
    );
    const logits = await kept.model.forward(ids).data();
    expect(logits).toEqual(await whole.model.forward(ids).data());
    const read = await loadPretrained(file, { quantized: true, mmap: false });
    expect(await read.model.forward(ids).data()).toEqual(logits);
    await expect(loadPretrained(folder, { quantized: true })).rejects.toThrow(/is no GGUF file/);
  });

  test("of other architectures and tokenizers is refused by name", async () => {
    const bytes = readFileSync(fixture).toString("latin1");
    const changed = (name: string, from: string, to: string): string => {
      const path = join(folder, `${name}.gguf`);
      writeFileSync(path, Buffer.from(bytes.replaceAll(from, to), "latin1"));
      return path;
    };
    expect([
      await failure(changed("arch", "llama", "mamba")),
      await failure(changed("cut", "smollm", "smallm")),
      await failure(changed("model", "gpt2", "gpt3")),
      await failure(changed("tensor", "blk.0.attn_q.", "blk.0.attn_z.")),
    ]).toMatchInlineSnapshot(`
      [
        ""FOLDER/arch.gguf" is of architecture "mamba"; known are llama, qwen2, qwen3, gemma2, gemma3, phi3",
        ""FOLDER/cut.gguf" cuts texts by "smallm"; known are default, gpt-2, smollm, llama-bpe, qwen2",
        ""FOLDER/model.gguf" has a tokenizer of kind "gpt3"; byte-level BPE ("gpt2") is read: give the folder's tokenizer.json instead",
        ""FOLDER/tensor.gguf" holds a tensor "blk.0.attn_z.weight", which no model of its architecture is known to have",
      ]
    `);
  });
});
