/** Tables: named columns of equal length, for preparing data. */
import { ArgumentError, nearestName, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type AggregatedSchema, type Aggregations, aggregateGroups, described } from "./aggregate.ts";
import {
  type Cell,
  type CellOfKind,
  type ColumnOfKind,
  type ColumnValues,
  cellAt,
  columnFrom,
  concatColumns,
  countMissing,
  gatherColumn,
  missingColumn,
  type Schema,
  type TableColumn,
} from "./column.ts";
import { type JoinedSchema, type JoinOptions, joined } from "./join.ts";
import { sortedRows } from "./order.ts";
import { tableText } from "./print.ts";

/** One row: null where a value is missing. */
export type Row<S extends Schema> = { readonly [N in keyof S]: CellOfKind[S[N]] | null };

/** The kinds that columns get from what they are made of. */
export type SchemaOf<I> = { readonly [N in keyof I & string]: KindOf<I[N]> };
type KindOf<V> = V extends { readonly kind: infer K extends keyof CellOfKind }
  ? K
  : V extends ArrayBufferView
    ? "number"
    : V extends readonly (infer T)[]
      ? KindOfCell<NonNullable<T>>
      : keyof CellOfKind;
type KindOfCell<T> = [T] extends [never]
  ? "number"
  : [T] extends [number]
    ? "number"
    : [T] extends [string]
      ? "string"
      : [T] extends [boolean]
        ? "boolean"
        : [T] extends [Date]
          ? "date"
          : keyof CellOfKind;

type Names<S> = keyof S & string;

/**
 * Rows with named columns of numbers, strings, booleans or dates. Immutable: every operation gives another table; columns that
 * stay the same are shared. `Table` alone is a table of whatever columns.
 */
export class Table<S extends Schema = any> {
  /** Rows. */
  readonly length: number;
  readonly #columns: ReadonlyMap<string, TableColumn>;

  /** @throws ShapeError when lengths differ */
  constructor(columns: ReadonlyMap<string, TableColumn>, length?: number) {
    const [first] = columns;
    for (const [name, { data }] of columns) {
      if (first === undefined || data.length === first[1].data.length) continue;
      throw new ShapeError(
        `table: column "${first[0]}" has ${first[1].data.length} rows, column "${name}" has ${data.length}; ` +
          "every column needs one value for each row",
      );
    }
    this.#columns = columns;
    this.length = first?.[1].data.length ?? length ?? 0;
  }

  /** Of the columns, in order. */
  get names(): readonly Names<S>[] {
    return [...this.#columns.keys()] as Names<S>[];
  }

  /** The kind of each column. */
  get schema(): S {
    return Object.fromEntries([...this.#columns].map(([name, { kind }]) => [name, kind])) as Schema as S;
  }

  has(name: string): boolean {
    return this.#columns.has(name);
  }

  /** A column as it is stored. @throws ArgumentError naming the columns there are */
  column<N extends Names<S>>(name: N): ColumnOfKind[S[N]] {
    return this.#named(name, "column") as ColumnOfKind[S[N]];
  }

  /** The values of a column, null where missing. */
  values<N extends Names<S>>(name: N): (CellOfKind[S[N]] | null)[] {
    const column = this.#named(name, "values");
    return Array.from({ length: this.length }, (_, row) => cellAt(column, row)) as CellOfKind[S[N]][];
  }

  /** Row `index` as an object of its own. */
  row(index: number): Row<S> {
    this.#checkRow(index, "row");
    return Object.fromEntries(
      [...this.#columns].map(([name, column]) => [name, cellAt(column, index)]),
    ) as Row<S>;
  }

  /** All rows, as objects. */
  *rows(): Generator<Row<S>, void> {
    for (let i = 0; i < this.length; i++) yield this.row(i);
  }

  /** These columns alone, in this order. */
  select<N extends Names<S>>(...names: readonly N[]): Table<{ readonly [K in N]: S[K] }> {
    return new Table(new Map(names.map((name) => [name, this.#named(name, "select")])), this.length);
  }

  /** All columns but these. */
  drop<N extends Names<S>>(...names: readonly N[]): Table<{ readonly [K in Exclude<keyof S, N>]: S[K] }> {
    for (const name of names) this.#named(name, "drop");
    return new Table(new Map([...this.#columns].filter(([name]) => !names.includes(name as N))), this.length);
  }

  /** Other names for some columns. @example table({ a: [1] }).rename({ a: "b" }).names // ["b"] */
  rename<const R extends { readonly [N in Names<S>]?: string }>(
    names: R,
  ): Table<{ readonly [N in keyof S as N extends keyof R ? R[N] & string : N]: S[N] }> {
    for (const name of Object.keys(names)) this.#named(name, "rename");
    const renamed = new Map<string, TableColumn>();
    for (const [name, column] of this.#columns) {
      const now = (Object.hasOwn(names, name) ? names[name as Names<S>] : undefined) ?? name;
      if (renamed.has(now)) throw new ArgumentError(`rename: two columns would be called "${now}"`);
      renamed.set(now, column);
    }
    return new Table(renamed, this.length);
  }

  /**
   * One column more, or another one of this name: from values, or computed from each row.
   *
   * @example table({ a: [1, 2] }).with("twice", (row) => 2 * row.a!).values("twice") // [2, 4]
   */
  with<const N extends string, T extends Cell>(
    name: N,
    compute: (row: Row<S>, index: number) => T,
  ): Table<Omit<S, N> & { readonly [K in N]: KindOfCell<NonNullable<T>> }>;
  with<const N extends string, V extends ColumnValues>(
    name: N,
    values: V,
  ): Table<Omit<S, N> & { readonly [K in N]: KindOf<V> }>;
  with(name: string, values: ColumnValues | ((row: Row<S>, index: number) => Cell)): Table {
    const cells =
      typeof values === "function"
        ? (Array.from({ length: this.length }, this.#reading(values)) as ColumnValues)
        : values;
    const column = columnFrom(name, cells);
    if (this.#columns.size > 0 && column.data.length !== this.length) {
      throw new ShapeError(
        `with: column "${name}" has ${column.data.length} values, the table has ${this.length} rows`,
      );
    }
    return new Table(new Map([...this.#columns, [name, column]]));
  }

  /** The rows for which `keep` is true. The row's values are read when they are asked for. */
  filter(keep: (row: Row<S>, index: number) => boolean): Table<S> {
    const reading = this.#reading(keep);
    return this.#gather(this.#rowNumbers().filter((row) => reading(undefined, row)));
  }

  /** The rows at these positions, in this order, with repetition. */
  subset(indices: ArrayLike<number>): Table<S> {
    for (let i = 0; i < indices.length; i++) this.#checkRow(indices[i]!, `subset: indices[${i}]`);
    return this.#gather(Uint32Array.from(indices));
  }

  /** Rows `start` to before `end`, with Array's rule for negative positions. */
  slice(start: number, end = this.length): Table<S> {
    return this.#gather(this.#rowNumbers().slice(start, end));
  }

  /** The first rows: 5 unless told otherwise. */
  head(count = 5): Table<S> {
    return this.slice(0, Math.max(0, count));
  }

  /** By the values of a column, or of several; missing values come last, equal rows stay in order. Text by its UTF-16 units. */
  sort(by: Names<S> | readonly Names<S>[], options: { readonly descending?: boolean } = {}): Table<S> {
    checkOptions("sort", options, ["descending"]);
    const names = typeof by === "string" ? [by] : by;
    const keys = names.map((name) => ({
      column: this.#named(name, "sort"),
      isDescending: options.descending === true,
    }));
    return this.#gather(sortedRows(keys, this.length));
  }

  /**
   * Groups of equal values in some columns. `aggregate` gives one row for each, in the order of the keys; rows whose key is
   * missing are left out, as in pandas.
   *
   * @example
   * const pets = table({ kind: ["cat", "dog", "cat"], age: [3, 5, 4] });
   * pets.groupBy("kind").aggregate({ meanAge: ["age", "mean"] }).values("meanAge"); // [3.5, 5]
   */
  groupBy<N extends Names<S>>(
    ...names: readonly N[]
  ): {
    aggregate<const A extends Aggregations<Names<S>>>(aggregations: A): Table<AggregatedSchema<S, N, A>>;
  } {
    if (names.length === 0) throw new ArgumentError("groupBy: name at least one column");
    for (const name of names) this.#named(name, "groupBy");
    return {
      aggregate: (aggregations) => {
        for (const [of] of Object.values(aggregations)) this.#named(of, "aggregate");
        return new Table(aggregateGroups(this.#columns, names, aggregations));
      },
    };
  }

  /**
   * Side by side with another table, by equal keys.
   *
   * @example
   * const people = table({ id: [1, 2], name: ["Ada", "Bo"] });
   * people.join(table({ id: [2], age: [41] }), { on: "id" }).row(0); // { id: 2, name: "Bo", age: 41 }
   */
  join<T extends Schema, const On extends Names<S> & Names<T>>(
    other: Table<T>,
    options: JoinOptions<On>,
  ): Table<JoinedSchema<S, T, On>> {
    checkOptions("join", options, ["on", "how"]);
    const { on, how = "inner" } = options;
    const names: readonly string[] = typeof on === "string" ? [on] : on;
    for (const name of names) {
      this.#named(name, "join");
      other.#named(name, "join");
    }
    return new Table(joined(this.#columns, other.#columns, names, how));
  }

  /**
   * These rows, then those of the others, which have the same columns. One of nothing but missing values fits any kind.
   *
   * @throws ShapeError naming the column that differs
   */
  concat(...others: readonly Table<S>[]): Table<S> {
    const tables = [this, ...others];
    const names = new Set(tables.flatMap((table) => table.names));
    const columns = [...names].map((name) => {
      const parts = tables.map((table) => table.#columns.get(name));
      return [name, concatColumns(ofOneKind(name, parts))] as const;
    });
    return new Table(new Map(columns));
  }

  /** A row for each column: values, missing ones, mean, deviation (of a sample), quartiles; equal to those of pandas. */
  describe(): Table {
    return table(described(this.#columns)) as Table;
  }

  /** The first ten rows, and how many there are. `String(table.head(100))` shows more. */
  toString(): string {
    const size = `${this.length} rows × ${this.#columns.size} columns`;
    const shown = this.length <= 100 && this.length > 10 ? this.length : Math.min(10, this.length);
    const more = shown < this.length ? `\n… ${size}` : `\n${size}`;
    return tableText(this.#columns, shown) + more;
  }

  #named(name: string, what: string): TableColumn {
    const column = this.#columns.get(name);
    if (column) return column;
    const near = nearestName(name, this.names);
    const names = this.names.length > 20 ? `${this.names.slice(0, 20).join(", ")} …` : this.names.join(", ");
    throw new ArgumentError(
      `${what}: there is no column "${name}"; ${near ? `did you mean "${near}"?` : `the columns are ${names}`}`,
    );
  }

  #gather(rows: Uint32Array): Table<S> {
    return new Table(
      new Map([...this.#columns].map(([name, column]) => [name, gatherColumn(column, rows)])),
      rows.length,
    );
  }

  #rowNumbers(): Uint32Array {
    return Uint32Array.from({ length: this.length }, (_, i) => i);
  }

  /** A function of row numbers from one of rows: it reads only the values that are looked at. */
  #reading<T>(compute: (row: Row<S>, index: number) => T): (_: unknown, index: number) => T {
    let current = 0;
    const row = {};
    for (const [name, column] of this.#columns) {
      Object.defineProperty(row, name, { enumerable: true, get: () => cellAt(column, current) });
    }
    return (_, index) => compute(row as Row<S>, (current = index));
  }

  #checkRow(index: number, what: string): void {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return;
    throw new ArgumentError(`${what} is ${index}; a row must be an integer from 0 to ${this.length - 1}`);
  }
}

function ofOneKind(name: string, parts: readonly (TableColumn | undefined)[]): readonly TableColumn[] {
  const isEmpty = (column: TableColumn): boolean => countMissing(column) === column.data.length;
  const kind = (parts.find((column) => column && !isEmpty(column)) ?? parts[0])?.kind;
  return parts.map((column) => {
    if (column?.kind === kind && column) return column;
    if (column && kind && isEmpty(column)) return missingColumn(kind, column.data.length);
    const shown = [kind, column?.kind].map((found) => found ?? "missing");
    throw new ShapeError(`concat: column "${name}" is ${shown[0]} in one table and ${shown[1]} in another`);
  });
}

/**
 * A table from columns of values, with null where a value is missing. Typed arrays are used in place.
 *
 * @throws ShapeError when lengths differ, ArgumentError naming the value that is none of the column's kind
 * @example
 * const pets = table({ name: ["Tom", "Rex"], age: [3, null], isCat: [true, false] });
 * pets.filter((row) => row.isCat === true).values("name"); // ["Tom"]
 */
export function table<const I extends Readonly<Record<string, ColumnValues>>>(
  columns: I,
): Table<SchemaOf<I>> {
  return new Table(
    new Map(Object.entries(columns).map(([name, values]) => [name, columnFrom(name, values)])),
  );
}

/**
 * A table from rows as objects: every name that any row has becomes a column, null where a row lacks it.
 *
 * @example tableFromRows([{ a: 1, b: "x" }, { a: 2 }]).values("b") // ["x", null]
 */
export function tableFromRows<R extends Readonly<Record<string, Cell | undefined>>>(
  rows: readonly R[],
): Table<{ readonly [N in keyof R & string]-?: KindOfCell<NonNullable<R[N]>> }> {
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  return new Table(
    new Map(
      [...names].map((name) => {
        const values = rows.map((row) => (Object.hasOwn(row, name) ? row[name] : null)) as ColumnValues;
        return [name, columnFrom(name, values)];
      }),
    ),
    rows.length,
  );
}
