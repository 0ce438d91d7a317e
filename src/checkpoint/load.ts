/** Reading checkpoints: all or nothing. */
import { ArgumentError, DTypeError, type NetwrightError, nearestName, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { MappedArray } from "../base/mapped-array.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import type { Loader, LoaderState } from "../data/index.ts";
import { openSafetensors, parseSafetensors } from "../formats/index.ts";
import type { LoadReport, Module, StateValue } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { cpuDevice } from "../runtime/devices.ts";
import type { StateTensor } from "../tensor/index.ts";
import { stateDigests } from "./digest.ts";
import {
  checkVersion,
  isOwnKey,
  keys,
  optimizerPrefix,
  parseFact,
  randomPrefix,
  trainingPrefix,
} from "./layout.ts";

export interface LoadOptions {
  /** Default true: a name that only the model or only the file has is an error. False leaves such names out. */
  readonly strict?: boolean;
  /** Default false: another dtype is an error. True converts to the dtype the model has. */
  readonly cast?: boolean;
  /**
   * Default false. True leaves the weights in the file: it is mapped into memory, where programs of machine code read it in
   * place, so loading takes milliseconds and processes that load one file share its pages. A parameter that is trained is
   * copied by its first update. The file may be replaced (by renaming, as `save` does) but not cut short or written in place
   * meanwhile: that ends the process. Where that cannot be done they are read; `notMapped` tells why.
   */
  readonly mmap?: boolean;
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
  /** What `save` was given as `arrays`. */
  readonly arrays: ReadonlyMap<string, HostArray>;
  /** The arithmetic the file was saved under. With another one, training goes on within rounding, not bit for bit. */
  readonly arithmetic: string | undefined;
  readonly isSameArithmetic: boolean;
  /** Why the weights were read into memory; undefined when they were left in the file. */
  readonly notMapped: string | undefined;
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
  const { strict, cast, optimizer, loader, mmap } = options;
  const path = typeof source === "string" ? source : "the given bytes";
  const content = typeof source === "string" ? await contentOf(source, mmap) : contentOfBytes(source, path);
  const { metadata, notMapped } = content;
  checkVersion(path, metadata);
  const facts = factsOf(path, metadata);
  const { weights, moments, streams, arrays } = separate(content);
  for (const [name, state] of await leftOutStates(path, model, metadata)) weights.set(name, state);
  const updates = optimizer ? [...fitOptimizer(optimizer, moments), ...fitStreams(model, streams)] : [];
  const positionBefore = loader?.position;
  if (loader) loader.restore(requireLoader(path, facts.loader));
  try {
    const report = model.loadStateDict(weights, { strict, cast });
    for (const [state, value] of updates) state.assign(value);
    return { ...report, ...facts, arrays, notMapped };
  } catch (error) {
    if (loader) loader.seek(positionBefore!);
    throw error;
  }
}

interface Content {
  readonly tensors: ReadonlyMap<string, HostArray | MappedArray>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly notMapped: string | undefined;
}

const contentOfBytes = (bytes: Uint8Array, name: string): Content => ({
  ...parseSafetensors(bytes, name),
  notMapped: "bytes were given, not a path",
});

async function contentOf(path: string, mmap: boolean | undefined): Promise<Content> {
  const device = cpuDevice();
  const isMapped = mmap === true && device.readsMappedFiles;
  const file = await openSafetensors(path, { mmap: isMapped });
  try {
    const tensors = new Map<string, HostArray | MappedArray>();
    for (const name of file.tensors.keys())
      tensors.set(name, await (isOwnTensor(name) ? file.read(name) : file.map(name)));
    const inMemory =
      mmap === true && !isMapped ? `the device ${device.name} has a memory of its own` : undefined;
    return { tensors, metadata: file.metadata, notMapped: inMemory ?? file.notMapped };
  } finally {
    await file.close();
  }
}

const isOwnTensor = (name: string): boolean =>
  [optimizerPrefix, randomPrefix, trainingPrefix].some((prefix) => name.startsWith(prefix));

function requireLoader(path: string, state: LoaderState | undefined): LoaderState {
  if (state !== undefined) return state;
  throw new ArgumentError(
    `load: "${path}" holds no loader's position; it was saved without { loader }. Load it without to start at the beginning`,
  );
}

function factsOf(
  path: string,
  metadata: ReadonlyMap<string, string>,
): Omit<Loaded, keyof LoadReport | "arrays" | "notMapped"> {
  const arithmetic = metadata.get(keys.arithmetic);
  return {
    metadata: new Map([...metadata].filter(([key]) => !isOwnKey(key))),
    loader: parseFact(path, metadata, keys.loader) as LoaderState | undefined,
    progress: parseFact(path, metadata, keys.progress),
    arithmetic,
    isSameArithmetic: arithmetic === cpuDevice().arithmetic,
  };
}

/** What the file left out, as the model holds it: after it was found to be what the file was saved beside. */
async function leftOutStates(
  path: string,
  model: Module,
  metadata: ReadonlyMap<string, string>,
): Promise<Map<string, StateTensor>> {
  const wanted = Object.entries((parseFact(path, metadata, keys.leftOut) ?? {}) as Record<string, string>);
  const all = model.stateDict();
  const states = new Map<string, StateTensor>();
  for (const [name] of wanted) {
    const state = all.get(name);
    if (state === undefined) throw otherBase(path, `it has no "${name}"`);
    states.set(name, state);
  }
  const found = await stateDigests(states);
  const others = wanted.filter(([name, digest]) => found.get(name) !== digest);
  if (others.length === 0) return states;
  throw otherBase(path, `${others.length} of ${wanted.length} differ, "${others[0]![0]}" is the first`);
}

const otherBase = (path: string, how: string): NetwrightError =>
  new ArgumentError(
    `load: "${path}" holds what was trained beside frozen weights, and this model has others (${how}): load the model that training began with`,
  );

type Values = Map<string, HostArray>;

/** The model's values, the optimizer's, the random streams' and other arrays, under their own names. */
function separate({ tensors }: Content): {
  weights: Map<string, StateValue>;
  moments: Values;
  streams: Values;
  arrays: Values;
} {
  const weights = new Map<string, StateValue>();
  const [moments, streams, arrays]: [Values, Values, Values] = [new Map(), new Map(), new Map()];
  for (const [name, array] of tensors) {
    if (array instanceof MappedArray) weights.set(name, array);
    else if (name.startsWith(optimizerPrefix)) moments.set(name.slice(optimizerPrefix.length), array);
    else if (name.startsWith(randomPrefix)) streams.set(name.slice(randomPrefix.length), array);
    else if (name.startsWith(trainingPrefix)) arrays.set(name.slice(trainingPrefix.length), array);
    else weights.set(name, array);
  }
  return { weights, moments, streams, arrays };
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
