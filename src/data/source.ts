/** Where a dataset's samples come from: stored arrays, a selection, several datasets in a row, or a function of another. */
import { arrayTypeOf, type DType, decode, encode, type TypedArray } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { countElements, type HostArray } from "../base/host-array.ts";
import { fold, type RandomKey, randomKey } from "../base/random.ts";
import type { Column, Columns, StoredColumn } from "./column.ts";

/** Arrays by column, with room for the samples asked for. */
export type Buffers = Readonly<Record<string, TypedArray>>;

/** What a delivery is for, where samples depend on it. */
export interface Delivery {
  /** Of the seed and the epoch. */
  readonly key: RandomKey;
}

/** Of seed 0 and epoch 0: where no loader says another one. */
export const plainDelivery: Delivery = { key: fold(randomKey(0), 0) };

export interface Source {
  readonly length: number;
  readonly columns: Columns;
  /** How many functions of `map` lie one on the other here: each draws from random keys of its own. */
  readonly mapDepth: number;
  /**
   * Writes samples `indices[start … start + count)` to the beginning of each array; the indices are in range. Columns
   * without an array are left out. An array of a column's stored dtype gets its samples as they are stored.
   */
  gather(indices: Uint32Array, start: number, count: number, into: Buffers, delivery?: Delivery): void;
}

/** Arrays for `count` samples of each column. */
export function allocate(columns: Columns, count: number): Record<string, TypedArray> {
  const buffers = Object.entries(columns).map(([name, { dtype, shape }]) => {
    return [name, new (arrayTypeOf(dtype))(count * countElements(shape))] as const;
  });
  return Object.fromEntries(buffers);
}

export function storedSource(columns: Readonly<Record<string, StoredColumn>>, length: number): Source {
  const entries = Object.entries(columns);
  return {
    length,
    mapDepth: 0,
    columns: Object.fromEntries(
      entries.map(([name, { shape, dtype, stored }]) => [name, { shape, dtype, ...(stored && { stored }) }]),
    ),
    gather(indices, start, count, into) {
      for (const [name, column] of entries) {
        const array = into[name];
        if (array) column.gather(indices, start, count, array);
      }
    },
  };
}

/** Samples of another source, in any order, with repetition; the indices are in range. */
export function selectedSource(parent: Source, chosen: Uint32Array): Source {
  let mapped = new Uint32Array(0);
  return {
    length: chosen.length,
    columns: parent.columns,
    mapDepth: parent.mapDepth,
    gather(indices, start, count, into, delivery) {
      if (mapped.length < count) mapped = new Uint32Array(count);
      for (let i = 0; i < count; i++) mapped[i] = chosen[indices[start + i]!]!;
      parent.gather(mapped, 0, count, into, delivery);
    },
  };
}

/** One source after the other; they have the same columns. */
export function joinedSource(parts: readonly Source[]): Source {
  const columns = commonColumns(parts);
  const sizes = Object.fromEntries(
    Object.entries(columns).map(([name, { shape }]) => [name, countElements(shape)]),
  );
  const starts = parts.map((_, i) => parts.slice(0, i).reduce((sum, part) => sum + part.length, 0));
  const partOf = (index: number): number => starts.findLastIndex((start) => index >= start);
  return {
    length: parts.reduce((sum, part) => sum + part.length, 0),
    columns,
    mapDepth: Math.max(...parts.map((part) => part.mapDepth)),
    gather(indices, start, count, into, delivery) {
      // Runs of indices in one part are gathered together.
      for (let from = 0; from < count; ) {
        const part = partOf(indices[start + from]!);
        let to = from + 1;
        while (to < count && partOf(indices[start + to]!) === part) to++;
        const local = indices.slice(start + from, start + to).map((index) => index - starts[part]!);
        const rest = Object.entries(into).map(([name, array]) => [name, array.subarray(from * sizes[name]!)]);
        parts[part]!.gather(local, 0, local.length, Object.fromEntries(rest), delivery);
        from = to;
      }
    },
  };
}

/** The first one's columns; how they are stored is told only where all agree. */
function commonColumns(parts: readonly Source[]): Columns {
  const entries = Object.entries(parts[0]!.columns).map(([name, { shape, dtype, stored }]) => {
    const others = parts.map((part) => part.columns[name]!.stored);
    const agree = others.every((o) => o?.dtype === stored?.dtype && o?.divideBy === stored?.divideBy);
    return [name, stored && agree ? { shape, dtype, stored } : { shape, dtype }] as const;
  });
  return Object.fromEntries(entries);
}

/** One sample as a user's function sees it: numbers for scalar columns, arrays for the others. */
export type AnySample = Readonly<Record<string, number | TypedArray>>;

/** Reads single samples into arrays that it uses again for the next one. */
export function sampleReader(source: Source): (index: number, delivery?: Delivery) => AnySample {
  const buffers = allocate(source.columns, 1);
  const names = Object.keys(buffers);
  const scalarDTypes = names.map((name) => scalarDType(source.columns[name]!));
  const indices = new Uint32Array(1);
  return (index, delivery) => {
    indices[0] = index;
    source.gather(indices, 0, 1, buffers, delivery);
    const values = names.map((name, i) => {
      const [data, dtype] = [buffers[name]!, scalarDTypes[i]];
      return [name, dtype === undefined ? data : decode(dtype, data)[0]!] as const;
    });
    return Object.fromEntries(values);
  };
}

const scalarDType = ({ shape, dtype }: Column): DType | undefined => (shape.length === 0 ? dtype : undefined);

/** What a function of `map` may give for a column. */
export type MappedValue = number | TypedArray | HostArray;

/** A function of each sample of another source, computed at every delivery; `columns` describe what it gives. */
export function mappedSource(
  parent: Source,
  columns: Columns,
  compute: (sample: AnySample, index: number, key: RandomKey) => Readonly<Record<string, MappedValue>>,
): Source {
  const read = sampleReader(parent);
  const entries = Object.entries(columns).map(([name, { shape, dtype }]) => ({
    name,
    dtype,
    size: countElements(shape),
  }));
  return {
    length: parent.length,
    columns,
    mapDepth: parent.mapDepth + 1,
    gather(indices, start, count, into, delivery = plainDelivery) {
      const key = mapKey(parent, delivery);
      for (let i = 0; i < count; i++) {
        const index = indices[start + i]!;
        const result = compute(read(index, delivery), index, fold(key, index));
        for (const { name, dtype, size } of entries) {
          const array = into[name];
          if (!array) continue;
          const value = checkedValue(result[name], { name, dtype, size, index });
          if (typeof value === "number") array[i] = encode(dtype, [value])[0]!;
          else array.set(value, i * size);
        }
      }
    },
  };
}

/** Of the random keys that a function over this source gets, one for each sample: `fold(mapKey(…), index)`. */
export const mapKey = (parent: Source, { key }: Delivery): RandomKey => fold(key, parent.mapDepth);

interface Expected {
  readonly name: string;
  readonly dtype: DType;
  readonly size: number;
  readonly index: number;
}

/** The value to store, after a check that this sample has what the first one had. */
function checkedValue(
  value: MappedValue | undefined,
  { name, dtype, size, index }: Expected,
): number | TypedArray {
  if (typeof value === "number" && size === 1) return value;
  const data = typeof value === "object" && "data" in value ? value.data : value;
  const sameDType = typeof value === "object" && (!("dtype" in value) || value.dtype === dtype);
  if (typeof data === "object" && sameDType && data instanceof arrayTypeOf(dtype) && data.length === size)
    return data;
  const got =
    typeof data === "object"
      ? `a ${data.constructor.name} of ${data.length}`
      : value === undefined
        ? "nothing"
        : `${value}`;
  throw new ArgumentError(
    `map: the function gave ${got} for column "${name}" of sample ${index}; the first sample had ${size} of ${dtype}, ` +
      "and every sample must have the same",
  );
}
