/** Steps that make numbers of categories: one column for each, or one of their numbers. */
import { ArgumentError } from "../../base/errors.ts";
import { type Cell, cellAt, columnFrom, columnOfKind, numberColumn, type TableColumn } from "../column.ts";
import {
  type ColumnStep,
  checkChoice,
  checkNumber,
  columnStep,
  type Operation,
  refuse,
} from "./operation.ts";

/** The values of a column as texts, null where missing: categories may be strings, numbers or booleans. */
export function categoryTexts(column: TableColumn): (string | null)[] {
  const texts = new Map<number, string | null>();
  return Array.from(column.data, (value, row) => {
    let text = texts.get(value);
    if (text === undefined) texts.set(value, (text = textOf(cellAt(column, row))));
    return text;
  });
}

const textOf = (cell: Cell): string | null => (cell === null ? null : String(cell));

/** Different texts in order: numbers by their value, text by its UTF-16 units; and how often each stands there. */
export function sortedCategories(column: TableColumn): {
  categories: string[];
  counts: number[];
  missing: number;
} {
  const counts = new Map<string | null, number>();
  for (const text of categoryTexts(column)) counts.set(text, (counts.get(text) ?? 0) + 1);
  const missing = counts.get(null) ?? 0;
  counts.delete(null);
  const isNumber = column.kind === "number";
  const pairs = ([...counts] as [string, number][]).sort(([a], [b]) =>
    isNumber ? Number(a) - Number(b) : a < b ? -1 : 1,
  );
  return { categories: pairs.map(([text]) => text), counts: pairs.map(([, count]) => count), missing };
}

const categoryKinds = ["string", "boolean", "number"] as const;

function columnOfTexts(kind: string, texts: readonly (string | null)[]): TableColumn {
  if (kind === "number")
    return numberColumn(Float64Array.from(texts, (text) => (text === null ? Number.NaN : Number(text))));
  if (kind === "boolean")
    return columnOfKind(
      "boolean",
      texts.map((text) => (text === null ? null : text === "true")),
    );
  return columnFrom("", texts) as TableColumn;
}

const unknownChoices = ["error", "ignore", "unknown"] as const;
/** What a category does that no training row had: an error; no category at all; one for all such. */
export type Unknown = (typeof unknownChoices)[number];

const dropChoices = ["none", "first", "ifBinary"] as const;

interface OneHotOptions {
  readonly unknown: Unknown;
  readonly drop: (typeof dropChoices)[number];
  readonly minCount: number;
  readonly maxCategories: number;
}

interface OneHotState {
  readonly [field: string]: unknown;
  readonly kind: string;
  /** Categories with a column of their own. */
  readonly columns: readonly string[];
  /** Rare ones, which share the column of the unknown. */
  readonly rare: readonly string[];
  /** The one that was left out, if any. */
  readonly dropped: readonly string[];
  readonly hasMissing: boolean;
  readonly unknown: string;
}

const hasUnknownColumn = ({ unknown, rare }: OneHotState): boolean =>
  unknown === "unknown" || rare.length > 0;

export const oneHotOperation: Operation<OneHotOptions, OneHotState> = {
  name: "oneHot",
  kinds: categoryKinds,
  state: {
    ...{ kind: "string", columns: "strings", rare: "strings", dropped: "strings" },
    ...{ hasMissing: "boolean", unknown: "string" },
  },
  fit(column, { unknown, drop, minCount, maxCategories }, { name }) {
    const { categories, counts, missing } = sortedCategories(column);
    const frequent = categories.filter((_, i) => counts[i]! >= minCount);
    if (frequent.length > maxCategories) {
      throw refuse(
        "oneHot",
        name,
        `has ${frequent.length} categories, more than the ${maxCategories} allowed; use hashing() or targetEncode(), ` +
          "raise minCount so that rare ones share a column, or raise maxCategories",
      );
    }
    const all = frequent.length + Number(missing > 0);
    const dropCount = drop === "first" || (drop === "ifBinary" && all === 2) ? 1 : 0;
    return {
      kind: column.kind,
      columns: frequent.slice(dropCount),
      rare: categories.filter((_, i) => counts[i]! < minCount),
      dropped: frequent.slice(0, dropCount),
      hasMissing: missing > 0,
      unknown,
    };
  },
  outputs(name, state) {
    const suffixes = [...state.columns, ...(state.hasMissing ? ["missing"] : [])];
    if (hasUnknownColumn(state)) suffixes.push("unknown");
    return distinct(suffixes.map((suffix) => `${name}_${suffix}`));
  },
  apply(column, state, name) {
    const { columns, rare, dropped, hasMissing, unknown } = state;
    const width = columns.length + Number(hasMissing) + Number(hasUnknownColumn(state));
    const places = new Map<string | null, number>(columns.map((text, i) => [text, i]));
    for (const text of rare) places.set(text, width - 1);
    for (const text of dropped) places.set(text, -1);
    if (hasMissing) places.set(null, columns.length);
    const results = Array.from({ length: width }, () => new Float32Array(column.data.length));
    categoryTexts(column).forEach((text, row) => {
      const place = places.get(text);
      if (place === undefined && unknown === "error")
        throw unseen("oneHot", name, text, row, [...dropped, ...columns, ...rare]);
      const at = place ?? (unknown === "unknown" ? width - 1 : -1);
      if (at >= 0) results[at]![row] = 1;
    });
    return results.map((data) => numberColumn(data));
  },
  invert(columns, { columns: kept, dropped, kind }) {
    const texts = Array.from(columns[0]?.data ?? [], (_, row) => {
      let best = 0;
      for (let c = 1; c < columns.length; c++)
        if (columns[c]!.data[row]! > columns[best]!.data[row]!) best = c;
      return columns[best]!.data[row]! > 0 ? (kept[best] ?? null) : (dropped[0] ?? null);
    });
    return columnOfTexts(kind, texts);
  },
  problem: ({ kind, columns, rare, dropped, unknown }) => {
    if (!isCategoryKind(kind) || !isUnknown(unknown)) return "has a kind or an option that does not exist";
    const all = [...columns, ...rare, ...dropped];
    return new Set(all).size === all.length ? undefined : "has a category twice";
  },
};

const isCategoryKind = (kind: string): boolean => (categoryKinds as readonly string[]).includes(kind);
const isUnknown = (choice: string): boolean => (unknownChoices as readonly string[]).includes(choice);

/** A category may itself be called "missing": later names give way. */
function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let free = name;
    while (taken.has(free)) free += "_";
    taken.add(free);
    return free;
  });
}

export function unseen(
  what: string,
  name: string,
  text: string | null,
  row: number,
  categories: readonly string[],
): ArgumentError {
  const shown = text === null ? "a missing value" : JSON.stringify(text);
  return new ArgumentError(
    `${what}: column "${name}": row ${row} has ${shown}, which no training row had (they had ${categories
      .slice(0, 10)
      .map((category) => JSON.stringify(category))
      .join(", ")}${categories.length > 10 ? " …" : ""}); say unknown: "ignore" or "unknown" to accept it`,
  );
}

/**
 * A column of 0 and 1 for each category, `name_category`, as scikit-learn's `OneHotEncoder`. Categories are those of the training
 * rows, in order; missing values are one more, `name_missing`, where the training rows had some.
 *
 * `unknown` says what a category does that no training row had: "error", "ignore" (zeros), or "unknown" (a column of its own,
 * `name_unknown`). With `minCount`, rarer categories share that column. `drop: "first"` leaves the first category out, `"ifBinary"` only
 * where there are two.
 *
 * @example
 * const t = table({ sex: ["f", "m", "f"] });
 * pipeline(oneHot()).fit(t).transform(t).values("sex_f"); // [1, 0, 1]
 */
export function oneHot(options?: {
  readonly unknown?: Unknown;
  readonly drop?: OneHotOptions["drop"];
  readonly minCount?: number;
  /** More categories are an error: 1,000. */
  readonly maxCategories?: number;
}): ColumnStep {
  const defaults: OneHotOptions = { unknown: "error", drop: "none", minCount: 1, maxCategories: 1000 };
  const { unknown, drop, minCount } = { ...defaults, ...options };
  checkChoice("oneHot", "unknown", unknown, unknownChoices);
  checkChoice("oneHot", "drop", drop, dropChoices);
  checkNumber("oneHot", "minCount", minCount, { min: 1, isInteger: true });
  return columnStep(oneHotOperation, options, defaults);
}

interface OrdinalOptions {
  readonly categories: readonly string[] | undefined;
  readonly unknown: Unknown;
}

interface OrdinalState {
  readonly [field: string]: unknown;
  readonly kind: string;
  readonly categories: readonly string[];
  readonly unknown: string;
}

export const ordinalOperation: Operation<OrdinalOptions, OrdinalState> = {
  name: "ordinal",
  kinds: categoryKinds,
  state: { kind: "string", categories: "strings", unknown: "string" },
  fit(column, { categories: given, unknown }, { name }) {
    const found = sortedCategories(column).categories;
    const categories = given ?? found;
    const extra = found.find((text) => !categories.includes(text));
    if (extra !== undefined && unknown === "error")
      throw refuse("ordinal", name, `has ${JSON.stringify(extra)}, which is not among the categories given`);
    return { kind: column.kind, categories: [...categories], unknown };
  },
  apply(column, { categories, unknown }, name) {
    const codes = new Map(categories.map((text, code) => [text, code]));
    const data = Float64Array.from(categoryTexts(column), (text, row) => {
      if (text === null) return Number.NaN;
      const code = codes.get(text);
      if (code !== undefined) return code;
      if (unknown === "error") throw unseen("ordinal", name, text, row, categories);
      return unknown === "unknown" ? categories.length : Number.NaN;
    });
    return [numberColumn(data)];
  },
  invert([column], { kind, categories }) {
    const texts = Array.from(column!.data, (code) => categories[Math.round(code)] ?? null);
    return columnOfTexts(kind, texts);
  },
  problem: ({ kind, unknown }) =>
    isCategoryKind(kind) && isUnknown(unknown) ? undefined : "has a kind or an option that does not exist",
};

/**
 * The number of each category, from 0, as scikit-learn's `OrdinalEncoder`: for categories that have an order (give it), or as
 * indices of an embedding. Missing values stay missing; `unknown` says what other categories become: "error", "ignore" (missing), or
 * "unknown" (the number after the last).
 *
 * @example
 * const t = table({ size: ["M", "S", "L"] });
 * pipeline(ordinal({ categories: ["S", "M", "L"] })).fit(t).transform(t).values("size"); // [1, 0, 2]
 */
export function ordinal(options?: {
  readonly categories?: readonly string[];
  readonly unknown?: Unknown;
}): ColumnStep {
  const defaults: OrdinalOptions = { categories: undefined, unknown: "error" };
  checkChoice("ordinal", "unknown", options?.unknown ?? "error", unknownChoices);
  if (options?.categories && new Set(options.categories).size !== options.categories.length)
    throw new ArgumentError("ordinal: a category stands twice among those given");
  return columnStep(ordinalOperation, options, defaults);
}
