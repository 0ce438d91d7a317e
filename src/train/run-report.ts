/** What is known of a run before its first step is over: sizes, memory, and findings worth a look. */
import { memory, monotonicMs } from "#platform";
import { bytesOf } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { binaryCrossEntropy, crossEntropy } from "../losses/index.ts";
import { device } from "../tensor/index.ts";
import type { BatchLayout } from "./columns.ts";
import { type Finding, inputFinding, labelFinding, sharedRowsFinding } from "./data-checks.ts";
import type { Run } from "./run.ts";
import type { BatchProgram } from "./step.ts";

export interface CheckOptions {
  /** What a step may need at most: the machine's memory, or the container's, unless told otherwise. */
  readonly memoryLimitBytes?: number;
}

/** Of a run, when its first step is done. Plain data. */
export interface RunReport {
  readonly model: string;
  readonly parameters: number;
  /** Those that are not frozen. */
  readonly trainableParameters: number;
  readonly parameterBytes: number;
  /** What a step needs at most, as the compiler planned it: states, batch, and what lies between. */
  readonly plannedMemoryBytes: number;
  readonly memoryLimitBytes: number | undefined;
  /** Of training: forward, backward and update. */
  readonly flopPerSample: number;
  readonly kernels: number;
  /** Tracing and compiling the step. */
  readonly compileSeconds: number;
  readonly trainingSamples: number;
  readonly validationSamples: number;
  readonly target: string;
  readonly arithmetic: string;
  readonly threads: number;
  readonly precision: string;
  readonly seed: number;
  readonly firstLoss: number;
  readonly findings: readonly Finding[];
}

type Described = Omit<RunReport, "firstLoss">;

/**
 * Looks at the data and the compiled step before anything runs.
 *
 * @throws ArgumentError where a step does not fit into memory, with a batch that would
 */
export function describeRun(
  run: Run,
  layout: BatchLayout,
  program: BatchProgram,
  columns: readonly HostArray[],
): Described {
  const { options, dataset, validation } = run;
  const limit =
    (typeof options.checks === "object" ? options.checks.memoryLimitBytes : undefined) ?? memory().limitBytes;
  const started = monotonicMs();
  const { kernels, flop, peakMemoryBytes } = program.describe(...columns);
  const seconds = (monotonicMs() - started) / 1000;
  if (limit !== undefined && peakMemoryBytes > limit)
    throw doesNotFit(program, columns, peakMemoryBytes, limit);
  const batch = new Map(layout.names.map((name, i) => [name, columns[i]!]));
  const { inputs, labels } = layout.roles;
  const findings = [
    labelFinding(dataset, labels, batch.get(labels)!),
    inputFinding(dataset, inputs, batch),
    validation && sharedRowsFinding(dataset, validation, inputs),
  ];
  const parameters = run.model.parameters();
  const count = (list: typeof parameters): number => list.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const { target, arithmetic, threads } = device();
  return {
    model: run.model.constructor.name,
    parameters: count(parameters),
    trainableParameters: count(parameters.filter(({ trainable }) => trainable)),
    parameterBytes: parameters.reduce((sum, { shape, dtype }) => sum + sizeOf(shape) * bytesOf(dtype), 0),
    ...{ plannedMemoryBytes: peakMemoryBytes, memoryLimitBytes: limit },
    ...{ flopPerSample: flop / columns[0]!.shape[0]!, kernels: kernels.length, compileSeconds: seconds },
    ...{ trainingSamples: dataset.length, validationSamples: validation?.length ?? 0 },
    ...{ target, arithmetic, threads, precision: options.precision ?? "f32", seed: options.seed ?? 0 },
    findings: findings.filter((finding) => finding !== undefined),
  };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The largest batch of those half as large, a quarter … whose step fits. */
function doesNotFit(
  program: BatchProgram,
  columns: readonly HostArray[],
  bytes: number,
  limit: number,
): ArgumentError {
  const samples = columns[0]!.shape[0]!;
  let advice = 'use a smaller model, precision: "bf16", or rematerialize';
  for (let batch = samples >> 1; batch >= 1; batch >>= 1) {
    if (program.describe(...columns.map((column) => firstRows(column, batch))).peakMemoryBytes > limit)
      continue;
    const steps = Math.ceil(samples / batch);
    advice = `batchSize ${batch} would fit; with gradientAccumulationSteps: ${steps} it learns the same`;
    break;
  }
  return new ArgumentError(
    `fit: a step of ${samples} samples needs ${bytesText(bytes)} (planned) and does not fit: there are ${bytesText(limit)}; ${advice}`,
  );
}

function firstRows({ dtype, shape, data }: HostArray, rows: number): HostArray {
  return {
    dtype,
    shape: [rows, ...shape.slice(1)],
    data: data.subarray(0, (data.length / shape[0]!) * rows),
  } as HostArray;
}

export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  return `${unit === 0 ? bytes : Number((bytes / 1000 ** unit).toPrecision(3))} ${units[unit]}`;
}

/** What the first loss should be where a network knows nothing yet: all classes are as likely. */
export function firstLossFinding(
  loss: number,
  lossFunction: unknown,
  classes: number | undefined,
): Finding | undefined {
  const [expected, text] =
    lossFunction === crossEntropy && classes !== undefined
      ? [Math.log(classes), `ln ${classes}`]
      : lossFunction === binaryCrossEntropy
        ? [Math.LN2, "ln 2"]
        : [undefined, ""];
  if (expected === undefined) return undefined;
  const found = `first loss ${loss.toFixed(2)}`;
  if (loss <= 1.5 * expected)
    return { about: "firstLoss", isOk: true, text: `${found} (${text} = ${expected.toFixed(2)})` };
  const remedy =
    "the first outputs are far from even: scale the inputs, or make the last layer's first weights smaller";
  return {
    about: "firstLoss",
    isOk: false,
    text: `${found}, ${text} = ${expected.toFixed(2)} would know nothing: ${remedy}`,
  };
}

/** Parameters whose gradient is zero in the whole first batch. */
export function gradientFinding(squares: ReadonlyMap<string, number>): Finding | undefined {
  const dead = [...squares].filter(([, square]) => square === 0).map(([name]) => name);
  if (dead.length === 0) return { about: "gradients", isOk: true, text: "gradients reach all parameters" };
  const shown = dead.length > 5 ? `${dead.slice(0, 5).join(", ")} … (${dead.length})` : dead.join(", ");
  const text = `the first batch gives no gradient to ${shown}: a dead activation, a detached part, or a mask that hides it`;
  return { about: "gradients", isOk: false, text };
}
