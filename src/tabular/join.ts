/** Two tables side by side, by equal keys. */
import { ArgumentError } from "../base/errors.ts";
import { concatColumns, gatherColumn, gatherOrMissing, type Schema, type TableColumn } from "./column.ts";
import { sharedKeys } from "./keys.ts";

/** The columns of a join, as far as types can tell. */
export type JoinedSchema<S extends Schema, T extends Schema, On extends string> = string extends
  | keyof S
  | keyof T
  ? Schema
  : {
      readonly [N in keyof S & string as N extends On ? N : N extends keyof T ? `${N}_x` : N]: S[N];
    } & {
      readonly [N in Exclude<keyof T & string, On> as N extends keyof S ? `${N}_y` : N]: T[N];
    };

type Columns = ReadonlyMap<string, TableColumn>;

export interface JoinOptions<Name extends string = string> {
  /** The columns that must be equal; both tables have them. Missing values equal nothing. */
  readonly on: Name | readonly Name[];
  /** Which rows stay: those with a partner (inner), also the others of this table (left), or of both (outer). */
  readonly how?: "inner" | "left" | "outer";
}

const absent = -1;

/**
 * Every pair of rows with equal keys, in this table's order, then in the other's; for `left` and `outer` rows without a partner
 * too. Columns of one name that is no key get "_x" and "_y", as in pandas.
 */
export function joined(
  left: Columns,
  right: Columns,
  on: readonly string[],
  how: "inner" | "left" | "outer",
): Map<string, TableColumn> {
  const leftKeys = on.map((name) => left.get(name)!);
  const rightKeys = on.map((name) => right.get(name)!);
  on.forEach((name, i) => {
    const [a, b] = [leftKeys[i]!.kind, rightKeys[i]!.kind];
    if (a !== b)
      throw new ArgumentError(`join: key "${name}" is a ${a} in one table and a ${b} in the other`);
  });
  const pairs = pairRows(sharedKeys(leftKeys, rightKeys), how);
  const result = new Map<string, TableColumn>();
  const add = (name: string, column: TableColumn): void => {
    if (result.has(name)) throw new ArgumentError(`join: two columns would be called "${name}"; rename one`);
    result.set(name, column);
  };
  for (const [name, column] of left) {
    if (on.includes(name)) add(name, keyColumn(column, right.get(name)!, pairs));
    else add(right.has(name) ? `${name}_x` : name, taken(column, pairs.left));
  }
  for (const [name, column] of right) {
    if (!on.includes(name)) add(left.has(name) ? `${name}_y` : name, taken(column, pairs.right));
  }
  return result;
}

interface Pairs {
  /** Row positions, −1 for none. */
  readonly left: Int32Array;
  readonly right: Int32Array;
}

function pairRows(
  keys: { left: Int32Array; right: Int32Array; count: number },
  how: "inner" | "left" | "outer",
): Pairs {
  const next = new Int32Array(keys.right.length).fill(absent);
  const first = new Int32Array(keys.count).fill(absent);
  for (let row = keys.right.length - 1; row >= 0; row--) {
    const key = keys.right[row]!;
    if (key < 0) continue;
    next[row] = first[key]!;
    first[key] = row;
  }
  const left: number[] = [];
  const right: number[] = [];
  const used = new Uint8Array(keys.right.length);
  keys.left.forEach((key, row) => {
    const start = key < 0 ? absent : first[key]!;
    for (let partner = start; partner >= 0; partner = next[partner]!) {
      left.push(row);
      right.push(partner);
      used[partner] = 1;
    }
    if (start >= 0 || how === "inner") return;
    left.push(row);
    right.push(absent);
  });
  if (how === "outer") {
    used.forEach((isUsed, row) => {
      if (isUsed) return;
      left.push(absent);
      right.push(row);
    });
  }
  return { left: Int32Array.from(left), right: Int32Array.from(right) };
}

const taken = (column: TableColumn, rows: Int32Array): TableColumn =>
  rows.includes(absent) ? gatherOrMissing(column, rows) : gatherColumn(column, Uint32Array.from(rows));

/** Keys are the left table's, and the right one's where there is no left row. */
function keyColumn(left: TableColumn, right: TableColumn, pairs: Pairs): TableColumn {
  if (!pairs.left.includes(absent)) return taken(left, pairs.left);
  const both = concatColumns([left, right]);
  const rows = pairs.left.map((row, i) => (row >= 0 ? row : left.data.length + pairs.right[i]!));
  return gatherColumn(both, Uint32Array.from(rows));
}
