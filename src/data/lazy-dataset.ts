/** Datasets whose samples are read when they are delivered: a file each, a row of a database. */
import { arrayTypeOf, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { countElements } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey } from "../base/random.ts";
import { arrayDataset, type ColumnInput, type ColumnsOfInputs } from "./array-dataset.ts";
import type { Column, Columns } from "./column.ts";
import { Dataset } from "./dataset.ts";
import { type MappedValue, mapKey, storing } from "./mapped-source.ts";
import { sampleError } from "./sample-error.ts";
import { allDone, type Buffers, plainDelivery, type Source } from "./source.ts";

export interface LazyOptions<C extends Columns, K extends Readonly<Record<string, ColumnInput>>> {
  /** Samples. */
  readonly length: number;
  /**
   * What `read` gives for each sample. A column with `stored` is given as bytes, and delivered as f32 or as these bytes.
   */
  readonly columns: C;
  /** Columns that are in memory already, such as labels: they need no reading. */
  readonly known?: K;
  /**
   * Reads one sample: a typed array or HostArray for each column, a number where its shape is `[]`. Calls of a batch run at the same
   * time. The key is of (seed, epoch, index), as for `map`. `into` has the sample's part of the batch, for each column that
   * is wanted as `read` gives it: what is written there and given back is not copied, and needs no array of its own.
   */
  readonly read: (
    index: number,
    key: RandomKey,
    into: Buffers,
  ) =>
    | Promise<Readonly<Record<keyof C & string, MappedValue>>>
    | Readonly<Record<keyof C & string, MappedValue>>;
  /** What messages call a sample: the path of its file. */
  readonly name?: (index: number) => string;
}

/**
 * A dataset whose samples are read when they are delivered. Loaders read ahead: `for await (… of loader(photos))`, and `fit`
 * does; what is asked for directly comes by `await photos.load(…)`.
 *
 * @throws ArgumentError for a length that is no integer of 0 or more, ShapeError where a known column has another length
 * @example
 * const squares = lazyDataset({
 *   length: 100,
 *   columns: { x: { shape: [2], dtype: "f32" } },
 *   known: { labels: new Int32Array(100) },
 *   read: async (index) => ({ x: Float32Array.of(index, index * index) }),
 * });
 * (await squares.load([3])).x.data; // Float32Array [3, 9]
 */
export function lazyDataset<
  const C extends Columns,
  const K extends Readonly<Record<string, ColumnInput>> = Record<never, never>,
>(options: LazyOptions<C, K>): Dataset<C & ColumnsOfInputs<K>> {
  checkOptions("lazyDataset", options, ["length", "columns", "known", "read", "name"]);
  const { length, known } = options;
  if (!Number.isInteger(length) || length < 0)
    throw new ArgumentError(`lazyDataset: the length must be an integer of 0 or more, got ${length}`);
  const stored =
    known === undefined || Object.keys(known).length === 0 ? undefined : arrayDataset(known).source;
  if (stored && stored.length !== length)
    throw new ShapeError(
      `lazyDataset: the known columns have ${stored.length} samples, the length is ${length}; they must be equal`,
    );
  return new Dataset(lazySource(options, stored));
}

function lazySource(
  { length, columns: given, read, name }: LazyOptions<Columns, any>,
  known: Source | undefined,
): Source {
  const columns = Object.fromEntries(
    Object.entries(given).map(([name, { shape, dtype, stored }]): [string, Column] => [
      name,
      { shape: [...shape], dtype, ...(stored && { stored }) },
    ]),
  );
  const names = Object.keys(columns);
  const source: Source = {
    length,
    columns: { ...columns, ...known?.columns },
    later: new Set(names),
    mapDepth: 1,
    inFlight: 2,
    gather(indices, start, count, into, delivery = plainDelivery) {
      known?.gather(indices, start, count, into, delivery);
      const wanted = names.filter((name) => into[name] !== undefined);
      if (wanted.length === 0) return;
      const key = mapKey(origin, delivery);
      const store = storingBytes(Object.fromEntries(wanted.map((name) => [name, columns[name]!])));
      const partsOf = (place: number): Buffers =>
        Object.fromEntries(
          wanted.flatMap((name) => {
            const { shape, dtype, stored } = columns[name]!;
            const size = countElements(shape);
            const part = into[name]!.subarray(place * size, (place + 1) * size);
            return part instanceof arrayTypeOf(stored?.dtype ?? dtype) ? [[name, part] as const] : [];
          }),
        );
      const readOne = async (index: number, place: number): Promise<void> => {
        try {
          store(await read(index, fold(key, index), partsOf(place)), index, place, into);
        } catch (error) {
          const named = sampleError(error, index, name?.(index));
          if (delivery.failed === undefined) throw named;
          delivery.failed(place, named);
        }
      };
      return allDone(Array.from(indices.slice(start, start + count), readOne));
    },
  };
  return source;
}

/** `read` draws as a function of `map` over samples that drew nothing. */
const origin = { mapDepth: 0 } as const;

/** As `storing`, for columns whose values come in the dtype they are stored in. */
function storingBytes(columns: Columns): ReturnType<typeof storing> {
  const asRead = Object.fromEntries(
    Object.entries(columns).map(([name, { shape, dtype, stored }]) => [
      name,
      { shape, dtype: stored?.dtype ?? dtype },
    ]),
  );
  const store = storing(asRead);
  const divided = Object.entries(columns).filter(([, { stored }]) => stored !== undefined);
  return (result, index, place, into) => {
    const direct: Record<string, TypedArray> = { ...into };
    for (const [name, { shape, stored }] of divided) {
      const array = into[name]!;
      if (array instanceof arrayTypeOf(stored!.dtype)) continue;
      delete direct[name];
      const size = countElements(shape);
      const bytes = new (arrayTypeOf(stored!.dtype))(size);
      storing({ [name]: { shape, dtype: stored!.dtype } })(result, index, 0, { [name]: bytes });
      for (let i = 0; i < size; i++) array[place * size + i] = bytes[i]! / stored!.divideBy;
    }
    store(result, index, place, direct as Buffers);
  };
}
