/** Attention of recurrent models: a decoder's state looks at an encoder's states, scored by a small function. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { shapeText } from "../base/shape.ts";
import { maskedSoftmax } from "../ops/index.ts";
import { raised } from "../tensor/autocast.ts";
import { type Tensor, where } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";

export interface ContextOptions {
  /** What is averaged, (N, S, V); the keys unless told. */
  readonly values?: Tensor | undefined;
  /** bool (N, S): true for keys that are padding. What stands there changes nothing, be it NaN. */
  readonly keyPaddingMask?: Tensor | undefined;
  /** bool, broadcast to (N, L, S): true where a query may look. */
  readonly mask?: Tensor | undefined;
}

export interface ContextResult {
  /** (N, L, V): 0 for a query that may look at nothing. */
  readonly context: Tensor;
  /** (N, L, S) */
  readonly weights: Tensor;
}

/** What the layers of this file share: scores (N, L, S) become weights and a mean of the values. */
abstract class ContextAttention extends Module {
  readonly querySize: number;
  readonly keySize: number;

  constructor(querySize: number, keySize: number) {
    super();
    for (const [name, size] of Object.entries({ querySize, keySize })) {
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`${this.constructor.name}: ${name} must be a positive integer, got ${size}`);
    }
    this.querySize = querySize;
    this.keySize = keySize;
  }

  protected abstract scores(query: Tensor, keys: Tensor): Tensor;

  /** query (N, L, querySize), keys (N, S, keySize) → context (N, L, V) and weights (N, L, S). */
  forward(query: Tensor, keys: Tensor, options: ContextOptions = {}): ContextResult {
    this.check("queries", query, this.querySize);
    this.check("keys", keys, this.keySize);
    const { keyPaddingMask, mask, values = keys } = options;
    const clean = (x: Tensor): Tensor =>
      keyPaddingMask === undefined ? x : (where(keyPaddingMask.expandDims(2), 0, x) as Tensor);
    let scores = this.scores(query, clean(keys));
    if (keyPaddingMask !== undefined)
      scores = where(keyPaddingMask.expandDims(1), -Infinity, scores) as Tensor;
    if (mask !== undefined) scores = where(mask, scores, -Infinity) as Tensor;
    const weights = fromNode(maskedSoftmax(raised(nodeOf(scores)), -1)) as Tensor;
    return { context: weights.matmul(clean(values)) as Tensor, weights };
  }

  private check(what: string, x: Tensor, size: number): void {
    const shape = x.shape as readonly number[];
    if (shape.length === 3 && shape[2] === size) return;
    throw withPlace(
      new ShapeError(
        `${this.constructor.name}(${this.describe()}) expects ${what} of 3 axes with ${size} features, got ${shapeText(shape)}`,
      ),
    );
  }

  protected override describe(): string {
    return `${this.querySize}, ${this.keySize}`;
  }
}

export interface LuongAttentionOptions {
  /** Default "general". */
  readonly score?: "dot" | "general" | "concat";
  /** Features of the keys; those of the queries unless told. */
  readonly keySize?: number;
  /** Width of "concat"'s layer; that of the queries unless told. */
  readonly hiddenSize?: number;
  /** What weights are drawn from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

/**
 * Luong's global attention: score(q, k) is qᵀk ("dot"), qᵀWk ("general") or vᵀ·tanh(W[q; k]) ("concat"). Luong, Pham, Manning:
 * "Effective approaches to attention-based neural machine translation", EMNLP 2015.
 *
 * Shapes: query (N, L, querySize), keys (N, S, keySize) → context (N, L, V), weights (N, L, S).
 *
 * @throws ShapeError when features do not fit
 * @example
 * const layer = new LuongAttention(16, { score: "general", keySize: 12 });
 * layer.forward(zeros([2, 1, 16]), zeros([2, 7, 12])).context.shape; // [2, 1, 12]
 */
export class LuongAttention extends ContextAttention {
  readonly score: "dot" | "general" | "concat";
  /** "general": W; without for the others. */
  readonly keyLayer: Linear | undefined;
  /** "concat": W's part for queries, for keys, and v. */
  readonly additive: AdditiveScore | undefined;

  constructor(querySize: number, options: LuongAttentionOptions = {}) {
    checkOptions("LuongAttention", options, ["score", "keySize", "hiddenSize", "key"]);
    const { score = "general", keySize = querySize, hiddenSize = querySize, key = nextKey() } = options;
    super(querySize, keySize);
    if (!["dot", "general", "concat"].includes(score))
      throw new ArgumentError(
        `LuongAttention: score "${score as string}" is unknown; use "dot", "general" or "concat"`,
      );
    if (score === "dot" && keySize !== querySize)
      throw new ArgumentError(
        `LuongAttention: "dot" needs keys as wide as queries, got ${keySize} and ${querySize}; use "general"`,
      );
    const root = toRandomKey(key);
    this.score = score;
    this.keyLayer =
      score === "general" ? new Linear(keySize, querySize, { bias: false, key: fold(root, 0) }) : undefined;
    this.additive =
      score === "concat"
        ? new AdditiveScore({ querySize, keySize, hiddenSize, bias: false }, root)
        : undefined;
  }

  protected scores(query: Tensor, keys: Tensor): Tensor {
    if (this.additive !== undefined) return this.additive.forward(query, keys);
    const turned = this.keyLayer === undefined ? keys : (this.keyLayer.forward(keys as never) as Tensor);
    return query.matmul(turned.transpose()) as Tensor;
  }
}

export interface BahdanauAttentionOptions {
  /** Default false, as in the paper: the layers have biases. */
  readonly bias?: boolean;
  /** What weights are drawn from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

/**
 * Additive attention: score(q, k) = vᵀ·tanh(W·q + U·k). Bahdanau, Cho, Bengio: "Neural machine translation by jointly learning to
 * align and translate", ICLR 2015.
 *
 * Shapes: query (N, L, querySize), keys (N, S, keySize) → context (N, L, V), weights (N, L, S).
 *
 * @throws ShapeError when features do not fit
 * @example
 * const layer = new BahdanauAttention(16, 12, 8);
 * layer.forward(zeros([2, 1, 16]), zeros([2, 7, 12])).weights.shape; // [2, 1, 7]
 */
export class BahdanauAttention extends ContextAttention {
  readonly additive: AdditiveScore;

  constructor(
    querySize: number,
    keySize: number,
    hiddenSize: number,
    options: BahdanauAttentionOptions = {},
  ) {
    checkOptions("BahdanauAttention", options, ["bias", "key"]);
    super(querySize, keySize);
    const { bias = false, key = nextKey() } = options;
    const root = toRandomKey(key);
    this.additive = new AdditiveScore({ querySize, keySize, hiddenSize, bias }, root);
  }

  protected scores(query: Tensor, keys: Tensor): Tensor {
    return this.additive.forward(query, keys);
  }
}

/** vᵀ·tanh(W·q + U·k) for all pairs: (N, L, S). */
class AdditiveScore extends Module {
  readonly queryLayer: Linear;
  readonly keyLayer: Linear;
  readonly energy: Linear;

  constructor(
    sizes: { querySize: number; keySize: number; hiddenSize: number; bias: boolean },
    root: RandomKey,
  ) {
    super();
    const { querySize, keySize, hiddenSize, bias } = sizes;
    this.queryLayer = new Linear(querySize, hiddenSize, { bias: false, key: fold(root, 0) });
    this.keyLayer = new Linear(keySize, hiddenSize, { bias, key: fold(root, 1) });
    this.energy = new Linear(hiddenSize, 1, { bias: false, key: fold(root, 2) });
  }

  forward(query: Tensor, keys: Tensor): Tensor {
    const q = (this.queryLayer.forward(query as never) as Tensor).expandDims(2); // (N, L, 1, hidden)
    const k = (this.keyLayer.forward(keys as never) as Tensor).expandDims(1); // (N, 1, S, hidden)
    const energies = this.energy.forward(q.add(k).tanh() as never) as Tensor; // (N, L, S, 1)
    return energies.squeeze(-1) as Tensor;
  }
}
