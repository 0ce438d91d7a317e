/** Scores of a model on a dataset, and its predictions. */
import { arrayTypeOf, type TypedArray } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { type Dataset, loader } from "../data/index.ts";
import type { Module } from "../nn/index.ts";
import { compile, type Tensor } from "../tensor/index.ts";
import { Breather } from "./breather.ts";
import { withCaller } from "./caller.ts";
import { type ColumnOptions, columnRoles, divisorsOf, inputColumns, pick } from "./columns.ts";
import type { Scores } from "./history.ts";
import { inMode } from "./mode.ts";
import { type LossFunction, type Metric, Scoring } from "./scoring.ts";
import { evaluationProgram, forward } from "./step.ts";

export interface EvaluateOptions extends ColumnOptions {
  readonly loss: LossFunction;
  readonly metrics?: readonly Metric[];
  /** Samples a batch; it changes speed and memory, not what is computed. 256 unless told otherwise. */
  readonly batchSize?: number;
}

/**
 * Loss and metrics of a model over a dataset, in evaluation mode; nothing is changed. Each is a mean over samples, a last
 * small batch weighing less.
 *
 * @throws ArgumentError for an empty dataset or a column that is not there; what the model throws for shapes that do not fit
 * @example
 * const scores = await evaluate(model, test, { loss: crossEntropy, metrics: [accuracy] });
 * Object.keys(scores); // ["loss", "accuracy"]
 */
export function evaluate(model: Module, dataset: Dataset<any>, options: EvaluateOptions): Promise<Scores> {
  return withCaller("evaluate", async () => {
    checkOptions("evaluate", options, ["loss", "metrics", "batchSize", "inputs", "labels"]);
    return evaluator("evaluate", model, dataset, options)();
  });
}

/** `evaluate` of one dataset for repeated use: the program is compiled once. */
export function evaluator(
  what: string,
  model: Module,
  dataset: Dataset<any>,
  { loss, metrics = [], batchSize = 256, ...columns }: EvaluateOptions,
): () => Promise<Scores> {
  requireSamples(what, dataset);
  const { inputs, labels } = columnRoles(what, dataset, columns);
  const names = [...inputs, labels];
  const scoring = new Scoring(loss, metrics);
  const divisors = divisorsOf(dataset, inputs, labels);
  const program = evaluationProgram({ model, scoring, divisors });
  return () =>
    inMode(model, "eval", async () => {
      const breather = new Breather();
      const pass = scoring.start();
      for await (const batch of loader(dataset, { batchSize, stored: divisors !== undefined })) {
        await pass.add(program(...pick(batch, names)), batch[labels]!);
        await breather.pause();
      }
      return pass.scores();
    });
}

export interface PredictOptions extends Pick<ColumnOptions, "inputs"> {
  /** Samples a batch; 256 unless told otherwise. */
  readonly batchSize?: number;
}

/**
 * What a model gives for every sample, in evaluation mode, in host memory: shape (samples, …). Columns that would be labels
 * are left out.
 *
 * @throws ArgumentError for an empty dataset or a column that is not there
 * @example
 * const { shape, data } = await predict(model, test);
 */
export function predict(
  model: Module,
  dataset: Dataset<any>,
  options: PredictOptions = {},
): Promise<HostArray> {
  return withCaller("predict", () => predictAll(model, dataset, options));
}

async function predictAll(model: Module, dataset: Dataset<any>, options: PredictOptions): Promise<HostArray> {
  checkOptions("predict", options, ["inputs", "batchSize"]);
  const { batchSize = 256 } = options;
  requireSamples("predict", dataset);
  const inputs = inputColumns("predict", dataset, options);
  const divisors = divisorsOf(dataset, inputs);
  const program = compile((...columns: readonly Tensor[]) => forward(model, columns, divisors));
  return inMode(model, "eval", async () => {
    const breather = new Breather();
    const parts: HostArray[] = [];
    for await (const batch of loader(dataset, { batchSize, stored: divisors !== undefined })) {
      parts.push(await program(...pick(batch, inputs)).toHost());
      await breather.pause();
    }
    return joined(parts, dataset.length);
  });
}

function joined(parts: readonly HostArray[], samples: number): HostArray {
  const { dtype, shape } = parts[0]!;
  const total = parts.reduce((sum, { data }) => sum + data.length, 0);
  const data: TypedArray = new (arrayTypeOf(dtype))(total);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { dtype, shape: [samples, ...shape.slice(1)], data: data as HostArray["data"] };
}

export function requireSamples(what: string, dataset: Dataset<any>): void {
  if (dataset.length > 0) return;
  throw new ArgumentError(`${what}: the dataset is empty (${dataset}); give at least one sample`);
}
