/** Bottleneck adapters: a small network behind each part of a frozen layer. */
import { joinPath } from "#platform";
import { nextKey } from "../base/default-key.ts";
import { ArgumentError, FormatError, nearestName } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { readSafetensors } from "../formats/index.ts";
import { type ActivationName, activations } from "../models/index.ts";
import { Adapter, initializers, Linear, type Module, type Parameter } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { readJson } from "../text/json-file.ts";
import { isNamed } from "./lora.ts";
import { files, fill, type SaveAdaptersOptions, writeAdapters } from "./peft.ts";

export interface BottleneckOptions {
  /** Features between the two matrices; default 64. */
  readonly bottleneckSize?: number;
  /**
   * "houlsby", the default, puts one behind the attention of a layer and one behind its network (Houlsby and others, 2019); "pfeiffer"
   * behind the network alone, which is half as much (Pfeiffer and others, 2021).
   */
  readonly variant?: "houlsby" | "pfeiffer";
  /** Default "relu". */
  readonly activation?: ActivationName;
  /** What first values are drawn from: a key or a seed; by default the next key of the default stream. */
  readonly key?: RandomKey | number;
}

/** `BottleneckOptions` with its defaults. */
export type BottleneckSettings = Required<Omit<BottleneckOptions, "key">>;

export const bottleneckOptionNames = [
  ...["bottleneckSize", "variant", "activation", "key"],
] as const satisfies readonly (keyof BottleneckOptions)[];

/** The last matrices of attention and of networks, by the names that published weights give them. */
const lastOf = {
  attention: [
    ...["self_attn.o_proj", "attn.c_proj", "attention.output.dense", "attention.out_lin"],
    ...["SelfAttention.o", "EncDecAttention.o", "self_attn.out_proj", "encoder_attn.out_proj"],
  ],
  network: ["mlp.down_proj", "mlp.c_proj", "output.dense", "ffn.lin2", "DenseReluDense.wo", "fc2"],
} as const;

/**
 * y = h + U·σ(D·h + d) + u, where h (…, features) is what the adapted layer gives, D (bottleneck, features) begins random and U
 * (features, bottleneck) as zeros, so that nothing changes at first. Houlsby and others, "Parameter-efficient transfer learning for NLP", 2019.
 *
 * Names in state dicts: `adapter_down.weight`, `adapter_down.bias`, `adapter_up.weight`, `adapter_up.bias`.
 *
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const adapter = bottleneckAdapters(model, { bottleneckSize: 4 }).layers.get("model.layers.0.mlp.down_proj")!;
 * [adapter.down.outFeatures, adapter.up.outFeatures]; // [4, 16]
 */
export class BottleneckAdapter extends Adapter {
  readonly down: Linear;
  readonly up: Linear;
  readonly layer: Module;
  private readonly activation: ActivationName;

  constructor(
    layer: Module,
    features: number,
    { bottleneckSize, activation }: BottleneckSettings,
    key: RandomKey,
  ) {
    super();
    this.layer = layer;
    this.down = new Linear(features, bottleneckSize, { weightInit: initializers.fanInUniform(), key });
    this.up = new Linear(bottleneckSize, features, { weightInit: initializers.zeros(), key });
    this.activation = activation;
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield ["adapter_down", this.down];
    yield ["adapter_up", this.up];
  }

  forward(inner: (...inputs: unknown[]) => Tensor, ...inputs: unknown[]): Tensor {
    const h = inner(...inputs); // (…, features)
    const middle = activations[this.activation](this.down.forward(h) as Tensor); // (…, bottleneck)
    return h.add(this.up.forward(middle)) as Tensor;
  }

  protected override describe(): string {
    return `${this.down.inFeatures} → ${this.down.outFeatures} → ${this.up.outFeatures}, ${this.activation}`;
  }
}

/** Under which a layer has its adapter. */
const adapterName = "bottleneck";

/**
 * The bottleneck adapters of a model: what is trained and saved.
 *
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const adapters = bottleneckAdapters(model, { bottleneckSize: 4 });
 * adapters.remove(); // the model is as it was
 */
export class BottleneckAdapters {
  /** By the path of the layer. */
  readonly layers: ReadonlyMap<string, BottleneckAdapter>;
  readonly settings: BottleneckSettings;

  constructor(layers: ReadonlyMap<string, BottleneckAdapter>, settings: BottleneckSettings) {
    this.layers = layers;
    this.settings = settings;
  }

  /** What is learnt. */
  parameters(): Parameter[] {
    return [...this.layers.values()].flatMap((adapter) => adapter.parameters());
  }

  /**
   * Is there to say why not.
   *
   * @throws ArgumentError always: no weight computes what a nonlinearity does
   */
  merge(): never {
    throw new ArgumentError(
      "merge: bottleneck adapters have a nonlinearity, so no weight of the model computes what they do: " +
        'leave them on the model, or train with method "lora" what is to be merged',
    );
  }

  /** Takes the adapters off; what was learnt is left out. */
  remove(): void {
    for (const { layer } of this.layers.values()) layer.removeAdapter(adapterName);
  }
}

/**
 * Freezes a model and puts a small network behind the attention and the network of each layer, the only parameters that are trained from
 * then on. They cannot be merged: each of them is a little work for every token.
 *
 * @throws ArgumentError for a model of whose layers no such parts are known, for sizes that mean nothing, and for a model that has such
 * adapters already
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 2, numHeads: 2, intermediateSize: 32 });
 * const adapters = bottleneckAdapters(model, { bottleneckSize: 4, variant: "pfeiffer" });
 * [...adapters.layers.keys()]; // ["model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"]
 * model.parameters({ trainable: true }).length; // 8
 */
export function bottleneckAdapters(model: Module, options: BottleneckOptions = {}): BottleneckAdapters {
  checkOptions("bottleneckAdapters", options, bottleneckOptionNames);
  const settings = settingsOf(options);
  const root = toRandomKey(options.key ?? nextKey());
  const targets = targetsOf(model, settings.variant);
  for (const [path, { layer }] of targets)
    if (layer.children().has(adapterName))
      throw new ArgumentError(
        `bottleneckAdapters: "${path}" has such an adapter already; go on with that, or remove it first`,
      );
  model.freeze();
  const layers = new Map<string, BottleneckAdapter>();
  for (const [place, [path, { layer, features }]] of [...targets].entries()) {
    const adapter = new BottleneckAdapter(layer, features, settings, fold(root, place));
    if (!model.training) adapter.eval();
    layer.addAdapter(adapterName, adapter);
    layers.set(path, adapter);
  }
  return new BottleneckAdapters(layers, settings);
}

function settingsOf(options: BottleneckOptions): BottleneckSettings {
  const { bottleneckSize = 64, variant = "houlsby", activation = "relu" } = options;
  if (!Number.isInteger(bottleneckSize) || bottleneckSize < 1)
    throw new ArgumentError(
      `bottleneckAdapters: bottleneckSize must be a positive integer, got ${bottleneckSize}`,
    );
  if (variant !== "houlsby" && variant !== "pfeiffer")
    throw new ArgumentError(
      `bottleneckAdapters: variant must be "houlsby" or "pfeiffer", got ${JSON.stringify(variant)}`,
    );
  if (!Object.hasOwn(activations, activation)) {
    const nearest = nearestName(activation, Object.keys(activations));
    throw new ArgumentError(
      `bottleneckAdapters: activation must be one of ${Object.keys(activations).join(", ")}, ` +
        `got ${JSON.stringify(activation)}${nearest === undefined ? "" : `; did you mean "${nearest}"?`}`,
    );
  }
  return { bottleneckSize, variant, activation };
}

interface Target {
  readonly layer: Module;
  readonly features: number;
}

function targetsOf(model: Module, variant: BottleneckSettings["variant"]): Map<string, Target> {
  const endsAs = (path: string, names: readonly string[]): boolean =>
    names.some((name) => isNamed(path, name));
  const targets = new Map<string, Target>();
  for (const [path, layer] of model.namedModules()) {
    const isAttention = endsAs(path, lastOf.attention);
    if (isAttention ? variant === "pfeiffer" : !endsAs(path, lastOf.network)) continue;
    const { outFeatures: features } = layer as { readonly outFeatures?: unknown };
    if (typeof features === "number") targets.set(path, { layer, features });
  }
  if (targets.size > 0) return targets;
  const names = Object.values(lastOf).flat().join(", ");
  throw new ArgumentError(
    `bottleneckAdapters: ${model.constructor.name} has no layers whose parts end in ${names}`,
  );
}

// ---- files ----------------------------------------------------------------------------------------------------

/**
 * Writes bottleneck adapters into a folder: `adapter_config.json` and `adapter_model.safetensors`, laid out as PEFT's, which has no such
 * adapters itself. The configuration is written last.
 *
 * @throws FileError
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * await saveBottleneckAdapters(bottleneckAdapters(model), "adapter", { baseModel: "HuggingFaceTB/SmolLM2-135M-Instruct" });
 */
export async function saveBottleneckAdapters(
  { layers, settings }: BottleneckAdapters,
  folder: string,
  options: SaveAdaptersOptions = {},
): Promise<void> {
  await writeAdapters(folder, layers, {
    ...{ type: "BOTTLENECK", ...options },
    config: {
      bottleneck_size: settings.bottleneckSize,
      variant: settings.variant,
      non_linearity: settings.activation,
    },
  });
}

/**
 * Gives a model the bottleneck adapters that a folder of `saveBottleneckAdapters` holds, frozen base and all.
 *
 * @throws FileError; FormatError for a folder that holds none, or those of another model; ArgumentError for a model that has some already
 * @example
 * const sizes = { vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 };
 * await saveBottleneckAdapters(bottleneckAdapters(new Llama(sizes)), "adapter");
 * (await loadBottleneckAdapters(new Llama(sizes), "adapter")).layers.size; // 2
 */
export async function loadBottleneckAdapters(model: Module, folder: string): Promise<BottleneckAdapters> {
  const place = joinPath(folder, files.config);
  const config = ((await readJson(place)) ?? {}) as Readonly<Record<string, unknown>>;
  if (config["peft_type"] !== "BOTTLENECK")
    throw new FormatError(`"${place}": peft_type ${JSON.stringify(config["peft_type"])} is not known here`);
  const path = joinPath(folder, files.weights);
  const { tensors } = await readSafetensors(path);
  let adapters: BottleneckAdapters;
  try {
    adapters = bottleneckAdapters(model, {
      bottleneckSize: config["bottleneck_size"] as number,
      variant: config["variant"] as "houlsby",
      activation: config["non_linearity"] as ActivationName,
      key: 0,
    });
  } catch (cause) {
    throw new ArgumentError(`"${place}" does not fit: ${(cause as Error).message}`, { cause });
  }
  try {
    fill(path, adapters.layers, tensors);
  } catch (error) {
    adapters.remove();
    throw error;
  }
  return adapters;
}
