/** Short runs that tell something and leave the model as it was: a learning rate, whether it can learn at all, whether all goes through. */
import { removeFile } from "#platform";
import { ArgumentError, StepError } from "../base/errors.ts";
import type { Dataset } from "../data/index.ts";
import type { Module } from "../nn/index.ts";
import { exponential, type OptimizerFactory, type ParameterGroup } from "../optim/index.ts";
import { on } from "./callback.ts";
import { type FitOptions, fit } from "./fit.ts";
import type { Scores } from "./history.ts";
import type { RunReport } from "./run-report.ts";

/** What a probe takes of the options of `fit`. */
export type ProbeOptions = Omit<FitOptions, "epochs" | "callbacks" | "progress" | "checkpoint" | "resume">;

export interface LearningRateOptions {
  /** The first rate, 1e-7 unless told otherwise. */
  readonly from?: number;
  /** The last rate, 10 unless told otherwise. */
  readonly to?: number;
  /** Steps from the first to the last, 100 unless told otherwise. */
  readonly steps?: number;
}

export interface LearningRateCurve {
  readonly rates: readonly number[];
  /** Smoothed: each is a mean of those before it, the last ones weighing most. */
  readonly losses: readonly number[];
  /** Where the loss falls fastest; undefined where it never falls. */
  readonly suggestion: number | undefined;
  /** Where the loss was least: already too large to begin with. */
  readonly minimum: number | undefined;
}

/** Training is over for a range test when the loss is so many times the least. */
const divergence = 4;
const smoothing = 0.95;
/** Batches differ from each other: a slope is measured over so many steps to either side, and not at the very beginning. */
const slopeReach = 4;

/**
 * The range test of learning rates: the rate grows from step to step until the loss explodes; a good one is where the loss falls
 * fastest. The model is as before afterwards. Smith, "Cyclical learning rates for training neural networks", WACV 2017; the
 * suggestion is that of fastai.
 *
 * @throws ArgumentError for an optimizer that is no factory, or a range that is none
 * @example
 * const model = new Sequential(new Linear(784, 10));
 * const { suggestion, rates } = await findLearningRate(model, train, { loss: crossEntropy, optimizer: sgd(), batchSize: 8 });
 * rates.length > 1 && suggestion !== 0; // true
 */
export async function findLearningRate(
  model: Module,
  dataset: Dataset,
  options: ProbeOptions,
  { from = 1e-7, to = 10, steps = 100 }: LearningRateOptions = {},
): Promise<LearningRateCurve> {
  const { optimizer } = options;
  if (typeof optimizer !== "function")
    throw new ArgumentError(
      "findLearningRate: the optimizer must be a factory, such as adam(): its learning rate is replaced",
    );
  if (!(from > 0 && from < to) || !(Number.isInteger(steps) && steps >= 10))
    throw new ArgumentError(
      `findLearningRate: rates from ${from} to ${to} in ${steps} steps make no range; at least 10 steps upwards from above 0`,
    );
  const rising = withSchedule(optimizer, exponential({ from, factor: (to / from) ** (1 / (steps - 1)) }));
  const [rates, losses]: [number[], number[]] = [[], []];
  let [sum, least] = [0, Infinity];
  const watch = on("stepEnd", ({ loss, learningRate }, run) => {
    sum = smoothing * sum + (1 - smoothing) * loss;
    const smooth = sum / (1 - smoothing ** (losses.length + 1));
    rates.push(learningRate);
    losses.push(smooth);
    least = Math.min(least, smooth);
    if (losses.length === steps || smooth > divergence * least) run.stop("enough");
  });
  await unchanged(model, async () => {
    const run = fit(model, dataset, {
      ...options,
      ...quiet,
      optimizer: rising,
      epochs: steps,
      callbacks: [watch],
    });
    await run.catch((error) => {
      // A loss that is not finite is where the curve ends.
      if (!(error instanceof StepError) || losses.length < 2) throw error;
    });
  });
  return { rates, losses, ...bestOf(rates, losses) };
}

/** As in fastai: the steepest descent of the loss over the logarithm of the rate, before the minimum. */
function bestOf(
  rates: readonly number[],
  losses: readonly number[],
): Pick<LearningRateCurve, "suggestion" | "minimum"> {
  const lowest = losses.indexOf(Math.min(...losses));
  let [steepest, at] = [0, -1];
  for (let i = 2 * slopeReach; i < lowest; i++) {
    const slope = losses[Math.min(i + slopeReach, lowest)]! - losses[i - slopeReach]!;
    if (slope < steepest) [steepest, at] = [slope, i];
  }
  return { suggestion: rates[at], minimum: lowest > 0 ? rates[lowest] : undefined };
}

/** The optimizer with another learning rate in each of its groups; their scales stay. */
const withSchedule =
  (factory: OptimizerFactory, learningRate: ReturnType<typeof exponential>): OptimizerFactory =>
  (parameters) => {
    const items = [...parameters] as ParameterGroup<object>[];
    const groups = items.some((item) => "parameters" in item) ? items : [{ parameters: items as never }];
    return factory(groups.map((group) => ({ ...group, learningRate })) as never);
  };

export interface OverfitOptions {
  /** 200 unless told otherwise. */
  readonly steps?: number;
  /** The share of the first loss that the last one must be below; 0.1 unless told otherwise. */
  readonly target?: number;
}

export interface OverfitReport {
  readonly losses: readonly number[];
  /** Whether the last loss is below the target. */
  readonly isLearnt: boolean;
}

/**
 * Trains on the first batch alone: a model that cannot learn even that by heart has a mistake in it, or in its labels. The model is
 * as before afterwards.
 *
 * @example
 * const model = new Sequential(new Linear(784, 10));
 * const probe = await overfitOneBatch(model, train, { loss: crossEntropy, optimizer: adam({ learningRate: 0.01 }), batchSize: 8 });
 * probe.isLearnt; // true
 */
export async function overfitOneBatch(
  model: Module,
  dataset: Dataset,
  options: ProbeOptions,
  { steps = 200, target = 0.1 }: OverfitOptions = {},
): Promise<OverfitReport> {
  const losses: number[] = [];
  const watch = on("stepEnd", ({ loss }) => void losses.push(loss));
  const {
    validation: _validation,
    validationSplit: _split,
    gradientAccumulationSteps: _steps,
    ...rest
  } = options;
  const own = { ...rest, ...quiet, shuffle: false, epochs: steps, callbacks: [watch] };
  await unchanged(model, () => fit(model, dataset.take(options.batchSize ?? 32), own));
  return { losses, isLearnt: losses[losses.length - 1]! < target * losses[0]! };
}

export interface DryRunReport {
  readonly scores: Scores;
  readonly report: RunReport | undefined;
}

/**
 * One step of training, one batch of validation, one checkpoint written and removed: whether everything goes through, before hours
 * are spent. Nothing is kept, and the model is as before afterwards. Callbacks are left out.
 *
 * @throws whatever `fit` would throw
 * @example
 * const model = new Sequential(new Linear(784, 10));
 * const { scores } = await dryRun(model, train, { loss: crossEntropy, optimizer: adam(), validation: test });
 * Object.keys(scores); // ["loss", "validationLoss"]
 */
export async function dryRun(model: Module, dataset: Dataset, options: FitOptions): Promise<DryRunReport> {
  const {
    batchSize = 32,
    gradientAccumulationSteps = 1,
    validation,
    checkpoint,
    resume: _resume,
    ...rest
  } = options;
  const files = checkpoint === undefined ? undefined : await dryFiles(checkpoint);
  const own: FitOptions = {
    ...{ ...rest, batchSize, gradientAccumulationSteps, epochs: 1, callbacks: [] },
    progress: "none",
    ...(validation && { validation: validation.take(batchSize) }),
    ...(files && { checkpoint: files.plan }),
  };
  try {
    const { epochs, report } = await unchanged(model, () =>
      fit(model, dataset.take(batchSize * gradientAccumulationSteps), own),
    );
    return { scores: epochs[0]!.scores, report };
  } finally {
    for (const path of files === undefined ? [] : await files.written()) await removeFile(path);
  }
}

/** The same files under other names, and those of them that were written. */
async function dryFiles(checkpoint: NonNullable<FitOptions["checkpoint"]>) {
  const { checkpointPlan, filesOf } = await import("./checkpoint-options.ts");
  const { path, best, restoreBest } = checkpointPlan(checkpoint);
  const dry = (file: string): string => `${file}.dry-run`;
  const plan = { path: dry(path), ...(best && { best: { ...best, path: dry(best.path) } }), restoreBest };
  const written = async (): Promise<string[]> => [
    ...(await filesOf(plan.path)),
    plan.best?.path ?? plan.path,
  ];
  return { plan, written };
}

const quiet = { progress: "none", checks: false } as const;

/** Runs `body`, then gives the model back its parameters, buffers and random streams. */
async function unchanged<R>(model: Module, body: () => Promise<R>): Promise<R> {
  const states = [...model.stateDict().values(), ...model.namedRandomStreams().values()];
  const before = await Promise.all(states.map((state) => state.toHost()));
  try {
    return await body();
  } finally {
    states.forEach((state, i) => void state.assign(before[i]!));
  }
}
