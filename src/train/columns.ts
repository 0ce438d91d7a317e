/** Which columns of a dataset go into the model, and which holds what it should say. */
import { ArgumentError, nearestName } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { Dataset } from "../data/index.ts";

export interface ColumnOptions {
  /** The columns given to `forward`, in this order: every column but the labels unless told otherwise. */
  readonly inputs?: string | readonly string[];
  /** The column given to loss and metrics: `labels`, `label`, `targets`, `target` or `y` unless told otherwise. */
  readonly labels?: string;
}

export interface ColumnRoles {
  readonly inputs: readonly string[];
  readonly labels: string;
}

const usualLabels = ["labels", "label", "targets", "target", "y"];

/**
 * @throws ArgumentError naming the columns there are, when one is missing or none can be taken for the labels
 */
export function columnRoles(what: string, dataset: Dataset, options: ColumnOptions): ColumnRoles {
  const names = Object.keys(dataset.columns);
  const labels = options.labels ?? usualLabels.find((name) => names.includes(name));
  if (labels === undefined) {
    throw new ArgumentError(
      `${what}: none of the columns ${names.join(", ")} is called ${usualLabels.join(", ")}; ` +
        "name the one to learn with { labels: … }",
    );
  }
  requireColumn(what, names, labels);
  const inputs = inputColumns(what, dataset, options, labels);
  if (inputs.length === 0) {
    throw new ArgumentError(`${what}: beside "${labels}" there is no column to give to the model`);
  }
  return { inputs, labels };
}

/** The columns for `forward` alone, where nothing is compared: `labels` are left out if they are there. */
export function inputColumns(
  what: string,
  dataset: Dataset,
  options: ColumnOptions,
  labels: string | undefined = options.labels,
): readonly string[] {
  const names = Object.keys(dataset.columns);
  const isLabel = (name: string): boolean =>
    labels === undefined ? usualLabels.includes(name) : name === labels;
  const { inputs = names.filter((name) => !isLabel(name)) } = options;
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

/** What the bytes of stored columns are divided by, for each column in order; undefined where it comes as it is. */
export type Divisors = readonly (number | undefined)[];

/**
 * Inputs that are stored in bytes may come as bytes, a quarter of the memory to move, and be divided in the program, which
 * gives the same bits. Labels are read on the host too: where they are stored in bytes, everything comes as it is.
 */
export function divisorsOf(
  { columns }: Dataset,
  inputs: readonly string[],
  labels?: string,
): Divisors | undefined {
  if (labels !== undefined && columns[labels]!.stored) return undefined;
  const divisors = inputs.map((name) => columns[name]!.stored?.divideBy);
  return divisors.some((divisor) => divisor !== undefined) ? divisors : undefined;
}

/** The named columns of a batch, in order. */
export const pick = (batch: Readonly<Record<string, HostArray>>, names: readonly string[]): HostArray[] =>
  names.map((name) => batch[name]!);
