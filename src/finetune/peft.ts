/** Adapters in the files of PEFT: `adapter_config.json` and `adapter_model.safetensors`. */
import { joinPath, makeFolder, writeFileAtomic } from "#platform";
import { ArgumentError, FormatError, nearestName } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { readSafetensors, writeSafetensors } from "../formats/index.ts";
import type { Module } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { readJson } from "../text/json-file.ts";
import { type LoraAdapters, type LoraOptions, loraAdapters } from "./lora.ts";

export const files = { config: "adapter_config.json", weights: "adapter_model.safetensors" } as const;

/** What stands before a layer's path in PEFT's files. */
const prefix = "base_model.model.";

export interface SaveAdaptersOptions {
  /** Where the model is that they go with, for whoever opens them: a folder, or a name on the hub. */
  readonly baseModel?: string;
  /** Default "CAUSAL_LM". */
  readonly taskType?: string;
}

/**
 * Writes adapters into a folder as PEFT does: `PeftModel.from_pretrained(model, folder)` opens it. The configuration is written last.
 *
 * @throws ArgumentError while they are merged, FileError
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * await saveAdapters(loraAdapters(model, { rank: 4 }), "adapter", { baseModel: "HuggingFaceTB/SmolLM2-135M-Instruct" });
 */
export async function saveAdapters(
  adapters: LoraAdapters,
  folder: string,
  options: SaveAdaptersOptions = {},
): Promise<void> {
  if (adapters.isMerged) throw new ArgumentError("saveAdapters: the adapters are merged; unmerge them first");
  const { rank, alpha, dropout, useDora, useRslora } = adapters.settings;
  await writeAdapters(folder, adapters.layers, {
    ...{ type: "LORA", ...options },
    config: {
      r: rank,
      lora_alpha: alpha,
      lora_dropout: dropout,
      use_dora: useDora,
      use_rslora: useRslora,
      target_modules: targetNames(adapters),
      bias: "none",
      fan_in_fan_out: false,
      init_lora_weights: true,
      modules_to_save: null,
    },
  });
}

/** What is learnt beside layers, by their paths. */
type Layers = ReadonlyMap<string, Module>;

interface WriteOptions extends SaveAdaptersOptions {
  readonly type: string;
  /** What the type has in its configuration. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Parameters of adapters under PEFT's names. */
export async function writeAdapters(folder: string, layers: Layers, options: WriteOptions): Promise<void> {
  const weights = new Map<string, HostArray>();
  for (const [path, adapter] of layers)
    for (const [name, parameter] of adapter.namedParameters())
      weights.set(`${prefix}${path}.${name}`, await parameter.toHost());
  await writeFolder(folder, weights, options);
}

/** The configuration is written last. */
export async function writeFolder(
  folder: string,
  weights: Map<string, HostArray>,
  { type, baseModel, taskType = "CAUSAL_LM", config }: WriteOptions,
): Promise<void> {
  const base = { peft_type: type, task_type: taskType, base_model_name_or_path: baseModel ?? null };
  const text = `${JSON.stringify({ ...base, ...config, inference_mode: true }, undefined, 2)}\n`;
  await makeFolder(folder);
  await writeSafetensors(joinPath(folder, files.weights), weights, { metadata: { format: "pt" } });
  await writeFileAtomic(joinPath(folder, files.config), [new TextEncoder().encode(text)]);
}

/** The last names of the layers: what PEFT matches as we do. */
function targetNames({ layers, settings: { targetModules } }: LoraAdapters): string[] {
  if (targetModules !== "all-linear") return [...targetModules];
  return [...new Set([...layers.keys()].map((path) => path.slice(path.lastIndexOf(".") + 1)))];
}

/**
 * Gives a model the adapters that a folder holds in PEFT's format, frozen base and all.
 *
 * @throws FileError; FormatError for a folder that is none of LoRA's or needs what is not known here (ranks of single layers, trained
 * biases, whole layers); ArgumentError for adapters of other layers than the model has
 * @example
 * const sizes = { vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 };
 * await saveAdapters(loraAdapters(new Llama(sizes), { rank: 4 }), "adapter");
 * (await loadAdapters(new Llama(sizes), "adapter")).layers.size; // 7
 */
export async function loadAdapters(model: Module, folder: string): Promise<LoraAdapters> {
  const path = joinPath(folder, files.config);
  const options = optionsOf(path, await readJson(path));
  const { tensors } = await readSafetensors(joinPath(folder, files.weights));
  const adapters = loraAdapters(model, options);
  try {
    fill(joinPath(folder, files.weights), adapters.layers, tensors);
  } catch (error) {
    adapters.remove();
    throw error;
  }
  return adapters;
}

/** Gives parameters of adapters what a file holds under PEFT's names: all of it, and nothing but it. */
export function fill(path: string, layers: Layers, tensors: ReadonlyMap<string, HostArray>): void {
  const unused = new Set(tensors.keys());
  const found = [...layers].flatMap(([layer, adapter]) =>
    [...adapter.namedParameters()].map(([name, parameter]) => {
      const full = `${prefix}${layer}.${name}`;
      // Some files have the magnitudes of DoRA under ".weight".
      const stored = unused.has(full) ? full : `${full}.weight`;
      const array = tensors.get(stored);
      if (array === undefined) throw new FormatError(`"${path}" has no "${full}"`);
      unused.delete(stored);
      return { parameter: parameter as Tensor, array, full };
    }),
  );
  for (const name of unused) {
    const nearest = nearestName(
      name,
      found.map(({ full }) => full),
    );
    throw new FormatError(
      `"${path}" holds "${name}", which is of no adapted layer${nearest ? `; the nearest is "${nearest}"` : ""}`,
    );
  }
  for (const { parameter, array, full } of found)
    if (array.shape.join() !== parameter.shape.join() || array.dtype !== "f32")
      throw new FormatError(
        `"${path}": "${full}" is ${array.dtype} (${array.shape.join(", ")}), the layer's is f32 (${parameter.shape.join(", ")})`,
      );
  for (const { parameter, array } of found)
    (parameter as Tensor & { assign(value: unknown): void }).assign(array);
}

/** Features of PEFT that change what a layer computes and are not known here: any value but these is refused. */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ["LORA"],
  bias: ["none", undefined],
  fan_in_fan_out: [false, undefined],
  modules_to_save: [null, undefined],
  layers_to_transform: [null, undefined],
  layer_replication: [null, undefined],
  exclude_modules: [null, undefined],
  target_parameters: [null, undefined],
  lora_bias: [false, undefined],
  use_qalora: [false, undefined],
  use_bdlora: [null, undefined],
  alora_invocation_tokens: [null, undefined],
  arrow_config: [null, undefined],
  kasa_config: [null, undefined],
  monteclora_config: [null, undefined],
  velora_config: [null, undefined],
  trainable_token_indices: [null, undefined],
};

/** What opens folders of other kinds. */
const openers: Readonly<Record<string, string>> = {
  PROMPT_TUNING: "loadPrompt",
  BOTTLENECK: "loadBottleneckAdapters",
};

function optionsOf(path: string, value: unknown): LoraOptions {
  if (typeof value !== "object" || value === null) throw new FormatError(`"${path}" is no object`);
  const config = value as Readonly<Record<string, unknown>>;
  const refuse = (name: string): never => {
    throw new FormatError(`"${path}": ${name} ${JSON.stringify(config[name])} is not known here`);
  };
  const opener = openers[config["peft_type"] as string];
  if (opener !== undefined)
    throw new FormatError(
      `"${path}": peft_type "${config["peft_type"]}" is opened by ${opener} or applyAdapters`,
    );
  for (const [name, allowed] of Object.entries(neutral)) if (!allowed.includes(config[name])) refuse(name);
  for (const name of ["rank_pattern", "alpha_pattern"])
    if (Object.keys((config[name] as object | null | undefined) ?? {}).length > 0) refuse(name);
  const number = (name: string): number => {
    const found = config[name];
    return typeof found === "number" ? found : refuse(name);
  };
  const targets = config["target_modules"];
  const isNames = Array.isArray(targets) && targets.every((name) => typeof name === "string");
  if (!isNames && targets !== "all-linear") refuse("target_modules");
  return {
    rank: number("r"),
    alpha: number("lora_alpha"),
    dropout: config["lora_dropout"] === undefined ? 0 : number("lora_dropout"),
    targetModules: targets as string[] | "all-linear",
    useDora: config["use_dora"] === true,
    useRslora: config["use_rslora"] === true,
  };
}
