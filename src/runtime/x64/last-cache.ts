import type { CacheFacts } from "../../platform/platform.ts";

/** No processor's share of a last cache is known to be larger. */
const mostBytesOfProcessor = 16 * 2 ** 20;

/**
 * How much of the largest cache a program may count on: all of it, but a virtual machine with a few processors is told the whole of what
 * it shares with its neighbours. 0 where the platform does not tell.
 */
export const lastCacheShare = (caches: readonly CacheFacts[]): number =>
  Math.max(0, ...caches.map(({ bytes, sharedBy }) => Math.min(bytes, sharedBy * mostBytesOfProcessor)));
