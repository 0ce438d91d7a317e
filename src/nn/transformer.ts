/** Transformer layers: attention and a small network in turn, each with layer norm and a residual. Vaswani et al., 2017. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import type { Tensor } from "../tensor/index.ts";
import { ModuleList } from "./containers.ts";
import { Dropout } from "./dropout.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import { type AttendOptions, MultiheadAttention } from "./multihead-attention.ts";
import { LayerNorm } from "./normalization.ts";

export interface TransformerLayerOptions {
  /** Width of the small network; default 2048. */
  readonly dimFeedforward?: number;
  /** Default 0.1. */
  readonly dropout?: number;
  /** Default "relu". */
  readonly activation?: "relu" | "gelu";
  /** Default 1e-5. */
  readonly layerNormEpsilon?: number;
  /** Default false: (T, N, features), as in PyTorch. True: (N, T, features). */
  readonly batchFirst?: boolean;
  /** Default false: norms come after the residuals, as in the paper. True: before attention and network, which trains more easily. */
  readonly normFirst?: boolean;
  /** Default true. */
  readonly bias?: boolean;
  /** What weights are drawn from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}
const optionNames = [
  ...(["dimFeedforward", "dropout", "activation", "layerNormEpsilon"] as const),
  ...(["batchFirst", "normFirst", "bias", "key"] as const),
];

/** Which positions attention may look at, in PyTorch's convention: true is NOT allowed. */
export interface EncoderMasks {
  readonly mask?: Tensor;
  readonly keyPaddingMask?: Tensor;
  readonly causal?: boolean;
}
export interface DecoderMasks {
  readonly targetMask?: Tensor;
  readonly targetKeyPaddingMask?: Tensor;
  /** Of the target. */
  readonly causal?: boolean;
  readonly memoryMask?: Tensor;
  readonly memoryKeyPaddingMask?: Tensor;
}

/** What both layers have: self-attention, a small network, and PyTorch's names for them. */
abstract class TransformerLayer extends Module {
  readonly selfAttn: MultiheadAttention;
  readonly linear1: Linear;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly activation: "relu" | "gelu";
  readonly normFirst: boolean;
  private readonly drop: Dropout;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions) {
    super();
    const what = this.constructor.name;
    checkOptions(what, options, optionNames);
    const {
      dimFeedforward = 2048,
      dropout = 0.1,
      activation = "relu",
      layerNormEpsilon: epsilon = 1e-5,
    } = options;
    const { batchFirst = false, normFirst = false, bias = true, key = nextKey() } = options;
    if (activation !== "relu" && activation !== "gelu")
      throw new ArgumentError(
        `${what}: activation "${activation as string}" is unknown; use "relu" or "gelu"`,
      );
    const root = toRandomKey(key);
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst, key: fold(root, 0) });
    this.linear1 = new Linear(dModel, dimFeedforward, { bias, key: fold(root, 1) });
    this.linear2 = new Linear(dimFeedforward, dModel, { bias, key: fold(root, 2) });
    this.norm1 = new LayerNorm(dModel, { epsilon, bias });
    this.norm2 = new LayerNorm(dModel, { epsilon, bias });
    this.activation = activation;
    this.normFirst = normFirst;
    this.drop = new Dropout(dropout, { key: fold(root, 3) });
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    const names: Record<string, string> = { selfAttn: "self_attn", multiheadAttn: "multihead_attn" };
    for (const [name, value] of super.fields()) yield [names[name] ?? name, value];
  }

  /** x + part(norm(x)), or norm(x + part(x)). */
  protected residual(x: Tensor, norm: LayerNorm, part: (x: Tensor) => Tensor): Tensor {
    if (this.normFirst) return x.add(this.dropped(part(norm.forward(x)))) as Tensor;
    return norm.forward(x.add(this.dropped(part(x))) as Tensor);
  }
  protected attend(attention: MultiheadAttention, x: Tensor, memory: Tensor, options: AttendOptions): Tensor {
    return attention.forward(x, memory, memory, options).output;
  }
  protected network(x: Tensor): Tensor {
    const hidden = this.linear1.forward(x as never) as Tensor;
    const active = (this.activation === "relu" ? hidden.relu() : hidden.gelu()) as Tensor;
    return this.linear2.forward(this.dropped(active) as never) as Tensor;
  }
  private dropped(x: Tensor): Tensor {
    return this.drop.forward(x) as Tensor;
  }
}

/**
 * Self-attention, then a small network, each with a residual and a norm. PyTorch's weights and names.
 *
 * Shapes: (T, N, dModel) → the same; N first with `batchFirst`.
 *
 * @throws ShapeError when features do not fit
 * @example
 * const layer = new TransformerEncoderLayer(16, 4, { dimFeedforward: 32, batchFirst: true });
 * layer.forward(zeros([2, 5, 16])).shape; // [2, 5, 16]
 */
export class TransformerEncoderLayer extends TransformerLayer {
  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super(dModel, nhead, options);
  }
  forward(x: Tensor, { mask: attentionMask, keyPaddingMask, causal }: EncoderMasks = {}): Tensor {
    const masks = { attentionMask, keyPaddingMask, causal } as AttendOptions;
    const attended = this.residual(x, this.norm1, (y) => this.attend(this.selfAttn, y, y, masks));
    return this.residual(attended, this.norm2, (y) => this.network(y));
  }
}

/**
 * Self-attention of the target, attention to the encoder's memory, then a small network. PyTorch's weights and names.
 *
 * Shapes: target (T, N, dModel), memory (S, N, dModel) → (T, N, dModel); N first with `batchFirst`.
 *
 * @throws ShapeError when features do not fit
 * @example
 * const layer = new TransformerDecoderLayer(16, 4, { dimFeedforward: 32, batchFirst: true });
 * layer.forward(zeros([2, 5, 16]), zeros([2, 7, 16]), { causal: true }).shape; // [2, 5, 16]
 */
export class TransformerDecoderLayer extends TransformerLayer {
  readonly multiheadAttn: MultiheadAttention;
  readonly norm3: LayerNorm;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    const { key = nextKey() } = options;
    const root = toRandomKey(key);
    super(dModel, nhead, { ...options, key: fold(root, 0) });
    const { dropout = 0.1, bias = true, batchFirst = false, layerNormEpsilon: epsilon = 1e-5 } = options;
    this.multiheadAttn = new MultiheadAttention(dModel, nhead, {
      dropout,
      bias,
      batchFirst,
      key: fold(root, 1),
    });
    this.norm3 = new LayerNorm(dModel, { epsilon, bias });
  }
  forward(target: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    const own = {
      attentionMask: masks.targetMask,
      keyPaddingMask: masks.targetKeyPaddingMask,
      causal: masks.causal,
    } as AttendOptions;
    const others = {
      attentionMask: masks.memoryMask,
      keyPaddingMask: masks.memoryKeyPaddingMask,
    } as AttendOptions;
    const attended = this.residual(target, this.norm1, (x) => this.attend(this.selfAttn, x, x, own));
    const informed = this.residual(attended, this.norm2, (x) =>
      this.attend(this.multiheadAttn, x, memory, others),
    );
    return this.residual(informed, this.norm3, (x) => this.network(x));
  }
}

export interface StackOptions {
  /** A last norm; none when left out. */
  readonly norm?: LayerNorm;
}

/** As many layers as there should be, made by a function: each has weights of its own. */
function layersOf<L extends Module>(what: string, make: (index: number) => L, count: number): ModuleList<L> {
  if (!Number.isInteger(count) || count < 1)
    throw new ArgumentError(`${what}: the number of layers must be a positive integer, got ${count}`);
  return new ModuleList(Array.from({ length: count }, (_, index) => make(index)));
}

/**
 * Encoder layers on top of each other; `make` gives each.
 *
 * @example
 * const encoder = new TransformerEncoder(() => new TransformerEncoderLayer(16, 4, { batchFirst: true }), 2);
 * encoder.forward(zeros([2, 5, 16])).shape; // [2, 5, 16]
 */
export class TransformerEncoder extends Module {
  readonly layers: ModuleList<TransformerEncoderLayer>;
  readonly norm: LayerNorm | undefined;
  constructor(
    make: (index: number) => TransformerEncoderLayer,
    numLayers: number,
    { norm }: StackOptions = {},
  ) {
    super();
    this.layers = layersOf("TransformerEncoder", make, numLayers);
    this.norm = norm;
  }
  forward(x: Tensor, masks: EncoderMasks = {}): Tensor {
    const last = [...this.layers].reduce((y, layer) => layer.forward(y, masks), x);
    return this.norm === undefined ? last : this.norm.forward(last);
  }
}

/**
 * Decoder layers on top of each other; `make` gives each.
 *
 * @example
 * const decoder = new TransformerDecoder(() => new TransformerDecoderLayer(16, 4, { batchFirst: true }), 2);
 * decoder.forward(zeros([2, 5, 16]), zeros([2, 7, 16]), { causal: true }).shape; // [2, 5, 16]
 */
export class TransformerDecoder extends Module {
  readonly layers: ModuleList<TransformerDecoderLayer>;
  readonly norm: LayerNorm | undefined;
  constructor(
    make: (index: number) => TransformerDecoderLayer,
    numLayers: number,
    { norm }: StackOptions = {},
  ) {
    super();
    this.layers = layersOf("TransformerDecoder", make, numLayers);
    this.norm = norm;
  }
  forward(target: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    const last = [...this.layers].reduce((y, layer) => layer.forward(y, memory, masks), target);
    return this.norm === undefined ? last : this.norm.forward(last);
  }
}

/**
 * Encoder and decoder with last norms, as PyTorch's `nn.Transformer`.
 *
 * Shapes: source (S, N, dModel), target (T, N, dModel) → (T, N, dModel); N first with `batchFirst`.
 *
 * @example
 * const model = new Transformer({ dModel: 16, nhead: 4, numEncoderLayers: 1, numDecoderLayers: 1, batchFirst: true });
 * model.forward(zeros([2, 7, 16]), zeros([2, 5, 16]), { causal: true }).shape; // [2, 5, 16]
 */
export class Transformer extends Module {
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;

  constructor(
    options: TransformerLayerOptions & {
      /** Default 512. */
      readonly dModel?: number;
      /** Default 8. */
      readonly nhead?: number;
      /** Default 6 each. */
      readonly numEncoderLayers?: number;
      readonly numDecoderLayers?: number;
    } = {},
  ) {
    super();
    checkOptions("Transformer", options, [
      ...optionNames,
      "dModel",
      "nhead",
      "numEncoderLayers",
      "numDecoderLayers",
    ]);
    const {
      dModel = 512,
      nhead = 8,
      numEncoderLayers = 6,
      numDecoderLayers = 6,
      key = nextKey(),
      ...layer
    } = options;
    const root = toRandomKey(key);
    const norm = (): LayerNorm =>
      new LayerNorm(dModel, { epsilon: layer.layerNormEpsilon ?? 1e-5, bias: layer.bias ?? true });
    this.encoder = new TransformerEncoder(
      (i) => new TransformerEncoderLayer(dModel, nhead, { ...layer, key: fold(root, i) }),
      numEncoderLayers,
      { norm: norm() },
    );
    this.decoder = new TransformerDecoder(
      (i) => new TransformerDecoderLayer(dModel, nhead, { ...layer, key: fold(root, numEncoderLayers + i) }),
      numDecoderLayers,
      { norm: norm() },
    );
  }

  forward(
    source: Tensor,
    target: Tensor,
    masks: DecoderMasks & { readonly source?: EncoderMasks } = {},
  ): Tensor {
    const { source: sourceMasks = {}, ...others } = masks;
    return this.decoder.forward(target, this.encoder.forward(source, sourceMasks), others);
  }
}
