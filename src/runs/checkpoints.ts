/** Which training states a run keeps. */
import { joinPath, listFolder, makeFolder, removeFile } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { TrainingRun } from "../train/index.ts";
import { checkpointName, files, stepOfCheckpoint } from "./layout.ts";

export interface CheckpointOptions {
  /** After each epoch unless told otherwise, or after so many steps. */
  readonly every?: "epoch" | number;
  /** So many of the last; 3 unless told otherwise, Infinity keeps all. */
  readonly keep?: number;
}

/** The same for `fit` itself, which then can stop and go on in the middle of an epoch too: its option `checkpoint`. */
export function checkpointsOfFit(run: string, options: CheckpointOptions = {}) {
  const { every, keep } = settled(options);
  return {
    path: joinPath(joinPath(run, files.checkpoints), "step-{step}.safetensors"),
    ...(every === "epoch" ? {} : { everyEpochs: Infinity, everySteps: every }),
    ...(keep === Infinity ? {} : { keepLast: keep }),
  };
}

export class CheckpointKeeper {
  /** Whether one is written after each epoch. */
  readonly isAtEpochs: boolean;
  readonly #everySteps: number | undefined;
  readonly #keep: number;
  #folder = "";
  /** The oldest first. */
  #paths: string[] = [];

  constructor(options: CheckpointOptions | false) {
    const { every, keep } = settled(options === false ? {} : options);
    this.isAtEpochs = options !== false && every === "epoch";
    this.#everySteps = options === false || every === "epoch" ? undefined : every;
    this.#keep = keep;
  }

  /** @param run the run's folder; what is kept there already counts */
  async open(run: string): Promise<void> {
    this.#folder = joinPath(run, files.checkpoints);
    this.#paths = (await checkpointsIn(run)).map(({ path }) => path);
  }

  isDue(step: number): boolean {
    return this.#everySteps !== undefined && step % this.#everySteps === 0;
  }

  async save(run: TrainingRun): Promise<void> {
    await makeFolder(this.#folder);
    const path = joinPath(this.#folder, checkpointName(run.step));
    await run.saveCheckpoint(path);
    if (!this.#paths.includes(path)) this.#paths.push(path);
  }

  /** Removes those that are too many. Not while one is written: `fit` writes what it is asked for when callbacks are done. */
  async trim(): Promise<void> {
    while (this.#paths.length > this.#keep) await removeFile(this.#paths.shift()!);
  }
}

/** Checked, with defaults. */
function settled(options: CheckpointOptions): Required<CheckpointOptions> {
  checkOptions("recordRun: checkpoints", options, ["every", "keep"]);
  const { every = "epoch", keep = 3 } = options;
  requirePositive("every", every === "epoch" ? 1 : every);
  requirePositive("keep", keep === Infinity ? 1 : keep);
  return { every, keep };
}

function requirePositive(name: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return;
  throw new ArgumentError(`recordRun: checkpoints.${name} must be a positive integer, got ${value}`);
}

export interface KeptCheckpoint {
  readonly step: number;
  readonly path: string;
}

/** The training states in a run's folder, by step. */
export async function checkpointsIn(run: string): Promise<KeptCheckpoint[]> {
  const folder = joinPath(run, files.checkpoints);
  const entries = (await listFolder(folder)) ?? [];
  const kept = entries.flatMap(({ name }) => {
    const step = stepOfCheckpoint(name);
    return step === undefined ? [] : [{ step, path: joinPath(folder, name) }];
  });
  return kept.sort((a, b) => a.step - b.step);
}
