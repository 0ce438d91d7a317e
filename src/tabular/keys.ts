/** Rows by the values of some columns: a number for each distinct combination. */
import { concatColumns, isMissing, type TableColumn } from "./column.ts";

export interface RowKeys {
  /** From 0 in order of appearance; −1 where a value is missing. */
  readonly codes: Int32Array;
  readonly count: number;
}

/** Numbers the combinations of several columns' values. Missing values give −1, or count as one value more. */
export function rowKeys(columns: readonly TableColumn[], missing: "drop" | "keep" = "drop"): RowKeys {
  const [first, ...others] = columns as [TableColumn, ...TableColumn[]];
  return others.reduce(
    (keys, column) => combined(keys, columnKeys(column, missing)),
    columnKeys(first, missing),
  );
}

function columnKeys(column: TableColumn, missing: "drop" | "keep"): RowKeys {
  const { data } = column;
  const known = new Map<number, number>();
  const codes = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    if (missing === "drop" && isMissing(column, i)) {
      codes[i] = -1;
      continue;
    }
    const value = data[i]!;
    let code = known.get(value);
    if (code === undefined) known.set(value, (code = known.size));
    codes[i] = code;
  }
  return { codes, count: known.size };
}

function combined(a: RowKeys, b: RowKeys): RowKeys {
  const known = new Map<number, number>();
  const codes = new Int32Array(a.codes.length);
  for (let i = 0; i < codes.length; i++) {
    const [x, y] = [a.codes[i]!, b.codes[i]!];
    if (x < 0 || y < 0) {
      codes[i] = -1;
      continue;
    }
    // Below 2^53: both counts are at most the rows of one array.
    const pair = x * b.count + y;
    let code = known.get(pair);
    if (code === undefined) known.set(pair, (code = known.size));
    codes[i] = code;
  }
  return { codes, count: known.size };
}

/** Keys of two tables' columns that are equal where the values are. */
export function sharedKeys(
  left: readonly TableColumn[],
  right: readonly TableColumn[],
): { left: Int32Array; right: Int32Array; count: number } {
  const { codes, count } = rowKeys(left.map((column, i) => concatColumns([column, right[i]!])));
  const leftRows = left[0]!.data.length;
  return { left: codes.subarray(0, leftRows), right: codes.subarray(leftRows), count };
}

/** The rows of each key, in order: `rows[starts[key] … starts[key + 1])`. */
export function rowsByKey({ codes, count }: RowKeys): { rows: Uint32Array; starts: Uint32Array } {
  const starts = new Uint32Array(count + 1);
  for (const code of codes) if (code >= 0) starts[code + 1]!++;
  for (let key = 0; key < count; key++) starts[key + 1]! += starts[key]!;
  const next = starts.slice();
  const rows = new Uint32Array(starts[count]!);
  codes.forEach((code, row) => {
    if (code >= 0) rows[next[code]!++] = row;
  });
  return { rows, starts };
}
