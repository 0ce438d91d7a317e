/** Training, scoring and predicting from a config. */
import { absolutePath, joinPath, makeFolder } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { load, save } from "../checkpoint/index.ts";
import type { Dataset } from "../data/index.ts";
import { checkpointsOfFit } from "../runs/checkpoints.ts";
import { newRunName } from "../runs/folder.ts";
import { type ProgramFacts, type RunRecord, readRun, recordRun } from "../runs/index.ts";
import { files } from "../runs/layout.ts";
import { evaluate, type FitOptions, fit, type History, type Scores } from "../train/index.ts";
import type { TrainingData } from "./define.ts";
import { type ConfigFile, readConfig } from "./read.ts";
import { resolveConfig, type Setup } from "./resolve.ts";

export interface TrainOptions {
  /** Of the run's folder; its time unless told otherwise. */
  readonly name?: string;
  /** Goes on with the run of this name, bit for bit as if it had never stopped. */
  readonly resume?: boolean;
  readonly progress?: FitOptions["progress"];
  /** The command line, for the record. */
  readonly arguments?: readonly string[];
}

export interface Trained extends Setup {
  readonly history: History;
  /** The run's folder. It holds `model.safetensors` beside the record, and `pipeline.json` where rows are prepared by one. */
  readonly path: string;
}

/** Names of files that training from a config adds to a run's folder. */
export const modelFile = "model.safetensors";
export const pipelineFile = "pipeline.json";
/** What `--resume` goes on from in a run that keeps no checkpoints. */
const stateFile = "state.safetensors";

/**
 * Trains what a config says, and records the run.
 *
 * @throws ArgumentError for names and values that the config must not have; whatever `fit` throws
 * @example
 * await writeConfig("small.json", {
 *   data: { mnist: { take: 300 } },
 *   model: { Sequential: [{ Linear: ["features", 16] }, "ReLU", { Linear: [16, "classes"] }] },
 *   fit: { loss: "crossEntropy", optimizer: { adam: { learningRate: 0.01 } }, metrics: ["accuracy"], progress: "none" },
 * });
 * const { history } = await trainConfig(await readConfig("small.json"));
 * history.epochs.length; // 1
 */
export async function trainConfig(file: ConfigFile, options: TrainOptions = {}): Promise<Trained> {
  const setup = await resolveConfig(file);
  const { folder = "runs", name: named, evaluation, checkpoints, ...recording } = file.config.run ?? {};
  const given = options.name ?? named;
  if (options.resume && given === undefined)
    throw new ArgumentError("to resume, say which run: --name NAME, or run.name in the config");
  const name = given ?? (await newRunName(folder));
  const path = joinPath(folder, name);
  const { data, model } = setup;
  const run = recordRun({
    ...{ ...recording, folder, name, program: programOf(file, options), checkpoints: false },
    evaluation: evaluation ?? shownAs(data),
  });
  await makeFolder(joinPath(path, files.checkpoints));
  const history = await fit(model, data.train, {
    ...setup.options,
    ...(options.progress === undefined ? {} : { progress: options.progress }),
    callbacks: [...(setup.options.callbacks ?? []), run],
    checkpoint: checkpoints === false ? joinPath(path, stateFile) : checkpointsOfFit(path, checkpoints),
    resume: options.resume === true,
  });
  await save(model, joinPath(path, modelFile));
  await data.pipeline?.save(joinPath(path, pipelineFile));
  return { ...setup, history, path };
}

const programOf = ({ path, sha256, set }: ConfigFile, options: TrainOptions): ProgramFacts => ({
  arguments: options.arguments ?? [],
  config: { path: absolutePath(path), sha256, set },
});

/** How a report names classes and features. */
const shownAs = ({
  classes,
  pipeline,
}: TrainingData): { classes?: readonly string[]; features?: readonly string[] } => ({
  ...(classes === undefined ? {} : { classes }),
  ...(pipeline === undefined ? {} : { features: pipeline.featureNames }),
});

/**
 * The config that made a run, with the changes of its command line.
 *
 * @throws ArgumentError when the run was not made from a config, or the file is not what it was
 */
export async function configOfRun({ path, config: { program } }: RunRecord): Promise<ConfigFile> {
  const made = program.config;
  if (made === undefined)
    throw new ArgumentError(
      `"${path}" was not made by netwright train: nothing says how to make its model and data again. Write a config that does ` +
        "(defineConfig of netwright/config: seed, data, model, fit as the program had them), and name it: --config FILE",
    );
  const file = await readConfig(made.path, made.set);
  if (file.sha256 === made.sha256) return file;
  throw new ArgumentError(
    `"${made.path}" is not what it was when "${path}" was made (SHA-256 ${file.sha256.slice(0, 12)}…, then ${made.sha256.slice(0, 12)}…): ` +
      "bring that version back, with the code it imports",
  );
}

/** A trained run, ready to be asked. */
export async function openRun(path: string): Promise<Setup & { readonly run: RunRecord }> {
  const run = await readRun(path);
  const setup = await resolveConfig(await configOfRun(run));
  await load(setup.model, joinPath(path, modelFile));
  return { ...setup, run };
}

export const parts = ["train", "validation", "test"] as const;
export type Part = (typeof parts)[number];

/** @throws ArgumentError naming the parts there are */
export function partOf(data: TrainingData, part: string): Dataset {
  const found = parts.includes(part as Part) ? data[part as Part] : undefined;
  if (found !== undefined) return found;
  const there = parts.filter((name) => data[name] !== undefined).join(", ");
  throw new ArgumentError(`the data has no part "${part}"; there are ${there}`);
}

/** Loss and metrics of the config over one part of its data. */
export function scoresOf({ model, data, options }: Setup, part: string): Promise<Scores> {
  const { loss, metrics = [], inputs, labels } = options;
  const columns = {
    ...(inputs === undefined ? {} : { inputs }),
    ...(labels === undefined ? {} : { labels }),
  };
  return evaluate(model, partOf(data, part), { loss, metrics, ...columns });
}
