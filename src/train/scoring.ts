/** Losses and metrics of one pass over a dataset: what they are called, and their means as batches arrive. */
import { ArgumentError, nearestName } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { RunningMean, type RunningMeanState, type StreamingMetric } from "../metrics/index.ts";
import { Tensor } from "../tensor/index.ts";
import type { Scores } from "./history.ts";
import { headsOf, type LossOptions, Objective } from "./objective.ts";

/** A mean over a batch like a loss (its name is the function's), or a metric counted over the whole pass. */
export type Metric = ((predictions: any, labels: any) => Tensor) | StreamingMetric;

/** Metrics of the model's output; or of each of its outputs, by name. */
export type Metrics = readonly Metric[] | Readonly<Record<string, readonly Metric[]>>;

const isStreaming = (metric: Metric): metric is StreamingMetric => typeof metric === "object";

/** What a batch's program gives. */
export interface BatchTensors {
  readonly loss: Tensor;
  /** Of several losses, each in the order of its name. */
  readonly losses: Readonly<Record<string, Tensor>>;
  /** How many things the losses are means of; undefined where it is the number of samples. */
  readonly lossCount: Tensor | undefined;
  /** A number for each metric that is a mean. */
  readonly metrics: readonly Tensor[];
  /** What metrics over the whole pass look at, one for each. */
  readonly predictions: readonly Tensor[];
  /** Of a training step: what its update was made with. */
  readonly update?: {
    readonly learningRate: Tensor;
    readonly gradientNorm?: Tensor;
    /** Σ g² of each trained parameter. */
    readonly gradientSquares?: Tensor;
  };
  /** In the order of the optimizer's parameters, where the program keeps them. */
  readonly gradients?: readonly Tensor[];
}

/** A metric, what it looks at, and what it is called. */
interface Watched<M> {
  readonly name: string;
  readonly head: string | undefined;
  readonly metric: M;
}

type MeanMetric = (predictions: any, labels: any) => Tensor;

export class Scoring {
  readonly #objective: Objective;
  readonly #means: readonly Watched<MeanMetric>[];
  readonly #streams: readonly Watched<StreamingMetric>[];

  constructor(what: string, options: LossOptions, metrics: Metrics) {
    this.#objective = new Objective(what, options);
    const all = watched(metrics, headsOf(options));
    this.#means = all.filter((own): own is Watched<MeanMetric> => !isStreaming(own.metric));
    this.#streams = all.filter((own): own is Watched<StreamingMetric> => isStreaming(own.metric));
    const losses = headsOf(options).map(lossName);
    const names = ["loss", ...losses, ...all.map(({ name }) => name)];
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) {
      throw new ArgumentError(`two metrics are called "${twice}": wrap one in a function with another name`);
    }
  }

  /** The tensors of one batch: called while a step is traced. */
  apply(
    outputs: unknown,
    labels: Tensor | Readonly<Record<string, Tensor>>,
    weights: Tensor | undefined,
  ): BatchTensors {
    const { total, parts, count } = this.#objective.apply(outputs, labels, weights);
    return {
      loss: total,
      losses: parts,
      lossCount: count,
      metrics: this.#means.map(({ head, metric }) => metric(partOf(outputs, head), partOf(labels, head))),
      predictions: this.#streams.map(({ head, name }) => requireTensor(name, partOf(outputs, head))),
    };
  }

  /** A new pass: everything starts from nothing. */
  start(): Pass {
    for (const { metric } of this.#streams) metric.reset();
    return new Pass(
      this.#means.map(({ name }) => name),
      this.#streams,
    );
  }
}

function watched(metrics: Metrics, heads: readonly string[]): Watched<Metric>[] {
  if (Array.isArray(metrics)) return (metrics as readonly Metric[]).map((metric) => watch(metric, undefined));
  return Object.entries(metrics as Readonly<Record<string, readonly Metric[]>>).flatMap(([head, own]) => {
    if (heads.length > 0 && !heads.includes(head)) {
      const near = nearestName(head, heads);
      throw new ArgumentError(
        `metrics: there is no output "${head}"; losses name ${heads.join(", ")}${near ? `. Did you mean "${near}"?` : ""}`,
      );
    }
    return own.map((metric) => watch(metric, head));
  });
}

function watch(metric: Metric, head: string | undefined): Watched<Metric> {
  const own = isStreaming(metric) ? metric.metricName : nameOf(metric);
  return { head, metric, name: head === undefined ? own : `${head}${own[0]!.toUpperCase()}${own.slice(1)}` };
}

/** A metric goes by its function's name. */
function nameOf(metric: (...inputs: never[]) => unknown): string {
  if (metric.name !== "") return metric.name;
  throw new ArgumentError(
    "a metric needs a name: give the function one (const topTwo = (predictions, labels) => …)",
  );
}

/** `class` → `classLoss`. */
const lossName = (head: string): string => `${head}Loss`;

/** Of several outputs or labels the one of a name; one alone stands for every name. */
function partOf<T>(whole: T, head: string | undefined): any {
  const isOne =
    head === undefined || whole instanceof Tensor || (whole as { data?: unknown }).data !== undefined;
  const part = isOne ? whole : (whole as Record<string, unknown>)[head];
  if (part !== undefined) return part;
  throw new ArgumentError(
    `metrics of "${head}": there is no such output or label, only ${Object.keys(whole as object).join(", ")}`,
  );
}

function requireTensor(name: string, outputs: unknown): Tensor {
  if (outputs instanceof Tensor) return outputs;
  throw new ArgumentError(
    `metric "${name}" is counted over one output, the model gives several: name it with metrics: { output: [${name}] }`,
  );
}

/** The sums of a pass in the middle of it, for a checkpoint. */
export interface PassState {
  readonly samples: number;
  readonly means: Readonly<Record<string, RunningMeanState>>;
  /** Of metrics over the whole pass: those that tell their state. */
  readonly streams?: Readonly<Record<string, unknown>>;
}

type Labels = HostArray | Readonly<Record<string, HostArray>>;

/** The running scores of one pass over a dataset. */
export class Pass {
  samples = 0;
  readonly #metricNames: readonly string[];
  readonly #means = new Map<string, RunningMean>();
  readonly #streams: readonly Watched<StreamingMetric>[];

  constructor(metricNames: readonly string[], streams: readonly Watched<StreamingMetric>[]) {
    this.#metricNames = metricNames;
    this.#streams = streams;
  }

  /** Reads a batch's results and counts them; gives its loss, and how many things that is the mean of. */
  async add(batch: BatchTensors, labels: Labels, samples: number): Promise<{ loss: number; count: number }> {
    const { loss, losses, lossCount, metrics, predictions } = batch;
    const names = ["loss", ...Object.keys(losses).map(lossName)];
    const scalars = [loss, ...Object.values(losses), ...metrics, ...(lossCount ? [lossCount] : [])];
    const values = (await Promise.all(scalars.map((tensor) => tensor.item()))).map(Number);
    const count = lossCount === undefined ? samples : values[values.length - 1]!;
    names.forEach((name, i) => void this.#mean(name).update(values[i]!, count));
    this.#metricNames.forEach((name, i) => void this.#mean(name).update(values[names.length + i]!, samples));
    for (const [i, { head, metric }] of this.#streams.entries())
      metric.update(await predictions[i]!.toHost(), partOf(labels, head));
    this.samples += samples;
    return { loss: values[0]!, count };
  }

  #mean(name: string): RunningMean {
    let mean = this.#means.get(name);
    if (mean === undefined) this.#means.set(name, (mean = new RunningMean()));
    return mean;
  }

  scores(): Scores {
    const means = [...this.#means].map(([name, mean]) => [name, mean.result()] as const);
    const counted = this.#streams.map(({ name, metric }) => [name, Number(metric.result())] as const);
    return Object.fromEntries([...means, ...counted]);
  }

  /** Those that can be told already: an area under a curve needs samples of both classes. */
  runningScores(): Scores {
    const means = [...this.#means].map(([name, mean]) => [name, mean.result()] as const);
    const counted = this.#streams.flatMap(({ name, metric }) => {
      try {
        return [[name, Number(metric.result())] as const];
      } catch (error) {
        if (error instanceof ArgumentError) return [];
        throw error;
      }
    });
    return Object.fromEntries([...means, ...counted]);
  }

  state(): PassState {
    const means = [...this.#means].map(([name, mean]) => [name, mean.state()] as const);
    const streams = this.#streams.flatMap(({ name, metric }) =>
      metric.state ? [[name, metric.state()]] : [],
    );
    return { samples: this.samples, means: Object.fromEntries(means), streams: Object.fromEntries(streams) };
  }

  /** Goes on from a saved state; a metric over the whole pass that cannot tell its own begins anew. */
  restore({ samples, means, streams = {} }: PassState): void {
    for (const [name, state] of Object.entries(means)) this.#mean(name).restore(state);
    for (const { name, metric } of this.#streams) if (name in streams) metric.restore?.(streams[name]);
    this.samples = samples;
  }
}
