/** Opening published models: folders of Hugging Face, and GGUF files. */
import { fileSize, joinPath, readFile } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { sameShape } from "../base/shape.ts";
import { openGguf } from "../formats/index.ts";
import { type LanguageModel, PretrainedConfig } from "../models/index.ts";
import { type Module, type StateValue, setQuantizedWeight } from "../nn/index.ts";
import { readJson } from "../text/json-file.ts";
import { loadTokenizer, type Tokenizer, type TokenizerFile } from "../text/tokenizer.ts";
import { modelFromConfig, type Task, type TaskModels } from "./families.ts";
import { fittedWeights, headNames } from "./fit.ts";
import { configOf, weightsOf } from "./gguf.ts";
import { tokenizerOf } from "./gguf-tokenizer.ts";
import { cachedModel } from "./hub-cache.ts";
import { readWeights, type Weights } from "./weights.ts";

export interface LoadPretrainedOptions<T extends Task = Task> {
  /** What the model is opened for; default "text-generation". */
  readonly task?: T;
  /** Names of the classes of a head that is trained from here on, or how many there are: the file need not hold it. */
  readonly labels?: number | readonly string[];
  /** Default true: weights of f32 stay in their file and come into memory when they are used, where the platform can. */
  readonly mmap?: boolean;
  /**
   * Default false. True: matrices that a GGUF file holds as Q4_0, Q4_1, Q8_0, Q4_K, Q5_K or Q6_K keep their few bits in memory, in the order in which
   * products compute elements from them (`QuantizedWeight`). They take no part in training; other types become f32 as ever.
   */
  readonly quantized?: boolean;
}

/** A published model. */
export interface Pretrained<M extends Module = LanguageModel> {
  /** In evaluation mode: nothing is dropped. */
  readonly model: M;
  /** What `config.json` says, or what it would say. */
  readonly config: PretrainedConfig;
  /** Undefined where none comes with the model. */
  readonly tokenizer: Tokenizer | undefined;
  /** A template of Jinja that makes a text of a conversation; undefined where none comes with the model. */
  readonly chatTemplate: string | undefined;
  /** Tokens that begin a text, and those that end an answer. */
  readonly beginToken: number | undefined;
  readonly endTokens: readonly number[];
  /** Names in the file that the model has no use for: heads of other tasks. */
  readonly leftOut: readonly string[];
  /** Where it came from: what `savePretrained` takes over. */
  readonly origin?: PretrainedOrigin;
}

export interface PretrainedOrigin {
  readonly path: string;
  readonly task: Task;
  /** What a GGUF file says of its tokenizer, as `tokenizer.json` has it. */
  readonly tokenizerFile?: TokenizerFile;
}

/**
 * Opens a model: a folder as Hugging Face has it (`config.json`, safetensors in one file or shards, `tokenizer.json`), or one GGUF
 * file, whose quantized weights become f32. "owner/name" is a model that `pull` (or Hugging Face's own tools) brought into the cache
 * of this machine: nothing is fetched here.
 *
 * Families, by task:
 * - "text-generation": Llama (SmolLM2, TinyLlama, Mistral), Qwen 2 and 3, Gemma 2 and 3, Phi-3, GPT-2
 * - "feature-extraction", "fill-mask", "text-classification", "token-classification": BERT, RoBERTa, DistilBERT
 * - "text2text-generation": T5; "automatic-speech-recognition": Whisper; "image-classification": ViT
 *
 * Weights are in f32; 16-bit ones are converted.
 *
 * @throws FileError where there is no such file; ArgumentError for a family that is not known, and for weights that do not fit the
 * configuration, with their names; FormatError for damaged files
 * @example
 * const { model, tokenizer } = await loadPretrained("llama.gguf");
 * const { ids } = tokenizer!.encode("the dog");
 * model.forward(tensor([ids], { dtype: "i32" })).shape; // [1, 3, 40]
 */
export async function loadPretrained<T extends Task = "text-generation">(
  path: string,
  options: LoadPretrainedOptions<T> = {},
): Promise<Pretrained<TaskModels[T]>> {
  checkOptions("loadPretrained", options, ["mmap", "task", "labels", "quantized"]);
  const asked = { mmap: true, quantized: false, task: "text-generation" as T, ...options };
  if (path.endsWith(".gguf")) return fromGguf(path, asked);
  const cached = await cachedModel(path);
  if (cached !== undefined) return loadPretrained(cached, options);
  if (asked.quantized)
    throw new ArgumentError(
      `loadPretrained: "${path}" is no GGUF file, whose quantized weights could stay as they are; use quantizeModel(model) for a folder's`,
    );
  return fromFolder(path, asked);
}

/** A folder's causal language model for its features: without its output layer, which the files may or may not have. */
export const loadWithoutHead = (folder: string, { mmap }: { mmap: boolean }): Promise<Pretrained> =>
  fromFolder(folder, { mmap, quantized: false, task: "text-generation", isHeadless: true });

interface Asked<T extends Task> extends LoadPretrainedOptions<T> {
  readonly mmap: boolean;
  readonly quantized: boolean;
  readonly task: T;
  readonly isHeadless?: boolean;
}

async function fromFolder<T extends Task>(
  folder: string,
  { mmap, task, labels, isHeadless = false }: Asked<T>,
): Promise<Pretrained<TaskModels[T]>> {
  const own = await folderConfig(folder, labels);
  // What shares the matrix of the embeddings has no layer of its own.
  const config = isHeadless
    ? new PretrainedConfig({ ...own.values, tie_word_embeddings: true }, own.source)
    : own;
  const model = modelFromConfig(config, task);
  const weights = await readWeights(folder, { mmap });
  const leftOut = fill(model, config, weights, { hasNewHead: labels !== undefined });
  const tokenizerConfig = ((await jsonIn(folder, "tokenizer_config.json")) ?? {}) as Record<string, unknown>;
  const tokenizerPath = joinPath(folder, "tokenizer.json");
  const hasTokenizer = (await fileSize(tokenizerPath)) !== undefined;
  const generation = (await jsonIn(folder, "generation_config.json")) as Record<string, unknown> | undefined;
  return {
    model,
    config,
    tokenizer: hasTokenizer ? await loadTokenizer(tokenizerPath, { config: tokenizerConfig }) : undefined,
    chatTemplate: (await textIn(folder, "chat_template.jinja")) ?? templateOf(tokenizerConfig.chat_template),
    ...endsOf({ ...config.values, ...generation }),
    leftOut,
    origin: { path: folder, task },
  };
}

async function folderConfig(
  folder: string,
  labels: LoadPretrainedOptions["labels"],
): Promise<PretrainedConfig> {
  const source = `"${joinPath(folder, "config.json")}"`;
  const config = new PretrainedConfig(await jsonOf(folder, "config.json"), source);
  if (labels === undefined) return config;
  const names = typeof labels === "number" ? Array.from({ length: labels }, (_, i) => `LABEL_${i}`) : labels;
  return new PretrainedConfig({ ...config.values, id2label: { ...names } }, source);
}

async function fromGguf<T extends Task>(
  path: string,
  { mmap, task, quantized }: Asked<T>,
): Promise<Pretrained<TaskModels[T]>> {
  const file = await openGguf(path, { mmap });
  try {
    const config = configOf(path, file);
    const model = modelFromConfig(config, task);
    const { weights, blocks } = await weightsOf(path, file, { config, quantized });
    for (const [name, init] of blocks) setQuantizedWeight(layerOf(model, name), init);
    const leftOut = fill(model, config, weights);
    const tokenizerFile = tokenizerOf(path, file);
    return {
      model,
      config,
      tokenizer: await loadTokenizer(tokenizerFile),
      chatTemplate: templateOf(file.metadata.get("tokenizer.chat_template")),
      ...endsOf(config.values),
      leftOut,
      origin: { path, task, tokenizerFile },
    };
  } finally {
    await file.close();
  }
}

/** Evaluation mode, and the weights of a file; what is quantized already, or begins anew, keeps its value. */
function fill(
  model: Module,
  config: PretrainedConfig,
  given: Weights,
  { hasNewHead = false } = {},
): readonly string[] {
  model.eval();
  const states = model.stateDict();
  const { weights, leftOut } = fittedWeights(model, config, given);
  const values = new Map<string, StateValue>(weights);
  for (const [name, state] of states) if (name.includes(".parametrizations.")) values.set(name, state);
  for (const name of hasNewHead ? headNames(model, config) : [])
    if (!sameShape(weights.get(name)?.shape ?? [], states.get(name)!.shape))
      values.set(name, states.get(name)!);
  model.loadStateDict(values, { cast: true });
  return leftOut;
}

/** The layer whose weight has a name. */
function layerOf(model: Module, name: string): Module {
  const layer = model.namedModules().get(name.replace(/\.weight$/, ""));
  if (layer !== undefined) return layer;
  throw new ArgumentError(`${model.constructor.name} has no layer of "${name}"`);
}

function endsOf(values: Readonly<Record<string, unknown>>): Pick<Pretrained, "beginToken" | "endTokens"> {
  const isToken = (value: unknown): value is number => Number.isInteger(value);
  const ends = [values.eos_token_id].flat().filter(isToken);
  return { beginToken: isToken(values.bos_token_id) ? values.bos_token_id : undefined, endTokens: ends };
}

/** A template, or the first of several that have names. */
function templateOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as readonly { name?: unknown; template?: unknown }[];
  const chosen = named.find(({ name }) => name === "default") ?? named[0];
  return typeof chosen?.template === "string" ? chosen.template : undefined;
}

async function jsonOf(folder: string, name: string): Promise<unknown> {
  const path = joinPath(folder, name);
  return readJson(path);
}

const has = async (folder: string, name: string): Promise<boolean> =>
  (await fileSize(joinPath(folder, name))) !== undefined;

async function jsonIn(folder: string, name: string): Promise<object | undefined> {
  if (!(await has(folder, name))) return undefined;
  const value = await jsonOf(folder, name);
  if (typeof value === "object" && value !== null) return value;
  throw new ArgumentError(`"${joinPath(folder, name)}" is not an object`);
}

const textIn = async (folder: string, name: string): Promise<string | undefined> =>
  (await has(folder, name)) ? new TextDecoder().decode(await readFile(joinPath(folder, name))) : undefined;
