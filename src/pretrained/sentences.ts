/** Texts as vectors: encoders of sentences. Reimers and Gurevych, "Sentence-BERT", 2019. */
import { fileSize, joinPath } from "#platform";
import { ArgumentError, FormatError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import {
  type EncodeOptions,
  type LanguageModel,
  PretrainedConfig,
  type TokenEncoder,
} from "../models/index.ts";
import { arange, compile, slice, type Tensor, tensor, where } from "../tensor/index.ts";
import { readJson } from "../text/json-file.ts";
import { padSequences } from "../text/padding.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { isFamilyOf } from "./families.ts";
import { cachedModel } from "./hub-cache.ts";
import { type LoadPretrainedOptions, loadPretrained, loadWithoutHead } from "./load.ts";

/** How the features of tokens become one vector: their mean, the largest of each feature, those of the first token or of the last. */
export type Pooling = "mean" | "max" | "cls" | "last";

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
/** Of one batch, so that long texts do not fill the memory. */
const mostBatchTokens = 16_384;

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
    case "last": {
      const places = arange(sizesOf(attentionMask)[1]!) as Tensor; // (T)
      const last = where(attentionMask, places, -1).max(1, { keepDims: true }) as Tensor; // (N, 1)
      return where(places.equal(last).expandDims(-1), features, 0).sum(1) as Tensor;
    }
    default:
      throw new ArgumentError(
        `pooling "${pooling as string}" is unknown; use "mean", "max", "cls" or "last"`,
      );
  }
}

const sizesOf = (x: Tensor): readonly number[] => x.shape as readonly number[];

/**
 * An encoder with its tokenizer: texts to vectors that are near each other where the texts mean alike.
 *
 * The model is an encoder, or a causal language model, whose last layer's features are pooled: of its tokens only the last has seen
 * all others, so "last" is what models trained for it have.
 *
 * @example
 * const model = new Bert({ vocabSize: 260, hiddenSize: 32, numLayers: 1, numHeads: 4 });
 * const tokenizer = await loadTokenizer(await trainBpe(["a cat, a dog"], { vocabularySize: 260 }));
 * const encoder = new SentenceEncoder(model.eval(), tokenizer);
 * const vectors = await encoder.encode(["a cat", "a dog"]);
 * vectors.map(({ length }) => length); // [32, 32]
 */
export class SentenceEncoder {
  readonly model: TokenEncoder | LanguageModel;
  readonly tokenizer: Tokenizer;
  readonly pooling: Pooling;
  readonly normalize: boolean;
  readonly maxTokens: number;
  /** What fills up short texts; nothing sees it. */
  readonly padToken: number;
  private readonly run: (tokens: Tensor, attentionMask: Tensor) => Tensor;

  /** @throws ArgumentError for options that mean nothing */
  constructor(
    model: TokenEncoder | LanguageModel,
    tokenizer: Tokenizer,
    options: SentenceEncoderOptions = {},
  ) {
    checkOptions("SentenceEncoder", options, ["pooling", "normalize", "maxTokens"]);
    const maxPositions = isCausal(model)
      ? (model.maxTokens ?? Infinity)
      : (model.options.maxPositions ?? 512);
    const {
      pooling = "mean",
      normalize = true,
      maxTokens = Math.min(maxPositions, mostBatchTokens),
    } = options;
    if (!Number.isInteger(maxTokens) || maxTokens < 1 || maxTokens > maxPositions)
      throw new ArgumentError(`SentenceEncoder: maxTokens must be in 1 … ${maxPositions}, got ${maxTokens}`);
    this.model = model;
    this.tokenizer = tokenizer;
    this.pooling = pooling;
    this.normalize = normalize;
    this.maxTokens = maxTokens;
    this.padToken = isCausal(model) ? 0 : (model.options.padToken ?? 0);
    this.run = compile((tokens: Tensor, attentionMask: Tensor) => this.vectors(tokens, { attentionMask }));
  }

  /** Vectors of tokens, with gradients: for training on pairs. i32 (N, T), mask bool (N, T) → (N, hiddenSize). */
  vectors(tokens: Tensor, options: EncodeOptions & { readonly attentionMask: Tensor }): Tensor {
    const { model } = this;
    const features = (
      isCausal(model)
        ? model.features(tokens, { attentionMask: options.attentionMask })
        : model.forward(tokens, options)
    ) as Tensor;
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
    let from = 0;
    while (from < order.length) {
      const batch = order.slice(from, from + batchSize);
      // The last is the longest.
      const most = Math.max(1, Math.floor(mostBatchTokens / Math.max(1, tokens[batch.at(-1)!]!.length)));
      batch.length = Math.min(batch.length, most);
      from += batch.length;
      const found = await this.batch(batch.map((i) => tokens[i]!));
      for (const [row, i] of batch.entries()) vectors[i] = found[row]!;
    }
    return vectors;
  }

  private async batch(tokens: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const longest = tokens.reduce((most, { length }) => Math.max(most, length), 1);
    const length = Math.min(this.maxTokens, Math.ceil(longest / lengthStep) * lengthStep);
    const { tokens: ids, mask } = padSequences(tokens, { length, value: this.padToken });
    const all = (await this.run(tensor(ids) as Tensor, tensor(mask) as Tensor).data()) as Float32Array;
    const size = all.length / tokens.length;
    return tokens.map((_, row) => all.slice(row * size, (row + 1) * size));
  }

  /** The tokens of a text. What is cut is cut before the tokens that end it, such as [SEP]. */
  tokensOf(text: string): readonly number[] {
    const { ids } = this.tokenizer.encode(text);
    if (ids.length <= this.maxTokens) return ids;
    const ends = this.tokensAtEnd(ids, text);
    return [...ids.slice(0, this.maxTokens - ends), ...ids.slice(ids.length - ends)];
  }

  /** How many tokens the tokenizer puts behind a text. */
  private tokensAtEnd(ids: readonly number[], text: string): number {
    const plain = this.tokenizer.encode(text, { addSpecialTokens: false }).ids;
    const added = Math.min(ids.length - plain.length, this.maxTokens);
    for (let ends = 0; ends <= added; ends++) {
      const start = ids.length - ends - plain.length;
      if (start >= 0 && plain.every((id, i) => ids[start + i] === id)) return ends;
    }
    return 0;
  }
}

const isCausal = (model: TokenEncoder | LanguageModel): model is LanguageModel => "features" in model;

/**
 * Opens an encoder of sentences: a folder as sentence-transformers has it (`modules.json`, `1_Pooling/config.json`), or a model's
 * alone, whose features are then averaged and normalized. The model is an encoder (BERT, RoBERTa, DistilBERT) or a causal language model
 * (Llama, Qwen …), whose output layer is left out. "owner/name" is a model that `pull` brought into the cache.
 *
 * @throws ArgumentError for modules and poolings that are not known, and as `loadPretrained` does
 * @example
 * // not run: it needs the model's folder
 * const encoder = await loadSentenceEncoder("all-MiniLM-L6-v2");
 * const [a, b] = await encoder.encode(["A cat sleeps.", "The feline naps."]);
 * a!.reduce((sum, x, i) => sum + x * b![i]!, 0); // their cosine, 0.6
 */
export async function loadSentenceEncoder(
  path: string,
  { mmap = true }: Pick<LoadPretrainedOptions, "mmap"> = {},
): Promise<SentenceEncoder> {
  const folder = (await cachedModel(path)) ?? path;
  const isGenerator = await isTextGenerator(folder);
  const { model, tokenizer, config } = isGenerator
    ? await loadWithoutHead(folder, { mmap })
    : await loadPretrained(folder, { task: "feature-extraction", mmap });
  if (tokenizer === undefined) throw new ArgumentError(`"${folder}" has no tokenizer.json, which texts need`);
  const limits = await configIn(folder, "sentence_bert_config.json");
  // Of causal models the configuration alone says what they were trained on.
  const trained = isGenerator && config.has("max_position_embeddings");
  return new SentenceEncoder(model, tokenizer, {
    ...(await modulesOf(folder)),
    ...(trained && { maxTokens: Math.min(config.size("max_position_embeddings"), mostBatchTokens) }),
    ...(limits?.has("max_seq_length") && { maxTokens: limits.size("max_seq_length") }),
  });
}

async function isTextGenerator(folder: string): Promise<boolean> {
  const config = await configIn(folder, "config.json");
  return config !== undefined && isFamilyOf("text-generation", config.string("model_type"));
}

/** What follows the model. */
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
    last: "pooling_mode_lasttoken",
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
