/** Names that configs use for values: the only place where a text stands for code. */
import { type Dataset, mnist } from "../data/index.ts";
import * as losses from "../losses/index.ts";
import {
  accuracy,
  medianAbsoluteError,
  streaming,
  streamingRanking,
  streamingRegression,
  streamingWhole,
  topKAccuracy,
} from "../metrics/index.ts";
import * as models from "../models/index.ts";
import * as nn from "../nn/index.ts";
import * as combinedSchedules from "../optim/combined-schedules.ts";
import * as optim from "../optim/index.ts";
import * as schedules from "../optim/schedules.ts";
import { earlyStopping, type Metric, reduceOnPlateau } from "../train/index.ts";
import { csvData } from "./csv-data.ts";
import type { TrainingData } from "./define.ts";
import { imageFolderData } from "./image-data.ts";

/** What makes a value of arguments. */
export type Maker = (...args: readonly any[]) => unknown;
export type Names = Readonly<Record<string, Maker>>;

const isModule = (value: unknown): boolean =>
  typeof value === "function" && value.prototype instanceof nn.Module;

/** Layers and networks by their classes' names, and functions that make networks: `resnet18`. */
export const modelNames: Names = Object.fromEntries(
  [...Object.entries(nn), ...Object.entries(models)].flatMap(([name, value]): [string, Maker][] => {
    if (isModule(value) && name !== "Module" && name !== "Adapter")
      return [[name, (...args) => new (value as new (...given: readonly any[]) => unknown)(...args)]];
    return /^resnet\d+$/.test(name) ? [[name, value as Maker]] : [];
  }),
);

/** Losses take predictions and labels: what a config gives is their options. */
export const lossNames: Names = Object.fromEntries(
  Object.entries(losses as unknown as Record<string, Maker>)
    .filter(([name]) => !/Penalty$/.test(name))
    .map(([name, loss]): [string, Maker] => [
      name,
      (options) => (options === undefined ? loss : withOptions(name, loss, options)),
    ]),
);

/** Under its own name, which runs record. */
const withOptions = (name: string, loss: Maker, options: unknown): Maker =>
  Object.defineProperty(
    (predictions: unknown, labels: unknown) => loss(predictions, labels, options),
    "name",
    { value: name },
  );

/** Factories by their names: `adam` beside the class `Adam`. */
export const optimizerNames: Names = Object.fromEntries(
  Object.values(optim as Record<string, unknown>).flatMap((value): [string, Maker][] => {
    if (typeof value !== "function" || !(value.prototype instanceof optim.Optimizer)) return [];
    const factory = Object.entries(optim).find(
      ([name, other]) => other !== value && name.toLowerCase() === value.name.toLowerCase(),
    );
    return factory === undefined ? [] : [factory as [string, Maker]];
  }),
);

/** Functions that make a learning rate of numbers and of other ones. */
export const scheduleNames: Names = { ...schedules, ...combinedSchedules };

/** A score of classes, over all samples of a pass. */
const macro = { average: "macro" } as const;
const metrics: Readonly<Record<string, () => Metric>> = {
  accuracy: () => accuracy,
  precision: () => streaming("precision", (matrix) => matrix.precision(macro)),
  recall: () => streaming("recall", (matrix) => matrix.recall(macro)),
  specificity: () => streaming("specificity", (matrix) => matrix.specificity(macro)),
  f1Score: () => streaming("f1Score", (matrix) => matrix.f1Score(macro)),
  jaccard: () => streaming("jaccard", (matrix) => matrix.jaccard(macro)),
  balancedAccuracy: () => streaming("balancedAccuracy", (matrix) => matrix.balancedAccuracy()),
  cohenKappa: () => streaming("cohenKappa", (matrix) => matrix.cohenKappa()),
  matthewsCorrelation: () => streaming("matthewsCorrelation", (matrix) => matrix.matthewsCorrelation()),
  rocAuc: () => streamingRanking("rocAuc", (scores) => scores.rocAuc()),
  averagePrecision: () => streamingRanking("averagePrecision", (scores) => scores.averagePrecision()),
  meanAbsoluteError: () => streamingRegression("meanAbsoluteError", (scores) => scores.meanAbsoluteError()),
  rootMeanSquaredError: () =>
    streamingRegression("rootMeanSquaredError", (scores) => scores.rootMeanSquaredError()),
  meanAbsolutePercentageError: () =>
    streamingRegression("meanAbsolutePercentageError", (scores) => scores.meanAbsolutePercentageError()),
  medianAbsoluteError: () => streamingWhole("medianAbsoluteError", medianAbsoluteError),
  maxError: () => streamingRegression("maxError", (scores) => scores.maxError()),
  explainedVariance: () => streamingRegression("explainedVariance", (scores) => scores.explainedVariance()),
  r2: () => streamingRegression("r2", (scores) => scores.r2()),
};
export const metricNames: Names = { ...metrics, topKAccuracy };

export const callbackNames: Names = { earlyStopping, reduceOnPlateau };

export const dataNames: Names = { mnist: mnistData, csv: csvData, imageFolder: imageFolderData };

/** The training images without the last tenth, which is for validation unless told otherwise. */
async function mnistData(
  options: { readonly validation?: number; readonly take?: number } = {},
): Promise<TrainingData> {
  const { validation = 0.1, take, ...rest } = options;
  const { train, test } = await mnist(rest);
  const used: Dataset = take === undefined ? train : train.take(take);
  const classes = Array.from({ length: 10 }, (_, digit) => String(digit));
  if (validation === 0) return { train: used, test, classes };
  const count = Math.round(used.length * (1 - validation));
  return { train: used.slice(0, count), validation: used.slice(count), test, classes };
}
