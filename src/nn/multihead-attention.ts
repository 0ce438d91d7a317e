/** Attention in several heads, each on its own projection of queries, keys and values. Vaswani et al., 2017. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { shapeText } from "../base/shape.ts";
import { type Tensor, where } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";
import { type AttentionOptions, attentionWeights, mixed, scaledDotProductAttention } from "./attention.ts";
import { Dropout } from "./dropout.ts";
import { glorotUniform } from "./initializers.ts";
import type { KeyValueCache } from "./key-value-cache.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import type { RotaryEmbedding } from "./rotary.ts";

const sizesOf = (x: Tensor): readonly number[] => x.shape as readonly number[];

export interface MultiheadAttentionOptions {
  /** Of the weights, while training; default 0. */
  readonly dropout?: number;
  /** Default true: learnt vectors are added to all projections. */
  readonly bias?: boolean;
  /** Heads of keys and values, each for as many heads of queries as there are to one; as many as of queries unless told. */
  readonly numKeyValueHeads?: number;
  /** Turns queries and keys by their positions. */
  readonly rotary?: RotaryEmbedding;
  /** Features of keys and of values; those of the queries unless told. */
  readonly kdim?: number;
  readonly vdim?: number;
  /** Default false: (T, N, features), as in PyTorch. True: (N, T, features). */
  readonly batchFirst?: boolean;
  /** What weights are drawn from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

export interface AttendOptions {
  /** bool (N, S): true for keys that are padding. What stands there changes nothing, be it NaN. */
  readonly keyPaddingMask?: Tensor;
  /** (L, S), or (N·heads, L, S): bool, true where a query may NOT look (PyTorch's convention here), or numbers added to the scores. */
  readonly attentionMask?: Tensor;
  /** Default false: true lets query i look at keys 0 … i only. */
  readonly causal?: boolean;
  /** See `AttentionOptions`. */
  readonly window?: AttentionOptions["window"];
  readonly distanceBias?: Tensor | undefined;
  /** Where keys and values are kept: the query's positions come behind those, and see them and each other as `causal` has it. */
  readonly cache?: KeyValueCache | undefined;
  /** Default false: true also gives the weights, (N, L, S), the mean over heads. */
  readonly needWeights?: boolean;
}

export interface MultiheadResult {
  readonly output: Tensor;
  /** Only with `needWeights`. */
  readonly weights: Tensor | undefined;
}

/**
 * Attention in several heads, each on its own projection of queries, keys and values. PyTorch's weights and names.
 *
 * Shapes: query (L, N, embedDim), key (S, N, kdim), value (S, N, vdim) → (L, N, embedDim); N first with `batchFirst`.
 *
 * @throws ShapeError when features do not fit
 * @example
 * const layer = new MultiheadAttention(16, 4, { batchFirst: true });
 * layer.forward(zeros([2, 5, 16])).output.shape; // [2, 5, 16]
 */
export class MultiheadAttention extends Module {
  readonly embedDim: number;
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly rotary: RotaryEmbedding | undefined;
  readonly kdim: number;
  readonly vdim: number;
  readonly batchFirst: boolean;
  /** Of the weights; undefined without. */
  readonly drop: Dropout | undefined;
  readonly inProjWeight: Parameter | undefined;
  readonly qProjWeight: Parameter | undefined;
  readonly kProjWeight: Parameter | undefined;
  readonly vProjWeight: Parameter | undefined;
  readonly inProjBias: Parameter | undefined;
  readonly outProj: Linear;

  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super();
    checkOptions("MultiheadAttention", options, [
      "dropout",
      "bias",
      "numKeyValueHeads",
      "rotary",
      "kdim",
      "vdim",
      "batchFirst",
      "key",
    ]);
    const { dropout = 0, bias = true, kdim = embedDim, vdim = embedDim, batchFirst = false } = options;
    const { numKeyValueHeads = numHeads, rotary, key = nextKey() } = options;
    for (const [name, size] of Object.entries({ embedDim, numHeads, numKeyValueHeads, kdim, vdim })) {
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`MultiheadAttention: ${name} must be a positive integer, got ${size}`);
    }
    if (embedDim % numHeads !== 0)
      throw new ArgumentError(`MultiheadAttention: ${numHeads} heads must divide embedDim ${embedDim}`);
    if (numHeads % numKeyValueHeads !== 0)
      throw new ArgumentError(
        `MultiheadAttention: ${numKeyValueHeads} heads of keys and values must divide ${numHeads} of queries`,
      );
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.numKeyValueHeads = numKeyValueHeads;
    this.rotary = rotary;
    const keyWidth = (embedDim / numHeads) * numKeyValueHeads;
    this.kdim = kdim;
    this.vdim = vdim;
    this.batchFirst = batchFirst;
    const root = toRandomKey(key);
    const matrix = (name: string, rows: number, columns: number, place: number): Parameter => {
      const shape = [rows, columns];
      const data = () => glorotUniform()({ shape, fanIn: columns, fanOut: rows, key: fold(root, place) });
      return new Parameter({ dtype: "f32", shape, data }, { name });
    };
    if (kdim === embedDim && vdim === embedDim && keyWidth === embedDim)
      this.inProjWeight = matrix("in_proj_weight", 3 * embedDim, embedDim, 0);
    else {
      this.qProjWeight = matrix("q_proj_weight", embedDim, embedDim, 0);
      this.kProjWeight = matrix("k_proj_weight", keyWidth, kdim, 1);
      this.vProjWeight = matrix("v_proj_weight", keyWidth, vdim, 2);
    }
    this.inProjBias = bias
      ? new Parameter(new Float32Array(embedDim + 2 * keyWidth), { name: "in_proj_bias" })
      : undefined;
    this.outProj = new Linear(embedDim, embedDim, { bias, key: fold(root, 3) });
    this.drop = dropout > 0 ? new Dropout(dropout, { key: fold(root, 4) }) : undefined;
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    const names: Record<string, string> = {
      inProjWeight: "in_proj_weight",
      qProjWeight: "q_proj_weight",
      kProjWeight: "k_proj_weight",
      vProjWeight: "v_proj_weight",
      inProjBias: "in_proj_bias",
      outProj: "out_proj",
    };
    for (const [name, value] of super.fields()) yield [names[name] ?? name, value];
  }

  forward(
    query: Tensor,
    key: Tensor = query,
    value: Tensor = key,
    options: AttendOptions = {},
  ): MultiheadResult {
    this.check(query, key, value);
    const [q, k, v] = this.batchFirst
      ? [query, key, value]
      : [query, key, value].map((x) => x.transpose(0, 1) as Tensor);
    const { keyPaddingMask, attentionMask, causal = false, needWeights = false, cache, ...others } = options;
    // What is padding must not count, also where 0·NaN would.
    const clean = (x: Tensor): Tensor =>
      keyPaddingMask === undefined ? x : (where(keyPaddingMask.expandDims(2), 0, x) as Tensor);
    const [keys, values] = k === v ? [clean(k!), undefined] : [clean(k!), clean(v!)];
    const projected = this.project(q!, keys!, values ?? keys!);
    const { heads, keyHeads, valueHeads, offset } = this.placed(projected, cache);
    const mask = this.maskOf(attentionMask, sizesOf(q!)[0]!);
    const asked: AttentionOptions = {
      ...{ ...others, mask, keyPaddingMask, offset, causal: causal || cache !== undefined },
    };
    const [attended, weights] = needWeights
      ? this.withWeights(heads, keyHeads, valueHeads, asked)
      : [scaledDotProductAttention(heads, keyHeads, valueHeads, { ...asked, dropout: this.drop })];
    const [batch, length] = sizesOf(q!) as [number, number];
    const joined = attended.permute([0, 2, 1, 3]).reshape([batch, length, this.embedDim]);
    const output = this.outProj.forward(joined as Tensor) as Tensor;
    return { output: this.batchFirst ? output : (output.transpose(0, 1) as Tensor), weights };
  }

  /** Turned by their positions, and behind what a cache holds. */
  private placed(
    [q, k, v]: readonly [Tensor, Tensor, Tensor],
    cache: KeyValueCache | undefined,
  ): { heads: Tensor; keyHeads: Tensor; valueHeads: Tensor; offset?: Tensor } {
    const start = cache && (cache.length as Tensor);
    const turned = (x: Tensor): Tensor =>
      this.rotary?.forward(x, { offset: start, length: cache?.maxLength }) ?? x;
    const [heads, keys] = [turned(q), turned(k)];
    if (cache === undefined) return { heads, keyHeads: keys, valueHeads: v };
    const kept = cache.append(keys, v);
    return { heads, keyHeads: kept.keys, valueHeads: kept.values, offset: kept.offset };
  }

  private withWeights(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): [Tensor, Tensor] {
    const weights = attentionWeights(q, k, options);
    const kept = this.drop === undefined ? weights : (this.drop.forward(weights) as Tensor);
    return [mixed(kept, v), kept.mean(1) as Tensor];
  }

  /** (N, T, features) → (N, heads, T, size) each. */
  private project(q: Tensor, k: Tensor, v: Tensor): [Tensor, Tensor, Tensor] {
    const size = this.embedDim / this.numHeads;
    const isSelf = q === k && k === v && this.inProjWeight !== undefined;
    const bias = this.inProjBias as Tensor | undefined;
    const projected = isSelf
      ? this.withBias(q.matmul(this.inProjWeight!.transpose()) as Tensor, bias).split(3, -1)
      : this.projectEach([q, k, v], bias);
    return projected.map((x) => {
      const [batch, length, width] = sizesOf(x as Tensor) as [number, number, number];
      return x.reshape([batch, length, width / size, size]).permute([0, 2, 1, 3]) as Tensor;
    }) as [Tensor, Tensor, Tensor];
  }
  private projectEach(inputs: readonly Tensor[], bias: Tensor | undefined): Tensor[] {
    const weights =
      this.inProjWeight === undefined
        ? [this.qProjWeight!, this.kProjWeight!, this.vProjWeight!]
        : this.inProjWeight.split(3);
    let first = 0;
    return inputs.map((x, i) => {
      const weight = weights[i] as Tensor;
      const width = sizesOf(weight)[0]!;
      const part = bias === undefined ? undefined : (bias.slice(0, first, first + width) as Tensor);
      first += width;
      return this.withBias(x.matmul(weight.transpose()) as Tensor, part);
    });
  }
  private withBias(x: Tensor, bias: Tensor | undefined): Tensor {
    return bias === undefined ? x : (x.add(bias) as Tensor);
  }

  /** PyTorch's mask, for (N, heads, L, S): there true means not allowed. */
  private maskOf(mask: Tensor | undefined, batch: number): Tensor | undefined {
    if (mask === undefined) return undefined;
    const isOfHeads = sizesOf(mask).length === 3;
    const shaped = isOfHeads ? mask.reshape([batch, this.numHeads, ...sizesOf(mask).slice(1)]) : mask;
    return (mask.dtype === "bool" ? (shaped as Tensor).not() : shaped) as Tensor;
  }

  private check(q: Tensor, k: Tensor, v: Tensor): void {
    const wanted = [
      ["query", q, this.embedDim],
      ["key", k, this.kdim],
      ["value", v, this.vdim],
    ] as const;
    for (const [name, x, size] of wanted) {
      const shape = sizesOf(x);
      if (shape.length !== 3 || shape[2] !== size)
        throw withPlace(
          new ShapeError(
            `MultiheadAttention(${this.describe()}) expects a ${name} of 3 axes with ${size} features, got ${shapeText(shape)}`,
          ),
        );
    }
  }

  protected override describe(): string {
    return `${this.embedDim}, ${this.numHeads} heads`;
  }
}
