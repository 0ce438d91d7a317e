/**
 * Stores whose lanes lie apart, but of which several go side by side: a product whose tiles stand upright in memory. Written
 * lane by lane each element would take an instruction and a half; turned in registers first, four (two) elements take one. Four
 * bytes are put together in the 32 bits of their lane.
 */
import { bytesOf } from "../../base/dtype.ts";
import { strideOf } from "../../ir/affine.ts";
import type { Index, KernelBuffer } from "../../ir/kernel.ts";
import type { FlatItem, StoreItem } from "./flatten.ts";
import type { Shape } from "./isa.ts";

/** Elements of a lane that are stored by one instruction, the most first, by the bytes of one. */
const runLengths: Readonly<Record<number, readonly number[]>> = { 4: [4, 2], 1: [4] };

/** What the vectors can do: bytes are only put together where their conditions do not take vectors of their own. */
export type StoringShape = Pick<Shape, "hasMaskRegisters">;

/** The items with the stores of each run one behind the other, and marked. */
export function gatherStoreRuns(
  items: readonly FlatItem[],
  index: Index,
  shape: StoringShape,
): readonly FlatItem[] {
  const candidates = new Set<FlatItem>();
  for (const item of items)
    if (item.kind === "store" && isCandidate(item, index, shape)) candidates.add(item);
  if (candidates.size === 0) return items;
  const gathered: FlatItem[] = [];
  // Stores side by side that still wait: what has come since neither reads their memory nor changes a register.
  const waiting = new Map<KernelBuffer, StoreItem[]>();
  const release = (buffer: KernelBuffer): void => {
    const stores = waiting.get(buffer) ?? [];
    waiting.delete(buffer);
    for (let at = 0; at < stores.length; ) {
      const length = runLengths[bytesOf(buffer.dtype)]!.find((n) => at + n <= stores.length) ?? 1;
      const run = stores.slice(at, at + length);
      if (length > 1) for (const store of run) store.run = run;
      gathered.push(...run);
      at += length;
    }
  };
  for (const item of items) {
    if (item.kind === "store" && candidates.has(item)) {
      const { buffer } = item;
      // Values that wait take registers, of which there are few where there are no registers for conditions.
      if (!shape.hasMaskRegisters)
        for (const other of [...waiting.keys()]) if (other !== buffer) release(other);
      const last = waiting.get(buffer)?.at(-1);
      if (last !== undefined && !isNext(last, item)) release(buffer);
      const stores = waiting.get(buffer);
      if (stores === undefined) waiting.set(buffer, [item]);
      else if (stores.push(item) === runLengths[bytesOf(buffer.dtype)]![0]) release(buffer);
      continue;
    }
    const ends = item.kind === "set" || (item.kind === "store" && !shape.hasMaskRegisters);
    if (ends) for (const buffer of [...waiting.keys()]) release(buffer);
    else if (item.kind === "store") release(item.buffer);
    else if (item.value.value.kind === "load") release(item.value.value.buffer);
    gathered.push(item);
  }
  for (const buffer of [...waiting.keys()]) release(buffer);
  return gathered;
}

/** To memory of elements that fill 32-bit lanes, or of bytes, these a known distance apart. */
function isCandidate(
  { buffer: { dtype }, address, dynamic, value }: StoreItem,
  index: Index,
  { hasMaskRegisters }: StoringShape,
): boolean {
  const stride = strideOf(address, index);
  const isApart = typeof stride === "number" && stride !== 0 && stride !== 1;
  const isKnown = typeof address.constant === "number" && dynamic.length === 0;
  const bytes = bytesOf(dtype);
  return isApart && isKnown && (bytes === 4 || (bytes === 1 && hasMaskRegisters)) && !value.uniform;
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
