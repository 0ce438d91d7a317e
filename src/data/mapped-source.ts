/** Samples computed from others, one at a time, whenever they are delivered. */
import { arrayTypeOf, type DType, encode, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, type SampleError } from "../base/errors.ts";
import { countElements, type HostArray } from "../base/host-array.ts";
import { fold, type RandomKey } from "../base/random.ts";
import type { Columns } from "./column.ts";
import { sampleError } from "./sample-error.ts";
import {
  type AnySample,
  allDone,
  allocate,
  type Buffers,
  type Delivery,
  plainDelivery,
  type Source,
  sampleReader,
  samplesIn,
  traitsOf,
} from "./source.ts";

/** What a function of `map` may give for a column. */
export type MappedValue = number | TypedArray | HostArray;
type Result = Readonly<Record<string, MappedValue>>;

/** The function of `map`, without types of columns. */
export type AnyMapFunction = (sample: AnySample, index: number, key: RandomKey, columns: Columns) => Result;
/** The function of `mapAsync`, without types of columns. */
export type AnyAsyncMapFunction = (
  sample: AnySample,
  index: number,
  key: RandomKey,
  columns: Columns,
) => Result | Promise<Result>;

/** Of the random keys that a function over this source gets, one for each sample: `fold(mapKey(…), index)`. */
export const mapKey = (parent: { readonly mapDepth: number }, { key }: Delivery): RandomKey =>
  fold(key, parent.mapDepth);

/** A function of each sample of a source that gives them at once. */
export function mappedSource(parent: Source, columns: Columns, compute: AnyMapFunction): Source {
  const read = sampleReader(parent);
  const store = storing(columns);
  return {
    ...traitsOf(parent),
    length: parent.length,
    columns,
    mapDepth: parent.mapDepth + 1,
    gather(indices, start, count, into, delivery = plainDelivery) {
      const key = mapKey(parent, delivery);
      for (let place = 0; place < count; place++) {
        const index = indices[start + place]!;
        if (delivery.failed === undefined) {
          store(compute(read(index, delivery), index, fold(key, index), parent.columns), index, place, into);
          continue;
        }
        try {
          const { failed: _, ...strict } = delivery;
          store(compute(read(index, strict), index, fold(key, index), parent.columns), index, place, into);
        } catch (error) {
          delivery.failed(place, sampleError(error, index));
        }
      }
    },
  };
}

/** The same where the samples, or what is computed from them, come later. All samples of a delivery are worked on at once. */
export function laterMappedSource(parent: Source, columns: Columns, compute: AnyAsyncMapFunction): Source {
  const store = storing(columns);
  return {
    ...traitsOf(parent),
    wantsSharedMemory: false,
    inFlight: parent.inFlight ?? 2,
    later: new Set(Object.keys(columns)),
    length: parent.length,
    columns,
    mapDepth: parent.mapDepth + 1,
    async gather(indices, start, count, into, delivery = plainDelivery) {
      const own = indices.slice(start, start + count);
      const key = mapKey(parent, delivery);
      const lost = new Set<number>();
      const failed = (place: number, error: SampleError): void => {
        if (delivery.failed === undefined) throw error;
        lost.add(place);
        delivery.failed(place, error);
      };
      const staged = allocate(parent.columns, count, parent.wantsSharedMemory);
      await parent.gather(own, 0, count, staged, delivery.failed ? { ...delivery, failed } : delivery);
      const sampleAt = samplesIn(parent.columns, staged);
      const computeOne = async (index: number, place: number): Promise<void> => {
        if (lost.has(place)) return;
        try {
          store(await compute(sampleAt(place), index, fold(key, index), parent.columns), index, place, into);
        } catch (error) {
          failed(place, sampleError(error, index));
        }
      };
      await allDone(Array.from(own, computeOne));
    },
  };
}

/** Writes what a function gave for one sample to its place in the arrays, after a check. */
export function storing(
  columns: Columns,
): (result: Result, index: number, place: number, into: Buffers) => void {
  const entries = Object.entries(columns).map(([name, { shape, dtype }]) => {
    return { name, dtype, size: countElements(shape) };
  });
  return (result, index, place, into) => {
    for (const { name, dtype, size } of entries) {
      const array = into[name];
      if (!array) continue;
      const value = checkedValue(result[name], { name, dtype, size, index });
      if (typeof value === "number") array[place] = encode(dtype, [value])[0]!;
      else if (!isAt(value, array, place * size)) array.set(value, place * size);
    }
  };
}

/** Whether these are the numbers that stand there already. */
const isAt = (value: TypedArray, array: TypedArray, start: number): boolean =>
  value.buffer === array.buffer && value.byteOffset === array.byteOffset + start * array.BYTES_PER_ELEMENT;

interface Expected {
  readonly name: string;
  readonly dtype: DType;
  readonly size: number;
  readonly index: number;
}

/** The value to store, after a check that this sample has what its column has. */
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
