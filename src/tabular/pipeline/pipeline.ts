/** Pipelines: steps in order, which learn from training rows alone. */
import { ArgumentError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import { fold, type RandomKey, randomKey } from "../../base/random.ts";
import { type ColumnKind, countMissing, type TableColumn } from "../column.ts";
import { Table } from "../table.ts";
import { sortedCategories } from "./encode.ts";
import { type FeatureDataset, FittedPipeline, type FittedTarget, targetValues } from "./fitted.ts";
import { type ColumnStep, type FitContext, type FittedStep, outputNames, type Target } from "./operation.ts";
import type { TableStep } from "./several.ts";
import { applyStage, type Columns, checkKind, isUsed, named, put, type Stage } from "./stage.ts";

type Steps = ColumnStep | readonly ColumnStep[];

/** Steps for columns by name or by kind: what `columns` and `kinds` give. */
export interface PerColumnStep {
  readonly stepsOf: (name: string, kind: ColumnKind) => readonly ColumnStep[] | undefined;
  /** Names that must exist. */
  readonly names: readonly string[];
  readonly others: "keep" | "drop";
}

/** Whatever may stand in a pipeline. */
export type PipelineStep = ColumnStep | TableStep | PerColumnStep;

/**
 * Steps for columns by name, one or several in order. Other columns stay as they are, unless `others` is "drop".
 *
 * @example
 * const rows = table({ age: [20, null, 40], sex: ["f", "m", "f"], notes: ["a", "b", "c"] });
 * const prepare = pipeline(columns({ age: [imputeMissing(), standardize()], sex: oneHot(), notes: drop() }));
 * prepare.fit(rows).featureNames; // ["age", "sex_f", "sex_m"]
 */
export function columns(
  steps: Readonly<Record<string, Steps>>,
  options: { readonly others?: "keep" | "drop" } = {},
): PerColumnStep {
  checkOptions("columns", options, ["others"]);
  return {
    names: Object.keys(steps),
    stepsOf: (name) => (Object.hasOwn(steps, name) ? ([steps[name]!].flat() as ColumnStep[]) : undefined),
    others: options.others ?? "keep",
  };
}

/**
 * Steps for all columns of a kind. Columns of other kinds stay as they are.
 *
 * @example
 * const rows = table({ age: [20, 40], sex: ["f", "m"] });
 * pipeline(kinds({ number: standardize(), string: oneHot() })).fit(rows).featureNames; // ["age", "sex_f", "sex_m"]
 */
export function kinds(steps: Partial<Readonly<Record<ColumnKind, Steps>>>): PerColumnStep {
  checkOptions("kinds", steps, ["number", "string", "boolean", "date"]);
  return {
    names: [],
    stepsOf: (_, kind) => (steps[kind] ? ([steps[kind]].flat() as ColumnStep[]) : undefined),
    others: "keep",
  };
}

export interface PipelineFitOptions {
  /** The column to predict: no step touches it, and it is no feature. */
  readonly target?: string;
  /** Whether a target of numbers holds classes. Strings and booleans always do. */
  readonly classify?: boolean;
  /** What is done to a target of numbers before learning, `standardize()` for example; `decode` undoes it. */
  readonly targetStep?: ColumnStep;
  /** What a column is that later rows lack altogether: an error, or missing in every row. */
  readonly missingColumns?: "error" | "missing";
  /** Of what is drawn while fitting (the folds of `targetEncode`): 0. */
  readonly seed?: number;
}

/** Steps in order, before they have learnt: what `pipeline` gives. Immutable. */
export class Pipeline {
  readonly steps: readonly PipelineStep[];

  constructor(steps: readonly PipelineStep[]) {
    this.steps = steps;
  }

  /**
   * Learns from training rows. Give it these alone: what it learns of test rows leaks into the features.
   *
   * @throws ArgumentError naming column and step
   */
  fit(train: Table, options: PipelineFitOptions = {}): FittedPipeline {
    return this.fitTransform(train, options).pipeline;
  }

  /** Learns from training rows and gives their features: the same as `fit` and `transform`, save for `targetEncode`. */
  fitTransform(
    train: Table,
    options: PipelineFitOptions = {},
  ): { readonly pipeline: FittedPipeline; readonly table: Table } {
    checkOptions("fit", options, ["target", "classify", "targetStep", "missingColumns", "seed"]);
    const { target: targetName, seed = 0, missingColumns = "error" } = options;
    if (train.length === 0) throw new ArgumentError("fit: the table has no rows to learn from");
    const all = new Map(train.names.map((name) => [name, train.column(name) as TableColumn]));
    const targetColumn = targetName === undefined ? undefined : named(all, targetName);
    if (targetName !== undefined) all.delete(targetName);
    const target = targetColumn && fitTarget(targetName!, targetColumn, options);
    const fitter = new Fitter(targetColumn && target && contextTarget(target, targetColumn), randomKey(seed));
    let current: Columns = all;
    for (const step of this.steps) current = fitter.fit(step, current);
    const used = [...all].filter(([name]) => isUsed(name, fitter.stages));
    const schema = Object.fromEntries(used.map(([name, { kind }]) => [name, kind]));
    const pipeline = new FittedPipeline({ schema, missingColumns, stages: fitter.stages, target });
    const table = new Table(
      targetColumn ? new Map([...current, [targetName!, targetColumn]]) : current,
      train.length,
    );
    return { pipeline, table };
  }

  /**
   * Datasets for `fit` of `netwright/train`: the pipeline learns from the rows called `train` and prepares all of them.
   *
   * @example
   * const rows = table({ x: [1, 2, 3, 4, 5, 6], y: ["a", "b", "a", "b", "a", "b"] });
   * const { pipeline: prepare, train, test } = pipeline(standardize())
   *   .datasets({ train: rows.slice(0, 4), test: rows.slice(4) }, { target: "y" });
   * test.column("labels").data; // [0, 1]
   */
  datasets<const P extends Readonly<Record<string, Table>> & { readonly train: Table }>(
    parts: P,
    options: PipelineFitOptions & { readonly target: string },
  ): { readonly [N in keyof P]: FeatureDataset } & { readonly pipeline: FittedPipeline } {
    const { pipeline, table } = this.fitTransform(parts.train, options);
    const datasets = Object.entries(parts).map(([name, rows]) => [
      name,
      name === "train" ? pipeline.datasetOf(table) : pipeline.dataset(rows),
    ]);
    return { ...Object.fromEntries(datasets), pipeline };
  }
}

/**
 * Steps that prepare rows, in order. A bare step takes all columns of the kinds it works on; `columns` and `kinds` say which; the target
 * is left alone. It learns by `fit`, from training rows, and what comes of that is one object that prepares any rows, is saved with the
 * model and undone by `inverse`.
 *
 * @example
 * const rows = table({ age: [20, null, 40, 35], sex: ["f", "m", "f", "m"], ill: [true, false, true, false] });
 * const prepare = pipeline(imputeMissing({ strategy: "median" }), clipOutliers(), columns({ age: standardize(), sex: oneHot() }));
 * const fitted = prepare.fit(rows, { target: "ill" });
 * fitted.features([{ age: 35, sex: "m" }]).data; // [0.26243194937705994, 0, 1]
 */
export const pipeline = (...steps: readonly PipelineStep[]): Pipeline => new Pipeline(steps);

function fitTarget(name: string, column: TableColumn, options: PipelineFitOptions): FittedTarget {
  if (countMissing(column) > 0) {
    throw new ArgumentError(
      `fit: the target "${name}" is missing in ${countMissing(column)} rows; drop them first`,
    );
  }
  if (column.kind === "date")
    throw new ArgumentError(`fit: the target "${name}" holds dates; make numbers of it first`);
  const { targetStep } = options;
  if (column.kind !== "number" || options.classify === true) {
    if (targetStep)
      throw new ArgumentError(`fit: the target "${name}" holds classes, which targetStep cannot scale`);
    return { name, kind: column.kind, classes: sortedCategories(column).categories, step: undefined };
  }
  if (!targetStep) return { name, kind: "number", classes: undefined, step: undefined };
  const { operation } = targetStep;
  const key = randomKey(0);
  checkKind(targetStep, name, column);
  const state = operation.fit(column, targetStep.options, { name, target: undefined, key });
  const step: FittedStep = { operation, state };
  if (!operation.invert || outputNames(step, name).length !== 1)
    throw new ArgumentError(`fit: targetStep ${operation.name} cannot be undone; use a step that scales`);
  return { name, kind: "number", classes: undefined, step };
}

/** What steps see of the target: its own units, or class indices. */
const contextTarget = (target: FittedTarget, column: TableColumn): Target => ({
  values: targetValues({ ...target, step: undefined }, column),
  classCount: target.classes?.length,
});

/** Fits one step after the other, each to what came of those before it. */
class Fitter {
  readonly stages: Stage[] = [];
  readonly #target: Target | undefined;
  readonly #key: RandomKey;

  constructor(target: Target | undefined, key: RandomKey) {
    this.#target = target;
    this.#key = key;
  }

  fit(step: PipelineStep, columns: Columns): Columns {
    if ("tableOperation" in step) return this.#together(step, columns);
    if ("operation" in step) {
      const { kinds } = step.operation;
      const stepsOf = (_: string, kind: ColumnKind): readonly ColumnStep[] | undefined =>
        kinds.includes(kind) ? [step] : undefined;
      return this.#perColumn({ stepsOf, names: [], others: "keep" }, columns);
    }
    return this.#perColumn(step, columns);
  }

  #together({ tableOperation, options, columns: wanted }: TableStep, columns: Columns): Columns {
    const numeric = [...columns].filter(([, { kind }]) => kind === "number").map(([name]) => name);
    const names = wanted ?? numeric;
    const inputs = names.map((name) => named(columns, name));
    const wrong = inputs.findIndex(({ kind }) => kind !== "number");
    if (wrong >= 0) {
      throw new ArgumentError(
        `${tableOperation.name}: column "${names[wrong]}" holds ${inputs[wrong]!.kind}s; it takes numbers`,
      );
    }
    if (names.length === 0) return columns;
    const stage: Stage = { names, tableOperation, state: tableOperation.fit(inputs, options, names) };
    this.stages.push(stage);
    return applyStage(stage, columns);
  }

  /** Several steps for a column are as many stages: the second ones work on what came of the first ones. */
  #perColumn({ stepsOf, names, others }: PerColumnStep, columns: Columns): Columns {
    for (const name of names) named(columns, name);
    let pending = new Map<string, readonly ColumnStep[]>();
    for (const [name, { kind }] of columns) {
      const steps = stepsOf(name, kind);
      if (steps) pending.set(name, steps);
    }
    let current = columns;
    for (
      let isFirst = true;
      isFirst || [...pending.values()].some((steps) => steps.length > 0);
      isFirst = false
    ) {
      const { next, later } = this.#oneStage(current, pending, isFirst ? others : "keep");
      current = next;
      pending = later;
    }
    return current;
  }

  #oneStage(
    columns: Columns,
    pending: ReadonlyMap<string, readonly ColumnStep[]>,
    others: "keep" | "drop",
  ): { next: Columns; later: Map<string, readonly ColumnStep[]> } {
    const steps = new Map<string, FittedStep>();
    const next = new Map<string, TableColumn>();
    const later = new Map<string, readonly ColumnStep[]>();
    const stageKey = fold(this.#key, this.stages.length);
    for (const [name, column] of columns) {
      const [step, ...rest] = pending.get(name) ?? [];
      if (!step) {
        // A column with an empty list of steps is one of those named, and stays.
        if (others === "keep" || pending.has(name)) put(next, name, column);
        continue;
      }
      checkKind(step, name, column);
      const context = { name, target: this.#target, key: fold(stageKey, steps.size) };
      const fitted = fitColumn(step, column, context);
      steps.set(name, fitted.step);
      outputNames(fitted.step, name).forEach((output, i) => {
        put(next, output, fitted.columns[i]!);
        if (rest.length > 0) later.set(output, rest);
      });
    }
    this.stages.push({ steps, others });
    return { next, later };
  }
}

function fitColumn(
  { operation, options }: ColumnStep,
  column: TableColumn,
  context: FitContext,
): { step: FittedStep; columns: readonly TableColumn[] } {
  if (operation.fitApply) {
    const { state, columns } = operation.fitApply(column, options, context);
    return { step: { operation, state }, columns };
  }
  const state = operation.fit(column, options, context);
  return { step: { operation, state }, columns: operation.apply(column, state, context.name) };
}
