/** GGUF files as folders of Hugging Face would have them: their configuration, their names of weights, their order of rows. */
import { ArgumentError, FormatError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { MappedArray } from "../base/mapped-array.ts";
import type { GgufFile, GgufValue } from "../formats/index.ts";
import { PretrainedConfig } from "../models/index.ts";
import { isQuantizedType, type QuantizedInit } from "../nn/index.ts";
import type { Weights } from "./weights.ts";

/** What a family of GGUF files does its own way. */
export interface Architecture {
  readonly modelType: string;
  /** llama.cpp turns neighbours where Hugging Face turns halves, and stores rows of queries and keys in that order. */
  readonly hasTurnedRows?: boolean;
  /** Weights of norms are stored with the 1 that Hugging Face's leave out. */
  readonly hasWholeNorms?: boolean;
  /** Names of a layer's parts that differ from `layerNames`. */
  readonly names?: Readonly<Record<string, string>>;
  readonly tieEmbeddings?: boolean;
}

const gemmaNames = {
  post_attention_norm: "post_attention_layernorm",
  ffn_norm: "pre_feedforward_layernorm",
  post_ffw_norm: "post_feedforward_layernorm",
};

/** By `general.architecture`. */
const architectures: Readonly<Record<string, Architecture>> = {
  llama: { modelType: "llama", hasTurnedRows: true },
  qwen2: { modelType: "qwen2" },
  qwen3: { modelType: "qwen3" },
  gemma2: { modelType: "gemma2", hasWholeNorms: true, names: gemmaNames },
  gemma3: { modelType: "gemma3_text", hasWholeNorms: true, names: gemmaNames },
  phi3: { modelType: "phi3", names: { attn_qkv: "self_attn.qkv_proj", ffn_up: "mlp.gate_up_proj" } },
};

const layerNames: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  ffn_norm: "post_attention_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};
const modelNames: Readonly<Record<string, string>> = {
  token_embd: "model.embed_tokens",
  output_norm: "model.norm",
  output: "lm_head",
};

function architectureOf(path: string, metadata: GgufFile["metadata"]): [string, Architecture] {
  const name = metadata.get("general.architecture");
  const known = typeof name === "string" ? architectures[name] : undefined;
  if (known !== undefined) return [name as string, known];
  const all = Object.keys(architectures).join(", ");
  throw new ArgumentError(`"${path}" is of architecture ${JSON.stringify(name)}; known are ${all}`);
}

/** The name and ways of the files that a configuration's models are written to. */
export function architectureFor(config: PretrainedConfig): [string, Architecture] {
  const type = config.string("model_type");
  const wanted = type === "mistral" ? "llama" : type;
  const found = Object.entries(architectures).find(([, { modelType }]) => modelType === wanted);
  if (found !== undefined) return found;
  const known = Object.values(architectures).map(({ modelType }) => modelType);
  throw new ArgumentError(`GGUF files are written of ${known.join(", ")}; "${type}" is none of them`);
}

/** A weight's name in such a file: the reverse of `publishedName`. */
export function storedName(published: string, { names = {} }: Architecture): string {
  const [, layer, part, kind] = /^(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(published) ?? [];
  const table = layer === undefined ? modelNames : { ...layerNames, ...names };
  const stored = Object.keys(table).find((name) => table[name] === part);
  if (stored === undefined) throw new ArgumentError(`no GGUF file has a name for "${published}"`);
  return layer === undefined ? `${stored}.${kind}` : `blk.${layer}.${stored}.${kind}`;
}

/** The configuration as `config.json` would say it. */
export function configOf(path: string, { metadata, tensors }: GgufFile): PretrainedConfig {
  const [name, { modelType }] = architectureOf(path, metadata);
  const of = (key: string): GgufValue | undefined => metadata.get(`${name}.${key}`);
  const vocabulary = metadata.get("tokenizer.ggml.tokens");
  const values: Record<string, unknown> = {
    model_type: modelType,
    vocab_size: of("vocab_size") ?? (Array.isArray(vocabulary) ? vocabulary.length : undefined),
    hidden_size: of("embedding_length"),
    intermediate_size: of("feed_forward_length"),
    num_hidden_layers: of("block_count"),
    num_attention_heads: of("attention.head_count"),
    num_key_value_heads: of("attention.head_count_kv"),
    head_dim: of("attention.key_length"),
    max_position_embeddings: of("context_length"),
    rms_norm_eps: of("attention.layer_norm_rms_epsilon"),
    rope_theta: of("rope.freq_base"),
    rope_scaling: scalingOf(of),
    sliding_window: of("attention.sliding_window"),
    attn_logit_softcapping: of("attn_logit_softcapping"),
    final_logit_softcapping: of("final_logit_softcapping"),
    query_pre_attn_scalar: of("attention.key_length"),
    tie_word_embeddings: !tensors.has("output.weight"),
    bos_token_id: metadata.get("tokenizer.ggml.bos_token_id"),
    eos_token_id: metadata.get("tokenizer.ggml.eos_token_id"),
    pad_token_id: metadata.get("tokenizer.ggml.padding_token_id"),
  };
  const isKnown = ([, value]: [string, unknown]): boolean => value !== undefined;
  return new PretrainedConfig(Object.fromEntries(Object.entries(values).filter(isKnown)), `"${path}"`);
}

function scalingOf(of: (key: string) => GgufValue | undefined): object | undefined {
  const type = of("rope.scaling.type");
  if (type === undefined || type === "none") return undefined;
  const original = of("rope.scaling.original_context_length");
  return { rope_type: type, factor: of("rope.scaling.factor"), original_max_position_embeddings: original };
}

export interface GgufWeights {
  /** Under Hugging Face's names, in f32 where they were quantized. */
  readonly weights: Weights;
  /** Matrices that stay quantized. */
  readonly blocks: ReadonlyMap<string, QuantizedInit>;
}

/** All weights of a file. `quantized`: those of a kind that can be used as they are stay so. */
export async function weightsOf(
  path: string,
  file: GgufFile,
  { config, quantized }: { readonly config: PretrainedConfig; readonly quantized: boolean },
): Promise<GgufWeights> {
  const [, architecture] = architectureOf(path, file.metadata);
  const weights: Weights = new Map();
  const blocks = new Map<string, QuantizedInit>();
  for (const [name, { type, shape }] of file.tensors) {
    const published = publishedName(path, name, architecture);
    const isTurned = architecture.hasTurnedRows && /\.attn_[qk]\./.test(name);
    const heads = config.size(name.includes("attn_q") ? "num_attention_heads" : "num_key_value_heads");
    if (quantized && isQuantizedType(type) && shape.length === 2) {
      const lying = await file.blocks(name);
      const own = isTurned
        ? turnedBack(name, lying instanceof MappedArray ? lying.read() : lying, heads)
        : lying;
      blocks.set(published, { type, shape: shape as [number, number], blocks: own });
    } else if (isTurned) weights.set(published, turnedBack(name, await file.read(name), heads));
    else if (architecture.hasWholeNorms && /norm\.weight$/.test(name)) {
      const { data, ...info } = await file.read(name);
      weights.set(published, { ...info, data: (data as Float32Array).map((x) => x - 1) });
    } else weights.set(published, await file.map(name));
  }
  return { weights, blocks };
}

function publishedName(path: string, name: string, { names }: Architecture): string {
  const [, layer, part, kind] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const known = layer === undefined ? modelNames[part!] : (names?.[part!] ?? layerNames[part!]);
  if (known === undefined)
    throw new FormatError(
      `"${path}" holds a tensor "${name}", which no model of its architecture is known to have`,
    );
  return layer === undefined ? `${known}.${kind}` : `model.layers.${layer}.${known}.${kind}`;
}

/** Rows 0, size/2, 1, size/2 + 1 … of each head in their order again. */
function turnedBack(name: string, array: HostArray, heads: number): HostArray {
  const [rows = 1, columns = 1] = array.shape;
  const size = rows / heads;
  if (!Number.isInteger(size / 2)) throw new FormatError(`"${name}" has ${rows} rows for ${heads} heads`);
  const data = array.data.slice();
  for (let row = 0; row < rows; row++) {
    const [head, place] = [Math.floor(row / size), row % size];
    const from = head * size + (place < size / 2 ? 2 * place : 2 * (place - size / 2) + 1);
    data.set(array.data.subarray(from * columns, (from + 1) * columns), row * columns);
  }
  return { ...array, data } as HostArray;
}
