/**
 * Loads whose lanes lie apart, but of which there are as many as lanes (or 16 bytes of them, or the two halves of a word), one element
 * further each: a block of memory, read by rows and turned in registers.
 */
import { bytesOf } from "../../base/dtype.ts";
import { strideOf } from "../../ir/affine.ts";
import type { Affine, Index, KernelBuffer } from "../../ir/kernel.ts";
import type { FlatItem, FlatValue } from "./flatten.ts";

interface Candidate {
  readonly flat: FlatValue;
  readonly buffer: KernelBuffer;
  readonly address: Affine;
  readonly constant: number;
  readonly stride: number;
}

/** Marks the loads of every run of `lanes` of them, or of 16 bytes where that is more. */
export function markLoadRuns(items: readonly FlatItem[], index: Index, lanes: number): void {
  if (lanes === 1) return;
  const families = new Map<string, Candidate[]>();
  const numbers = new Map<object, number>();
  const numberOf = (x: object): number => {
    if (!numbers.has(x)) numbers.set(x, numbers.size);
    return numbers.get(x)!;
  };
  for (const item of items) {
    const found = item.kind === "define" ? candidateOf(item.value, index) : undefined;
    if (found === undefined) continue;
    const terms = found.address.terms.map((term) => `${numberOf(term.index)}*${String(term.stride)}`);
    const key = `${numberOf(found.buffer)}: ${terms.join(" + ")}`;
    const family = families.get(key);
    if (family === undefined) families.set(key, [found]);
    else family.push(found);
  }
  for (const family of families.values()) markFamily(family, lanes);
  for (const item of items) if (item.kind === "define") markMasked(item.value, index);
}

const isUnitByte = (load: FlatValue | undefined, index: Index): boolean =>
  load?.value.kind === "load" &&
  load.value.buffer.dtype === "u8" &&
  load.isLazy &&
  !load.uniform &&
  load.value.dynamic.length === 0 &&
  strideOf(load.affine!, index) === 1;

/** Bits of a byte of a run, as a number: taken out of the block's words at once. */
function markMasked(flat: FlatValue, index: Index): void {
  const [masked] = flat.operands;
  if (flat.value.kind !== "convert" || flat.value.dtype !== "f32" || masked?.value.dtype !== "i32") return;
  const { value } = masked;
  if (value.kind !== "binary" || value.operator !== "and" || value.b.kind !== "constant") return;
  const [load] = masked.operands;
  if (load?.run === undefined && !isUnitByte(load, index)) return;
  flat.masked = { load: load!, mask: value.b.value };
  // Needed elsewhere, or behind a mask of lanes, it is computed there.
  masked.isLazy = true;
}

/** A load from memory that nothing here stores to of elements that fill 32-bit lanes, these a known distance apart. */
function candidateOf(flat: FlatValue, index: Index): Candidate | undefined {
  const { value, affine, uniform, isLazy } = flat;
  if (value.kind !== "load" || uniform || !isLazy || affine === undefined || value.dynamic.length > 0)
    return undefined;
  const isKnown = affine.terms.every(({ stride }) => typeof stride === "number");
  if (bytesOf(value.dtype) !== 4 || typeof affine.constant !== "number" || !isKnown) return undefined;
  const stride = strideOf(affine, index) as number;
  if (stride === 0 || stride === 1) return undefined;
  return { flat, buffer: value.buffer, address: affine, constant: affine.constant, stride };
}

/** Bytes of a row that are loaded at once. */
const rowBytes = 16;

function markFamily(family: Candidate[], lanes: number): void {
  family.sort((a, b) => a.constant - b.constant);
  const { dtype } = family[0]!.buffer;
  const lengths = [Math.max(lanes, rowBytes / bytesOf(dtype)), lanes, ...(dtype === "f16" ? [2] : [])];
  for (let at = 0; at < family.length; ) {
    const length = lengths.find((count) => isRun(family, at, count));
    if (length !== undefined) {
      const block = family.slice(at, at + length);
      const { address, buffer, stride } = block[0]!;
      const run = { loads: block.map(({ flat }) => flat), address, buffer, stride, blocks: [] };
      for (const { flat } of block) flat.run = run;
    }
    at += length ?? 1;
  }
}

const isRun = (family: readonly Candidate[], at: number, count: number): boolean =>
  at + count <= family.length && family[at + count - 1]!.constant === family[at]!.constant + count - 1;
