/** The order of a table's rows by columns' values. */
import { isMissing, type TableColumn } from "./column.ts";

export interface SortKey {
  readonly column: TableColumn;
  readonly isDescending: boolean;
}

/** Row positions sorted by the keys, the first one first; missing values come last, equal rows stay in order. */
export function sortedRows(keys: readonly SortKey[], length: number): Uint32Array {
  const compared = keys.map(({ column, isDescending }) => {
    const ranks = ranksOf(column);
    const sign = isDescending ? -1 : 1;
    return (a: number, b: number): number => {
      const [x, y] = [ranks[a]!, ranks[b]!];
      // NaN, the rank of what is missing, is behind everything.
      if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
      return x < y ? -sign : x > y ? sign : 0;
    };
  });
  const rows = Uint32Array.from({ length }, (_, i) => i);
  return rows.sort((a, b) => {
    for (const compare of compared) {
      const difference = compare(a, b);
      if (difference !== 0) return difference;
    }
    return a - b;
  });
}

/** Numbers in the order of the values; NaN where missing. */
function ranksOf(column: TableColumn): ArrayLike<number> {
  if (column.kind === "number" || column.kind === "date") return column.data;
  if (column.kind === "boolean")
    return Float64Array.from(column.data, (value, row) => (isMissing(column, row) ? Number.NaN : value));
  const ranks = categoryRanks(column.categories);
  return Float64Array.from(column.data, (code) => (code < 0 ? Number.NaN : ranks[code]!));
}

/** The place of each category in the order of its UTF-16 units. */
export function categoryRanks(categories: readonly string[]): Uint32Array {
  const order = Uint32Array.from(categories, (_, i) => i);
  order.sort((a, b) => (categories[a]! < categories[b]! ? -1 : 1));
  const ranks = new Uint32Array(categories.length);
  order.forEach((code, rank) => void (ranks[code] = rank));
  return ranks;
}
