/** Making a run's folder, and what is written into it when the run begins. */
import {
  fileSize,
  joinPath,
  makeFolder,
  makeNewFolder,
  programArguments,
  programFile,
  writeFileAtomic,
} from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { weightsSha256 } from "../checkpoint/index.ts";
import type { TrainingRun } from "../train/index.ts";
import { datasetFacts } from "./dataset-facts.ts";
import { describe, describeModel, describeOptimizer } from "./describe.ts";
import { environmentFacts } from "./environment.ts";
import { toJson } from "./json.ts";
import { type Described, files, layoutVersion, type ProgramFacts, type RunConfig } from "./layout.ts";
import { LineLog } from "./line-log.ts";

/** The folder of a run that is going on. */
export interface RunFolder {
  readonly path: string;
  readonly metrics: LineLog;
  readonly histograms: LineLog;
  /** One of its JSON files, whole or not at all. */
  write(file: string, content: object): Promise<void>;
}

interface Place {
  readonly folder: string;
  readonly name: string | undefined;
  /** Goes on with the run of this name, where there is one. */
  readonly isResumed: boolean;
}

/** @throws ArgumentError when another run has the name; FileError where nothing can be written */
export async function openFolder(
  { folder, name, isResumed }: Place,
  configure: (name: string) => Promise<RunConfig>,
): Promise<RunFolder> {
  await makeFolder(folder);
  const chosen = name === undefined ? await newRunName(folder) : await newOrResumed(folder, name, isResumed);
  const path = joinPath(folder, chosen);
  const write = (file: string, content: object): Promise<void> =>
    writeFileAtomic(joinPath(path, file), new TextEncoder().encode(`${toJson(content, 1)}\n`));
  if ((await fileSize(joinPath(path, files.config))) === undefined) {
    await write(files.environment, await environmentFacts());
    await write(files.config, await configure(chosen));
  }
  const log = (file: string): LineLog => new LineLog(joinPath(path, file));
  return { path, metrics: log(files.metrics), histograms: log(files.histograms), write };
}

/** A new folder's name: the time, and a number where several runs begin in one second. */
export async function newRunName(folder: string): Promise<string> {
  const [date, time] = new Date().toISOString().slice(0, 19).split("T") as [string, string];
  const stamp = `${date}-${time.replaceAll(":", "")}`;
  for (let count = 1; ; count++) {
    const name = count === 1 ? stamp : `${stamp}-${count}`;
    if (await makeNewFolder(joinPath(folder, name))) return name;
  }
}

async function newOrResumed(folder: string, name: string, isResumed: boolean): Promise<string> {
  if (!/^[^/\\]+$/.test(name) || name.startsWith("."))
    throw new ArgumentError(`recordRun: name must be the name of a folder, got "${name}"`);
  const path = joinPath(folder, name);
  if ((await makeNewFolder(path)) || isResumed) return name;
  // A folder without a run in it may have been made for this one.
  if ((await fileSize(joinPath(path, files.config))) === undefined) return name;
  throw new ArgumentError(
    `recordRun: "${folder}" already holds a run "${name}"; choose another name, remove that folder, or go on with the run ` +
      "(fit's options checkpoint and resume)",
  );
}

interface Asked {
  readonly run: TrainingRun | undefined;
  readonly options: Readonly<Record<string, unknown>> | undefined;
  readonly program: ProgramFacts | undefined;
}

/** What was asked for. */
export async function configOf(name: string, { run, options, program }: Asked): Promise<RunConfig> {
  const file = programFile();
  const facts = {
    ...{ layout: layoutVersion, name, startedAt: new Date().toISOString() },
    program: program ?? { ...(file === undefined ? {} : { file }), arguments: programArguments() },
  };
  if (run === undefined) return { ...facts, options: describe(options ?? {}) as Record<string, Described> };
  const { epochs, stepsPerEpoch, model, dataset, validation } = run;
  return {
    ...facts,
    options: { ...optionsOf(run), ...(describe(options ?? {}) as Record<string, Described>) },
    ...{ epochs, stepsPerEpoch },
    model: describeModel(model, await weightsSha256(model)),
    data: {
      train: await datasetFacts(dataset),
      ...(validation ? { validation: await datasetFacts(validation) } : {}),
    },
  };
}

/** Options of `fit` that say what is computed: not how it is shown, nor where it is kept. */
function optionsOf({ options, optimizer, columns }: TrainingRun): Record<string, Described> {
  const {
    callbacks,
    progress: _p,
    checkpoint: _c,
    resume: _r,
    validation: _v,
    optimizer: _o,
    ...rest
  } = options;
  const known = { epochs: 1, batchSize: 32, shuffle: true, seed: 0, ...rest, ...columns };
  return {
    ...(describe(known) as Record<string, Described>),
    optimizer: describeOptimizer(optimizer),
    callbacks: callbacks?.length ?? 0,
  };
}
