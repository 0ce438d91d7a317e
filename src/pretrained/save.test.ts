/** What is saved is read back: the same bits, the same names, the same tokens. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readFixture } from "../../test/fixtures.ts";
import { expectNear, fillStates, type Seeds } from "../../test/model-states.ts";
import { byTier } from "../../test/tier.ts";
import { openGguf, readSafetensors, writeGguf } from "../formats/index.ts";
import { PretrainedConfig } from "../models/index.ts";
import { Adapter, type Linear, type Module } from "../nn/index.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import {
  loadPretrained,
  modelFromConfig,
  type Pretrained,
  saveGguf,
  savePretrained,
  type Task,
} from "./index.ts";

const fixtures = join(import.meta.dirname, "../../test/fixtures");
const { cases, ...seeds } = readFixture<
  Seeds & { cases: readonly { model: string; config: Record<string, unknown> }[] }
>("language-models.json");
const others = readFixture<{ cases: typeof cases }>("published-models.json").cases;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "netwright-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const ids = tensor([[3, 1, 4, 1, 5, 9]], { dtype: "i32" }) as Tensor;

async function bitsOf(model: Module): Promise<Record<string, unknown>> {
  const reads = [...model.stateDict()].map(async ([name, state]) => [name, await state.toHost()] as const);
  return Object.fromEntries(await Promise.all(reads));
}

const failure = (saving: Promise<unknown>): Promise<string> =>
  saving.then(
    () => expect.unreachable("it was saved"),
    (error: Error) => error.message.replaceAll(folder, "FOLDER"),
  );

describe("a folder", () => {
  test("of one file, then of shards, then of one again: the same bits", async () => {
    const given = await loadPretrained(join(fixtures, "llama.gguf"));
    const path = join(folder, "llama");
    const text = "the dog and<|end|>12 dogs";
    for (const [maxShardBytes, files] of [
      [5e9, ["model.safetensors"]],
      [4000, ["model-00001-of-", "model-00002-of-", "model.safetensors.index.json"]],
      [5e9, ["model.safetensors"]],
    ] as const) {
      await savePretrained(given, path, { maxShardBytes });
      const written = readdirSync(path);
      for (const file of files) expect(written.some((name) => name.includes(file))).toBe(true);
      const read = await loadPretrained(path);
      expect(await bitsOf(read.model)).toEqual(await bitsOf(given.model));
      expect(read.tokenizer!.encode(text).ids).toEqual(given.tokenizer!.encode(text).ids);
      const { chatTemplate, beginToken, endTokens } = read;
      expect({ chatTemplate, beginToken, endTokens }).toEqual({
        chatTemplate: given.chatTemplate,
        beginToken: given.beginToken,
        endTokens: given.endTokens,
      });
    }
    expect(readdirSync(path)).not.toContain("model.safetensors.index.json");
    const said = JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as Record<string, unknown>;
    expect([said.architectures, said.torch_dtype]).toEqual([["LlamaForCausalLM"], "float32"]);
  });

  test("in 16 bits, from a folder whose tokenizer comes along", async () => {
    const given = await loadPretrained(join(folder, "llama"));
    const path = join(folder, "half");
    await savePretrained(given, path, { dtype: "bf16" });
    const { tensors, metadata } = await readSafetensors(join(path, "model.safetensors"));
    expect([...new Set([...tensors.values()].map(({ dtype }) => dtype))]).toEqual(["bf16"]);
    expect(metadata.get("format")).toBe("pt");
    const read = await loadPretrained(path);
    expectNear("logits", await read.model.forward(ids).data(), await given.model.forward(ids).data(), 0.05);
    expect(read.tokenizer!.encode("the dog").ids).toEqual(given.tokenizer!.encode("the dog").ids);
  });

  test("of any family, under the names of its files", async () => {
    const tasks = {
      ...{ BertForSequenceClassification: "text-classification", RobertaForMaskedLM: "fill-mask" },
      ...{ T5: "text2text-generation", Whisper: "automatic-speech-recognition", GPT2: "text-generation" },
      ViT: "image-classification",
    } as const;
    for (const [name, task] of Object.entries(tasks) as [string, Task][]) {
      const config = new PretrainedConfig(others.find(({ model }) => model === name)!.config);
      const model = modelFromConfig(config, task);
      fillStates(model, seeds);
      const path = join(folder, name);
      const origin = { path: folder, task };
      const given = { model, config, origin } as unknown as Pretrained<Module>;
      await savePretrained(given, path);
      const read = await loadPretrained(path, { task });
      expect(read.leftOut).toEqual([]);
      expect(await bitsOf(read.model)).toEqual(await bitsOf(model));
    }
    const { tensors } = await readSafetensors(join(folder, "ViT", "model.safetensors"));
    expect([...tensors.keys()]).toContain("vit.encoder.layer.1.attention.attention.key.weight");
  });

  test("adapters and few bits are refused", async () => {
    class Doubled extends Adapter {
      readonly scale = tensor(2);
      readonly inner = modelFromConfig(new PretrainedConfig(cases[0]!.config)).namedModules().get("lm_head")!;
      forward(inner: (x: Tensor) => Tensor, x: Tensor): Tensor {
        return inner(x).mul(2) as Tensor;
      }
    }
    const given = await loadPretrained(join(fixtures, "llama.gguf"));
    const layer = given.model.namedModules().get("model.layers.0.mlp.up_proj") as Linear;
    layer.addAdapter("doubled", new Doubled());
    const kept = await loadPretrained(join(fixtures, "llama-quantized.gguf"), { quantized: true });
    expect([
      await failure(savePretrained(given, join(folder, "refused"))),
      await failure(savePretrained(kept, join(folder, "refused"))),
      await failure(savePretrained(given, join(folder, "refused"), { dtype: "f64" as never })),
    ]).toMatchInlineSnapshot(`
      [
        "savePretrained: the model holds "model.layers.0.mlp.up_proj.doubled.inner.weight", which its configuration does not have: merge its adapters first",
        "savePretrained: the model holds "model.embed_tokens.parametrizations.weight.quants", which its configuration does not have: weights that stay quantized are not saved; open the model without { quantized: true }",
        "savePretrained: dtype must be f32, f16 or bf16, got "f64"",
      ]
    `);
  });
});

describe("a GGUF file", () => {
  test("of plain and quantized types: read back and compared", async () => {
    const given = await loadPretrained(join(fixtures, "llama-quantized.gguf"));
    const path = join(folder, "copy.gguf");
    const most = { F32: 0, F16: 2e-3, BF16: 2e-2, Q8_0: 5e-2, Q4_1: 0.3, Q4_0: 0.3 };
    const chosen = byTier(["Q8_0", "F32"] as const, ["Q4_0", "Q4_1", "Q8_0", "BF16", "F16", "F32"] as const);
    for (const type of chosen) {
      const { logitsError, types } = await saveGguf(given, path, { type });
      expect(logitsError).toBeLessThanOrEqual(most[type]);
      expect(types.get("blk.0.ffn_up.weight")).toBe(type);
      expect(types.get("output_norm.weight")).toBe("F32");
    }
    const read = await loadPretrained(path);
    expect(await bitsOf(read.model)).toEqual(await bitsOf(given.model));
    expect(read.config.values).toMatchObject(given.config.values);
    const text = "the dog and<|end|>12 dogs<|user|>";
    expect(read.tokenizer!.encode(text).ids).toEqual(given.tokenizer!.encode(text).ids);
    expect([read.chatTemplate, read.beginToken, read.endTokens]).toEqual([
      given.chatTemplate,
      given.beginToken,
      given.endTokens,
    ]);
  });

  test("of every architecture, with the tokenizer of another", async () => {
    const { origin } = await loadPretrained(join(fixtures, "llama.gguf"));
    for (const model of byTier(["Gemma3", "Phi3"], ["Qwen2", "Qwen3", "Gemma3", "Phi3"])) {
      const values = cases.find((row) => row.model === model)!.config;
      const config = new PretrainedConfig({
        ...{ ...values, rope_parameters: undefined, layer_types: undefined, sliding_window: undefined },
        ...{ query_pre_attn_scalar: values.head_dim, use_sliding_window: false, rope_local_base_freq: 1e4 },
      });
      const made = modelFromConfig(config);
      fillStates(made, seeds);
      const given = { model: made, config, endTokens: [], origin } as unknown as Pretrained;
      const { logitsError } = await saveGguf(given, join(folder, `${model}.gguf`), { type: "F32" });
      // Norms of Gemma are stored with the 1, which rounds them.
      expect([model, logitsError < (model === "Gemma3" ? 1e-5 : 1e-7)]).toEqual([model, true]);
    }
  });

  test("what it cannot hold is refused", async () => {
    const given = await loadPretrained(join(fixtures, "llama.gguf"));
    const path = join(folder, "refused.gguf");
    const changed = (changes: object): Pretrained => ({
      ...given,
      config: new PretrainedConfig({ ...given.config.values, ...changes }),
    });
    const array = { shape: [2, 3], type: "Q8_0", bytes: () => new Uint8Array(6) };
    expect([
      await failure(saveGguf(given, path, { type: "Q2_K" as never })),
      await failure(saveGguf(changed({ rope_scaling: { rope_type: "linear", factor: 2 } }), path)),
      await failure(saveGguf({ ...given, origin: undefined } as never, path)),
      await failure(writeGguf(path, {}, new Map([["a", array]]))),
      await failure(writeGguf(path, {}, new Map([["a", { ...array, type: "F32" }]]))),
      await failure(writeGguf(path, {}, new Map([["a", { ...array, type: "Q9" }]]))),
      await failure(openGguf(path)),
    ]).toMatchInlineSnapshot(`
      [
        "saveGguf: type must be one of F32, F16, BF16, Q8_0, Q4_1, Q4_0, got "Q2_K"",
        "saveGguf: rotary positions scaled by "linear" are not written; only unscaled ones are",
        "saveGguf: the model comes without a tokenizer, which a GGUF file holds",
        "gguf: Q8_0 comes in blocks of 32, rows of "a" have 3 elements",
        "gguf: "a" takes 24 bytes, got 6",
        "gguf: "a" is of type "Q9"; known are F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, I8, I32, F64, BF16",
        "cannot read "FOLDER/refused.gguf": there is no such file or folder; check the path",
      ]
    `);
  });
});
