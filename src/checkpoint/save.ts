/** Writing checkpoints. */
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { Loader } from "../data/index.ts";
import { writeSafetensors } from "../formats/index.ts";
import type { Module } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { cpuDevice } from "../runtime/devices.ts";
import type { StateTensor } from "../tensor/index.ts";
import { isOwnKey, keys, layoutVersion, optimizerPrefix, randomPrefix } from "./layout.ts";

export interface SaveOptions {
  /** Its moments and step counter are saved too, and the random streams of the model, so that training can go on. */
  readonly optimizer?: Optimizer;
  /** Its position is saved too. */
  readonly loader?: Loader<any>;
  /** Anything that JSON can hold, for the code that resumes. */
  readonly progress?: unknown;
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
  const { optimizer, loader, progress, metadata = {} } = options;
  const own = Object.keys(metadata).find(isOwnKey);
  if (own !== undefined) {
    throw new ArgumentError(
      `save: metadata "${own}" begins with "netwright.", which is reserved; choose another key`,
    );
  }
  const tensors = await readStates(model.stateDict());
  if (optimizer) {
    for (const [name, array] of await readStates(optimizer.stateDict()))
      tensors.set(optimizerPrefix + name, array);
    for (const [name, array] of await readStates(model.namedRandomStreams()))
      tensors.set(randomPrefix + name, array);
  }
  const facts: [string, string | undefined][] = [
    [keys.version, String(layoutVersion)],
    [keys.arithmetic, cpuDevice().arithmetic],
    [keys.loader, loader && JSON.stringify(loader.state())],
    [keys.progress, JSON.stringify(progress)],
    ...Object.entries(metadata),
  ];
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
  await writeSafetensors(path, tensors, { metadata: new Map(known) });
}

/** All values of one moment: every read begins before the first is awaited. */
async function readStates(states: ReadonlyMap<string, StateTensor>): Promise<Map<string, HostArray>> {
  const reads = [...states].map(async ([name, state]) => [name, await state.toHost()] as const);
  return new Map(await Promise.all(reads));
}
