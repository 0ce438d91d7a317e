/** Saving models as Hugging Face has them: a folder that transformers and `loadPretrained` open. */
import { fileSize, joinPath, makeFolder, readFile, removeFile, writeFileAtomic } from "#platform";
import { bytesOf, type DType, decode, encode } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { writeSafetensors } from "../formats/index.ts";
import { huggingFaceNames } from "../models/vit-names.ts";
import type { Module } from "../nn/index.ts";
import { modelFromConfig, type Task } from "./families.ts";
import type { Pretrained } from "./load.ts";

export interface SavePretrainedOptions {
  /** Of the weights in the file; default "f32". What a smaller one cannot hold is rounded. */
  readonly dtype?: "f32" | "f16" | "bf16";
  /** A file holds at most so many bytes of weights, and one weight at least; default 5 · 10⁹. */
  readonly maxShardBytes?: number;
}

/** What is taken over from the folder that a model came from, where it is there. */
const takenOver = [
  ...["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"],
  ...["vocab.txt", "vocab.json", "merges.txt", "tokenizer.model", "spiece.model"],
  ...["chat_template.jinja", "generation_config.json", "preprocessor_config.json"],
  ...["modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"],
  "1_Pooling/config.json",
] as const;

const dtypeNames = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/**
 * Writes a model into a folder: `config.json`, safetensors in one file or shards, and the tokenizer's files that it came with. Files
 * replace old ones when they are complete; the configuration is written last.
 *
 * @throws ArgumentError for adapters that are not merged, weights that stay quantized, and options that mean nothing; FileError
 * @example
 * const pretrained = await loadPretrained("llama.gguf");
 * await savePretrained(pretrained, "my-llama", { dtype: "bf16" });
 * (await loadPretrained("my-llama")).model.namedParameters().size; // 21
 */
export async function savePretrained<M extends Module>(
  pretrained: Pretrained<M>,
  folder: string,
  options: SavePretrainedOptions = {},
): Promise<void> {
  checkOptions("savePretrained", options, ["dtype", "maxShardBytes"]);
  const { dtype = "f32", maxShardBytes = 5e9 } = options;
  if (!Object.hasOwn(dtypeNames, dtype))
    throw new ArgumentError(`savePretrained: dtype must be f32, f16 or bf16, got "${dtype}"`);
  if (!(maxShardBytes > 0))
    throw new ArgumentError(`savePretrained: maxShardBytes must be positive, got ${maxShardBytes}`);
  const { model, config, origin } = pretrained;
  const task = origin?.task ?? "text-generation";
  requirePlain("savePretrained", pretrained);
  await makeFolder(folder);
  await writeWeights(model, folder, { dtype, maxShardBytes, isViT: config.string("model_type") === "vit" });
  await takeOver(pretrained, folder);
  const type = config.string("model_type");
  const labels = config.part("id2label")?.values;
  const said = {
    ...config.values,
    architectures: [architectureOf(type, task)],
    ...(labels && {
      label2id: Object.fromEntries(Object.entries(labels).map(([i, name]) => [name, Number(i)])),
    }),
    dtype: undefined,
    torch_dtype: dtypeNames[dtype],
  };
  await writeJson(joinPath(folder, "config.json"), said);
}

/** A folder has names for what the configuration describes, and for nothing else. */
export function requirePlain(caller: string, { model, config, origin }: Pretrained<Module>): void {
  const known = modelFromConfig(config, origin?.task).stateDict();
  const extra = [...model.stateDict().keys()].find((name) => !known.has(name));
  if (extra === undefined) return;
  const hint = /\.parametrizations\.weight\.original$/.test(extra)
    ? "restoreWeights(model) first"
    : extra.includes(".parametrizations.")
      ? "weights that stay quantized are not saved; open the model without { quantized: true }"
      : extra.includes(".bottleneck.")
        ? "bottleneck adapters cannot be merged; save them by themselves (saveBottleneckAdapters) and remove them first"
        : "merge its adapters first";
  throw new ArgumentError(
    `${caller}: the model holds "${extra}", which its configuration does not have: ${hint}`,
  );
}

interface WriteOptions extends Required<SavePretrainedOptions> {
  readonly isViT: boolean;
}

const single = "model.safetensors";
const index = "model.safetensors.index.json";

async function writeWeights(model: Module, folder: string, { dtype, maxShardBytes, isViT }: WriteOptions) {
  const shards = shardsOf(model, dtype, maxShardBytes);
  const names = shards.map((_, i) => (shards.length === 1 ? single : shardName(i, shards.length)));
  const map: Record<string, string> = {};
  let totalSize = 0;
  for (const [i, states] of shards.entries()) {
    const read = new Map<string, HostArray>();
    for (const name of states) read.set(name, castTo(dtype, await model.stateDict().get(name)!.toHost()));
    const weights = isViT ? huggingFaceNames.toHuggingFace(read) : read;
    for (const [name, { data }] of weights) {
      map[name] = names[i]!;
      totalSize += data.byteLength;
    }
    await writeSafetensors(joinPath(folder, names[i]!), weights, { metadata: { format: "pt" } });
  }
  // Of two layouts in one folder the reader would take the wrong one.
  const [written, stale] = shards.length === 1 ? [undefined, index] : [index, single];
  if (written !== undefined)
    await writeJson(joinPath(folder, written), { metadata: { total_size: totalSize }, weight_map: map });
  if ((await fileSize(joinPath(folder, stale))) !== undefined) await removeFile(joinPath(folder, stale));
}

const shardName = (i: number, count: number): string => {
  const five = (n: number): string => String(n).padStart(5, "0");
  return `model-${five(i + 1)}-of-${five(count)}.safetensors`;
};

/** Names of states, in lists that a file holds each. */
function shardsOf(model: Module, dtype: DType, maxShardBytes: number): string[][] {
  const shards: string[][] = [[]];
  let bytes = 0;
  for (const [name, { shape }] of model.stateDict()) {
    const size = (shape as readonly number[]).reduce((n, s) => n * s, bytesOf(dtype));
    if (bytes + size > maxShardBytes && bytes > 0) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push(name);
    bytes += size;
  }
  return shards;
}

function castTo(dtype: DType, array: HostArray): HostArray {
  if (array.dtype === dtype || array.dtype !== "f32") return array;
  return { dtype, shape: array.shape, data: encode(dtype, decode(array.dtype, array.data)) } as HostArray;
}

/** The tokenizer's and others' files, where the model's own folder has them; what a GGUF file says of its tokenizer. */
async function takeOver({ origin, chatTemplate, config }: Pretrained<Module>, folder: string): Promise<void> {
  if (origin === undefined) return;
  if (origin.tokenizerFile === undefined) {
    for (const name of takenOver) {
      const path = joinPath(origin.path, name);
      if ((await fileSize(path)) === undefined) continue;
      const bytes = await readFile(path);
      if (name.includes("/")) await makeFolder(joinPath(folder, name.replace(/\/[^/]*$/, "")));
      await writeFileAtomic(joinPath(folder, name), bytes);
    }
    return;
  }
  const { vocab } = origin.tokenizerFile.model as { vocab: Readonly<Record<string, number>> };
  const nameOf = (key: string): string | undefined => {
    const id = config.values[key];
    return Object.keys(vocab).find((token) => vocab[token] === id);
  };
  await writeJson(joinPath(folder, "tokenizer.json"), origin.tokenizerFile);
  await writeJson(joinPath(folder, "tokenizer_config.json"), {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...{ bos_token: nameOf("bos_token_id"), eos_token: nameOf("eos_token_id") },
    ...{ pad_token: nameOf("pad_token_id"), chat_template: chatTemplate },
  });
}

const families: Readonly<Record<string, string>> = {
  ...{ llama: "Llama", mistral: "Mistral", qwen2: "Qwen2", qwen3: "Qwen3", gemma2: "Gemma2" },
  ...{ gemma3_text: "Gemma3", phi3: "Phi3", gpt2: "GPT2", bert: "Bert", roberta: "Roberta" },
  ...{ distilbert: "DistilBert", t5: "T5", whisper: "Whisper", vit: "ViT" },
};
const heads: Readonly<Record<Task, string>> = {
  "text-generation": "ForCausalLM",
  "feature-extraction": "Model",
  "fill-mask": "ForMaskedLM",
  "text-classification": "ForSequenceClassification",
  "token-classification": "ForTokenClassification",
  "text2text-generation": "ForConditionalGeneration",
  "automatic-speech-recognition": "ForConditionalGeneration",
  "image-classification": "ForImageClassification",
};

/** The class of transformers. */
const architectureOf = (type: string, task: Task): string =>
  type === "gpt2" ? "GPT2LMHeadModel" : families[type]! + heads[task];

const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`));
