/** Tables of vectors. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { stopGradient, type Tensor, where } from "../tensor/index.ts";
import { type Initializer, normal } from "./initializers.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

export interface EmbeddingOptions {
  /** A row that starts as zeros and takes no gradient: what padding stands for. Negative ones count from the end. */
  readonly paddingIndex?: number;
  /**
   * Default false. True: the gradient of the weight is the rows that a batch used, and an optimizer that can (`SGD` and `Adagrad`
   * without momentum and decay, `SparseAdam`) changes those alone: for large tables.
   */
  readonly sparse?: boolean;
  /**
   * Rows that are longer are scaled down to this norm when they are looked up, and stay so: each call writes the weight, in evaluation
   * as well, as in PyTorch.
   */
  readonly maxNorm?: number;
  /** Which norm that is; default 2. */
  readonly normType?: number;
  /** Default `initializers.normal(0, 1)`, as in PyTorch. */
  readonly weightInit?: Initializer;
  /** What the initializer draws from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

/**
 * A learnt vector for each of numEmbeddings indices. An index outside fails the run.
 *
 * Shapes: (…) of i32 → (…, embeddingDim).
 *
 * @example
 * const table = new Embedding(100, 16);
 * table.forward(tensor([[1, 2, 99]], { dtype: "i32" })).shape; // [1, 3, 16]
 */
export class Embedding extends Module {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIndex: number | undefined;
  readonly sparse: boolean;
  readonly maxNorm: number | undefined;
  readonly normType: number;
  readonly weight: Parameter;

  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingOptions = {}) {
    super();
    checkOptions("Embedding", options, [
      "paddingIndex",
      "sparse",
      "maxNorm",
      "normType",
      "weightInit",
      "key",
    ]);
    for (const [name, size] of Object.entries({ numEmbeddings, embeddingDim })) {
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`Embedding: ${name} must be a positive integer, got ${size}`);
    }
    const { paddingIndex, sparse = false, weightInit = normal(), key = nextKey() } = options;
    const row = paddingIndex === undefined || paddingIndex >= 0 ? paddingIndex : paddingIndex + numEmbeddings;
    if (row !== undefined && !(Number.isInteger(row) && row >= 0 && row < numEmbeddings))
      throw new ArgumentError(`Embedding: paddingIndex ${paddingIndex} is outside of ${numEmbeddings} rows`);
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIndex = row;
    this.sparse = sparse;
    const { maxNorm, normType = 2 } = options;
    if (!((maxNorm ?? 1) > 0 && normType > 0))
      throw new ArgumentError(
        `Embedding: maxNorm and normType must be above 0, got ${maxNorm} and ${normType}`,
      );
    this.maxNorm = maxNorm;
    this.normType = normType;
    const shape = [numEmbeddings, embeddingDim];
    const fans = { fanIn: numEmbeddings, fanOut: embeddingDim };
    const root = toRandomKey(key);
    const data = (): Float32Array => {
      const rows = weightInit({ shape, ...fans, key: fold(root, 0) });
      return row === undefined ? rows : rows.fill(0, row * embeddingDim, (row + 1) * embeddingDim);
    };
    this.weight = new Parameter({ dtype: "f32", shape, data }, { name: "weight" });
  }

  forward(indices: Tensor): Tensor {
    if (this.maxNorm !== undefined) this.shorten(indices, this.maxNorm);
    const rows = (this.weight as Tensor).gather(indices, 0, { sparse: this.sparse }) as Tensor;
    if (this.paddingIndex === undefined) return rows;
    // The row of padding is a constant as far as gradients go.
    const isPadding = indices.equal(this.paddingIndex).expandDims(-1) as Tensor;
    return where(isPadding, stopGradient(rows), rows) as Tensor;
  }

  /** Scales the rows at `indices` that are longer than `maxNorm`: r·maxNorm / (‖r‖ + 10⁻⁷), PyTorch's formula. */
  private shorten(indices: Tensor, maxNorm: number): void {
    const table = stopGradient(this.weight as Tensor);
    const rows = table.gather(indices) as Tensor;
    const norm = rows.norm(-1, { order: this.normType, keepDims: true }) as Tensor;
    const scale = where(norm.greater(maxNorm), norm.add(1e-7).reciprocal().mul(maxNorm), 1);
    this.weight.assign(table.scatter(indices, rows.mul(scale)));
  }

  protected override describe(): string {
    const padding = this.paddingIndex === undefined ? "" : `, padding ${this.paddingIndex}`;
    return `${this.numEmbeddings} × ${this.embeddingDim}${padding}${this.sparse ? ", sparse" : ""}`;
  }
}
