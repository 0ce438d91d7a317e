/** Models that read one thing and write another: an encoder's features are the memory that a decoder's layers attend to. */
import { ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { type KeyValueCache, Module } from "../nn/index.ts";
import { StateTensor, type Tensor } from "../tensor/index.ts";
import type { DecodeOptions, TokenReader } from "./language-model.ts";
import type { KeysAndValues } from "./transformer-block.ts";

/** What the decoder's layers attend to. */
export interface Memory {
  /** Of each layer: (N, heads, S, size). */
  readonly layers: readonly KeysAndValues[];
  /** bool (N, S): true for tokens, false for padding. */
  readonly attentionMask?: Tensor | undefined;
}

export interface SourceOptions {
  /** bool (N, S): true for what is there, false for padding. */
  readonly attentionMask?: Tensor | undefined;
}

/**
 * Source and tokens so far to logits of the next token.
 *
 * Shapes: source as the family has it, tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @example
 * const model: EncoderDecoder = new T5({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const memory = model.remember(model.encode(tensor([[5, 6, 7, 1]], { dtype: "i32" })));
 * model.logits(model.decode(tensor([[0, 8]], { dtype: "i32" }), memory)).shape; // [1, 2, 50]
 */
export abstract class EncoderDecoder extends Module {
  /** The most tokens that are written; undefined where there is no bound. */
  abstract readonly maxTokens: number | undefined;
  /** The token that a text begins with. */
  abstract readonly startToken: number;

  /** Features of the source: (N, S, hiddenSize). */
  abstract encode(source: Tensor, options?: SourceOptions): Tensor;
  /** Keys and values of an encoder's features, for all layers. */
  abstract remember(features: Tensor, options?: SourceOptions): Memory;
  /** Features of tokens that see a memory: (N, T, hiddenSize). */
  abstract decode(tokens: Tensor, memory: Memory, options?: DecodeOptions): Tensor;
  /** Logits of features (…, hiddenSize). */
  abstract logits(features: Tensor): Tensor;
  /** Empty caches for texts of up to `maxLength` tokens. */
  abstract caches(batchSize: number, maxLength: number): KeyValueCache[];

  forward(source: Tensor, tokens: Tensor, options: SourceOptions = {}): Tensor {
    const memory = this.remember(this.encode(source, options), options);
    return this.logits(this.decode(tokens, memory));
  }
}

/**
 * A decoder that has a source in mind, for `generateTokens`: the source is read once, and its keys and values are kept. Another source
 * of the same size is read by `read`, and what was compiled serves it too.
 *
 * @example
 * const model = new T5({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const reader = new SourceReader(model, tensor([[5, 6, 7, 1]], { dtype: "i32" }));
 * const tokens: number[] = [];
 * for await (const token of generateTokens(reader, [model.startToken], { maxNewTokens: 4, temperature: 0 })) tokens.push(token);
 * tokens.length; // 4
 */
export class SourceReader implements TokenReader {
  private readonly model: EncoderDecoder;
  private readonly kept: readonly { readonly keys: StateTensor; readonly values: StateTensor }[];
  private readonly mask: StateTensor | undefined;

  constructor(model: EncoderDecoder, source: Tensor, options: SourceOptions = {}) {
    this.model = model;
    const { layers } = this.memoryOf(source, options);
    this.kept = layers.map(({ keys, values }) => ({
      keys: stateOf("keys", keys),
      values: stateOf("values", values),
    }));
    this.mask = options.attentionMask && stateOf("mask", options.attentionMask);
    this.read(source, options);
  }

  get maxTokens(): number | undefined {
    return this.model.maxTokens;
  }

  /**
   * Has another source in mind.
   *
   * @throws ShapeError for one of another size
   */
  read(source: Tensor, options: SourceOptions = {}): void {
    const { layers, attentionMask } = this.memoryOf(source, options);
    const isSame = sameShape(layers[0]!.keys.shape, this.kept[0]!.keys.shape);
    if (!isSame || (attentionMask === undefined) !== (this.mask === undefined))
      throw new ShapeError(
        `SourceReader: keys ${shapeText(layers[0]!.keys.shape)} take the place of ${shapeText(this.kept[0]!.keys.shape)}; fill up the source, or make another reader`,
      );
    for (const [i, { keys, values }] of layers.entries()) {
      this.kept[i]!.keys.assign(keys);
      this.kept[i]!.values.assign(values);
    }
    if (attentionMask !== undefined) this.mask!.assign(attentionMask);
  }

  features(tokens: Tensor, options: DecodeOptions = {}): Tensor {
    const layers = this.kept.map(({ keys, values }) => ({ keys: keys as Tensor, values: values as Tensor }));
    return this.model.decode(tokens, { layers, attentionMask: this.mask as Tensor | undefined }, options);
  }
  logits(features: Tensor): Tensor {
    return this.model.logits(features);
  }
  caches(batchSize: number, maxLength: number): KeyValueCache[] {
    return this.model.caches(batchSize, maxLength);
  }

  private memoryOf(source: Tensor, options: SourceOptions): Memory {
    return this.model.remember(this.model.encode(source, options), options);
  }
}

function stateOf(name: string, { shape, dtype }: Tensor): StateTensor {
  return new StateTensor({ name, shape: shape as readonly number[], dtype });
}
