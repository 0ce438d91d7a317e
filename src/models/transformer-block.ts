/**
 * The layer that BERT, GPT-2, T5 and Whisper are variants of: attention by itself, attention to a memory where there is one, a network of
 * two matrices, each with a residual and a norm. Families say what their parts are called in published weights.
 */
import { ArgumentError } from "../base/errors.ts";
import {
  type AttentionCache,
  type AttentionOptions,
  Dropout,
  initializers,
  Linear,
  Module,
  scaledDotProductAttention,
} from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** Matrices of a layer, for those that give each its own first values. */
export type MatrixRole = "queries" | "keys" | "values" | "output" | "first" | "gate" | "second";

/** What a layer's parts are called; those of attention within the attention's name. */
export interface BlockNames {
  readonly attention: string;
  readonly attentionNorm: string;
  readonly queries?: string;
  readonly keys?: string;
  readonly values?: string;
  /** Queries, keys and values as one matrix. */
  readonly fused?: string;
  readonly output: string;
  readonly memory?: string;
  readonly memoryNorm?: string;
  readonly first: string;
  /** Of a gated network. */
  readonly gate?: string;
  readonly second: string;
  readonly networkNorm: string;
}

export interface BlockSettings {
  readonly hiddenSize: number;
  readonly numHeads: number;
  /** Default hiddenSize / numHeads. */
  readonly headSize?: number;
  readonly intermediateSize: number;
  readonly activation: (x: Tensor) => Tensor;
  readonly norm: () => Module;
  /** Norms stand before the parts, not behind the residuals. */
  readonly normFirst: boolean;
  /** What parts give is dropped with this probability while training. */
  readonly dropout: number;
  /** So are weights of attention, and what is within the network (default none there). */
  readonly attentionDropout: number;
  readonly networkDropout?: number;
  /** Scores are multiplied by it; default 1/√headSize. */
  readonly scoreScale?: number;
  /** Attention to a memory stands between attention and network. */
  readonly hasMemory?: boolean;
  /** Default a `Linear` with a bias, first values N(0, 0.02²). */
  readonly linear?: (role: MatrixRole, inFeatures: number, outFeatures: number) => Module;
  readonly names: BlockNames;
}

/** Heads of keys and of values: (N, heads, S, size). */
export interface KeysAndValues {
  readonly keys: Tensor;
  readonly values: Tensor;
}

const sizesOf = (x: Tensor): readonly number[] => x.shape as readonly number[];
const weightInit = initializers.normal(0, 0.02);
const linearOf = ({ linear }: BlockSettings, role: MatrixRole, from: number, to: number): Module =>
  linear?.(role, from, to) ?? new Linear(from, to, { weightInit });
const headSizeOf = ({ headSize, hiddenSize, numHeads }: BlockSettings): number =>
  headSize ?? hiddenSize / numHeads;

/** Attention in heads, by matrices of queries, keys, values and output. */
export class BlockAttention extends Module {
  private readonly names: BlockNames;
  private readonly scale: number | undefined;
  private readonly size: number;
  private readonly fused: Module | undefined;
  private readonly projections: readonly Module[];
  private readonly output: Module;
  private readonly drop: Dropout;

  constructor(settings: BlockSettings, { isFused = false } = {}) {
    super();
    const { hiddenSize, numHeads, attentionDropout, scoreScale, names } = settings;
    this.size = headSizeOf(settings);
    if (!Number.isInteger(this.size))
      throw new ArgumentError(`${numHeads} heads do not divide ${hiddenSize} features`);
    const width = numHeads * this.size;
    const roles = isFused ? [] : (["queries", "keys", "values"] as const);
    this.names = names;
    this.scale = scoreScale;
    this.fused = isFused ? linearOf(settings, "queries", hiddenSize, 3 * width) : undefined;
    this.projections = roles.map((role) => linearOf(settings, role, hiddenSize, width));
    this.output = linearOf(settings, "output", width, hiddenSize);
    this.drop = new Dropout(attentionDropout);
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    const { fused, queries, keys, values, output } = this.names;
    if (this.fused !== undefined) yield [fused!, this.fused];
    else for (const [i, name] of [queries, keys, values].entries()) yield [name!, this.projections[i]];
    yield [output, this.output];
    yield ["dropout", this.drop];
  }

  /** What others attend to: keys and values of a memory (N, S, features). */
  keysAndValues(memory: Tensor): KeysAndValues {
    const [, keys, values] = this.projections;
    return { keys: this.heads(keys!.forward(memory)), values: this.heads(values!.forward(memory)) };
  }

  /** (N, T, features) → the same: to x itself, behind what a cache holds, or to the given keys. */
  forward(x: Tensor, { given, cache, ...asked }: AttendOptions): Tensor {
    const [q, own] = given === undefined ? this.projected(x) : [this.queries(x), given];
    const options = {
      ...asked,
      scale: this.scale,
      dropout: this.drop.p > 0 ? this.drop : undefined,
    };
    const attended =
      cache?.attend(q, own.keys, own.values, options) ??
      scaledDotProductAttention(q, own.keys, own.values, options);
    const [batch, steps] = sizesOf(x) as [number, number];
    return this.output.forward(attended.permute([0, 2, 1, 3]).reshape([batch, steps, -1])) as Tensor;
  }

  private projected(x: Tensor): [Tensor, KeysAndValues] {
    if (this.fused === undefined) return [this.queries(x), this.keysAndValues(x)];
    const [q, k, v] = (this.fused.forward(x) as Tensor).split(3, -1) as [Tensor, Tensor, Tensor];
    return [this.heads(q), { keys: this.heads(k), values: this.heads(v) }];
  }
  private queries(x: Tensor): Tensor {
    return this.heads(this.projections[0]!.forward(x));
  }
  /** (N, T, heads · size) → (N, heads, T, size) */
  private heads(x: Tensor): Tensor {
    const [batch, steps] = sizesOf(x) as [number, number];
    return x.reshape([batch, steps, -1, this.size]).permute([0, 2, 1, 3]) as Tensor;
  }
}

interface AttendOptions
  extends Pick<AttentionOptions, "mask" | "causal" | "keyPaddingMask" | "distanceBias"> {
  readonly given?: KeysAndValues | undefined;
  readonly cache?: AttentionCache | undefined;
}

export interface BlockOptions extends Omit<AttendOptions, "given"> {
  /** What the second attention attends to: see `remember`. */
  readonly memory?: KeysAndValues | undefined;
  /** bool (N, S): true where the memory is padding. */
  readonly memoryPaddingMask?: Tensor | undefined;
}

export class TransformerBlock extends Module {
  private readonly names: BlockNames;
  private readonly normFirst: boolean;
  private readonly activation: (x: Tensor) => Tensor;
  private readonly attention: BlockAttention;
  private readonly memory: BlockAttention | undefined;
  private readonly first: Module;
  private readonly gate: Module | undefined;
  private readonly second: Module;
  private readonly attentionNorm: Module;
  private readonly memoryNorm: Module | undefined;
  private readonly networkNorm: Module;
  private readonly drop: Dropout;
  private readonly networkDrop: Dropout;

  constructor(settings: BlockSettings) {
    super();
    const { hiddenSize, intermediateSize, dropout, networkDropout = 0, hasMemory = false, names } = settings;
    const network = (role: MatrixRole, from = hiddenSize, to = intermediateSize): Module =>
      linearOf(settings, role, from, to);
    this.names = names;
    this.normFirst = settings.normFirst;
    this.activation = settings.activation;
    this.attention = new BlockAttention(settings, { isFused: names.fused !== undefined });
    this.memory = hasMemory ? new BlockAttention(settings) : undefined;
    this.gate = names.gate === undefined ? undefined : network("gate");
    this.first = network("first");
    this.second = network("second", intermediateSize, hiddenSize);
    this.attentionNorm = settings.norm();
    this.memoryNorm = hasMemory ? settings.norm() : undefined;
    this.networkNorm = settings.norm();
    this.drop = new Dropout(dropout);
    this.networkDrop = new Dropout(networkDropout);
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    const { names } = this;
    yield [names.attention, this.attention];
    yield [names.attentionNorm, this.attentionNorm];
    if (this.memory !== undefined) yield [names.memory!, this.memory];
    if (this.memoryNorm !== undefined) yield [names.memoryNorm!, this.memoryNorm];
    if (this.gate !== undefined) yield [names.gate!, this.gate];
    yield [names.first, this.first];
    yield [names.second, this.second];
    yield [names.networkNorm, this.networkNorm];
    yield ["dropout", this.drop];
    yield ["networkDropout", this.networkDrop];
  }

  forward(x: Tensor, { memory, memoryPaddingMask, ...options }: BlockOptions): Tensor {
    let y = this.residual(x, this.attentionNorm, (part) => this.attention.forward(part, options));
    if (this.memory !== undefined && this.memoryNorm !== undefined) {
      const attention = this.memory;
      if (memory === undefined) throw new ArgumentError("a layer with attention to a memory needs one");
      const masks = { given: memory, keyPaddingMask: memoryPaddingMask };
      y = this.residual(y, this.memoryNorm, (part) => attention.forward(part, masks));
    }
    return this.residual(y, this.networkNorm, (part) => this.network(part));
  }

  /** Keys and values of an encoder's features (N, S, hiddenSize), for `memory`. */
  remember(features: Tensor): KeysAndValues {
    if (this.memory === undefined) throw new ArgumentError("this layer attends to no memory");
    return this.memory.keysAndValues(features);
  }

  private network(x: Tensor): Tensor {
    const active = this.activation((this.gate ?? this.first).forward(x) as Tensor);
    const wide = this.gate === undefined ? active : (active.mul(this.first.forward(x)) as Tensor);
    return this.second.forward(this.networkDrop.forward(wide)) as Tensor;
  }
  private residual(x: Tensor, norm: Module, part: (x: Tensor) => Tensor): Tensor {
    if (this.normFirst) return x.add(this.drop.forward(part(norm.forward(x)))) as Tensor;
    return norm.forward(x.add(this.drop.forward(part(x)))) as Tensor;
  }
}
