/** Scores of a model on a dataset, and its predictions. */
import { arrayTypeOf, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, nearestName } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { type Dataset, loader } from "../data/index.ts";
import type { Module } from "../nn/index.ts";
import { compile, type Precision, Tensor } from "../tensor/index.ts";
import { Breather } from "./breather.ts";
import { withCaller } from "./caller.ts";
import { BatchLayout, type ColumnOptions, columnRoles, divisorsOf, inputColumns, pick } from "./columns.ts";
import type { LoadingOptions } from "./fit.ts";
import type { Scores } from "./history.ts";
import { inMode } from "./mode.ts";
import { headsOf, type LossOptions, lossOptionNames } from "./objective.ts";
import { type Metrics, Scoring } from "./scoring.ts";
import { evaluationProgram, forward } from "./step.ts";

export interface EvaluateOptions extends ColumnOptions, LossOptions, LoadingOptions {
  /** A list; for a model of several outputs also a list for each, by name. */
  readonly metrics?: Metrics;
  /** Samples a batch; it changes speed and memory, not what is computed. 256 unless told otherwise. */
  readonly batchSize?: number;
  /** What products of the model are computed from; `f32` unless told otherwise. */
  readonly precision?: Precision;
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
export function evaluate(model: Module, dataset: Dataset, options: EvaluateOptions): Promise<Scores> {
  return withCaller("evaluate", async () => {
    checkOptions("evaluate", options, [
      ...lossOptionNames,
      "metrics",
      "batchSize",
      "precision",
      "inputs",
      "labels",
      "sampleWeights",
      "prefetch",
      "corrupt",
    ]);
    return (await evaluator("evaluate", model, dataset, options)()) as Scores;
  });
}

/** Scores; undefined where `isStopped` came true meanwhile. */
export type Evaluator = (isStopped?: () => boolean) => Promise<Scores | undefined>;

/** `evaluate` of one dataset for repeated use: the program is compiled once. */
export function evaluator(
  what: string,
  model: Module,
  dataset: Dataset,
  options: EvaluateOptions,
): Evaluator {
  requireSamples(what, dataset);
  const { metrics = [], batchSize = 256, precision } = options;
  const layout = new BatchLayout(columnRoles(what, dataset, options, headsOf(options)));
  const { inputs } = layout.roles;
  const scoring = new Scoring(what, options, metrics);
  const divisors = divisorsOf(dataset, inputs, layout.names.slice(inputs.length));
  const program = evaluationProgram({ model, scoring, layout, divisors, precision });
  return (isStopped) =>
    inMode(model, "eval", async () => {
      const breather = new Breather();
      const pass = scoring.start();
      const loading = { batchSize, ...loadingOf(options), stored: divisors !== undefined };
      for await (const batch of loader(dataset, loading)) {
        const columns = layout.pick(batch);
        await pass.add(program(...columns), layout.labels(columns), columns[0]!.shape[0]!);
        await breather.pause();
        if (isStopped?.()) return undefined;
      }
      return pass.scores();
    });
}

/** Those of a larger set of options. */
export const loadingOf = ({ prefetch, corrupt }: LoadingOptions): LoadingOptions => ({
  ...(prefetch !== undefined && { prefetch }),
  ...(corrupt !== undefined && { corrupt }),
});

export interface PredictOptions extends Pick<ColumnOptions, "inputs"> {
  /** Samples a batch; 256 unless told otherwise. */
  readonly batchSize?: number;
  /** Of a model whose `forward` gives a record: which of its outputs. */
  readonly output?: string;
}

/**
 * What a model gives for every sample, in evaluation mode, in host memory: shape (samples, …). Columns that would be labels
 * are left out.
 *
 * @throws ArgumentError for an empty dataset or a column that is not there
 * @example
 * const { shape, data } = await predict(model, test);
 */
export function predict(model: Module, dataset: Dataset, options: PredictOptions = {}): Promise<HostArray> {
  return withCaller("predict", () => predictAll(model, dataset, options));
}

async function predictAll(model: Module, dataset: Dataset, options: PredictOptions): Promise<HostArray> {
  checkOptions("predict", options, ["inputs", "batchSize", "output"]);
  const { batchSize = 256, output } = options;
  requireSamples("predict", dataset);
  const inputs = inputColumns("predict", dataset, options);
  const divisors = divisorsOf(dataset, inputs);
  const program = compile((...columns: readonly Tensor[]) =>
    oneOutput(forward(model, columns, divisors), output),
  );
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

/** The output of a name; the only one where there is one. */
function oneOutput(outputs: unknown, name: string | undefined): Tensor {
  if (outputs instanceof Tensor && name === undefined) return outputs;
  const found = outputs instanceof Tensor ? {} : (outputs as Record<string, Tensor>);
  if (name !== undefined && found[name] !== undefined) return found[name];
  const names = Object.keys(found);
  const near = name === undefined ? undefined : nearestName(name, names);
  throw new ArgumentError(
    names.length === 0
      ? `predict: the model gives one output, without a name; leave out { output: "${name}" }`
      : `predict: the model gives ${names.join(", ")}; choose one with { output: "${near ?? names[0]}" }`,
  );
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

export function requireSamples(what: string, dataset: Dataset): void {
  if (dataset.length > 0) return;
  throw new ArgumentError(`${what}: the dataset is empty (${dataset}); give at least one sample`);
}
