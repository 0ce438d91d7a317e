/**
 * Stores whose lanes lie apart, but of which several go side by side: a product whose tiles stand upright in memory. Written
 * lane by lane each element would take an instruction and a half; turned in registers first, four (two) elements take one.
 */
import { bytesOf } from "../../base/dtype.ts";
import { strideOf } from "../../ir/affine.ts";
import type { Index } from "../../ir/kernel.ts";
import type { FlatItem, StoreItem } from "./flatten.ts";

/** Elements of a lane that are stored by one instruction, the most first. */
const runLengths = [4, 2] as const;

/** The items with the stores of each run one behind the other, and marked. */
export function gatherStoreRuns(items: readonly FlatItem[], index: Index): readonly FlatItem[] {
  if (!items.some((item) => item.kind === "store" && isCandidate(item, index))) return items;
  const gathered: FlatItem[] = [];
  // Stores side by side that still wait: what has come since neither reads their memory nor changes a register.
  let waiting: StoreItem[] = [];
  const release = (): void => {
    for (let at = 0; at < waiting.length; ) {
      const length = runLengths.find((n) => at + n <= waiting.length) ?? 1;
      const run = waiting.slice(at, at + length);
      if (length > 1) for (const store of run) store.run = run;
      gathered.push(...run);
      at += length;
    }
    waiting = [];
  };
  for (const item of items) {
    if (item.kind === "store" && isCandidate(item, index)) {
      if (waiting.length > 0 && !isNext(waiting[waiting.length - 1]!, item)) release();
      waiting.push(item);
      if (waiting.length === runLengths[0]) release();
      continue;
    }
    if (waiting.length > 0 && !mayPass(item, waiting[0]!)) release();
    gathered.push(item);
  }
  release();
  return gathered;
}

/** To memory of elements that fill 32-bit lanes, these a known distance apart. */
function isCandidate({ buffer, address, dynamic, value }: StoreItem, index: Index): boolean {
  const stride = strideOf(address, index);
  const isApart = typeof stride === "number" && stride !== 0 && stride !== 1;
  const isKnown = typeof address.constant === "number" && dynamic.length === 0;
  return isApart && isKnown && bytesOf(buffer.dtype) === 4 && !value.uniform;
}

/** Whether `next` stores the element after that of `last`, in each lane. */
function isNext(last: StoreItem, next: StoreItem): boolean {
  if (last.buffer !== next.buffer || last.address.terms.length !== next.address.terms.length) return false;
  if ((next.address.constant as number) !== (last.address.constant as number) + 1) return false;
  return last.address.terms.every(({ index, stride }, i) => {
    const other = next.address.terms[i]!;
    return index === other.index && stride === other.stride;
  });
}

/** Whether an item may come before a store that stood before it. */
function mayPass(item: FlatItem, { buffer }: StoreItem): boolean {
  if (item.kind !== "define") return false;
  const { value } = item.value;
  return value.kind !== "load" || value.buffer !== buffer;
}
