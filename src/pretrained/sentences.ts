/** Texts as vectors: encoders of sentences. Reimers and Gurevych, "Sentence-BERT", 2019. */
import { fileSize, joinPath } from "#platform";
import { ArgumentError, FormatError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type EncodeOptions, PretrainedConfig, type TokenEncoder } from "../models/index.ts";
import { compile, slice, type Tensor, tensor, where } from "../tensor/index.ts";
import { readJson } from "../text/json-file.ts";
import { padSequences } from "../text/padding.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type LoadPretrainedOptions, loadPretrained } from "./load.ts";

/** How the features of tokens become one vector: their mean, the largest of each feature, or those of the first token. */
export type Pooling = "mean" | "max" | "cls";

export interface SentenceEncoderOptions {
  /** Default "mean". */
  readonly pooling?: Pooling;
  /** Default true: vectors have length 1, so that their products are cosines. */
  readonly normalize?: boolean;
  /** Longer texts are cut; default what the model reads. */
  readonly maxTokens?: number;
}

/** Lengths are filled up to a multiple of it, so that few programs are compiled. */
const lengthStep = 16;

/**
 * Features of tokens as one vector a text.
 *
 * Shapes: features (N, T, hiddenSize), attentionMask bool (N, T) → (N, hiddenSize).
 *
 * @throws ArgumentError for another kind of pooling
 * @example
 * const mask = tensor([[true, false]]);
 * pooledFeatures(tensor([[[1, 2], [9, 9]]]), mask, "mean"); // [[1, 2]]
 */
export function pooledFeatures(features: Tensor, attentionMask: Tensor, pooling: Pooling = "mean"): Tensor {
  const isToken = attentionMask.expandDims(-1) as Tensor; // (N, T, 1)
  switch (pooling) {
    case "cls":
      return features.at(slice(), 0) as Tensor;
    case "max":
      return where(isToken, features, -Infinity).max(1) as Tensor;
    case "mean": {
      const count = isToken.cast("f32").sum(1).maximum(1e-9) as Tensor;
      return where(isToken, features, 0).sum(1).div(count) as Tensor;
    }
    default:
      throw new ArgumentError(`pooling "${pooling as string}" is unknown; use "mean", "max" or "cls"`);
  }
}

/**
 * An encoder with its tokenizer: texts to vectors that are near each other where the texts mean alike.
 *
 * @example
 * const model = new Bert({ vocabSize: 260, hiddenSize: 32, numLayers: 1, numHeads: 4 });
 * const tokenizer = await loadTokenizer(await trainBpe(["a cat, a dog"], { vocabularySize: 260 }));
 * const encoder = new SentenceEncoder(model.eval(), tokenizer);
 * const vectors = await encoder.encode(["a cat", "a dog"]);
 * vectors.map(({ length }) => length); // [32, 32]
 */
export class SentenceEncoder {
  readonly model: TokenEncoder;
  readonly tokenizer: Tokenizer;
  readonly pooling: Pooling;
  readonly normalize: boolean;
  readonly maxTokens: number;
  private readonly run: (tokens: Tensor, attentionMask: Tensor) => Tensor;

  constructor(model: TokenEncoder, tokenizer: Tokenizer, options: SentenceEncoderOptions = {}) {
    checkOptions("SentenceEncoder", options, ["pooling", "normalize", "maxTokens"]);
    const { maxPositions = 512 } = model.options;
    const { pooling = "mean", normalize = true, maxTokens = maxPositions } = options;
    if (!Number.isInteger(maxTokens) || maxTokens < 1 || maxTokens > maxPositions)
      throw new ArgumentError(`SentenceEncoder: maxTokens must be in 1 … ${maxPositions}, got ${maxTokens}`);
    this.model = model;
    this.tokenizer = tokenizer;
    this.pooling = pooling;
    this.normalize = normalize;
    this.maxTokens = maxTokens;
    this.run = compile((tokens: Tensor, attentionMask: Tensor) => this.vectors(tokens, { attentionMask }));
  }

  /** Vectors of tokens, with gradients: for training on pairs. i32 (N, T), mask bool (N, T) → (N, hiddenSize). */
  vectors(tokens: Tensor, options: EncodeOptions & { readonly attentionMask: Tensor }): Tensor {
    const features = this.model.forward(tokens, options) as Tensor;
    const pooled = pooledFeatures(features, options.attentionMask, this.pooling);
    if (!this.normalize) return pooled;
    const length = pooled.square().sum(-1, { keepDims: true }).sqrt().maximum(1e-12);
    return pooled.div(length as Tensor) as Tensor;
  }

  /**
   * A vector for each text, in their order. Texts of about one length are computed together.
   *
   * @throws ArgumentError for a batch size that is no positive integer
   */
  async encode(
    texts: readonly string[],
    { batchSize = 32 }: { readonly batchSize?: number } = {},
  ): Promise<Float32Array[]> {
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new ArgumentError(`SentenceEncoder: batchSize must be a positive integer, got ${batchSize}`);
    const tokens = texts.map((text) => this.tokensOf(text));
    const order = [...tokens.keys()].sort((a, b) => tokens[a]!.length - tokens[b]!.length);
    const vectors: Float32Array[] = new Array(texts.length);
    for (let from = 0; from < order.length; from += batchSize) {
      const batch = order.slice(from, from + batchSize);
      const found = await this.batch(batch.map((i) => tokens[i]!));
      for (const [row, i] of batch.entries()) vectors[i] = found[row]!;
    }
    return vectors;
  }

  private async batch(tokens: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const longest = tokens.reduce((most, { length }) => Math.max(most, length), 1);
    const length = Math.min(this.maxTokens, Math.ceil(longest / lengthStep) * lengthStep);
    const { tokens: ids, mask } = padSequences(tokens, { length, value: this.model.options.padToken ?? 0 });
    const all = (await this.run(tensor(ids) as Tensor, tensor(mask) as Tensor).data()) as Float32Array;
    const size = all.length / tokens.length;
    return tokens.map((_, row) => all.slice(row * size, (row + 1) * size));
  }

  /** The tokens of a text. What is cut is cut before the token that ends it. */
  tokensOf(text: string): readonly number[] {
    const { ids } = this.tokenizer.encode(text);
    if (ids.length <= this.maxTokens) return ids;
    return [...ids.slice(0, this.maxTokens - 1), ids.at(-1)!];
  }
}

/**
 * Opens an encoder of sentences: a folder as sentence-transformers has it (`modules.json`, `1_Pooling/config.json`), or an encoder's
 * alone, whose features are then averaged and normalized.
 *
 * @throws ArgumentError for modules and poolings that are not known, and as `loadPretrained` does
 * @example
 * // not run: it needs the model's folder
 * const encoder = await loadSentenceEncoder("all-MiniLM-L6-v2");
 * const [a, b] = await encoder.encode(["A cat sleeps.", "The feline naps."]);
 * a!.reduce((sum, x, i) => sum + x * b![i]!, 0); // their cosine, 0.6
 */
export async function loadSentenceEncoder(
  folder: string,
  { mmap = true }: Pick<LoadPretrainedOptions, "mmap"> = {},
): Promise<SentenceEncoder> {
  const { model, tokenizer } = await loadPretrained(folder, { task: "feature-extraction", mmap });
  if (tokenizer === undefined) throw new ArgumentError(`"${folder}" has no tokenizer.json, which texts need`);
  const limits = await configIn(folder, "sentence_bert_config.json");
  return new SentenceEncoder(model, tokenizer, {
    ...(await modulesOf(folder)),
    ...(limits?.has("max_seq_length") && { maxTokens: limits.size("max_seq_length") }),
  });
}

/** What follows the encoder. */
async function modulesOf(folder: string): Promise<SentenceEncoderOptions> {
  const path = joinPath(folder, "modules.json");
  if ((await fileSize(path)) === undefined) return {};
  const modules = await readJson(path);
  if (!Array.isArray(modules)) throw new FormatError(`"${path}" is no list of modules`);
  const kinds = modules.map((module) => new PretrainedConfig(module, `"${path}"`));
  const kindOf = (module: PretrainedConfig): string => module.string("type").split(".").at(-1)!;
  const other = kinds.find((module) => !["Transformer", "Pooling", "Normalize"].includes(kindOf(module)));
  if (other !== undefined)
    throw new ArgumentError(
      `"${path}" has a module "${kindOf(other)}"; Transformer, Pooling, Normalize are known`,
    );
  const pooling = kinds.find((module) => kindOf(module) === "Pooling");
  const normalize = kinds.some((module) => kindOf(module) === "Normalize");
  return { normalize, ...(pooling !== undefined && { pooling: await poolingOf(folder, pooling) }) };
}

async function poolingOf(folder: string, module: PretrainedConfig): Promise<Pooling> {
  const path = module.string("path");
  if (!/^[\w-]+$/.test(path)) throw new FormatError(`${module.source}: "${path}" is no name of a folder`);
  const config = await configIn(folder, `${path}/config.json`);
  if (config === undefined)
    throw new FormatError(`${module.source} names "${path}", which has no config.json`);
  const modes = {
    mean: "pooling_mode_mean_tokens",
    max: "pooling_mode_max_tokens",
    cls: "pooling_mode_cls_token",
  };
  const known = Object.entries(modes).filter(([, key]) => config.boolean(key, false));
  const others = Object.keys(config.values).filter(
    (key) =>
      key.startsWith("pooling_mode_") && config.values[key] === true && !Object.values(modes).includes(key),
  );
  if (known.length === 1 && others.length === 0) return known[0]![0] as Pooling;
  throw new ArgumentError(
    `${config.source}: pools by ${[...known.map(([, key]) => key), ...others].join(", ") || "nothing"}; one of ${Object.keys(modes).join(", ")} is known`,
  );
}

async function configIn(folder: string, name: string): Promise<PretrainedConfig | undefined> {
  const path = joinPath(folder, name);
  if ((await fileSize(path)) === undefined) return undefined;
  return new PretrainedConfig(await readJson(path), `"${path}"`);
}
