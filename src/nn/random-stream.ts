/** Randomness of layers as state: two calls are two draws, a replayed step draws the same. */
import { nextKey } from "../base/default-key.ts";
import { type RandomKey, toRandomKey } from "../base/random.ts";
import { splitKey } from "../ops/index.ts";
import { StateTensor, type Tensor } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";

/**
 * A stream of random keys: a state that moves on with each use, within the step, so a step that fails has drawn nothing and a
 * resumed run goes on with the same numbers. No weight: `stateDict()` leaves it out, `namedRandomStreams()` lists it.
 *
 * @example
 * const stream = new RandomStream(7);
 * const [first, second] = [stream.next(), stream.next()]; // two keys of two u32 each
 */
export class RandomStream extends StateTensor<[2], "u32"> {
  /** @param key a key or a seed; the next key of the default stream (`seed(42)`) when left out */
  constructor(key: RandomKey | number = nextKey()) {
    const words = toRandomKey(key);
    super({ name: "random", shape: [2], dtype: "u32", initial: Uint32Array.from(words) });
  }

  /** A key for one use; the stream goes on with another. */
  next(): Tensor<[2], "u32"> {
    const [following, drawn] = splitKey(nodeOf(this));
    this.assign(fromNode(following!));
    return fromNode(drawn!);
  }
}
