/** Low-rank adapters: what a frozen layer learns beside its weight. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError, nearestName } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import {
  Adapter,
  Dropout,
  initializers,
  isQuantized,
  isStored,
  Linear,
  type Module,
  Parameter,
  removeParametrization,
  removeQuantizedWeight,
  restoreWeights,
} from "../nn/index.ts";
import { stopGradient, type Tensor } from "../tensor/index.ts";

export interface LoraOptions {
  /** r, the rank of what is learnt; default 16. */
  readonly rank?: number;
  /** What is learnt counts α/r times; default 2·rank. */
  readonly alpha?: number;
  /**
   * Which linear layers: names as their paths end (`q_proj`, `self_attn.v_proj`), or "all-linear", the default: all but the output
   * layer `lm_head`.
   */
  readonly targetModules?: readonly string[] | "all-linear";
  /** Of what goes into the adapters, in training; default 0. */
  readonly dropout?: number;
  /** Default false. True: DoRA, which learns the length of each row of a weight apart from its direction. Liu and others, 2024. */
  readonly useDora?: boolean;
  /** Default false. True: what is learnt counts α/√r times. Kalajdzievski, "A rank stabilization scaling factor", 2023. */
  readonly useRslora?: boolean;
  /** What first values are drawn from: a key or a seed; by default the next key of the default stream. */
  readonly key?: RandomKey | number;
}

/** `LoraOptions` with its defaults. */
export type LoraSettings = Required<Omit<LoraOptions, "key">>;

export const loraOptionNames = [
  ...["rank", "alpha", "targetModules", "dropout", "useDora", "useRslora", "key"],
] as const satisfies readonly (keyof LoraOptions)[];

/**
 * y = W·x + b + (α/r)·B·A·x, where A (rank, in) begins random and B (out, rank) as zeros, so that nothing changes at first. Hu and
 * others, "LoRA: low-rank adaptation of large language models", 2021. With DoRA the rows of W + (α/r)·B·A are scaled to lengths that
 * are learnt.
 *
 * Names in state dicts are PEFT's: `lora_A.weight`, `lora_B.weight`, `lora_magnitude_vector`.
 *
 * @example
 * const model = new Sequential(new Linear(8, 4));
 * const adapter = loraAdapters(model, { rank: 2 }).layers.get("0")!;
 * [...adapter.namedParameters().keys()]; // ["lora_A.weight", "lora_B.weight"]
 */
export class LoraAdapter extends Adapter {
  readonly a: Parameter;
  readonly b: Parameter;
  /** Of DoRA: the lengths of rows. */
  readonly magnitude: Parameter | undefined;
  readonly layer: Linear;
  readonly scale: number;
  private readonly dropout: Dropout | undefined;

  constructor(layer: Linear, { rank, alpha, dropout, useDora, useRslora }: LoraSettings, key: RandomKey) {
    super();
    const { inFeatures, outFeatures } = layer;
    const fans = { fanIn: inFeatures, fanOut: rank };
    const drawn = (shape: readonly number[]) => () => initializers.fanInUniform()({ shape, ...fans, key });
    const zeros = (size: number) => () => new Float32Array(size);
    const parameter = (name: string, shape: readonly number[], data: () => Float32Array): Parameter =>
      new Parameter({ dtype: "f32", shape, data }, { name });
    this.layer = layer;
    this.scale = alpha / (useRslora ? Math.sqrt(rank) : rank);
    this.a = parameter("lora_A", [rank, inFeatures], drawn([rank, inFeatures]));
    this.b = parameter("lora_B", [outFeatures, rank], zeros(outFeatures * rank));
    this.dropout = dropout > 0 ? new Dropout(dropout, { key: fold(key, 1) }) : undefined;
    if (!useDora) return;
    this.magnitude = parameter("lora_magnitude_vector", [outFeatures], zeros(outFeatures));
    this.magnitude.assign(stopGradient(this.rowLengths()));
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield ["lora_A", { weight: this.a }];
    yield ["lora_B", { weight: this.b }];
    yield ["lora_magnitude_vector", this.magnitude];
    yield ["lora_dropout", this.dropout];
  }

  forward(inner: (x: Tensor) => Tensor, x: Tensor): Tensor {
    const { magnitude, dropout, layer } = this;
    const dropped = dropout === undefined ? x : (dropout.forward(x) as Tensor);
    const low = dropped.matmul((this.a as Tensor).transpose()) as Tensor; // (…, rank)
    const learnt = low.matmul((this.b as Tensor).transpose()).mul(this.scale) as Tensor; // (…, out)
    if (magnitude === undefined) return inner(x).add(learnt) as Tensor;
    const y = inner(dropped);
    const bias = layer.bias as Tensor | undefined;
    const product = (bias === undefined ? y : y.sub(bias)) as Tensor;
    // Lengths that rows have now are taken for constants, as the paper proposes (section 4.3).
    const stretch = (magnitude as Tensor).div(stopGradient(this.rowLengths())) as Tensor;
    const turned = product.add(learnt).mul(stretch) as Tensor;
    return bias === undefined ? turned : (turned.add(bias) as Tensor);
  }

  /** The weight with what was learnt: (out, in). */
  merged(): Tensor {
    const sum = this.directions();
    if (this.magnitude === undefined) return sum;
    return sum.mul((this.magnitude as Tensor).div(this.rowLengths()).expandDims(-1)) as Tensor;
  }

  /** What the layer's weight was before `merged` was put into it. */
  unmerged(merged: Tensor, lengths: Tensor | undefined): Tensor {
    const sum =
      this.magnitude === undefined || lengths === undefined
        ? merged
        : (merged.mul(lengths.div(this.magnitude as Tensor).expandDims(-1)) as Tensor);
    return sum.sub(this.learnt()) as Tensor;
  }

  /** ‖W + (α/r)·B·A‖ of each row. */
  rowLengths(): Tensor {
    return this.directions().square().sum(-1).sqrt() as Tensor;
  }

  private directions(): Tensor {
    return (this.layer.weight as Tensor).add(this.learnt()) as Tensor;
  }
  private learnt(): Tensor {
    return (this.b as Tensor).matmul(this.a as Tensor).mul(this.scale) as Tensor;
  }

  protected override describe(): string {
    return `rank ${this.a.shape[0]}, × ${this.scale}${this.magnitude === undefined ? "" : ", DoRA"}`;
  }
}

/** Under which a layer has its adapter. */
const adapterName = "lora";

/**
 * The adapters of a model: what is trained, saved, and put into the weights at last.
 *
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const adapters = loraAdapters(model, { rank: 4 });
 * adapters.merge(); // the model computes the same without them
 */
export class LoraAdapters {
  /** By the path of the layer. */
  readonly layers: ReadonlyMap<string, LoraAdapter>;
  readonly settings: LoraSettings;
  /** Lengths of rows before the adapters were merged, of DoRA; undefined while they are not. */
  private lengths: Map<LoraAdapter, Tensor | undefined> | undefined;

  constructor(layers: ReadonlyMap<string, LoraAdapter>, settings: LoraSettings) {
    this.layers = layers;
    this.settings = settings;
  }

  get isMerged(): boolean {
    return this.lengths !== undefined;
  }

  /** What is learnt. */
  parameters(): Parameter[] {
    return [...this.layers.values()].flatMap((adapter) => adapter.parameters());
  }

  /**
   * Puts what was learnt into the weights and takes the adapters off: the model computes what it did (in evaluation), without extra
   * work. Weights that were quantized or kept in 16 bits become f32.
   *
   * @throws ArgumentError when it was done already
   */
  merge(): void {
    if (this.lengths !== undefined) throw new ArgumentError("merge: the adapters are merged already");
    this.lengths = new Map();
    for (const adapter of this.layers.values()) {
      const { layer, magnitude } = adapter;
      const merged = adapter.merged();
      this.lengths.set(adapter, magnitude && stopGradient(adapter.rowLengths()));
      layer.removeAdapter(adapterName);
      if (isQuantized(layer)) removeQuantizedWeight(layer);
      else if (isStored(layer)) restoreWeights(layer);
      else if (!(Object.getOwnPropertyDescriptor(layer, "weight")?.value instanceof Parameter))
        removeParametrization(layer);
      layer.weight.assign(stopGradient(merged));
      layer.weight.trainable = false;
    }
  }

  /**
   * Undoes `merge`, up to rounding.
   *
   * @throws ArgumentError when they are not merged
   */
  unmerge(): void {
    const { lengths } = this;
    if (lengths === undefined) throw new ArgumentError("unmerge: the adapters are not merged");
    for (const adapter of this.layers.values()) {
      const { layer } = adapter;
      layer.weight.assign(stopGradient(adapter.unmerged(layer.weight as Tensor, lengths.get(adapter))));
      layer.addAdapter(adapterName, adapter);
    }
    this.lengths = undefined;
  }

  /** Takes the adapters off; what was learnt is left out. */
  remove(): void {
    if (this.lengths !== undefined) this.unmerge();
    for (const { layer } of this.layers.values()) layer.removeAdapter(adapterName);
  }
}

/**
 * Freezes a model and gives linear layers of it low-rank adapters, the only parameters that are trained from then on. A frozen base of
 * few bits (`loadPretrained(…, { quantized: true })`, `quantizeModel`) makes it QLoRA. Dettmers and others, 2023.
 *
 * @throws ArgumentError for names that are of no linear layer, with the nearest; for sizes that mean nothing; for a model that has
 * adapters already
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 2, numHeads: 2, intermediateSize: 32 });
 * const adapters = loraAdapters(model, { rank: 4, targetModules: ["q_proj", "v_proj"] });
 * adapters.layers.size; // 4
 * model.parameters({ trainable: true }).length; // 8
 */
export function loraAdapters(model: Module, options: LoraOptions = {}): LoraAdapters {
  checkOptions("loraAdapters", options, loraOptionNames);
  const settings = settingsOf(options);
  const root = toRandomKey(options.key ?? nextKey());
  const targets = targetsOf(model, settings.targetModules);
  for (const [path, layer] of targets)
    if (layer.children().has(adapterName))
      throw new ArgumentError(`loraAdapters: "${path}" has an adapter already; merge or remove that first`);
  model.freeze();
  const layers = new Map<string, LoraAdapter>();
  for (const [place, [path, layer]] of [...targets].entries()) {
    const adapter = new LoraAdapter(layer, settings, fold(root, place));
    if (!model.training) adapter.eval();
    layer.addAdapter(adapterName, adapter);
    layers.set(path, adapter);
  }
  return new LoraAdapters(layers, settings);
}

function settingsOf({ rank = 16, alpha = 2 * rank, dropout = 0, ...options }: LoraOptions): LoraSettings {
  if (!Number.isInteger(rank) || rank < 1)
    throw new ArgumentError(`loraAdapters: rank must be a positive integer, got ${rank}`);
  if (!(alpha > 0 && alpha < Infinity))
    throw new ArgumentError(`loraAdapters: alpha must be above 0, got ${alpha}`);
  if (!(dropout >= 0 && dropout < 1))
    throw new ArgumentError(`loraAdapters: dropout must be in [0, 1), got ${dropout}`);
  const { targetModules = "all-linear", useDora = false, useRslora = false } = options;
  return { rank, alpha, dropout, targetModules, useDora, useRslora };
}

/** Whether a path ends in a name. */
export const isNamed = (path: string, name: string): boolean => path === name || path.endsWith(`.${name}`);

/** The linear layers of these names. */
function targetsOf(model: Module, names: LoraSettings["targetModules"]): Map<string, Linear> {
  const linear = new Map<string, Linear>();
  for (const [path, module] of model.namedModules()) if (module instanceof Linear) linear.set(path, module);
  if (names === "all-linear") {
    const chosen = new Map([...linear].filter(([path]) => !isNamed(path, "lm_head")));
    if (chosen.size > 0) return chosen;
    throw new ArgumentError(`loraAdapters: ${model.constructor.name} has no linear layers`);
  }
  for (const name of names)
    if (![...linear.keys()].some((path) => isNamed(path, name)))
      throw new ArgumentError(
        `loraAdapters: no linear layer of ${model.constructor.name} is called "${name}"${hint(name, linear.keys())}`,
      );
  return new Map([...linear].filter(([path]) => names.some((name) => isNamed(path, name))));
}

function hint(name: string, paths: Iterable<string>): string {
  const ends = new Set([...paths].map((path) => path.slice(path.lastIndexOf(".") + 1)));
  const nearest = nearestName(name, ends);
  const all = [...ends].join(", ");
  return `${nearest === undefined ? "" : `; did you mean "${nearest}"?`} There are: ${all}`;
}
