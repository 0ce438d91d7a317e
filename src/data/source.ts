/** Where a dataset's samples come from: stored arrays, a selection, several datasets in a row. Others: `mapped-source.ts` … */
import { arrayTypeOf, bytesOf, decode, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, type SampleError } from "../base/errors.ts";
import { countElements } from "../base/host-array.ts";
import { fold, type RandomKey, randomKey } from "../base/random.ts";
import type { Columns, StoredColumn } from "./column.ts";

/** Arrays by column, with room for the samples asked for. */
export type Buffers = Readonly<Record<string, TypedArray>>;

/** What a delivery is for, where samples depend on it. */
export interface Delivery {
  /** Of the seed and the epoch. */
  readonly key: RandomKey;
  /**
   * Called for a sample that cannot be delivered, with its place among those asked for; what stands there then means nothing.
   * It may throw. Without it, the error is thrown as it came.
   */
  readonly failed?: (place: number, error: SampleError) => void;
}

/** Samples that are stored together and best read together. */
export interface Blocks {
  /** The first sample of each, ascending from 0. */
  readonly starts: readonly number[];
  /** How many are held in memory at a time: shuffled orders take so many together. */
  readonly together: number;
}

/** Of seed 0 and epoch 0: where no loader says another one. */
export const plainDelivery: Delivery = { key: fold(randomKey(0), 0) };

export interface Source {
  readonly length: number;
  readonly columns: Columns;
  /** How many functions of `map` lie one on the other here: each draws from random keys of its own. */
  readonly mapDepth: number;
  /** Columns that are not had at once: `gather` gives a promise where one of them is asked for. */
  readonly later?: ReadonlySet<string>;
  /** Batches that should be on their way at once. */
  readonly inFlight?: number;
  /** Whether arrays in shared memory save a copy, because another thread writes them. */
  readonly wantsSharedMemory?: boolean;
  readonly blocks?: Blocks;
  /**
   * Writes samples `indices[start … start + count)` to the beginning of each array; the indices are in range. Columns
   * without an array are left out. An array of a column's stored dtype gets its samples as they are stored.
   *
   * Where it gives a promise, the arrays are its own until that settles; the indices may change as soon as it has returned.
   */
  gather(
    indices: Uint32Array,
    start: number,
    count: number,
    into: Buffers,
    delivery?: Delivery,
  ): void | Promise<void>;
}

/** Whether any of the columns (all unless told otherwise) is not had at once. */
export const isLater = ({ later }: Source, columns: Iterable<string> = later ?? []): boolean =>
  later !== undefined && [...columns].some((name) => later.has(name));

/** @throws ArgumentError saying how to wait, where one of the columns is not had at once */
export function requireAtOnce(what: string, source: Source, columns: Columns = source.columns): void {
  const name = Object.keys(columns).find((name) => source.later?.has(name));
  if (name === undefined) return;
  throw new ArgumentError(
    `${what}: samples of column "${name}" are read when they are delivered, so they must be waited for: ` +
      "await dataset.load([0, 1]), or for await (const batch of loader(dataset))",
  );
}

/** Arrays for `count` samples of each column, in memory that threads share where that is asked for. */
export function allocate(columns: Columns, count: number, isShared = false): Record<string, TypedArray> {
  const buffers = Object.entries(columns).map(([name, { dtype, shape }]) => {
    const ArrayType = arrayTypeOf(dtype);
    const size = count * countElements(shape);
    const array = isShared
      ? new ArrayType(new SharedArrayBuffer(size * bytesOf(dtype)))
      : new ArrayType(size);
    return [name, array as TypedArray] as const;
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
  const blocks = parent.blocks && selectedBlocks(parent.blocks, chosen);
  const { blocks: _, ...traits } = traitsOf(parent);
  return {
    ...traits,
    ...(blocks && { blocks }),
    length: chosen.length,
    columns: parent.columns,
    mapDepth: parent.mapDepth,
    gather(indices, start, count, into, delivery) {
      const mapped = new Uint32Array(count);
      for (let i = 0; i < count; i++) mapped[i] = chosen[indices[start + i]!]!;
      return parent.gather(mapped, 0, count, into, delivery);
    },
  };
}

/** What a source that is made from another one has of it. */
export const traitsOf = ({
  later,
  inFlight,
  wantsSharedMemory,
  blocks,
}: Source): Pick<Source, "later" | "inFlight" | "wantsSharedMemory" | "blocks"> => ({
  ...(later && { later }),
  ...(inFlight !== undefined && { inFlight }),
  ...(wantsSharedMemory !== undefined && { wantsSharedMemory }),
  ...(blocks && { blocks }),
});

/** Blocks of a selection that keeps the order of what it selects from; others have none. */
function selectedBlocks({ starts, together }: Blocks, chosen: Uint32Array): Blocks | undefined {
  const ours: number[] = [];
  let block = -1;
  for (let i = 0; i < chosen.length; i++) {
    if (i > 0 && chosen[i]! <= chosen[i - 1]!) return undefined;
    const isNew = block < 0 || (block + 1 < starts.length && chosen[i]! >= starts[block + 1]!);
    if (!isNew) continue;
    while (block + 1 < starts.length && chosen[i]! >= starts[block + 1]!) block++;
    ours.push(i);
  }
  return { starts: ours, together };
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
    ...joinedTraits(parts, starts),
    length: parts.reduce((sum, part) => sum + part.length, 0),
    columns,
    mapDepth: Math.max(...parts.map((part) => part.mapDepth)),
    gather(indices, start, count, into, delivery) {
      const pending: Promise<void>[] = [];
      // Runs of indices in one part are gathered together.
      for (let from = 0; from < count; ) {
        const part = partOf(indices[start + from]!);
        let to = from + 1;
        while (to < count && partOf(indices[start + to]!) === part) to++;
        const local = indices.slice(start + from, start + to).map((index) => index - starts[part]!);
        const rest = Object.entries(into).map(([name, array]) => [name, array.subarray(from * sizes[name]!)]);
        const coming = parts[part]!.gather(
          local,
          0,
          local.length,
          Object.fromEntries(rest),
          shifted(delivery, from),
        );
        if (coming !== undefined) pending.push(coming);
        from = to;
      }
      return pending.length === 0 ? undefined : allDone(pending);
    },
  };
}

/** A delivery whose places begin later. */
function shifted(delivery: Delivery | undefined, by: number): Delivery | undefined {
  const failed = delivery?.failed;
  return failed ? { ...delivery!, failed: (place, error) => failed(by + place, error) } : delivery;
}

function joinedTraits(parts: readonly Source[], starts: readonly number[]): ReturnType<typeof traitsOf> {
  const later = new Set(parts.flatMap((part) => [...(part.later ?? [])]));
  const inFlight = Math.max(...parts.map((part) => part.inFlight ?? 0));
  const blocks = parts.every((part) => part.blocks !== undefined)
    ? {
        starts: parts.flatMap(({ blocks }, i) => Array.from(blocks!.starts, (start) => starts[i]! + start)),
        together: Math.min(...parts.map((part) => part.blocks!.together)),
      }
    : undefined;
  return {
    ...(later.size > 0 && { later }),
    ...(inFlight > 0 && { inFlight }),
    ...(blocks && { blocks }),
    wantsSharedMemory: parts.some((part) => part.wantsSharedMemory),
  };
}

/** Waits for all, whatever becomes of them, then throws what the first of them threw: nothing goes on behind an error. */
export async function allDone(promises: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
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

/** The samples in arrays that were gathered, by place. Arrays of a sample are parts of those. */
export function samplesIn(columns: Columns, buffers: Buffers): (place: number) => AnySample {
  const entries = Object.entries(columns).map(([name, { shape, dtype }]) => {
    return { name, size: countElements(shape), scalar: shape.length === 0 ? dtype : undefined };
  });
  return (place) => {
    const values = entries.map(({ name, size, scalar }) => {
      const data = buffers[name]!.subarray(place * size, (place + 1) * size);
      return [name, scalar === undefined ? data : decode(scalar, data)[0]!] as const;
    });
    return Object.fromEntries(values);
  };
}

/** Reads single samples, one like the other, into arrays that it uses again for the next one. */
export function sampleReader(source: Source): (index: number, delivery?: Delivery) => AnySample {
  const buffers = allocate(source.columns, 1);
  const entries = Object.entries(source.columns).map(([name, { shape, dtype }]) => {
    return { name, data: buffers[name]!, scalar: shape.length === 0 ? dtype : undefined };
  });
  const indices = new Uint32Array(1);
  return (index, delivery) => {
    indices[0] = index;
    // Who reads like this has asked whether samples are had at once.
    void source.gather(indices, 0, 1, buffers, delivery);
    const values = entries.map(({ name, data, scalar }) => [
      name,
      scalar === undefined ? data : decode(scalar, data)[0]!,
    ]);
    return Object.fromEntries(values);
  };
}
