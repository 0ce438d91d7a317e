/** What a trained model answers on its validation data, gathered for a report. */
import { arrayTypeOf } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { type Dataset, loader, type Sample } from "../data/index.ts";
import { isLater } from "../data/source.ts";
import { predict, type TrainingRun } from "../train/index.ts";
import { type Classification, classificationOf } from "./classification.ts";
import { type DrawnInput, drawnInput } from "./inputs.ts";
import { type Regression, regressionOf } from "./regression.ts";

export interface EvaluationOptions {
  /** Names of the classes; their numbers otherwise. */
  readonly classes?: readonly string[];
  /** Names of the numbers of a sample, for tables. */
  readonly features?: readonly string[];
  /** A sample in words: for texts that went in as tokens. */
  readonly describe?: (sample: Sample<any>) => string;
  /** At most so many samples, the first ones; 10,000 unless told otherwise. */
  readonly samples?: number;
  /** How many of the worst mistakes are kept with their inputs; 24 unless told otherwise. */
  readonly mistakes?: number;
}

/** A sample that was answered wrongly, or farthest from right. */
export interface KeptMistake {
  readonly index: number;
  readonly actual: number;
  readonly predicted: number;
  /** The probability given to the wrong class; of a regression the distance. */
  readonly confidence: number;
  readonly input: DrawnInput;
}

export type Evaluation = Classification | Regression;

const optionNames = ["classes", "features", "describe", "samples", "mistakes"];

/** Undefined without validation data, and for answers that are neither classes nor numbers. */
export async function evaluation(
  run: TrainingRun,
  options: EvaluationOptions,
): Promise<Evaluation | undefined> {
  checkOptions("recordRun: evaluation", options, optionNames);
  const { samples = 10_000, mistakes = 24 } = options;
  for (const [name, value] of Object.entries({ samples, mistakes }))
    if (!(Number.isInteger(value) && value > 0))
      throw new ArgumentError(`recordRun: evaluation.${name} must be a positive integer, got ${value}`);
  const { model, validation, columns } = run;
  const { loss } = run.options;
  // A model of several outputs has no one answer to compare.
  if (validation === undefined || typeof loss !== "function") return undefined;
  const dataset = validation.take(samples);
  const answers = await predict(model, dataset, { inputs: columns.inputs });
  const labels = await labelsOf(dataset, columns.labels);
  const keep = (index: number): Promise<DrawnInput> => drawnInput(dataset, index, columns.inputs, options);
  const lossName = loss.name;
  const asked = { answers, labels, lossName, mistakes, keep, classes: options.classes };
  return (await classificationOf(asked)) ?? (await regressionOf(asked));
}

/** The column; of samples that are read when they are delivered, what batches have of it. */
async function labelsOf(dataset: Dataset, name: string): Promise<HostArray> {
  if (!isLater(dataset.source, [name])) return dataset.column(name) as HostArray;
  const parts: HostArray[] = [];
  for await (const batch of loader(dataset, { batchSize: 256 })) {
    const { dtype, shape, data } = (batch as Readonly<Record<string, HostArray>>)[name]!;
    parts.push({ dtype, shape, data: data.slice() });
  }
  const { dtype, shape } = parts[0]!;
  const data = new (arrayTypeOf(dtype))(parts.reduce((sum, part) => sum + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { dtype, shape: [dataset.length, ...shape.slice(1)], data } as HostArray;
}

/** What an evaluation is made from. */
export interface Answers {
  /** What the model gave, a row a sample. */
  readonly answers: HostArray;
  readonly labels: HostArray;
  readonly lossName: string;
  readonly mistakes: number;
  readonly classes: readonly string[] | undefined;
  /** A sample as it will be shown. */
  readonly keep: (index: number) => Promise<DrawnInput>;
}
