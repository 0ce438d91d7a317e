/** Losses and metrics of one pass over a dataset: what they are called, and their means as batches arrive. */
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { RunningMean, type RunningMeanState, type StreamingMetric } from "../metrics/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Scores } from "./history.ts";

/** A mean over a batch, from what the model gives and the labels. */
export type LossFunction = (predictions: any, labels: any) => Tensor;

/** A mean over a batch like a loss (its name is the function's), or a metric counted over the whole pass. */
export type Metric = ((predictions: any, labels: any) => Tensor) | StreamingMetric;

const isStreaming = (metric: Metric): metric is StreamingMetric => typeof metric === "object";

/** What a batch's program gives: a loss, a number for each metric that is a mean, and predictions if any metric needs them. */
export interface BatchTensors {
  readonly loss: Tensor;
  readonly metrics: readonly Tensor[];
  readonly predictions: Tensor | undefined;
  /** Of a training step: what its update was made with. */
  readonly update?: { readonly learningRate: Tensor; readonly gradientNorm: Tensor | undefined };
  /** In the order of the optimizer's parameters, where the program keeps them. */
  readonly gradients?: readonly Tensor[];
}

export class Scoring {
  readonly #loss: LossFunction;
  readonly #means: readonly { readonly name: string; readonly metric: (p: any, l: any) => Tensor }[];
  readonly #streams: readonly StreamingMetric[];

  constructor(loss: LossFunction, metrics: readonly Metric[]) {
    this.#loss = loss;
    this.#streams = metrics.filter(isStreaming);
    this.#means = metrics.flatMap((metric) =>
      isStreaming(metric) ? [] : [{ name: nameOf(metric), metric }],
    );
    const names = ["loss", ...this.#means.map(({ name }) => name), ...this.#streams.map((s) => s.metricName)];
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) {
      throw new ArgumentError(`two metrics are called "${twice}": wrap one in a function with another name`);
    }
  }

  /** The tensors of one batch: called while a step is traced. */
  apply(predictions: Tensor, labels: Tensor): BatchTensors {
    return {
      loss: this.#loss(predictions, labels),
      metrics: this.#means.map(({ metric }) => metric(predictions, labels)),
      predictions: this.#streams.length > 0 ? predictions : undefined,
    };
  }

  /** A new pass: everything starts from nothing. */
  start(): Pass {
    for (const stream of this.#streams) stream.reset();
    const names = ["loss", ...this.#means.map(({ name }) => name)];
    return new Pass(names, this.#streams);
  }
}

/** A metric goes by its function's name. */
function nameOf(metric: (...inputs: never[]) => unknown): string {
  if (metric.name !== "") return metric.name;
  throw new ArgumentError(
    "a metric needs a name: give the function one (const topTwo = (predictions, labels) => …)",
  );
}

/** The sums of a pass in the middle of it, for a checkpoint. */
export type PassState = readonly RunningMeanState[];

/** The running scores of one pass over a dataset. */
export class Pass {
  samples = 0;
  readonly #names: readonly string[];
  readonly #means: readonly RunningMean[];
  readonly #streams: readonly StreamingMetric[];

  constructor(names: readonly string[], streams: readonly StreamingMetric[]) {
    this.#names = names;
    this.#means = names.map(() => new RunningMean());
    this.#streams = streams;
  }

  /** Reads a batch's results and counts them; gives its loss. */
  async add({ loss, metrics, predictions }: BatchTensors, labels: HostArray): Promise<number> {
    const count = labels.shape[0]!;
    const values = await Promise.all([loss, ...metrics].map((tensor) => tensor.item()));
    values.forEach((value, i) => void this.#means[i]!.update(Number(value), count));
    if (predictions !== undefined) {
      const host = await predictions.toHost();
      for (const stream of this.#streams) stream.update(host, labels);
    }
    this.samples += count;
    return Number(values[0]);
  }

  scores(): Scores {
    const means = this.#means.map((mean, i) => [this.#names[i]!, mean.result()] as const);
    const counted = this.#streams.map((stream) => [stream.metricName, Number(stream.result())] as const);
    return Object.fromEntries([...means, ...counted]);
  }

  state(): PassState {
    return this.#means.map((mean) => mean.state());
  }

  /** Goes on from a saved state; metrics counted over the pass have no part in it and begin anew. */
  restore(state: PassState): void {
    this.#means.forEach((mean, i) => void (state[i] && mean.restore(state[i])));
    this.samples = state[0]?.weight ?? 0;
  }
}
