/** Reading what runs left. Files from outside are only data: what does not fit is left out or refused by name. */
import { joinPath, listFolder, readFile } from "#platform";
import { FileError, FormatError, nearestName } from "../base/errors.ts";
import { checkpointsIn, type KeptCheckpoint } from "./checkpoints.ts";
import type { Evaluation } from "./evaluation.ts";
import { jsonOrUndefined } from "./json.ts";
import {
  type Environment,
  type EpochLine,
  files,
  type HistogramLine,
  layoutVersion,
  type MetricsLine,
  type RunConfig,
  type RunResult,
  type StepLine,
  type WarningLine,
} from "./layout.ts";
import { readLines } from "./line-log.ts";

/** A run as its folder tells it. */
export interface RunRecord {
  readonly path: string;
  readonly config: RunConfig;
  readonly environment: Environment | undefined;
  /** By step, each once: what a resumed run did again counts as it was done last. */
  readonly steps: readonly StepLine[];
  readonly epochs: readonly EpochLine[];
  readonly warnings: readonly WarningLine[];
  /** Missing for a run that goes on, or was killed. */
  readonly result: RunResult | undefined;
}

/**
 * A run's options, environment, steps and epochs.
 *
 * @throws FileError when there is no such run; FormatError for a folder of a later version, or whose config.json is damaged
 * @example
 * const run = recordRun({ name: "read-me" });
 * run.log({ loss: 0.5 }, 1);
 * await run.close();
 * const { steps } = await readRun("runs/read-me");
 * steps[0]!.values["loss"]; // 0.5
 */
export async function readRun(path: string): Promise<RunRecord> {
  const config = (await readJson(path, files.config)) as RunConfig | undefined;
  if (config === undefined) throw await noRun(path);
  checkConfig(path, config);
  const [environment, result, lines] = await Promise.all([
    readJson(path, files.environment) as Promise<Environment | undefined>,
    readJson(path, files.result) as Promise<RunResult | undefined>,
    linesOf(path, files.metrics),
  ]);
  return { path, config, environment, result, ...sorted(lines as unknown as MetricsLine[]) };
}

/** Distributions of weights and gradients, in the order they were taken. @example (await readHistograms("no-such-run")).length // 0 */
export const readHistograms = async (path: string): Promise<HistogramLine[]> =>
  (await linesOf(path, files.histograms)) as unknown as HistogramLine[];

/**
 * What the model answered on its validation data; undefined when that was not recorded.
 *
 * @example (await readEvaluation("no-such-run")) === undefined; // true
 */
export const readEvaluation = async (path: string): Promise<Evaluation | undefined> =>
  (await readJson(path, files.evaluation)) as Evaluation | undefined;

/** The training states in a run's folder, by step. @example (await readCheckpoints("no-such-run")).length // 0 */
export const readCheckpoints = (path: string): Promise<KeptCheckpoint[]> => checkpointsIn(path);

/**
 * All runs in a folder, by name; what is no run is passed over.
 *
 * @example (await listRuns("no-such-folder")).length; // 0
 */
export async function listRuns(folder = "runs"): Promise<RunRecord[]> {
  const entries = (await listFolder(folder)) ?? [];
  const paths = entries.filter(({ isFolder }) => isFolder).map(({ name }) => joinPath(folder, name));
  const runs = await Promise.all(paths.map((path) => readRun(path).catch(ignored)));
  return runs.filter((run) => run !== undefined);
}

function ignored(error: unknown): undefined {
  if (error instanceof FileError || error instanceof FormatError) return undefined;
  throw error;
}

/** Undefined for a file that is not there. @throws FormatError for one that is damaged */
async function readJson(path: string, file: string): Promise<object | undefined> {
  const entries = await listFolder(path);
  if (!entries?.some(({ name }) => name === file)) return undefined;
  const content = jsonOrUndefined(new TextDecoder().decode(await readFile(joinPath(path, file))));
  if (typeof content === "object" && content !== null) return content;
  throw new FormatError(`"${joinPath(path, file)}" is damaged: it is not a JSON object`);
}

async function linesOf(path: string, file: string): Promise<Record<string, unknown>[]> {
  const entries = await listFolder(path);
  return entries?.some(({ name }) => name === file) ? readLines(joinPath(path, file)) : [];
}

function checkConfig(path: string, { layout, options, name }: RunConfig): void {
  if (typeof layout === "number" && layout > layoutVersion)
    throw new FormatError(
      `"${path}" has layout ${layout}, this release reads ${layoutVersion}; read it with the release that wrote it, or later`,
    );
  if (
    typeof layout !== "number" ||
    typeof name !== "string" ||
    typeof options !== "object" ||
    options === null
  )
    throw new FormatError(`"${joinPath(path, files.config)}" is damaged: it lacks layout, name or options`);
}

async function noRun(path: string): Promise<FileError> {
  const [, parent = ".", name = path] = /^(?:(.*)[\\/])?([^\\/]+)[\\/]*$/.exec(path) ?? [];
  const siblings = ((await listFolder(parent)) ?? []).filter(({ isFolder }) => isFolder);
  const near = nearestName(
    name,
    siblings.map((entry) => entry.name),
  );
  const hint = near === undefined || near === name ? "" : `; did you mean "${joinPath(parent, near)}"?`;
  return new FileError(`"${path}" is no run: it holds no ${files.config}${hint}`);
}

/** Lines in the order of steps and epochs. A line that says where training began anew takes back what was said of later steps. */
function sorted(lines: readonly MetricsLine[]): Pick<RunRecord, "steps" | "epochs" | "warnings"> {
  let steps: StepLine[] = [];
  let epochs: EpochLine[] = [];
  let warnings: WarningLine[] = [];
  for (const line of lines) {
    if (line.type === "start") {
      steps = steps.filter(({ step }) => step <= line.step);
      epochs = epochs.filter(({ step }) => step <= line.step);
      warnings = warnings.filter(({ step }) => step <= line.step);
    } else if (line.type === "step" && typeof line.values === "object") addStep(steps, line);
    else if (line.type === "epoch" && typeof line.scores === "object") epochs.push(line);
    else if (line.type === "warning" && typeof line.message === "string") warnings.push(line);
  }
  return { steps: steps.sort((a, b) => a.step - b.step), epochs, warnings };
}

/** Values of one step that were logged in several calls are one. */
function addStep(steps: StepLine[], line: StepLine): void {
  const last = steps.at(-1);
  if (last?.step !== line.step) steps.push(line);
  else steps[steps.length - 1] = { ...last, ...line, values: { ...last.values, ...line.values } };
}
