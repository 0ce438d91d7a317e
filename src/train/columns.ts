/** Which columns of a dataset go into the model, and which hold what it should say. */
import { ArgumentError, nearestName } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { Dataset } from "../data/index.ts";

/** One column; or several, each under the name that losses and metrics know it by. */
export type LabelColumns = string | readonly string[] | Readonly<Record<string, string>>;

export interface ColumnOptions {
  /** The columns given to `forward`, in this order: every column but labels and weights unless told otherwise. */
  readonly inputs?: string | readonly string[];
  /**
   * The column given to loss and metrics: `labels`, `label`, `targets`, `target` or `y` unless told otherwise. Several
   * (`["class", "box"]`, or `{ class: "labels", box: "boxes" }`) are given as a record; where the loss is a record, its names are
   * taken for columns unless told otherwise.
   */
  readonly labels?: LabelColumns;
  /** A column of one number a sample, which the sample's loss is multiplied by. */
  readonly sampleWeights?: string;
}

export interface ColumnRoles {
  readonly inputs: readonly string[];
  /** The column of the labels; of several, the first. */
  readonly labels: string;
  /** Where several are given: their columns, by the names that losses know them by. */
  readonly namedLabels?: Readonly<Record<string, string>>;
  readonly sampleWeights?: string;
}

const usualLabels = ["labels", "label", "targets", "target", "y"];

/**
 * @param heads names of the losses, where there are several: columns of these names are their labels
 * @throws ArgumentError naming the columns there are, when one is missing or none can be taken for the labels
 */
export function columnRoles(
  what: string,
  dataset: Dataset,
  options: ColumnOptions,
  heads: readonly string[] = [],
): ColumnRoles {
  const names = Object.keys(dataset.columns);
  const { labels = defaultLabels(what, names, heads), sampleWeights } = options;
  const namedLabels = typeof labels === "string" ? undefined : recordOf(labels);
  const columns = namedLabels === undefined ? [labels as string] : Object.values(namedLabels);
  if (columns.length === 0) throw new ArgumentError(`${what}: labels names no column; give it at least one`);
  for (const name of columns) requireColumn(what, names, name);
  if (sampleWeights !== undefined) requireWeights(what, dataset, sampleWeights);
  const inputs = inputColumns(what, dataset, options, [
    ...columns,
    ...(sampleWeights ? [sampleWeights] : []),
  ]);
  if (inputs.length === 0) {
    throw new ArgumentError(
      `${what}: beside ${columns.map((name) => `"${name}"`).join(", ")} there is no column to give to the model`,
    );
  }
  return {
    inputs,
    labels: columns[0]!,
    ...(namedLabels && { namedLabels }),
    ...(sampleWeights && { sampleWeights }),
  };
}

function defaultLabels(what: string, names: readonly string[], heads: readonly string[]): LabelColumns {
  if (heads.length > 0 && heads.every((head) => names.includes(head))) return heads;
  const found = usualLabels.find((name) => names.includes(name));
  if (found !== undefined) return found;
  throw new ArgumentError(
    `${what}: none of the columns ${names.join(", ")} is called ${[...heads, ...usualLabels].join(", ")}; ` +
      "name the one to learn with { labels: … }",
  );
}

const recordOf = (labels: readonly string[] | Readonly<Record<string, string>>): Record<string, string> =>
  Array.isArray(labels)
    ? Object.fromEntries(labels.map((name) => [name, name]))
    : { ...(labels as Record<string, string>) };

/** The columns for `forward` alone, where nothing is compared: labels are left out if they are there. */
export function inputColumns(
  what: string,
  dataset: Dataset,
  options: Pick<ColumnOptions, "inputs">,
  left: readonly string[] = usualLabels,
): readonly string[] {
  const names = Object.keys(dataset.columns);
  const { inputs = names.filter((name) => !left.includes(name)) } = options;
  const list = typeof inputs === "string" ? [inputs] : inputs;
  for (const name of list) requireColumn(what, names, name);
  return list;
}

function requireColumn(what: string, names: readonly string[], name: string): void {
  if (names.includes(name)) return;
  const near = nearestName(name, names);
  throw new ArgumentError(
    `${what}: there is no column "${name}"; the columns are ${names.join(", ")}${near ? `. Did you mean "${near}"?` : ""}`,
  );
}

function requireWeights(what: string, { columns }: Dataset, name: string): void {
  requireColumn(what, Object.keys(columns), name);
  const { shape } = columns[name]!;
  if (shape.length === 0) return;
  throw new ArgumentError(
    `${what}: sampleWeights needs a column of one number a sample, "${name}" has samples of shape (${shape.join(", ")})`,
  );
}

/** The columns of a batch in the order in which a program takes them: inputs, labels, weights. */
export class BatchLayout {
  readonly roles: ColumnRoles;
  /** Names of the columns; one that is input and label is given twice. */
  readonly names: readonly string[];

  constructor(roles: ColumnRoles) {
    this.roles = roles;
    const { inputs, labels, namedLabels, sampleWeights } = roles;
    const labelColumns = namedLabels ? Object.values(namedLabels) : [labels];
    this.names = [...inputs, ...labelColumns, ...(sampleWeights === undefined ? [] : [sampleWeights])];
  }

  /** The columns of a batch, in order. */
  pick(batch: Readonly<Record<string, HostArray>>): HostArray[] {
    return this.names.map((name) => batch[name]!);
  }

  inputs<T>(columns: readonly T[]): readonly T[] {
    return columns.slice(0, this.roles.inputs.length);
  }

  /** One, or a record of several. */
  labels<T>(columns: readonly T[]): T | Readonly<Record<string, T>> {
    const { inputs, namedLabels } = this.roles;
    if (namedLabels === undefined) return columns[inputs.length]!;
    return Object.fromEntries(Object.keys(namedLabels).map((name, i) => [name, columns[inputs.length + i]!]));
  }

  weights<T>(columns: readonly T[]): T | undefined {
    return this.roles.sampleWeights === undefined ? undefined : columns[columns.length - 1];
  }
}

/** What the bytes of stored columns are divided by, for each column in order; undefined where it comes as it is. */
export type Divisors = readonly (number | undefined)[];

/**
 * Inputs that are stored in bytes may come as bytes, a quarter of the memory to move, and be divided in the program, which
 * gives the same bits. Labels are read on the host too: where they are stored in bytes, everything comes as it is.
 *
 * @param others columns that are no inputs
 */
export function divisorsOf(
  { columns }: Dataset,
  inputs: readonly string[],
  others: readonly string[] = [],
): Divisors | undefined {
  if (others.some((name) => columns[name]!.stored)) return undefined;
  const divisors = inputs.map((name) => columns[name]!.stored?.divideBy);
  return divisors.some((divisor) => divisor !== undefined) ? divisors : undefined;
}

/** The named columns of a batch, in order. */
export const pick = (batch: Readonly<Record<string, HostArray>>, names: readonly string[]): HostArray[] =>
  names.map((name) => batch[name]!);
