/** The types of what steps learn, checked when a pipeline comes back from a file. */

/** `numbers` and `strings` are lists; `number?` may also be null. */
export type FieldType =
  | "number"
  | "number?"
  | "integer"
  | "boolean"
  | "string"
  | "numbers"
  | "strings"
  | "rows";

export type StateShape = Readonly<Record<string, FieldType>>;

/** More entries than this are no pipeline that anybody fitted. */
const maxListLength = 10_000_000;

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isList = (value: unknown, is: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length <= maxListLength && value.every(is);
const isString = (value: unknown): boolean => typeof value === "string";
const isFiniteOrNull = (value: unknown): boolean => value === null || isNumber(value);

const checks: Readonly<Record<FieldType, (value: unknown) => boolean>> = {
  number: isNumber,
  "number?": isFiniteOrNull,
  integer: (value) => Number.isSafeInteger(value),
  boolean: (value) => typeof value === "boolean",
  string: isString,
  numbers: (value) => isList(value, isNumber),
  strings: (value) =>
    isList(value, isString) && new Set(value as string[]).size === (value as string[]).length,
  rows: (value) => isList(value, (row) => isList(row, isFiniteOrNull)),
};

/** What is wrong with a value that should have this shape; undefined when nothing is. */
export function stateProblem(value: unknown, shape: StateShape): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "is no object";
  const fields = value as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(fields).find((name) => !Object.hasOwn(shape, name));
  if (unknown !== undefined) return `has ${JSON.stringify(unknown)}, which does not belong there`;
  for (const [name, type] of Object.entries(shape)) {
    if (!Object.hasOwn(fields, name)) return `lacks "${name}"`;
    if (!checks[type](fields[name])) return `has a "${name}" that is no ${describe(type)}`;
  }
  return undefined;
}

function describe(type: FieldType): string {
  if (type === "numbers") return "list of numbers";
  if (type === "strings") return "list of different strings";
  if (type === "rows") return "list of lists of numbers";
  return type === "number?" ? "number or null" : type;
}

/** Whether numbers stand in ascending order. */
export const isAscending = (values: readonly number[]): boolean =>
  values.every((value, i) => i === 0 || values[i - 1]! <= value);
