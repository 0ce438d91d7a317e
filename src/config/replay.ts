/** Any step of a run again, exactly: from the nearest checkpoint, with all that the step made in sight. */
import { joinPath, readFile, removeFile, writeFileAtomic } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { weightsSha256 } from "../checkpoint/index.ts";
import { datasetFacts } from "../runs/dataset-facts.ts";
import { describeModel } from "../runs/describe.ts";
import { distributionOfArray } from "../runs/distribution.ts";
import { type Distribution, type RunRecord, readCheckpoints, readRun } from "../runs/index.ts";
import type { ModelFacts } from "../runs/layout.ts";
import { type Callback, fit } from "../train/index.ts";
import type { ConfigFile } from "./read.ts";
import { resolveConfig, type Setup } from "./resolve.ts";
import { configOfRun } from "./train.ts";

/** What a step did to one parameter. */
export interface ReplayedParameter {
  readonly name: string;
  readonly gradient: Distribution;
  /** After the update. */
  readonly weights: Distribution;
}

export interface Replay {
  readonly step: number;
  readonly epoch: number;
  /** Where the replay began: 0 is the first weights. */
  readonly from: number;
  readonly loss: number;
  /** In the run's record; undefined where it has none. */
  readonly recordedLoss: number | undefined;
  readonly learningRate: number;
  readonly gradientNorm: number | undefined;
  readonly recordedGradientNorm: number | undefined;
  /** The weights' digest after the step. */
  readonly weights: string;
  readonly recordedWeights: string | undefined;
  readonly parameters: readonly ReplayedParameter[];
  /** Whether everything that was recorded of the step came out again, bit for bit. */
  readonly isEqual: boolean;
}

/**
 * Runs a step of a run again: its program is loaded, the checkpoint before the step restored, and the steps up to it made anew.
 * Training is deterministic, so what comes out is what was, and can be looked at.
 *
 * @param config what makes the run's data, model and options again; for a run of `netwright train` it is known, for one of a program
 * of one's own it must be given
 * @throws ArgumentError when no config is known, the config, data or model are not what they were, or there is no such step
 * @example
 * await writeConfig("again.json", {
 *   data: { mnist: { take: 300 } },
 *   model: { Sequential: [{ Linear: ["features", 16] }, "ReLU", { Linear: [16, "classes"] }] },
 *   fit: { loss: "crossEntropy", optimizer: "adam", progress: "none" },
 * });
 * const { path } = await trainConfig(await readConfig("again.json"));
 * const { isEqual, parameters } = await replayStep(path, 5);
 * isEqual;           // true
 * parameters.length; // 4
 */
export async function replayStep(path: string, step: number, config?: ConfigFile): Promise<Replay> {
  const run = await readRun(path);
  const setup = await resolveConfig(config ?? (await configOfRun(run)));
  await checkData(run, setup);
  const last = run.steps.at(-1)?.step ?? 0;
  if (!Number.isInteger(step) || step < 1 || step > last)
    throw new ArgumentError(`replay: step must be an integer from 1 to ${last}, the run's last, got ${step}`);
  const checkpoints = await readCheckpoints(path);
  const start = checkpoints.filter((checkpoint) => checkpoint.step < step).at(-1);
  await checkModel(run, setup, start === undefined);
  const copy = joinPath(path, `.replay-${step}.safetensors`);
  if (start !== undefined) await writeFileAtomic(copy, await readFile(start.path));
  try {
    return compared(run, await replayed(setup, { step, copy: start && copy }), start?.step ?? 0);
  } finally {
    await removeFile(copy);
  }
}

/** Other data would give other numbers: better to say so than to compare them. */
async function checkData({ path, config }: RunRecord, { data: { train } }: Setup): Promise<void> {
  const recorded = config.data?.["train"];
  if (recorded === undefined) return;
  const now = await datasetFacts(train);
  // A part that fit itself took for validation is not in the record.
  if (now.samples !== recorded.samples && config.options["validationSplit"] !== undefined) return;
  if (now.sha256 !== recorded.sha256)
    throw new ArgumentError(
      `the training data is not what it was when "${path}" was made: ${recorded.samples} samples then, ${now.samples} now, and ` +
        "their digests differ; bring the files back as they were",
    );
}

/** Where the replay begins with the first weights, they must be those of the run. */
async function checkModel({ path, config }: RunRecord, { model }: Setup, isFirst: boolean): Promise<void> {
  const recorded = config.model;
  if (recorded === undefined) return;
  const now = describeModel(model, await weightsSha256(model));
  const text = ({ name, parameters }: ModelFacts): string => `${name} with ${parameters} parameters`;
  if (text(now) !== text(recorded))
    throw new ArgumentError(
      `"${path}" trained ${text(recorded)}, the config makes ${text(now)}: bring the code back as it was`,
    );
  if (isFirst && now.sha256 !== recorded.sha256)
    throw new ArgumentError(
      `the config's first weights are not those that "${path}" began with: give it the seed of that program, make the model as it did, or ` +
        "replay a step behind a checkpoint",
    );
}

type Made = Omit<Replay, "from" | "isEqual" | "recordedLoss" | "recordedGradientNorm" | "recordedWeights">;

async function replayed(
  { model, data, options }: Setup,
  { step, copy }: { readonly step: number; readonly copy: string | undefined },
): Promise<Made> {
  let made: Made | undefined;
  const watch: Callback = {
    wantsGradients: (run) => run.step === step - 1,
    async onStepEnd(record, run) {
      if (run.step !== step) return;
      const { loss, learningRate, gradientNorm, gradients } = record;
      const parameters = await Promise.all(
        [...run.model.namedParameters()].map(
          async ([name, parameter]): Promise<ReplayedParameter | undefined> => {
            const gradient = gradients!.get(name);
            if (gradient === undefined) return undefined;
            const [g, w] = await Promise.all([gradient.toHost(), parameter.toHost()]);
            return { name, gradient: distributionOfArray(g), weights: distributionOfArray(w) };
          },
        ),
      );
      made = {
        ...{
          step,
          epoch: run.epoch,
          loss,
          learningRate,
          gradientNorm,
          weights: await weightsSha256(run.model),
        },
        parameters: parameters.filter((parameter) => parameter !== undefined),
      };
      run.stop("the step is replayed");
    },
  };
  await fit(model, data.train, {
    ...{ ...options, progress: "none", callbacks: [...(options.callbacks ?? []), watch] },
    ...(copy === undefined ? {} : { checkpoint: copy, resume: true }),
  });
  if (made !== undefined) return made;
  throw new ArgumentError(`replay: training ended before step ${step}`);
}

function compared({ steps, epochs }: RunRecord, made: Made, from: number): Replay {
  const line = steps.find(({ step }) => step === made.step);
  const recorded = {
    recordedLoss: line?.values["loss"],
    recordedGradientNorm: line?.values["gradientNorm"],
    recordedWeights: line?.weights ?? epochs.find(({ step }) => step === made.step)?.weights,
  };
  const isSame = (now: unknown, then: unknown): boolean => then === undefined || Object.is(now, then);
  const isEqual =
    isSame(made.loss, recorded.recordedLoss) &&
    isSame(made.gradientNorm, recorded.recordedGradientNorm) &&
    isSame(made.weights, recorded.recordedWeights);
  return { ...made, ...recorded, from, isEqual };
}
