/** `Dataset.map`: what columns a function of a sample gives. */
import { arrayTypeOf, type DType, type TypedArray } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { countElements, type HostArray } from "../base/host-array.ts";
import { fold, type RandomKey } from "../base/random.ts";
import type { Column, Columns, Sample } from "./column.ts";
import {
  type AnySample,
  type MappedValue,
  mapKey,
  mappedSource,
  plainDelivery,
  type Source,
  sampleReader,
} from "./source.ts";
import { type DTypeOfArray, dtypeOfArray } from "./typed-arrays.ts";

export type MapFunction<C extends Columns> = (
  sample: Sample<C>,
  index: number,
  key: RandomKey,
  columns: C,
) => Readonly<Record<string, MappedValue>>;

/** The same without types of columns. */
export type AnyMapFunction = (
  sample: AnySample,
  index: number,
  key: RandomKey,
  columns: Columns,
) => Readonly<Record<string, MappedValue>>;

/** The columns of `map`'s result, as far as types can tell. */
export type ColumnsOfMap<C extends Columns, R> = {
  readonly [N in keyof R & string]: R[N] extends number
    ? Column<[], N extends keyof C ? C[N]["dtype"] : "f32">
    : R[N] extends HostArray<infer S, infer D>
      ? Column<S, D>
      : Column<N extends keyof C ? C[N]["shape"] : readonly number[], DTypeOfArray<R[N]>>;
};

/** The source of `map`: the function is called on the first sample to learn the columns. */
export function mapped(parent: Source, compute: AnyMapFunction): Source {
  if (parent.length === 0) {
    throw new ArgumentError("map: the dataset is empty, so no sample can tell what the function gives");
  }
  const { columns: given } = parent;
  const first = compute(sampleReader(parent)(0), 0, fold(mapKey(parent, plainDelivery), 0), given);
  if (typeof first !== "object" || first === null || Object.keys(first).length === 0) {
    throw new ArgumentError(
      "map: the function must give an object of columns, for example { images, labels }",
    );
  }
  const columns = Object.entries(first).map(([name, value]): [string, Column] => [
    name,
    columnOf(name, value, Object.hasOwn(parent.columns, name) ? parent.columns[name] : undefined),
  ]);
  return mappedSource(parent, Object.fromEntries(columns), (sample, index, key) =>
    compute(sample, index, key, given),
  );
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
