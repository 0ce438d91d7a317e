/** The order of an epoch's samples: a function of the seed and the epoch alone, drawn as far as batches need it. */
import { fold, growingPermutation, permutation, type RandomKey, randomKey } from "../base/random.ts";
import type { Blocks } from "./source.ts";

/** Positions `start … start + count)` of an epoch, as a part of an array that is not changed. */
export interface EpochOrder {
  take(start: number, count: number): { readonly indices: Uint32Array; readonly start: number };
}

/** The dataset's own order, without an array of it. */
export const ownOrder: EpochOrder = {
  take: (start, count) => ({ indices: Uint32Array.from({ length: count }, (_, i) => start + i), start: 0 }),
};

/** The shuffled order of an epoch. What lies in blocks is shuffled so that few blocks are needed at a time. */
export function shuffledOrder(
  seed: number,
  epoch: number,
  sampleCount: number,
  blocks: Blocks | undefined,
): EpochOrder {
  const key = fold(randomKey(seed), epoch);
  if (blocks !== undefined && blocks.starts.length > blocks.together)
    return blockOrder(key, sampleCount, blocks);
  const { order, settle } = growingPermutation(key, sampleCount);
  return {
    take(start, count) {
      settle(start + count);
      return { indices: order, start };
    },
  };
}

/**
 * Blocks in random order, `together` of them at a time, whose samples are shuffled among each other. A sample can come at
 * any time of an epoch; what lies near each other on the disk comes near each other in time.
 */
function blockOrder(key: RandomKey, sampleCount: number, { starts, together }: Blocks): EpochOrder {
  const blocks = permutation(fold(key, 0), starts.length);
  const sizeOf = (block: number): number => (starts[block + 1] ?? sampleCount) - starts[block]!;
  const windows = Math.ceil(starts.length / together);
  const windowStarts = new Float64Array(windows + 1);
  for (let i = 0; i < blocks.length; i++) windowStarts[Math.floor(i / together) + 1]! += sizeOf(blocks[i]!);
  for (let i = 0; i < windows; i++) windowStarts[i + 1]! += windowStarts[i]!;

  const orderOf = (window: number): Uint32Array => {
    const size = windowStarts[window + 1]! - windowStarts[window]!;
    const samples = new Uint32Array(size);
    let at = 0;
    for (const block of blocks.subarray(window * together, (window + 1) * together)) {
      for (let i = 0; i < sizeOf(block); i++) samples[at++] = starts[block]! + i;
    }
    return permutation(fold(key, 1 + window), size).map((i) => samples[i]!);
  };
  let current: { window: number; order: Uint32Array } = { window: -1, order: new Uint32Array(0) };
  return {
    take(start, count) {
      const indices = new Uint32Array(count);
      let window = windowStarts.findLastIndex((windowStart) => windowStart <= start);
      for (let done = 0; done < count; window++) {
        if (current.window !== window) current = { window, order: orderOf(window) };
        const from = start + done - windowStarts[window]!;
        const part = current.order.subarray(from, from + count - done);
        indices.set(part, done);
        done += part.length;
      }
      return { indices, start: 0 };
    },
  };
}
