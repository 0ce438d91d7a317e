/** Sums, means or maxima of embeddings of a bag of indices, in one layer. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { arange, type Tensor, where, zeros } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";
import { Embedding, type EmbeddingOptions } from "./embedding.ts";

export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** Default "mean". */
  readonly mode?: "sum" | "mean" | "max";
}

export interface BagOptions {
  /** Where each bag begins in a list of all indices, i32 of shape (bags), the first 0. Without it each row is a bag. */
  readonly offsets?: Tensor;
  /** A weight for each index, of the indices' shape; only with mode "sum". */
  readonly weights?: Tensor;
}

/**
 * A vector for each bag of indices: the sum, mean or maximum of their embeddings. Empty bags give 0; the row of padding counts for
 * nothing.
 *
 * Shapes: (bags, indices) → (bags, embeddingDim), or (all indices) with `offsets`.
 *
 * @throws ShapeError in `forward` for indices of other shapes
 * @example
 * const bags = new EmbeddingBag(10, 4, { mode: "sum" });
 * bags.forward(tensor([[1, 2, 2], [5, 5, 9]], { dtype: "i32" })).shape; // [2, 4]
 */
export class EmbeddingBag extends Embedding {
  readonly mode: "sum" | "mean" | "max";

  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    { mode = "mean", ...options }: EmbeddingBagOptions = {},
  ) {
    super(numEmbeddings, embeddingDim, options);
    if (mode !== "sum" && mode !== "mean" && mode !== "max")
      throw new ArgumentError(
        `EmbeddingBag: mode "${mode as string}" is unknown; use "sum", "mean" or "max"`,
      );
    this.mode = mode;
  }

  override forward(indices: Tensor, { offsets, weights }: BagOptions = {}): Tensor {
    const shape = indices.shape as readonly number[];
    if (shape.length !== (offsets === undefined ? 2 : 1))
      throw withPlace(
        new ShapeError(`${this} expects (bags, indices), or (indices) with offsets, got ${shapeText(shape)}`),
      );
    if (weights !== undefined && this.mode !== "sum")
      throw new ArgumentError(`EmbeddingBag: weights go with mode "sum", not "${this.mode}"`);
    const found = super.forward(indices); // (…, embeddingDim)
    const vectors = weights === undefined ? found : (found.mul(weights.expandDims(-1)) as Tensor);
    const { paddingIndex } = this;
    const counts = paddingIndex === undefined ? undefined : (indices.notEqual(paddingIndex) as Tensor);
    return offsets === undefined
      ? this.ofRows(vectors, counts ?? (indices.greaterEqual(0) as Tensor))
      : this.ofList(vectors, counts ?? (indices.greaterEqual(0) as Tensor), offsets);
  }

  /** Each row a bag: (B, L, D), counted (B, L). */
  private ofRows(vectors: Tensor, counts: Tensor): Tensor {
    const isCounted = counts.expandDims(-1) as Tensor;
    if (this.mode === "max") return this.largest(vectors, isCounted, 1);
    const sums = where(isCounted, vectors, 0).sum(1) as Tensor;
    if (this.mode === "sum") return sums;
    return sums.div(counts.cast("f32").sum(1, { keepDims: true }).maximum(1)) as Tensor;
  }

  /** A list of all bags, (n, D), cut by offsets (B). */
  private ofList(vectors: Tensor, counts: Tensor, offsets: Tensor): Tensor {
    const [count, width] = vectors.shape as [number, number];
    const bags = (offsets.shape as readonly number[])[0]!;
    // The bag of a place is the last one that has begun: later bags of the same offset leave the earlier ones empty.
    const hasBegun = arange(count).expandDims(1).greaterEqual(offsets) as Tensor; // (n, B)
    const bag = hasBegun.cast("i32").sum(1).sub(1) as Tensor; // (n)
    if (this.mode === "max") {
      const isIn = bag.equal(arange(bags).expandDims(1)).and(counts).expandDims(-1) as Tensor; // (B, n, 1)
      return this.largest(vectors.expandDims(0) as Tensor, isIn, 1);
    }
    const counted = where(counts.expandDims(-1), vectors, 0) as Tensor;
    const sums = zeros([bags, width]).scatterAdd(bag, counted) as Tensor;
    if (this.mode === "sum") return sums;
    const sizes = zeros([bags]).scatterAdd(bag, counts.cast("f32")) as Tensor;
    return sums.div(sizes.maximum(1).expandDims(1)) as Tensor;
  }

  private largest(vectors: Tensor, isCounted: Tensor, axis: number): Tensor {
    const found = where(isCounted, vectors, Number.NEGATIVE_INFINITY).max(axis) as Tensor;
    return where(isCounted.any(axis), found, 0) as Tensor;
  }

  protected override describe(): string {
    return `${super.describe()}, ${this.mode}`;
  }
}
