/** Datasets from arrays in memory. */
import type { DType, TypedArray } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { type Column, plainColumn, type StoredColumn } from "./column.ts";
import { Dataset } from "./dataset.ts";
import { storedSource } from "./source.ts";
import { type DTypeOfArray, dtypeOfArray, type NestedNumbers, nestedArray } from "./typed-arrays.ts";

/** What a column can be made from; the first axis counts samples. */
export type ColumnInput = HostArray | StoredColumn | TypedArray | NestedNumbers;

type ColumnOf<T> =
  T extends StoredColumn<infer S, infer D>
    ? Column<S, D>
    : T extends HostArray<readonly [number, ...infer S extends readonly number[]], infer D>
      ? Column<S, D>
      : T extends HostArray<readonly number[], infer D>
        ? Column<readonly number[], D>
        : T extends readonly number[]
          ? Column<[], "f32">
          : T extends readonly (readonly number[])[]
            ? Column<[number], "f32">
            : T extends readonly (infer R extends TypedArray)[]
              ? Column<[number], DTypeOfArray<R>>
              : T extends readonly (readonly (readonly unknown[])[])[]
                ? Column<readonly number[], "f32">
                : T extends readonly unknown[]
                  ? Column<readonly number[], DType>
                  : Column<[], DTypeOfArray<T>>;

export type ColumnsOfInputs<I> = { readonly [N in keyof I & string]: ColumnOf<I[N]> };

/**
 * A dataset of named columns of equal length. Arrays are used in place, not copied: do not change them afterwards.
 *
 * A typed array is a column of numbers (Int32Array for class labels); nested arrays of numbers are f32, or what their rows are where these
 * are typed arrays; a HostArray has any shape and dtype; `floatColumn` stores bytes and delivers f32.
 *
 * @throws ShapeError when lengths differ, ArgumentError when there is no column or an array's dtype is not known
 * @example arrayDataset({ x: [[0, 0], [0, 1], [1, 0], [1, 1]], y: Int32Array.of(0, 1, 1, 0) })
 */
export function arrayDataset<const I extends Readonly<Record<string, ColumnInput>>>(
  inputs: I,
): Dataset<ColumnsOfInputs<I>> {
  const columns = Object.entries(inputs).map(([name, input]) => [name, columnOf(name, input)] as const);
  const [first, ...others] = columns;
  if (!first) {
    throw new ArgumentError(
      "arrayDataset: there are no columns; give at least one, for example { images, labels }",
    );
  }
  for (const [name, { length }] of others) {
    if (length === first[1].length) continue;
    throw new ShapeError(
      `arrayDataset: column "${first[0]}" has ${first[1].length} samples, column "${name}" has ${length}; ` +
        "every column needs one entry for each sample",
    );
  }
  return new Dataset(storedSource(Object.fromEntries(columns), first[1].length));
}

function columnOf(name: string, input: ColumnInput): StoredColumn {
  if (Array.isArray(input)) return plainColumn(name, nestedArray(`column "${name}"`, input));
  if (ArrayBuffer.isView(input)) {
    const data = input as TypedArray;
    return plainColumn(name, { dtype: dtypeOfArray(`column "${name}"`, data), shape: [data.length], data });
  }
  if (typeof input === "object" && input !== null) {
    if ("gather" in input) return input;
    if ("data" in input && "dtype" in input) return plainColumn(name, input);
  }
  throw new ArgumentError(
    `arrayDataset: column "${name}" is ${String(input)}; it must be an array of numbers or a HostArray`,
  );
}
