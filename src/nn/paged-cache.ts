/** Keys and values of many texts in one pool of pages. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { pagedAttention } from "../ops/index.ts";
import { StateTensor, type Tensor } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import type { AttentionOptions } from "./attention.ts";
import { Dropout } from "./dropout.ts";
import type { AttentionCache } from "./key-value-cache.ts";

export interface PagedCacheSizes {
  readonly pages: number;
  /** Positions of a page; default 32. */
  readonly pageSize?: number;
  /** Heads of keys and values. */
  readonly numHeads: number;
  readonly headSize: number;
  /** Features of a value's head; those of a key's unless told. */
  readonly valueSize?: number;
}

/** Tokens that are read together, each the next of some text, and where their texts lie. */
export interface PagedRows {
  /** i32 (R, P): the pages of each token's text, in order; what comes behind its own is never looked at. */
  readonly tables: Tensor;
  /** i32 (R): where each token stands in its text. */
  readonly positions: Tensor;
  /** i32 (R): where its key and value go, page · pageSize + place in the page; no two alike. */
  readonly places: Tensor;
}

/**
 * A pool of pages for the keys and values of one layer. A text is a list of pages, which lie anywhere and need not be filled: texts of any
 * lengths come and go, and one compiled step serves them all. What a text gets does not depend on what else is read.
 *
 * Kwon and others, "Efficient memory management for large language model serving with PagedAttention", 2023.
 *
 * @throws ArgumentError when a size is no positive integer
 * @example
 * const cache = new PagedCache({ pages: 4, pageSize: 8, numHeads: 2, headSize: 4 });
 * const [tables, positions, places] = [[[2, 0]], [0], [16]].map((x) => tensor(x, { dtype: "i32" }));
 * const x = ones([1, 2, 1, 4]); // one token
 * cache.at({ tables, positions, places }).attend(x, x, x, { causal: true }).shape; // [1, 2, 1, 4]
 */
export class PagedCache {
  readonly pages: number;
  readonly pageSize: number;
  /** (heads, pages · pageSize, size) */
  readonly keys: StateTensor;
  readonly values: StateTensor;

  constructor(sizes: PagedCacheSizes) {
    const { pages, pageSize = 32, numHeads, headSize, valueSize = headSize } = sizes;
    for (const [name, size] of Object.entries({ pages, pageSize, numHeads, headSize, valueSize })) {
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`PagedCache: ${name} must be a positive integer, got ${size}`);
    }
    this.pages = pages;
    this.pageSize = pageSize;
    const room = (name: string, size: number): StateTensor => {
      const shape = [numHeads, pages * pageSize, size];
      const initial = new Float32Array(numHeads * pages * pageSize * size);
      return new StateTensor({ name, shape, dtype: "f32", initial });
    };
    this.keys = room("keys", headSize);
    this.values = room("values", valueSize);
  }

  /** The cache of a step that reads these tokens: what a layer takes. */
  at(rows: PagedRows): AttentionCache {
    const [, P] = rows.tables.shape as readonly [number, number];
    return {
      maxLength: P * this.pageSize,
      length: undefined,
      attend: (q, k, v, options) => this.attend(rows, [q, k, v], options),
    };
  }

  /** q, k, v (R, heads, 1, size) */
  private attend(
    { tables, positions, places }: PagedRows,
    [q, k, v]: readonly [Tensor, Tensor, Tensor],
    options: AttentionOptions,
  ): Tensor {
    const [rows, heads, steps, size] = q.shape as readonly [number, number, number, number];
    if (steps !== 1 || (tables.shape as readonly number[])[0] !== rows)
      throw withPlace(
        new ShapeError(
          `PagedCache: ${shapeText(tables.shape as number[])} tables are of as many texts of one token, got queries ${shapeText([rows, heads, steps, size])}`,
        ),
      );
    const kept = (state: StateTensor, x: Tensor): Tensor => {
      const updates = x.squeeze(2).permute([1, 0, 2]) as Tensor; // (heads, R, size)
      const next = (state as Tensor).scatter(places, updates, 1) as Tensor;
      state.assign(next);
      const [shared, , width] = state.shape as readonly number[];
      return next.reshape([shared!, this.pages, this.pageSize, width!]) as Tensor;
    };
    const [keys, values] = [kept(this.keys, k), kept(this.values, v)];
    const asked = {
      scale: options.scale ?? 1 / Math.sqrt(size),
      softCap: options.softCap,
      left: leftOf(options),
    };
    const texts = { tables: nodeOf(tables), positions: nodeOf(positions) };
    const made = pagedAttention(nodeOf(q.squeeze(2) as Tensor), nodeOf(keys), nodeOf(values), texts, asked);
    return (fromNode(made) as Tensor).expandDims(2) as Tensor;
  }
}

/** How far back a query sees. */
function leftOf({
  causal,
  window,
  mask,
  keyPaddingMask,
  distanceBias,
  dropout,
}: AttentionOptions): number | undefined {
  const drops = dropout instanceof Dropout ? dropout.training && dropout.p > 0 : dropout !== undefined;
  if (!causal || mask !== undefined || keyPaddingMask !== undefined || distanceBias !== undefined || drops)
    throw withPlace(
      new ArgumentError("PagedCache: attention is causal there, without masks, biases and dropout"),
    );
  const left = window?.[0] ?? Infinity;
  return left === Infinity ? undefined : left;
}
