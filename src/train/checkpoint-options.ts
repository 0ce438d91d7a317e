/** When checkpoints are written, and where: the option `checkpoint` of `fit`. */
import { joinPath, listFolder, parentFolder } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { WatchOptions } from "./best-score.ts";

export interface CheckpointOptions {
  /**
   * The file of the whole training state. With `{step}` or `{epoch}` in its name (`"run/step-{step}.safetensors"`) each state has a file
   * of its own, and `resume` takes the newest.
   */
  readonly path: string;
  /** Written after every so many epochs; 1 unless told otherwise. */
  readonly everyEpochs?: number;
  /** Also after every so many steps. */
  readonly everySteps?: number;
  /** Also when the last one is so many minutes old, after the step that is going on. */
  readonly everyMinutes?: number;
  /** How many files are kept where each state has its own; all unless told otherwise. Older ones are removed after a newer one is whole. */
  readonly keepLast?: number;
  /** A file for the weights of the best epoch, or what is watched too; `validationLoss` unless told otherwise. */
  readonly best?: string | ({ readonly path: string } & WatchOptions);
  /** Whether the model ends with the weights in `best`; false unless told otherwise. */
  readonly restoreBest?: boolean;
  /**
   * Default false. True: parameters that the optimizer was not made for, and weights of few bits, are left out of all files; these keep
   * their digests, and `resume` needs a model that holds the same. For adapters beside a frozen base, which another file has.
   */
  readonly trainedOnly?: boolean;
}

/** The options with their defaults. */
export interface CheckpointPlan {
  readonly path: string;
  readonly everyEpochs: number;
  readonly everySteps: number;
  readonly everyMinutes: number;
  readonly keepLast: number;
  readonly best: ({ readonly path: string } & WatchOptions) | undefined;
  readonly restoreBest: boolean;
  readonly trainedOnly: boolean;
}

const names = [
  "path",
  "everyEpochs",
  "everySteps",
  "everyMinutes",
  "keepLast",
  "best",
  "restoreBest",
  "trainedOnly",
] as const;

/** @throws ArgumentError for options that mean nothing */
export function checkpointPlan(given: string | CheckpointOptions): CheckpointPlan {
  const options = typeof given === "string" ? { path: given } : given;
  checkOptions("fit: checkpoint", options, names);
  const {
    path,
    everyEpochs = 1,
    everySteps = Infinity,
    everyMinutes = Infinity,
    keepLast = Infinity,
  } = options;
  const best = typeof options.best === "string" ? { path: options.best } : options.best;
  const { restoreBest = false, trainedOnly = false } = options;
  if (typeof path !== "string" || path === "")
    throw new ArgumentError(`fit: checkpoint needs the path of a file, got ${JSON.stringify(path)}`);
  for (const [name, value] of Object.entries({ everyEpochs, everySteps, keepLast })) {
    if (value === Infinity || (Number.isInteger(value) && value >= 1)) continue;
    throw new ArgumentError(`fit: checkpoint: ${name} must be an integer of 1 or more, got ${value}`);
  }
  if (!(everyMinutes > 0))
    throw new ArgumentError(`fit: checkpoint: everyMinutes must be above 0, got ${everyMinutes}`);
  if (keepLast !== Infinity && !hasNumbers(path)) {
    throw new ArgumentError(
      `fit: checkpoint: keepLast needs a file for each state: put {step} or {epoch} into the name of "${path}"`,
    );
  }
  if (/[{]/.test(parentFolder(path)))
    throw new ArgumentError(
      `fit: checkpoint: {step} and {epoch} belong into the file's name, not its folder: "${path}"`,
    );
  if (restoreBest && best === undefined)
    throw new ArgumentError("fit: checkpoint: restoreBest needs a file for the best weights: { best: path }");
  return { path, everyEpochs, everySteps, everyMinutes, keepLast, best, restoreBest, trainedOnly };
}

const numbers = /\{(step|epoch)\}/g;
const hasNumbers = (path: string): boolean => /\{(step|epoch)\}/.test(path);

/** The file of a state. */
export const pathOf = (path: string, at: { readonly step: number; readonly epoch: number }): string =>
  path.replace(numbers, (_, name: "step" | "epoch") => String(at[name]));

/** The files there are for a path, the newest first. */
export async function filesOf(path: string): Promise<string[]> {
  if (!hasNumbers(path)) return [path];
  const folder = parentFolder(path);
  const name = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  const order = [...name.matchAll(numbers)].map((match) => match[1]!);
  const parts = name.split(/\{(?:step|epoch)\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`^${parts.join("(\\d+)")}$`);
  const found = ((await listFolder(folder)) ?? []).flatMap(({ name: own, isFolder }) => {
    const match = isFolder ? null : pattern.exec(own);
    if (match === null) return [];
    const at = Object.fromEntries(order.map((key, i) => [key, Number(match[i + 1])]));
    return [{ path: joinPath(folder, own), step: at["step"] ?? 0, epoch: at["epoch"] ?? 0 }];
  });
  return found.sort((a, b) => b.step - a.step || b.epoch - a.epoch).map((file) => file.path);
}
