/** Prompt tuning: a prompt of vectors that are learnt, the model as it was. Its files are PEFT's. */
import { joinPath } from "#platform";
import { nextKey } from "../base/default-key.ts";
import { ArgumentError, FormatError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type RandomKey, toRandomKey } from "../base/random.ts";
import { readSafetensors } from "../formats/index.ts";
import { type LanguageModel, PromptEmbeddings, promptOf } from "../models/index.ts";
import { readJson } from "../text/json-file.ts";
import { loadBottleneckAdapters } from "./bottleneck.ts";
import { files, loadAdapters, type SaveAdaptersOptions, writeFolder } from "./peft.ts";

export interface PromptTuningOptions {
  /** How many vectors stand before each text; default 20. */
  readonly virtualTokens?: number;
  /** Tokens whose embeddings are the first values, over and over; else these are drawn from a normal distribution. */
  readonly tokens?: readonly number[];
  /** What first values are drawn from: a key or a seed; by default the next key of the default stream. */
  readonly key?: RandomKey | number;
}

/**
 * Freezes a model and puts vectors before each text, the only parameters that are trained from then on. Lester and others, "The power of
 * scale for parameter-efficient prompt tuning", 2021.
 *
 * They are tokens behind the vocabulary's: `generate` and its like put them before a text by themselves, `model.forward` is given them with
 * the text's tokens.
 *
 * @throws ArgumentError for sizes that mean nothing, tokens that the model does not know, and a model that has a prompt already
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const prompt = promptTuning(model, { virtualTokens: 4 });
 * prompt.tokens; // [50, 51, 52, 53]
 * model.forward(tensor([[...prompt.tokens, 7, 8]], { dtype: "i32" })).shape; // [1, 6, 50]
 */
export function promptTuning(model: LanguageModel, options: PromptTuningOptions = {}): PromptEmbeddings {
  checkOptions("promptTuning", options, ["virtualTokens", "tokens", "key"]);
  const { virtualTokens: count = 20, tokens } = options;
  const words = model.wordEmbeddings();
  if (!Number.isInteger(count) || count < 1)
    throw new ArgumentError(`promptTuning: virtualTokens must be a positive integer, got ${count}`);
  if (tokens?.length === 0) throw new ArgumentError("promptTuning: tokens are given, and there are none");
  const { numEmbeddings } = words.table;
  const unknown = tokens?.find((id) => !(Number.isInteger(id) && id >= 0 && id < numEmbeddings));
  if (unknown !== undefined)
    throw new ArgumentError(`promptTuning: ${unknown} is no token of a vocabulary of ${numEmbeddings}`);
  if (promptOf(words.table) !== undefined)
    throw new ArgumentError("promptTuning: the model has a prompt already; remove that first");
  const prompt = new PromptEmbeddings(words, { count, tokens, key: toRandomKey(options.key ?? nextKey()) });
  model.freeze();
  if (!model.training) prompt.eval();
  return prompt.add();
}

/** The name of the tensor in PEFT's files. */
const tensorName = "prompt_embeddings";

/**
 * Writes a prompt into a folder as PEFT does: `PeftModel.from_pretrained(model, folder)` opens it. The configuration is written last.
 *
 * @throws FileError
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * await savePrompt(promptTuning(model), "prompt", { baseModel: "HuggingFaceTB/SmolLM2-135M-Instruct" });
 */
export async function savePrompt(
  prompt: PromptEmbeddings,
  folder: string,
  options: SaveAdaptersOptions = {},
): Promise<void> {
  const weight = await prompt.weight.toHost();
  await writeFolder(folder, new Map([[tensorName, weight]]), {
    ...{ type: "PROMPT_TUNING", ...options },
    config: {
      num_virtual_tokens: weight.shape[0],
      token_dim: weight.shape[1],
      num_transformer_submodules: 1,
      // What they began with: of no account any more.
      prompt_tuning_init: "RANDOM",
    },
  });
}

/**
 * Gives a model the prompt that a folder holds in PEFT's format, and freezes it.
 *
 * @throws FileError; FormatError for a folder that holds no prompt, or one of another model's size; ArgumentError for a model that has a
 * prompt already
 * @example
 * const sizes = { vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 };
 * await savePrompt(promptTuning(new Llama(sizes), { virtualTokens: 4 }), "prompt");
 * (await loadPrompt(new Llama(sizes), "prompt")).tokens.length; // 4
 */
export async function loadPrompt(model: LanguageModel, folder: string): Promise<PromptEmbeddings> {
  const config = await configOf(folder);
  const place = joinPath(folder, files.config);
  const neutral = { peft_type: ["PROMPT_TUNING"], num_transformer_submodules: [1, null, undefined] };
  for (const [name, allowed] of Object.entries<readonly unknown[]>(neutral))
    if (!allowed.includes(config[name]))
      throw new FormatError(`"${place}": ${name} ${JSON.stringify(config[name])} is not known here`);
  const path = joinPath(folder, files.weights);
  const { tensors } = await readSafetensors(path);
  const array = tensors.get(tensorName);
  if (array === undefined || tensors.size !== 1)
    throw new FormatError(
      `"${path}" holds ${[...tensors.keys()].join(", ") || "nothing"}, not ${tensorName}`,
    );
  const [count = 0, size] = array.shape;
  const { embeddingDim } = model.wordEmbeddings().table;
  const isFitting = array.shape.length === 2 && count > 0 && size === embeddingDim && array.dtype === "f32";
  if (!isFitting || count !== config["num_virtual_tokens"])
    throw new FormatError(
      `"${path}": ${tensorName} is ${array.dtype} (${array.shape.join(", ")}), ` +
        `that of this model and ${files.config} f32 (${String(config["num_virtual_tokens"])}, ${embeddingDim})`,
    );
  const prompt = promptTuning(model, { virtualTokens: count });
  prompt.weight.assign(array);
  return prompt;
}

/**
 * Has a model go on as what a folder in PEFT's format holds says: low-rank adapters are put into the weights, bottleneck adapters stand
 * behind its layers' parts, a prompt before each text.
 *
 * @throws what `loadAdapters`, `loadBottleneckAdapters` and `loadPrompt` throw
 * @example
 * const sizes = { vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 };
 * await savePrompt(promptTuning(new Llama(sizes), { virtualTokens: 4 }), "prompt");
 * const model = new Llama(sizes);
 * await applyAdapters(model, "prompt");
 * model.virtualTokens.length; // 4
 */
export async function applyAdapters(model: LanguageModel, folder: string): Promise<void> {
  const { peft_type: type } = await configOf(folder);
  if (type === "PROMPT_TUNING") await loadPrompt(model, folder);
  else if (type === "BOTTLENECK") await loadBottleneckAdapters(model, folder);
  else (await loadAdapters(model, folder)).merge();
}

async function configOf(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const path = joinPath(folder, files.config);
  const value: unknown = await readJson(path);
  if (typeof value !== "object" || value === null) throw new FormatError(`"${path}" is no object`);
  return value as Readonly<Record<string, unknown>>;
}
