/** Saving causal language models as GGUF files, for llama.cpp and what is built on it. */
import { fileSize, joinPath } from "#platform";
import { encode } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { bytesView, type HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { type GgufArray, type GgufInput, writeGguf } from "../formats/index.ts";
import type { LanguageModel, PretrainedConfig } from "../models/index.ts";
import { quantizeBlocks } from "../nn/index.ts";
import { isRoundedType } from "../nn/quantize-blocks.ts";
import { type Tensor, tensor } from "../tensor/index.ts";

import { readJson } from "../text/json-file.ts";
import type { TokenizerFile } from "../text/tokenizer.ts";
import { type Architecture, architectureFor, storedName } from "./gguf.ts";
import { metadataOfTokenizer } from "./gguf-tokenizer.ts";
import { loadPretrained, type Pretrained } from "./load.ts";
import { requirePlain } from "./save.ts";

const types = ["F32", "F16", "BF16", "Q8_0", "Q4_1", "Q4_0"] as const;

export interface SaveGgufOptions {
  /** Of matrices; what stands on one axis stays F32, embeddings are Q8_0 where the others have 4 bits. Default "F16". */
  readonly type?: (typeof types)[number];
}

export interface GgufReport {
  /** The largest difference of logits between the model and the file read back, over the largest logit. */
  readonly logitsError: number;
  /** By name in the file: its type there. */
  readonly types: ReadonlyMap<string, string>;
}

/**
 * Writes a model with its tokenizer into one GGUF file, reads it back, and runs both: the report says how far they are apart.
 *
 * Families: Llama (SmolLM2, Mistral), Qwen 2 and 3, Gemma 2 and 3, Phi-3; tokenizers: byte-level BPE.
 *
 * @throws ArgumentError for families, positions and tokenizers that GGUF files are not written of, adapters that are not merged
 * @example
 * const pretrained = await loadPretrained("llama.gguf");
 * const { logitsError } = await saveGguf(pretrained, "copy.gguf", { type: "F32" });
 * logitsError; // 0
 */
export async function saveGguf(
  pretrained: Pretrained<LanguageModel>,
  path: string,
  options: SaveGgufOptions = {},
): Promise<GgufReport> {
  checkOptions("saveGguf", options, ["type"]);
  const { type = "F16" } = options;
  if (!types.includes(type))
    throw new ArgumentError(`saveGguf: type must be one of ${types.join(", ")}, got "${type}"`);
  const { model, config } = pretrained;
  requirePlain("saveGguf", pretrained);
  const [name, architecture] = architectureFor(config);
  const tokenizer = metadataOfTokenizer(await tokenizerFileOf(pretrained));
  const metadata = { ...facts(name, config), ...tokenizer, ...endsOf(pretrained) };
  const arrays = new Map<string, GgufArray>();
  for (const [ours, state] of model.stateDict()) {
    const stored = storedName(ours, architecture);
    const shape = state.shape as readonly number[];
    const chosen = typeFor(stored, shape, type);
    const bytes = async (): Promise<Uint8Array> =>
      bytesOf(inFile(stored, await state.toHost(), architecture, config), chosen);
    arrays.set(stored, { shape, type: chosen, bytes });
  }
  await writeGguf(path, metadata, arrays);
  const stored = new Map([...arrays].map(([stored, array]) => [stored, array.type]));
  return { logitsError: await logitsError(model, path), types: stored };
}

/** What a matrix becomes: rows that are no whole blocks stay halves. */
function typeFor(name: string, shape: readonly number[], type: (typeof types)[number]): string {
  if (shape.length < 2) return "F32";
  if (!isRoundedType(type)) return type;
  if (shape.at(-1)! % 32 !== 0) return "F16";
  return /^(token_embd|output)\./.test(name) ? "Q8_0" : type;
}

function bytesOf(values: Float32Array, type: string): Uint8Array {
  if (isRoundedType(type)) return quantizeBlocks(values, type);
  if (type === "F32") return bytesView(values);
  return bytesView(encode(type === "F16" ? "f16" : "bf16", values));
}

/** As llama.cpp stores it: rows of queries and keys in its order, norms with the 1. */
function inFile(
  name: string,
  array: HostArray,
  architecture: Architecture,
  config: PretrainedConfig,
): Float32Array {
  const values = array.data as Float32Array;
  if (architecture.hasWholeNorms && /norm\.weight$/.test(name)) return values.map((x) => x + 1);
  if (!(architecture.hasTurnedRows && /\.attn_[qk]\./.test(name))) return values;
  const heads = headsOf(name, config);
  const [rows = 1, columns = 1] = array.shape;
  return turned(values, { heads, rows, columns });
}

const headsOf = (name: string, config: PretrainedConfig): number => {
  const all = config.size("num_attention_heads");
  return name.includes("attn_q") ? all : config.size("num_key_value_heads", all);
};

/** Halves of each head that turn together become neighbours. */
function turned(
  values: Float32Array,
  { heads, rows, columns }: Record<"heads" | "rows" | "columns", number>,
) {
  const size = rows / heads;
  const made = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const [head, place] = [Math.floor(row / size), row % size];
    const to = head * size + (place < size / 2 ? 2 * place : 2 * (place - size / 2) + 1);
    made.set(values.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return made;
}

/** The configuration under llama.cpp's keys. */
function facts(name: string, config: PretrainedConfig): Record<string, GgufInput> {
  const heads = config.size("num_attention_heads");
  const headSize = config.size("head_dim", config.size("hidden_size") / heads);
  const said: Record<string, GgufInput> = {
    vocab_size: config.size("vocab_size"),
    context_length: config.size("max_position_embeddings", 2048),
    embedding_length: config.size("hidden_size"),
    feed_forward_length: config.size("intermediate_size"),
    block_count: config.size("num_hidden_layers"),
    "attention.head_count": heads,
    "attention.head_count_kv": config.size("num_key_value_heads", heads),
    "attention.key_length": headSize,
    "attention.value_length": headSize,
    "attention.layer_norm_rms_epsilon": { f32: config.number("rms_norm_eps", 1e-6) },
    "rope.dimension_count": headSize,
    "rope.freq_base": { f32: baseOf(config) },
  };
  if (config.has("sliding_window")) said["attention.sliding_window"] = config.size("sliding_window");
  for (const cap of ["attn_logit_softcapping", "final_logit_softcapping"])
    if (config.has(cap)) said[cap] = { f32: config.number(cap) };
  if (config.number("query_pre_attn_scalar", headSize) !== headSize)
    throw new ArgumentError(
      `saveGguf: query_pre_attn_scalar ${config.number("query_pre_attn_scalar")} is not head_dim ${headSize}, which GGUF files cannot say`,
    );
  const keys = Object.entries(said).map(([key, value]) => [`${name}.${key}`, value] as const);
  return { "general.architecture": name, "general.alignment": 32, ...Object.fromEntries(keys) };
}

/** Positions that are turned as they are; scaled ones are refused. */
function baseOf(config: PretrainedConfig): number {
  const all = config.part("rope_parameters") ?? config.part("rope_scaling");
  const parts = [all, all?.part("full_attention"), all?.part("sliding_attention")];
  const scaled = parts
    .map((part) => part?.string("rope_type", "default"))
    .find((type) => type !== undefined && type !== "default");
  if (scaled !== undefined)
    throw new ArgumentError(
      `saveGguf: rotary positions scaled by "${scaled}" are not written; only unscaled ones are`,
    );
  const said = parts[1] ?? all;
  return said?.has("rope_theta") ? said.number("rope_theta") : config.number("rope_theta", 10_000);
}

async function tokenizerFileOf({ origin }: Pretrained<LanguageModel>): Promise<TokenizerFile> {
  if (origin?.tokenizerFile !== undefined) return origin.tokenizerFile;
  const path = origin && joinPath(origin.path, "tokenizer.json");
  if (path === undefined || (await fileSize(path)) === undefined)
    throw new ArgumentError("saveGguf: the model comes without a tokenizer, which a GGUF file holds");
  return (await readJson(path)) as TokenizerFile;
}

function endsOf({
  beginToken,
  endTokens,
  chatTemplate,
  config,
}: Pretrained<LanguageModel>): Record<string, GgufInput> {
  const [end] = endTokens;
  return {
    ...(beginToken !== undefined && { "tokenizer.ggml.bos_token_id": beginToken }),
    ...(end !== undefined && { "tokenizer.ggml.eos_token_id": end }),
    ...(config.has("pad_token_id") && { "tokenizer.ggml.padding_token_id": config.number("pad_token_id") }),
    ...(chatTemplate !== undefined && { "tokenizer.chat_template": chatTemplate }),
  };
}

/** Both models on the same tokens. */
async function logitsError(model: LanguageModel, path: string): Promise<number> {
  const { model: read, config } = await loadPretrained(path);
  const vocabSize = config.size("vocab_size");
  const ids = Int32Array.from({ length: 16 }, (_, i) => (i * 7919 + 13) % vocabSize);
  const tokens = tensor(ids, { shape: [1, ids.length] }) as Tensor;
  const [wanted, found] = await Promise.all([model.forward(tokens).data(), read.forward(tokens).data()]);
  let [largest, off] = [0, 0];
  wanted.forEach((x: number | bigint, i: number) => {
    largest = Math.max(largest, Math.abs(Number(x)));
    off = Math.max(off, Math.abs(Number(x) - Number(found[i]!)));
  });
  return off / largest;
}
