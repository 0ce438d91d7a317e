/** Callbacks that write files: weights by epoch, and the record of a run. Every file is replaced whole or not at all. */
import { writeFileAtomic } from "#platform";
import { FileError } from "../base/errors.ts";
import { save } from "../checkpoint/index.ts";
import { BestScore, type WatchOptions } from "./best-score.ts";
import type { Callback, TrainingRun } from "./callback.ts";
import type { EpochRecord, History } from "./history.ts";

export interface ModelCheckpointOptions extends WatchOptions {
  /** A file for weights; `{epoch}` in it is the epoch's number. Or a function of the epoch's record. */
  readonly path: string | ((record: EpochRecord) => string);
  /** Only epochs in which the monitored score is the best so far; false unless told otherwise. */
  readonly onlyBest?: boolean;
}

/**
 * A callback for `fit` that saves the model's weights after each epoch, or after the best ones: Keras's ModelCheckpoint. (The
 * option `checkpoint` of `fit` keeps what is needed to go on instead.)
 *
 * @throws FileError when the file cannot be written; ArgumentError when the monitored score is not recorded
 * @example
 * const keepBest = modelCheckpoint({ path: "best.safetensors", monitor: "validationAccuracy", onlyBest: true });
 * const keepAll = modelCheckpoint({ path: "epoch-{epoch}.safetensors" });
 */
export function modelCheckpoint(options: ModelCheckpointOptions): Callback {
  const { path, onlyBest = false } = options;
  let best = new BestScore(options);
  return {
    onTrainBegin({ history }) {
      best = new BestScore(options);
      if (onlyBest) for (const { epoch, scores } of history.epochs) best.judge(scores, epoch);
    },
    async onEpochEnd(record, { model }) {
      if (onlyBest && !best.judge(record.scores, record.epoch)) return;
      await save(
        model,
        typeof path === "string" ? path.replaceAll("{epoch}", String(record.epoch)) : path(record),
      );
    },
  };
}

/**
 * A callback for `fit` that keeps a table of the run in a CSV file: a row an epoch, renewed after each.
 *
 * @example
 * const log = csvLog("run.csv");
 */
export const csvLog = (path: string): Callback => logging(path, csvOf);

/**
 * A callback for `fit` that keeps the run in a JSON file, renewed after each epoch: `{ "epochs": [{ "epoch": 1, "scores": … }] }`.
 *
 * @example
 * const log = jsonLog("run.json");
 */
export const jsonLog = (path: string): Callback =>
  logging(path, ({ epochs, stopReason }) => `${JSON.stringify({ epochs, stopReason }, null, 1)}\n`);

function logging(path: string, textOf: (history: History) => string): Callback {
  // Nothing is lost by a write that fails: the next one writes all epochs.
  const write = async ({ history, warn }: TrainingRun): Promise<void> => {
    try {
      await writeFileAtomic(path, new TextEncoder().encode(textOf(history)));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      await warn(`${error.message}; training goes on`);
    }
  };
  return { onEpochEnd: (_, run) => write(run), onTrainEnd: write };
}

function csvOf({ epochs }: History): string {
  const names = [...new Set(epochs.flatMap(({ scores }) => Object.keys(scores)))];
  const rows = epochs.map(({ epoch, steps, seconds, scores }) =>
    [epoch, steps, seconds, ...names.map((name) => scores[name] ?? "")].join(","),
  );
  return `${[["epoch", "steps", "seconds", ...names.map(quoted)].join(","), ...rows].join("\n")}\n`;
}

const quoted = (name: string): string => (/[",\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);
