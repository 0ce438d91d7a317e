/** Samples that lie in memory in the dtype they are stored in, delivered in the dtype that is asked for. */
import { arrayTypeOf, bytesOf, type TypedArray } from "../base/dtype.ts";
import { countElements } from "../base/host-array.ts";
import type { Column, Columns } from "./column.ts";

/** Bytes of one sample as it is stored. */
export const sampleBytes = (columns: Columns): number =>
  Object.values(columns).reduce(
    (sum, { dtype, shape, stored }) => sum + countElements(shape) * bytesOf(stored?.dtype ?? dtype),
    0,
  );

/** Copies sample `row` of an array of the stored dtype to place `place` of another, which may be of the delivered dtype. */
export type CopySample = (from: TypedArray, row: number, into: TypedArray, place: number) => void;

export function sampleCopier({ dtype, shape, stored }: Column): CopySample {
  const size = countElements(shape);
  const copy: CopySample = (from, row, into, place) =>
    into.set(from.subarray(row * size, (row + 1) * size), place * size);
  if (stored === undefined) return copy;
  const StoredType = arrayTypeOf(stored.dtype);
  const isSigned = stored.dtype === "i8";
  const quotients = new (arrayTypeOf(dtype))(256);
  for (let byte = 0; byte < 256; byte++)
    quotients[byte] = (isSigned ? (byte << 24) >> 24 : byte) / stored.divideBy;
  return (from, row, into, place) => {
    if (into instanceof StoredType) return copy(from, row, into, place);
    const start = row * size;
    const end = start + size;
    for (let i = start, o = place * size; i < end; i++, o++) into[o] = quotients[from[i]! & 255]!;
  };
}
