/** A CSV file as training data: rows split, columns prepared as is usual. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { trainTestSplit } from "../data/index.ts";
import { imputeMissing, kinds, oneHot, pipeline, readCsv, standardize } from "../tabular/index.ts";
import type { TrainingData } from "./define.ts";

export interface CsvDataOptions {
  readonly path: string;
  /** The column to predict. */
  readonly target: string;
  /** Shares of the rows; 0.2 each unless told otherwise. */
  readonly validation?: number;
  readonly test?: number;
  /** Columns that are no features. */
  readonly drop?: readonly string[];
  /** Whether a target of numbers holds classes; texts and booleans always do. */
  readonly classify?: boolean;
  /** What stands for a missing value; nothing, NA and NaN among others unless told otherwise. */
  readonly missing?: readonly string[];
  /** Of the split; 0 unless told otherwise. */
  readonly seed?: number;
}

/** Numbers: the median where missing, then standardized. Texts: the most frequent where missing, then one-hot; unknown ones are zeros. */
export async function csvData(options: CsvDataOptions): Promise<TrainingData> {
  const names = ["path", "target", "validation", "test", "drop", "classify", "missing", "seed"];
  checkOptions("csv", options ?? {}, names);
  const {
    path,
    target,
    validation = 0.2,
    test = 0.2,
    drop = [],
    classify,
    missing,
    seed = 0,
  } = options ?? {};
  for (const [name, value] of Object.entries({ path, target }))
    if (typeof value !== "string")
      throw new ArgumentError(`csv: ${name} must be a text, got ${JSON.stringify(value)}`);
  const rows = await readCsv(path, missing === undefined ? {} : { missing: [...missing] });
  const isClass = classify === true || rows.column(target).kind !== "number";
  const kept = rows.select(...rows.names.filter((name) => !drop.includes(name)));
  const parts = trainTestSplit(kept, { test, validation, seed, ...(isClass ? { stratify: target } : {}) });
  const prepare = pipeline(
    kinds({
      number: [imputeMissing({ strategy: "median" }), standardize()],
      string: [imputeMissing({ strategy: "mostFrequent" }), oneHot({ unknown: "ignore" })],
    }),
  );
  const made = prepare.datasets(parts, { target, ...(classify === undefined ? {} : { classify }) });
  const { classes } = made.pipeline;
  return {
    ...{ train: made.train, test: made.test, validation: made.validation, pipeline: made.pipeline },
    ...(classes === undefined ? {} : { classes }),
  };
}
