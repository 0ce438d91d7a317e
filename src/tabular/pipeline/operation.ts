/**
 * What a step of a pipeline does with one column: what it learns from the training rows, what it makes of any rows then, and
 * how that is undone. What it learnt is plain data, which a file holds and `problemOf` examines when it comes back.
 */
import { ArgumentError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import type { RandomKey } from "../../base/random.ts";
import type { ColumnKind, TableColumn } from "../column.ts";
import type { StateShape } from "./state.ts";

/** Numbers, texts and lists of them: what JSON holds exactly. */
export type State = Readonly<Record<string, unknown>>;

export interface FitContext {
  /** Of the column. */
  readonly name: string;
  /** The numbers or class indices of the target, for steps that look at it. */
  readonly target: Target | undefined;
  readonly key: RandomKey;
}

export interface Target {
  readonly values: Float64Array;
  /** How many classes; undefined for numbers. */
  readonly classCount: number | undefined;
}

/** One kind of step. `O` are its options, with defaults filled in, `S` what it learns. */
export interface Operation<O, S extends State> {
  readonly name: string;
  /** Columns it works on; a bare step in a pipeline takes all of these kinds. */
  readonly kinds: readonly ColumnKind[];
  /** @throws ArgumentError when the column cannot be learnt from */
  fit(column: TableColumn, options: O, context: FitContext): S;
  /** What comes of training rows, where that is not what comes of others. */
  fitApply?(column: TableColumn, options: O, context: FitContext): { state: S; columns: TableColumn[] };
  /** The names of the columns that come of one, in order; the column's own where missing. */
  outputs?(name: string, state: S): readonly string[];
  apply(column: TableColumn, state: S, name: string): readonly TableColumn[];
  /** The column from what `apply` gave. */
  invert?(columns: readonly TableColumn[], state: S, name: string): TableColumn;
  /** Of every field of the state. */
  readonly state: StateShape;
  /** What is wrong with a state whose fields have the right types. */
  problem?(state: S): string | undefined;
}

/** A step for a column, with options: what `standardize()` gives. Nothing is learnt yet. */
export interface ColumnStep {
  readonly operation: Operation<any, any>;
  readonly options: object;
}

/** A step that has learnt. */
export interface FittedStep {
  readonly operation: Operation<any, any>;
  readonly state: State;
}

/** A step with its options checked. @throws ArgumentError for one that it does not have */
export function columnStep<O extends object>(
  operation: Operation<O, any>,
  given: object | undefined,
  defaults: O,
  known: readonly string[] = Object.keys(defaults),
): ColumnStep {
  checkOptions(operation.name, given ?? {}, known);
  const options = { ...defaults, ...given };
  return { operation, options };
}

/** @throws ArgumentError when an option is none of the values it may have */
export function checkChoice<T extends string>(
  what: string,
  option: string,
  value: T,
  choices: readonly T[],
): void {
  if (choices.includes(value)) return;
  throw new ArgumentError(
    `${what}: ${option} must be one of ${choices.join(", ")}, got ${JSON.stringify(value)}`,
  );
}

/** @throws ArgumentError unless the number is in range */
export function checkNumber(
  what: string,
  option: string,
  value: number,
  {
    min,
    max = Number.POSITIVE_INFINITY,
    isInteger = false,
  }: { min: number; max?: number; isInteger?: boolean },
): void {
  const isRight =
    typeof value === "number" && value >= min && value <= max && (!isInteger || Number.isInteger(value));
  if (isRight) return;
  const upper = max === Number.POSITIVE_INFINITY ? "or more" : `to ${max}`;
  const kind = isInteger ? "a whole number" : "a number";
  throw new ArgumentError(`${what}: ${option} must be ${kind} of ${min} ${upper}, got ${value}`);
}

/** The column's name alone, where a step gives one column. */
export const outputNames = ({ operation, state }: FittedStep, name: string): readonly string[] =>
  operation.outputs?.(name, state) ?? [name];

export const refuse = (what: string, name: string, problem: string): ArgumentError =>
  new ArgumentError(`${what}: column "${name}" ${problem}`);
