/** Keys and values of what a decoder has read, kept from step to step. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { sliceAxis } from "../ops/index.ts";
import { arange, StateTensor, type Tensor, tensor } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { type AttentionOptions, scaledDotProductAttention } from "./attention.ts";

/** Where a layer keeps keys and values of what was read: behind it come new ones, and queries look at all of them. */
export interface AttentionCache {
  /** The most positions that a text has. */
  readonly maxLength: number;
  /** How many positions are filled; undefined where texts differ in it, and positions must be told. */
  readonly length: StateTensor | undefined;
  /** Keeps k and v behind what there is; what queries q (…, T, size) find there. `offset` is the cache's own. */
  attend(q: Tensor, k: Tensor, v: Tensor, options: Omit<AttentionOptions, "offset" | "method">): Tensor;
}

export interface KeyValueCacheSizes {
  readonly batchSize: number;
  /** Heads of keys and values. */
  readonly numHeads: number;
  readonly headSize: number;
  /** Features of a value's head; those of a key's unless told. */
  readonly valueSize?: number;
  /** The most positions that fit. */
  readonly maxLength: number;
}

/** What attention needs: everything kept so far, and where the queries stand. */
export interface CachedKeys {
  /** (batch, heads, maxLength, size): what comes after the new positions is 0, and is never looked at with `causal`. */
  readonly keys: Tensor;
  readonly values: Tensor;
  /** The position of the first new key: an i32 scalar, for `AttentionOptions.offset` and rotary embeddings. */
  readonly offset: Tensor;
}

/**
 * A place for the keys and values of one layer, with room for `maxLength` positions; how many are filled is a state, so one
 * compiled step serves every position, and new positions are written where the old ones lie. A step that fails has appended nothing. More positions than fit fail the run.
 *
 * @throws ArgumentError when a size is no positive integer
 * @example
 * const cache = new KeyValueCache({ batchSize: 1, numHeads: 2, headSize: 8, maxLength: 32 });
 * const x = ones([1, 2, 3, 8]); // three new positions
 * const { keys, values, offset } = cache.append(x, x);
 * scaledDotProductAttention(x, keys, values, { causal: true, offset }).shape; // [1, 2, 3, 8]
 */
export class KeyValueCache implements AttentionCache {
  readonly maxLength: number;
  readonly keys: StateTensor;
  readonly values: StateTensor;
  /** How many positions are filled: i32. */
  readonly length: StateTensor;

  constructor(sizes: KeyValueCacheSizes) {
    const { batchSize, numHeads, headSize, valueSize = headSize, maxLength } = sizes;
    for (const [name, size] of Object.entries({ batchSize, numHeads, headSize, valueSize, maxLength })) {
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`KeyValueCache: ${name} must be a positive integer, got ${size}`);
    }
    this.maxLength = maxLength;
    const room = (name: string, size: number): StateTensor => {
      const shape = [batchSize, numHeads, maxLength, size];
      const initial = new Float32Array(shape.reduce((a, b) => a * b, 1));
      return new StateTensor({ name, shape, dtype: "f32", initial });
    };
    this.keys = room("keys", headSize);
    this.values = room("values", valueSize);
    this.length = new StateTensor({ name: "length", shape: [], dtype: "i32", initial: new Int32Array(1) });
  }

  /** Keeps keys and values (batch, heads, T, size) behind what there is. */
  append(keys: Tensor, values: Tensor): CachedKeys {
    const steps = this.check("keys", keys, this.keys);
    if (this.check("values", values, this.values) !== steps)
      throw withPlace(new ShapeError(`KeyValueCache: ${steps} keys come with ${values.shape.at(-2)} values`));
    const offset = this.length.add(0) as Tensor;
    const places = (arange(steps) as Tensor).add(offset) as Tensor;
    const kept = (state: StateTensor, x: Tensor): Tensor => {
      const next = (state as Tensor).scatter(places, x, 2) as Tensor;
      state.assign(next);
      return next;
    };
    const all = { keys: kept(this.keys, keys), values: kept(this.values, values), offset };
    this.length.assign(offset.add(steps) as Tensor);
    return all;
  }

  /** `append`, and attention to all that is kept then. */
  attend(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
    const { keys, values, offset } = this.append(k, v);
    return scaledDotProductAttention(q, keys, values, { ...options, offset });
  }

  /**
   * The cache for a step that ends within as many positions as `room` has elements: attention looks at no others, and takes so much the
   * less time. The size of `room` may be a dimension: one compiled step then serves texts of all lengths. With a mask or a bias, which tell
   * of all positions, attention looks at all of them.
   *
   * @throws ShapeError when `room` is no vector
   * @example
   * const cache = new KeyValueCache({ batchSize: 1, numHeads: 2, headSize: 8, maxLength: 512 });
   * const x = ones([1, 2, 3, 8]);
   * cache.within(zeros([16])).attend(x, x, x, { causal: true }).shape; // [1, 2, 3, 8]
   */
  within(room: Tensor): AttentionCache {
    const [size] = nodeOf(room).shape;
    if (size === undefined || room.shape.length !== 1)
      throw withPlace(
        new ShapeError(`KeyValueCache: within needs a vector, got ${shapeText(nodeOf(room).shape)}`),
      );
    const first = (x: Tensor): Tensor => fromNode(sliceAxis(nodeOf(x), 2, 0, size)) as Tensor;
    return {
      maxLength: this.maxLength,
      length: this.length,
      attend: (q, k, v, options) => {
        const { mask, keyPaddingMask, distanceBias } = options ?? {};
        // Those are of all positions that there may be.
        if ((mask ?? keyPaddingMask ?? distanceBias) !== undefined) return this.attend(q, k, v, options);
        const { keys, values, offset } = this.append(k, v);
        return scaledDotProductAttention(q, first(keys), first(values), { ...options, offset });
      },
    };
  }

  /** Forgets everything: the next positions are the first. */
  reset(): void {
    this.length.assign(tensor(0, { dtype: "i32" }) as Tensor);
  }

  private check(what: string, x: Tensor, state: StateTensor): number {
    const [batch, heads, , size] = state.shape as readonly number[];
    const shape = x.shape as readonly number[];
    const fits = shape.length === 4 && shape[0] === batch && shape[1] === heads && shape[3] === size;
    if (!fits || shape[2]! > this.maxLength)
      throw withPlace(
        new ShapeError(
          `KeyValueCache of ${this.maxLength} positions takes ${what} (${batch}, ${heads}, T, ${size}), got ${shapeText(shape)}`,
        ),
      );
    return shape[2]!;
  }
}
