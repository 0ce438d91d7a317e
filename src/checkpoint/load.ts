/** Reading checkpoints: all or nothing. */
import { ArgumentError, DTypeError, type NetwrightError, nearestName, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import type { Loader, LoaderState } from "../data/index.ts";
import { parseSafetensors, readSafetensors } from "../formats/index.ts";
import type { LoadReport, Module } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { cpuDevice } from "../runtime/devices.ts";
import type { StateTensor } from "../tensor/index.ts";
import { checkVersion, isOwnKey, keys, optimizerPrefix, parseFact, randomPrefix } from "./layout.ts";

export interface LoadOptions {
  /** Default true: a name that only the model or only the file has is an error. False leaves such names out. */
  readonly strict?: boolean;
  /** Default false: another dtype is an error. True converts to the dtype the model has. */
  readonly cast?: boolean;
  /** Gets its moments and step counter back, and the model its random streams; the file must have been saved with one of the same kind. */
  readonly optimizer?: Optimizer;
  /** Goes on where the saved one stood; it must give the same batches. */
  readonly loader?: Loader<any>;
}

/** What a file said beside its tensors. */
export interface Loaded extends LoadReport {
  readonly metadata: ReadonlyMap<string, string>;
  /** Where the loader stood; undefined when the file was saved without one. */
  readonly loader: LoaderState | undefined;
  /** What `save` was given as `progress`. */
  readonly progress: unknown;
  /** The arithmetic the file was saved under. With another one, training goes on within rounding, not bit for bit. */
  readonly arithmetic: string | undefined;
  readonly isSameArithmetic: boolean;
}

/**
 * Sets a model's parameters and buffers to those of a .safetensors file, by name. Either everything fits and is set, or
 * nothing changes.
 *
 * @param source the file's path (in a page its URL, also one of a Blob), or its bytes
 * @throws FileError when it cannot be read; FormatError when it is damaged or no safetensors file; ArgumentError for names
 * of one side only (with the nearest), ShapeError and DTypeError for values that do not fit
 * @example
 * const model = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2));
 * await save(model, "model.safetensors");
 * await load(model, "model.safetensors");
 */
export async function load(
  model: Module,
  source: string | Uint8Array,
  options: LoadOptions = {},
): Promise<Loaded> {
  const { strict, cast, optimizer, loader } = options;
  const isBytes = typeof source !== "string";
  const path = isBytes ? "the given bytes" : source;
  const { tensors, metadata } = isBytes ? parseSafetensors(source, path) : await readSafetensors(source);
  checkVersion(path, metadata);
  const facts = factsOf(path, metadata);
  const { weights, moments, streams } = separate(tensors);
  const updates = optimizer ? [...fitOptimizer(optimizer, moments), ...fitStreams(model, streams)] : [];
  const positionBefore = loader?.position;
  if (loader) loader.restore(requireLoader(path, facts.loader));
  try {
    const report = model.loadStateDict(weights, { strict, cast });
    for (const [state, value] of updates) state.assign(value);
    return { ...report, ...facts };
  } catch (error) {
    if (loader) loader.seek(positionBefore!);
    throw error;
  }
}

function requireLoader(path: string, state: LoaderState | undefined): LoaderState {
  if (state !== undefined) return state;
  throw new ArgumentError(
    `load: "${path}" holds no loader's position; it was saved without { loader }. Load it without to start at the beginning`,
  );
}

function factsOf(path: string, metadata: ReadonlyMap<string, string>): Omit<Loaded, keyof LoadReport> {
  const arithmetic = metadata.get(keys.arithmetic);
  return {
    metadata: new Map([...metadata].filter(([key]) => !isOwnKey(key))),
    loader: parseFact(path, metadata, keys.loader) as LoaderState | undefined,
    progress: parseFact(path, metadata, keys.progress),
    arithmetic,
    isSameArithmetic: arithmetic === cpuDevice().arithmetic,
  };
}

type Values = Map<string, HostArray>;

/** The model's values, the optimizer's and the random streams', under their own names. */
function separate(
  tensors: ReadonlyMap<string, HostArray>,
): Record<"weights" | "moments" | "streams", Values> {
  const [weights, moments, streams]: Values[] = [new Map(), new Map(), new Map()];
  for (const [name, array] of tensors) {
    if (name.startsWith(optimizerPrefix)) moments!.set(name.slice(optimizerPrefix.length), array);
    else if (name.startsWith(randomPrefix)) streams!.set(name.slice(randomPrefix.length), array);
    else weights!.set(name, array);
  }
  return { weights: weights!, moments: moments!, streams: streams! };
}

/** Each random stream of the model with its value: a run that went on with other numbers would be another run. */
function fitStreams(model: Module, values: Values): [StateTensor, HostArray][] {
  const streams = model.namedRandomStreams();
  const lost = [...values.keys()].find((name) => !streams.has(name));
  if (lost !== undefined) {
    throw new ArgumentError(
      `load: the file holds a random stream "${lost}", the model has none of that name`,
    );
  }
  return [...streams].map(([name, state]) => {
    const value = values.get(name);
    if (value === undefined) {
      throw new ArgumentError(
        `load: the model draws from a random stream "${name}", which the file does not hold`,
      );
    }
    checkFits("random stream", name, state, value);
    return [state, value];
  });
}

/** Each state of the optimizer with its value, after all of them were found to fit. */
function fitOptimizer(optimizer: Optimizer, values: Values): [StateTensor, HostArray][] {
  if (values.size === 0) {
    throw new ArgumentError(
      "load: the file holds no optimizer; it was saved without { optimizer }. Load the model alone to start its moments anew",
    );
  }
  const states = optimizer.stateDict();
  for (const name of values.keys()) if (!states.has(name)) throw foreignState(name, states);
  return [...states].map(([name, state]) => {
    const value = values.get(name);
    if (value === undefined) {
      throw new ArgumentError(
        `load: the optimizer keeps "${name}", the file does not: it was saved with another optimizer`,
      );
    }
    checkFits("optimizer state", name, state, value);
    return [state, value];
  });
}

function foreignState(name: string, states: ReadonlyMap<string, StateTensor>): NetwrightError {
  const nearest = nearestName(name, states.keys());
  return new ArgumentError(
    `load: the file holds optimizer state "${name}", which this optimizer does not keep` +
      `${nearest ? ` (it keeps "${nearest}")` : ""}: it was saved with another optimizer, or for another model`,
  );
}

function checkFits(what: string, name: string, state: StateTensor, value: HostArray): void {
  if (!sameShape(state.shape, value.shape)) {
    throw new ShapeError(
      `load: ${what} "${name}" has shape ${shapeText(state.shape)}, in the file ${shapeText(value.shape)}: ` +
        "it was saved for another model",
    );
  }
  if (state.dtype !== value.dtype) {
    throw new DTypeError(`load: ${what} "${name}" is ${state.dtype}, in the file ${value.dtype}`);
  }
}
