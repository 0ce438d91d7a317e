/** A config's values: names become what they stand for, functions are called. */
import { seed as setSeed } from "../base/default-key.ts";
import { type Columns, Dataset } from "../data/index.ts";
import { Module } from "../nn/index.ts";
import type { FitOptions } from "../train/index.ts";
import type { Named, TrainConfig, TrainingData } from "./define.ts";
import { at, configError, explained, isNamed, isPlain, makeNamed, type Place, shown } from "./named.ts";
import {
  callbackNames,
  dataNames,
  lossNames,
  metricNames,
  modelNames,
  optimizerNames,
  scheduleNames,
} from "./names.ts";
import type { ConfigFile } from "./read.ts";

/** What is trained, on what, and how. */
export interface Setup {
  readonly data: TrainingData;
  readonly model: Module;
  readonly options: FitOptions;
}

/** The seed is set first: the same config gives the same first weights. @throws ArgumentError naming the key of what is refused */
export async function resolveConfig({ path, config }: ConfigFile): Promise<Setup> {
  const place = { file: path, key: "" };
  const { seed = 0 } = config;
  setSeed(seed);
  const data = await resolveData(at(place, "data"), config.data);
  setSeed(seed);
  const model = await resolveModel(at(place, "model"), config.model, data);
  return {
    data,
    model,
    options: { seed, ...resolveFit(at(place, "fit"), config.fit), ...validationOf(data) },
  };
}

const validationOf = ({ validation }: TrainingData): Pick<FitOptions, "validation"> =>
  validation === undefined ? {} : { validation };

async function resolveData(place: Place, given: TrainConfig["data"]): Promise<TrainingData> {
  const found =
    typeof given === "function"
      ? await given()
      : isNamed(given) && !isTrainingData(given)
        ? await makeNamed(place, { what: "data set", names: dataNames }, given)
        : given;
  if (isTrainingData(found)) return found;
  throw configError(
    place,
    `must give { train: a Dataset, validation, test }, got ${shown(found)}${copyHint(found)}`,
  );
}

const isTrainingData = (value: unknown): value is TrainingData =>
  typeof value === "object" && value !== null && (value as TrainingData).train instanceof Dataset;

async function resolveModel(place: Place, given: TrainConfig["model"], data: TrainingData): Promise<Module> {
  const found =
    given instanceof Module
      ? given
      : typeof given === "function"
        ? await given(data)
        : layer(place, given, data);
  if (found instanceof Module) return found;
  throw configError(place, `must give a Module, got ${shown(found)}${copyHint(found)}`);
}

/** Classes of another copy of Netwright are not ours, whatever their names. */
const copyHint = (found: unknown): string =>
  typeof found === "object" && found !== null && !isPlain(found)
    ? "; if it is one, the config imports another copy of netwright than this program: run the project's own (npx netwright)"
    : "";

/** A layer by name; layers among its arguments are made first, and sizes that follow from the data are filled in. */
function layer(place: Place, given: unknown, data: TrainingData): unknown {
  if (!isNamed(given)) throw configError(place, `must be a layer by name, got ${shown(given)}`);
  const resolveArgument = (argument: unknown, where: Place): unknown => {
    const size = sizeOf(argument, data, where);
    if (size !== undefined) return size;
    if (typeof argument === "string" && Object.hasOwn(modelNames, argument))
      return layer(where, argument, data);
    const [name] = isPlain(argument) ? Object.keys(argument) : [];
    return name !== undefined && Object.hasOwn(modelNames, name) ? layer(where, argument, data) : argument;
  };
  return makeNamed(place, { what: "layer or model", names: modelNames, resolveArgument }, given as never);
}

/** `"features"`: numbers of a sample; `"classes"`: how many labels there are. */
function sizeOf(
  argument: unknown,
  { train, classes, pipeline }: TrainingData,
  place: Place,
): number | undefined {
  if (argument === "features") {
    const columns = Object.values(train.columns as Columns);
    return pipeline?.featureCount ?? columns[0]!.shape.reduce((product, size) => product * size, 1);
  }
  if (argument !== "classes") return undefined;
  if (classes !== undefined) return classes.length;
  throw configError(place, 'is "classes", but the data names none: write their number');
}

function resolveFit(place: Place, given: TrainConfig["fit"]): FitOptions {
  const { loss, optimizer, metrics = [], callbacks = [], ...rest } = given;
  const named = (
    key: string,
    what: string,
    names: typeof lossNames,
    value: unknown,
    resolveArgument = plain,
  ): unknown => (isNamed(value) ? makeNamed(at(place, key), { what, names, resolveArgument }, value) : value);
  const each = (key: string, what: string, names: typeof lossNames, list: readonly unknown[]): unknown[] =>
    list.map((item, i) => (isNamed(item) ? makeNamed(at(at(place, key), i), { what, names }, item) : item));
  const made = named("optimizer", "optimizer", optimizerNames, optimizer, withSchedules);
  return {
    ...rest,
    loss: named("loss", "loss", lossNames, loss) as FitOptions["loss"],
    optimizer: explainedOptimizer(at(place, "optimizer"), made as FitOptions["optimizer"]),
    metrics: each("metrics", "metric", metricNames, metrics) as NonNullable<FitOptions["metrics"]>,
    callbacks: each("callbacks", "callback", callbackNames, callbacks) as NonNullable<
      FitOptions["callbacks"]
    >,
  };
}

const plain = (argument: unknown, _place: Place): unknown => argument;

/** Options are examined when the optimizer meets its parameters. */
const explainedOptimizer = (place: Place, made: FitOptions["optimizer"]): FitOptions["optimizer"] =>
  typeof made === "function" ? (parameters) => explained(place, () => made(parameters)) : made;

/** `learningRate` may be a schedule by name. */
function withSchedules(argument: unknown, place: Place): unknown {
  if (!isPlain(argument)) return argument;
  const { learningRate } = argument;
  if (!isNamed(learningRate)) return argument;
  return { ...argument, learningRate: schedule(learningRate, at(place, "learningRate")) };
}

const schedule = (given: Named, place: Place): unknown =>
  makeNamed(place, { what: "schedule", names: scheduleNames, resolveArgument: schedulesIn }, given);

/** What a schedule is made of may be schedules: alone, in lists, among options. */
function schedulesIn(argument: unknown, place: Place): unknown {
  if (Array.isArray(argument)) return argument.map((item, i) => schedulesIn(item, at(place, i)));
  if (!isPlain(argument)) return argument;
  const [name, ...others] = Object.keys(argument);
  if (name !== undefined && others.length === 0 && Object.hasOwn(scheduleNames, name))
    return schedule(argument, place);
  return Object.fromEntries(
    Object.entries(argument).map(([key, value]) => [key, schedulesIn(value, at(place, key))]),
  );
}
