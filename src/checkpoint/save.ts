/** Writing checkpoints. */
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { Loader } from "../data/index.ts";
import { serializeSafetensors, writeSafetensors } from "../formats/index.ts";
import type { Module } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { cpuDevice } from "../runtime/devices.ts";
import type { StateTensor } from "../tensor/index.ts";
import { isOwnKey, keys, layoutVersion, optimizerPrefix, randomPrefix, trainingPrefix } from "./layout.ts";

export interface SaveOptions {
  /** Its moments and step counter are saved too, and the random streams of the model, so that training can go on. */
  readonly optimizer?: Optimizer;
  /** Its position is saved too. */
  readonly loader?: Loader<any>;
  /** Anything that JSON can hold, for the code that resumes. */
  readonly progress?: unknown;
  /** Arrays by name, for the code that resumes. */
  readonly arrays?: ReadonlyMap<string, HostArray>;
  /**
   * States that are left out, as another file has them (a frozen base), with their digests (`stateDigests`): `load` refuses the file for
   * a model that holds other values.
   */
  readonly leftOut?: ReadonlyMap<string, string>;
  /** Strings about the file, kept in its header. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Saves a model's parameters and buffers to a .safetensors file, under their names in `stateDict()`. The file replaces an
 * old one only when it is complete: a full disk or a crash leaves the old one as it was.
 *
 * With an optimizer and a loader's position it is a whole training state, and still a model's file: `load` without options,
 * and other programs, read the weights from it.
 *
 * @throws FileError when the file cannot be written, ArgumentError for metadata keys that begin with "netwright."
 * @example
 * const model = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2));
 * await save(model, "model.safetensors", { metadata: { license: "MIT" } });
 */
export async function save(model: Module, path: string, options: SaveOptions = {}): Promise<void> {
  const { tensors, metadata } = await contentOf("save", model, options);
  await writeSafetensors(path, tensors, { metadata });
}

/**
 * The bytes of the file that `save` writes: for a page, which has no files and offers them as a download, or for a database.
 * `load` takes them back.
 *
 * @throws ArgumentError for metadata keys that begin with "netwright."
 * @example
 * const model = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2));
 * const bytes = await serialize(model);
 * await load(model, bytes);
 */
export async function serialize(model: Module, options: SaveOptions = {}): Promise<Uint8Array> {
  const { tensors, metadata } = await contentOf("serialize", model, options);
  return serializeSafetensors(tensors, { metadata });
}

interface Content {
  readonly tensors: Map<string, HostArray>;
  readonly metadata: Map<string, string>;
}

async function contentOf(caller: string, model: Module, options: SaveOptions): Promise<Content> {
  const { optimizer, loader, progress, arrays = new Map(), metadata = {} } = options;
  const { leftOut = new Map<string, string>() } = options;
  const own = Object.keys(metadata).find(isOwnKey);
  if (own !== undefined) {
    throw new ArgumentError(
      `${caller}: metadata "${own}" begins with "netwright.", which is reserved; choose another key`,
    );
  }
  const tensors = await readStates(new Map([...model.stateDict()].filter(([name]) => !leftOut.has(name))));
  if (optimizer) {
    for (const [name, array] of await readStates(optimizer.stateDict()))
      tensors.set(optimizerPrefix + name, array);
    for (const [name, array] of await readStates(model.namedRandomStreams()))
      tensors.set(randomPrefix + name, array);
  }
  for (const [name, array] of arrays) tensors.set(trainingPrefix + name, array);
  const facts: [string, string | undefined][] = [
    [keys.version, String(layoutVersion)],
    [keys.arithmetic, cpuDevice().arithmetic],
    [keys.loader, loader && JSON.stringify(loader.state())],
    [keys.progress, JSON.stringify(progress)],
    [keys.leftOut, leftOut.size > 0 ? JSON.stringify(Object.fromEntries(leftOut)) : undefined],
    ...Object.entries(metadata),
  ];
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
  return { tensors, metadata: new Map(known) };
}

/** All values of one moment: every read begins before the first is awaited. */
async function readStates(states: ReadonlyMap<string, StateTensor>): Promise<Map<string, HostArray>> {
  const reads = [...states].map(async ([name, state]) => [name, await state.toHost()] as const);
  return new Map(await Promise.all(reads));
}
