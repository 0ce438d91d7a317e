/** A pipeline's stages: each makes of all columns the next ones. */
import { ArgumentError, nearestName } from "../../base/errors.ts";
import type { TableColumn } from "../column.ts";
import { type FittedStep, outputNames, type State } from "./operation.ts";
import type { TableOperation } from "./several.ts";

export type Columns = ReadonlyMap<string, TableColumn>;

/** Steps for single columns; the others stay or go. */
export interface ColumnsStage {
  readonly steps: ReadonlyMap<string, FittedStep>;
  readonly others: "keep" | "drop";
}

/** A step for several columns together. */
export interface TableStage {
  readonly names: readonly string[];
  readonly tableOperation: TableOperation<any, any>;
  readonly state: State;
}

export type Stage = ColumnsStage | TableStage;

/** The next columns, in order: what comes of a column stands in its place. */
export function applyStage(stage: Stage, columns: Columns): Map<string, TableColumn> {
  if ("tableOperation" in stage) {
    const { names, tableOperation, state } = stage;
    const results = tableOperation.apply(
      names.map((name) => named(columns, name)),
      state,
    );
    return replaced(columns, names, tableOperation.outputs(names, state), results);
  }
  const next = new Map<string, TableColumn>();
  for (const [name, column] of columns) {
    const step = stage.steps.get(name);
    if (!step) {
      if (stage.others === "keep") put(next, name, column);
      continue;
    }
    checkKind(step, name, column);
    const results = step.operation.apply(column, step.state, name);
    outputNames(step, name).forEach((output, i) => void put(next, output, results[i]!));
  }
  return next;
}

/** `outputs` in the place of the first of `names`, or each in its own place where names stay as they are. */
export function replaced(
  columns: Columns,
  names: readonly string[],
  outputs: readonly string[],
  results: readonly TableColumn[],
): Map<string, TableColumn> {
  if (outputs.length === names.length && outputs.every((output, i) => output === names[i])) {
    return new Map([...columns].map(([name, column]) => [name, results[names.indexOf(name)] ?? column]));
  }
  const next = new Map<string, TableColumn>();
  let isPlaced = false;
  for (const [name, column] of columns) {
    if (!names.includes(name)) put(next, name, column);
    else if (!isPlaced) {
      outputs.forEach((output, i) => void put(next, output, results[i]!));
      isPlaced = true;
    }
  }
  return next;
}

export function put(columns: Map<string, TableColumn>, name: string, column: TableColumn): void {
  if (columns.has(name)) {
    throw new ArgumentError(
      `pipeline: two columns would be called "${name}"; rename one of those it comes from`,
    );
  }
  columns.set(name, column);
}

export function named(columns: Columns, name: string): TableColumn {
  const column = columns.get(name);
  if (column) return column;
  const near = nearestName(name, columns.keys());
  throw new ArgumentError(
    `pipeline: there is no column "${name}"; ${near ? `did you mean "${near}"?` : `the columns are ${[...columns.keys()].join(", ")}`}`,
  );
}

export function checkKind(
  { operation }: Pick<FittedStep, "operation">,
  name: string,
  { kind }: TableColumn,
): void {
  if (operation.kinds.includes(kind)) return;
  throw new ArgumentError(
    `${operation.name}: column "${name}" holds ${kind}s; it takes ${operation.kinds.map((k) => `${k}s`).join(", ")}`,
  );
}

/** Whether anything comes of a column: not if it is dropped before any step looks at it. */
export function isUsed(name: string, stages: readonly Stage[]): boolean {
  for (const stage of stages) {
    if ("tableOperation" in stage) {
      if (stage.names.includes(name)) return true;
      continue;
    }
    const step = stage.steps.get(name);
    if (step) return outputNames(step, name).length > 0;
    if (stage.others === "drop") return false;
  }
  return true;
}

/** Undoes a stage: `names` are its input columns in order. What a step dropped does not come back. */
export function invertStage(
  stage: Stage,
  columns: Columns,
  names: readonly string[],
): Map<string, TableColumn> {
  const before = new Map<string, TableColumn>();
  if ("tableOperation" in stage) {
    const { tableOperation, state } = stage;
    if (!tableOperation.invert) throw cannotInvert(tableOperation.name, stage.names.join(", "));
    const outputs = tableOperation.outputs(stage.names, state);
    const inverted = tableOperation.invert(
      outputs.map((name) => named(columns, name)),
      state,
    );
    for (const name of names) {
      const at = stage.names.indexOf(name);
      const column = at < 0 ? columns.get(name) : inverted[at];
      if (column) before.set(name, column);
    }
    return before;
  }
  for (const name of names) {
    const step = stage.steps.get(name);
    const outputs = step ? outputNames(step, name) : [name];
    if (outputs.length === 0 || !outputs.every((output) => columns.has(output))) continue;
    const found = outputs.map((output) => columns.get(output)!);
    if (step && !step.operation.invert) throw cannotInvert(step.operation.name, name);
    before.set(name, step ? step.operation.invert!(found, step.state, name) : found[0]!);
  }
  return before;
}

const cannotInvert = (operation: string, name: string): ArgumentError =>
  new ArgumentError(
    `inverse: ${operation} of "${name}" cannot be undone: different values became the same; leave its columns out`,
  );
