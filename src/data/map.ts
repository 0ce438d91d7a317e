/** `Dataset.map`: what columns a function of a sample gives. */
import { arrayTypeOf, type DType, type TypedArray } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { countElements, type HostArray } from "../base/host-array.ts";
import { fold, type RandomKey } from "../base/random.ts";
import type { Column, Columns, Sample } from "./column.ts";
import {
  type AnyAsyncMapFunction,
  type AnyMapFunction,
  laterMappedSource,
  type MappedValue,
  mapKey,
  mappedSource,
} from "./mapped-source.ts";
import {
  allocate,
  isLater,
  plainDelivery,
  requireAtOnce,
  type Source,
  sampleReader,
  samplesIn,
} from "./source.ts";
import { type DTypeOfArray, dtypeOfArray } from "./typed-arrays.ts";

export type MapFunction<C extends Columns> = (
  sample: Sample<C>,
  index: number,
  key: RandomKey,
  columns: C,
) => Readonly<Record<string, MappedValue>>;

/** What a function of `map` gives, where it is known without calling it. */
export interface MapOptions {
  /** The columns of the result. Where samples are read when they are delivered, `map` cannot find them out. */
  readonly columns?: Columns;
}

/** A function may bring along what it makes of columns: `map` then calls it for no sample in advance. */
export interface DescribedFunction {
  readonly columns?: (before: Columns) => Columns;
}

/** The columns of `map`'s result, as far as types can tell. */
export type ColumnsOfMap<C extends Columns, R> = {
  readonly [N in keyof R & string]: R[N] extends number
    ? Column<[], N extends keyof C ? C[N]["dtype"] : "f32">
    : R[N] extends HostArray<infer S, infer D>
      ? Column<S, D>
      : Column<N extends keyof C ? C[N]["shape"] : readonly number[], DTypeOfArray<R[N]>>;
};

/** The source of `map`. Unless its columns are known, the function is called on the first sample to learn them. */
export function mapped(
  parent: Source,
  compute: AnyMapFunction & DescribedFunction,
  { columns }: MapOptions,
): Source {
  const known = columns ?? compute.columns?.(parent.columns);
  if (isLater(parent)) {
    if (known === undefined)
      requireAtOnce(
        "map: the columns of its result are not known. Pass { columns }, or use mapAsync",
        parent,
      );
    return laterMappedSource(parent, known!, compute);
  }
  requireSamples(parent);
  const first = (): unknown =>
    compute(sampleReader(parent)(0), 0, fold(mapKey(parent, plainDelivery), 0), parent.columns);
  return mappedSource(parent, known ?? columnsOf(parent, first()), compute);
}

/** The source of `mapAsync`. */
export async function mappedAsync(
  parent: Source,
  compute: AnyAsyncMapFunction & DescribedFunction,
  { columns }: MapOptions,
): Promise<Source> {
  const known = columns ?? compute.columns?.(parent.columns);
  if (known !== undefined) return laterMappedSource(parent, known, compute);
  requireSamples(parent);
  const staged = allocate(parent.columns, 1);
  await parent.gather(new Uint32Array(1), 0, 1, staged, plainDelivery);
  const sample = samplesIn(parent.columns, staged)(0);
  const first = await compute(sample, 0, fold(mapKey(parent, plainDelivery), 0), parent.columns);
  return laterMappedSource(parent, columnsOf(parent, first), compute);
}

function requireSamples(parent: Source): void {
  if (parent.length > 0) return;
  throw new ArgumentError("map: the dataset is empty, so no sample can tell what the function gives");
}

function columnsOf(parent: Source, first: unknown): Columns {
  if (typeof first !== "object" || first === null || Object.keys(first).length === 0) {
    throw new ArgumentError(
      "map: the function must give an object of columns, for example { images, labels }",
    );
  }
  const columns = Object.entries(first).map(([name, value]): [string, Column] => [
    name,
    columnOf(name, value, Object.hasOwn(parent.columns, name) ? parent.columns[name] : undefined),
  ]);
  return Object.fromEntries(columns);
}

function columnOf(name: string, value: MappedValue, before: Column | undefined): Column {
  if (typeof value === "number") {
    return { dtype: before?.shape.length === 0 ? before.dtype : "f32", shape: [] };
  }
  if (typeof value === "object" && value !== null) {
    if ("dtype" in value) return { dtype: value.dtype, shape: [...value.shape] };
    if (ArrayBuffer.isView(value))
      return { dtype: dtypeOf(name, value, before), shape: shapeOf(value, before) };
  }
  throw new ArgumentError(
    `map: the function gave ${typeof value} for column "${name}"; it must give a number, a typed array or a HostArray`,
  );
}

/** 16-bit arrays are f16 or bf16 only where the column before says which. */
function dtypeOf(name: string, value: TypedArray, before: Column | undefined): DType {
  if (before && value instanceof arrayTypeOf(before.dtype)) return before.dtype;
  return dtypeOfArray(`map: column "${name}"`, value);
}

const shapeOf = (value: TypedArray, before: Column | undefined): readonly number[] =>
  before && countElements(before.shape) === value.length ? before.shape : [value.length];
