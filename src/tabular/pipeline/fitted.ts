/** A pipeline that has learnt: it makes features of raw rows, now and in every later program. */
import { writeFileAtomic } from "#platform";
import { ArgumentError } from "../../base/errors.ts";
import { type HostArray, hostArray } from "../../base/host-array.ts";
import { arrayDataset, type Column, type Dataset } from "../../data/index.ts";
import {
  type Cell,
  type ColumnKind,
  columnOfKind,
  countMissing,
  isMissing,
  missingColumn,
  numberColumn,
  numbersOf,
  type Schema,
  type TableColumn,
} from "../column.ts";
import { Table } from "../table.ts";
import { categoryTexts } from "./encode.ts";
import type { FittedStep } from "./operation.ts";
import { applyStage, type Columns, invertStage, type Stage } from "./stage.ts";

/** What is predicted. */
export interface FittedTarget {
  readonly name: string;
  readonly kind: ColumnKind;
  /** In order: label 0 is the first one. Undefined for numbers. */
  readonly classes: readonly string[] | undefined;
  /** What was done to numbers before learning; undefined for nothing. */
  readonly step: FittedStep | undefined;
}

export interface FittedParts {
  /** The columns it takes, without the target. */
  readonly schema: Schema;
  readonly missingColumns: "error" | "missing";
  readonly stages: readonly Stage[];
  readonly target: FittedTarget | undefined;
}

/** Raw rows: a table, or objects. */
export type RawRows = Table | readonly Readonly<Record<string, Cell | undefined>>[];

/** One dataset for `fit` of `netwright/train`. */
export type FeatureDataset = Dataset<{
  readonly features: Column<[number], "f32">;
  readonly labels: Column<readonly number[], "f32" | "i32">;
}>;

/**
 * What `pipeline(…).fit(rows)` gives. Immutable.
 *
 * @example
 * const fitted = pipeline(columns({ age: standardize() })).fit(table({ age: [20, 40] }));
 * fitted.featureNames; // ["age"]
 */
export class FittedPipeline {
  /** The kinds of the columns that it takes, without those that it only drops: for `readCsv(path, { schema })`. */
  readonly schema: Schema;
  /** The names of the features it gives, in order. */
  readonly featureNames: readonly string[];
  /** The classes of the target in the order of their labels; undefined when numbers are predicted, or nothing. */
  readonly classes: readonly string[] | undefined;
  /** The column that is predicted, if any. */
  readonly targetName: string | undefined;
  readonly #parts: FittedParts;
  /** Names of the columns before each stage. */
  readonly #namesBefore: readonly (readonly string[])[];

  /** Made by `pipeline(…).fit` and `loadPipeline`. @throws ArgumentError when the stages do not fit together */
  constructor(parts: FittedParts) {
    this.#parts = parts;
    this.schema = parts.schema;
    this.classes = parts.target?.classes;
    this.targetName = parts.target?.name;
    // No rows at all show what names and kinds come of each stage.
    const namesBefore: string[][] = [];
    let columns: Columns = new Map(
      Object.entries(parts.schema).map(([name, kind]) => [name, missingColumn(kind, 0)]),
    );
    for (const stage of parts.stages) {
      namesBefore.push([...columns.keys()]);
      columns = applyStage(stage, columns);
    }
    this.#namesBefore = namesBefore;
    this.featureNames = [...columns.keys()];
  }

  /** How many features it gives: the input size of a network. */
  get featureCount(): number {
    return this.featureNames.length;
  }

  /**
   * The features of raw rows, as a table; the target's column behind them, where the rows have it. Other columns are left out.
   *
   * @throws ArgumentError naming column, row and value: a column that is missing or of another kind, a category that no training
   *   row had (unless the step accepts it)
   */
  transform(rows: RawRows): Table {
    const raw = this.#inputs(rows);
    let columns: Columns = raw.columns;
    for (const stage of this.#parts.stages) columns = applyStage(stage, columns);
    const { target } = this.#parts;
    const found = target && raw.target;
    return new Table(found ? new Map([...columns, [target.name, found]]) : columns, raw.length);
  }

  /** Raw columns from features, as far as steps can be undone: what was dropped stays away. */
  inverse(features: Table): Table {
    let columns: Columns = new Map(
      features.names.map((name) => [name, features.column(name) as TableColumn]),
    );
    const { stages, target } = this.#parts;
    const found = target && columns.get(target.name);
    for (let i = stages.length - 1; i >= 0; i--) {
      columns = invertStage(stages[i]!, columns, this.#namesBefore[i]!);
    }
    return new Table(found ? new Map([...columns, [target!.name, found]]) : columns, features.length);
  }

  /** The features of raw rows as one array (rows, features) in f32: for `predict`. */
  features(rows: RawRows): HostArray<[number, number], "f32"> {
    return this.matrix(this.transform(rows));
  }

  /**
   * Features and labels of raw rows, for `fit` of `netwright/train`: `features` (features) in f32; `labels` the class index in i32, or
   * the number in f32 of shape (1).
   *
   * @throws ArgumentError naming the first value that is missing, and columns that are no numbers
   */
  dataset(rows: RawRows): FeatureDataset {
    return this.datasetOf(this.transform(rows));
  }

  /** Features and labels of rows that `transform` gave. */
  datasetOf(transformed: Table): FeatureDataset {
    const labels = this.#labels(transformed);
    return arrayDataset({ features: this.matrix(transformed), labels }) as unknown as FeatureDataset;
  }

  /** The features of rows that `transform` gave, as one array (rows, features). */
  matrix(transformed: Table): HostArray<[number, number], "f32"> {
    const { featureNames } = this;
    const [length, width] = [transformed.length, featureNames.length];
    const data = new Float32Array(length * width);
    featureNames.forEach((name, c) => {
      const column = transformed.column(name) as TableColumn;
      if (column.kind === "string" || column.kind === "date") {
        const steps = column.kind === "string" ? "oneHot(), ordinal() or hashing()" : "dateParts()";
        throw new ArgumentError(
          `features: column "${name}" holds ${column.kind}s; make numbers of it with ${steps}, or drop() it`,
        );
      }
      const values = numbersOf(column);
      for (let row = 0; row < length; row++) {
        if (isMissing(column, row)) {
          throw new ArgumentError(
            `features: column "${name}" is missing in row ${row}; fill it with imputeMissing() or knnImpute(), or drop such rows first`,
          );
        }
        data[row * width + c] = values[row]!;
      }
    });
    return hostArray("f32", [length, width], data) as HostArray<[number, number], "f32">;
  }

  /**
   * What predictions say: the classes for class indices (argmax of logits), the numbers in their own units for numbers.
   *
   * @throws ArgumentError for an index that is no class, or when nothing was predicted
   */
  decode(predictions: ArrayLike<number>): Cell[] {
    const { target } = this.#parts;
    if (!target) throw new ArgumentError("decode: the pipeline was fitted without a target");
    if (!target.classes) {
      const column = numberColumn(Float64Array.from(predictions));
      const { step } = target;
      return Array.from(numbersOf(step ? step.operation.invert!([column], step.state, target.name) : column));
    }
    return Array.from(predictions, (index, at) => {
      const text = target.classes![index];
      if (text === undefined) {
        throw new ArgumentError(
          `decode: predictions[${at}] is ${index}; a class is an index from 0 to ${target.classes!.length - 1}`,
        );
      }
      return target.kind === "string" ? text : target.kind === "number" ? Number(text) : text === "true";
    });
  }

  /** Everything, as plain data: `JSON.stringify(pipeline)` is what `save` writes. */
  toJSON(): unknown {
    const { schema, missingColumns, stages, target } = this.#parts;
    return {
      format: "netwright pipeline",
      version: 1,
      columns: Object.entries(schema).map(([name, kind]) => ({ name, kind })),
      missingColumns,
      target: target
        ? {
            name: target.name,
            kind: target.kind,
            classes: target.classes ?? null,
            step: target.step ? stepJson(target.step) : null,
          }
        : null,
      stages: stages.map((stage) =>
        "tableOperation" in stage
          ? { together: stage.tableOperation.name, columns: stage.names, state: stage.state }
          : {
              steps: [...stage.steps].map(([column, step]) => ({ column, ...stepJson(step) })),
              others: stage.others,
            },
      ),
    };
  }

  /**
   * Writes it as a file of JSON, which `loadPipeline` reads. It replaces an old one only when it is complete. A pipeline may also
   * travel in a model's own file: `save(model, path, { metadata: { pipeline: JSON.stringify(prepare) } })`.
   */
  async save(path: string): Promise<void> {
    await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(this)}\n`));
  }

  toString(): string {
    const target = this.targetName === undefined ? "" : `, predicting "${this.targetName}"`;
    return `pipeline of ${Object.keys(this.schema).length} columns → ${this.featureCount} features${target}`;
  }

  #labels(transformed: Table): HostArray {
    const { target } = this.#parts;
    if (!target)
      throw new ArgumentError('dataset: what are the labels? fit with { target: "…" }, or use features()');
    if (!transformed.has(target.name)) {
      throw new ArgumentError(
        `dataset: the rows lack the column "${target.name}"; without it there are only features()`,
      );
    }
    const column = transformed.column(target.name) as TableColumn;
    const values = targetValues(target, column);
    const missing = values.findIndex(Number.isNaN);
    if (missing >= 0)
      throw new ArgumentError(`dataset: "${target.name}" is missing in row ${missing}; drop such rows first`);
    return target.classes
      ? hostArray("i32", [values.length], Int32Array.from(values))
      : hostArray("f32", [values.length, 1], Float32Array.from(values));
  }

  #inputs(rows: RawRows): { columns: Columns; target: TableColumn | undefined; length: number } {
    const { schema, target } = this.#parts;
    const isTable = rows instanceof Table;
    const columnOf = (name: string, kind: ColumnKind): TableColumn | undefined =>
      isTable
        ? rows.has(name)
          ? ofKind(name, kind, rows.column(name))
          : undefined
        : columnOfRows(rows, name, kind);
    const columns = new Map<string, TableColumn>();
    for (const [name, kind] of Object.entries(schema)) {
      const column = columnOf(name, kind);
      if (!column && this.#parts.missingColumns === "error" && (isTable || rows.length > 0)) {
        const given = isTable ? rows.names : Object.keys(rows[0] ?? {});
        throw new ArgumentError(
          `transform: the rows lack the column "${name}", which the pipeline was fitted with (they have ${given.join(", ")}); ` +
            'give it, or fit with { missingColumns: "missing" } to treat it as missing',
        );
      }
      columns.set(name, column ?? missingColumn(kind, rows.length));
    }
    return { columns, target: target && columnOf(target.name, target.kind), length: rows.length };
  }
}

const stepJson = ({ operation, state }: FittedStep): object => ({ operation: operation.name, state });

/** The class index or the number to learn of each row; NaN where missing. */
export function targetValues(target: FittedTarget, column: TableColumn): Float64Array {
  const { classes, step, name } = target;
  if (!classes) {
    return Float64Array.from(numbersOf(step ? step.operation.apply(column, step.state, name)[0]! : column));
  }
  const places = new Map(classes.map((text, i) => [text, i]));
  return Float64Array.from(categoryTexts(column), (text, row) => {
    if (text === null) return Number.NaN;
    const place = places.get(text);
    if (place !== undefined) return place;
    throw new ArgumentError(
      `labels: row ${row} has ${JSON.stringify(text)} for "${name}", which no training row had; the classes are ${classes.join(", ")}`,
    );
  });
}

/** A column of the kind that was fitted. One of nothing but missing values is of any kind. */
function ofKind(name: string, kind: ColumnKind, column: TableColumn): TableColumn {
  if (column.kind === kind) return column;
  if (countMissing(column) === column.data.length) return missingColumn(kind, column.data.length);
  throw new ArgumentError(
    `transform: column "${name}" holds ${column.kind}s, the pipeline was fitted with ${kind}s; ` +
      "read it so: readCsv(path, { schema: pipeline.schema })",
  );
}

function columnOfRows(
  rows: readonly Readonly<Record<string, Cell | undefined>>[],
  name: string,
  kind: ColumnKind,
): TableColumn | undefined {
  const cells = rows.map((row) => (Object.hasOwn(row, name) ? row[name] : undefined));
  if (cells.every((cell) => cell === undefined)) return undefined;
  cells.forEach((cell, row) => {
    const isRight =
      cell === null || cell === undefined || (kind === "date" ? cell instanceof Date : typeof cell === kind);
    if (isRight) return;
    throw new ArgumentError(
      `transform: row ${row} has ${JSON.stringify(cell)} for "${name}"; it must be a ${kind}, or null where it is missing`,
    );
  });
  return columnOfKind(kind, cells);
}
