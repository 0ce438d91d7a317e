/** Weights where they lie: a folder of safetensors, in one file or in shards. */
import { fileSize, joinPath } from "#platform";
import { FileError, FormatError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { MappedArray } from "../base/mapped-array.ts";
import { openSafetensors, type SafetensorsFile } from "../formats/index.ts";
import { readJson } from "../text/json-file.ts";

export type Weights = Map<string, HostArray | MappedArray>;

const single = "model.safetensors";
const index = "model.safetensors.index.json";

/**
 * All weights of a folder: `model.safetensors`, or the shards that `model.safetensors.index.json` names.
 *
 * @throws FileError when there are none, FormatError for an index that names other files or tensors than there are
 */
export async function readWeights(folder: string, { mmap }: { mmap: boolean }): Promise<Weights> {
  const weights: Weights = new Map();
  for (const [file, names] of await shardsOf(folder)) {
    const open = await openSafetensors(joinPath(folder, file), { mmap });
    try {
      for (const name of names ?? open.tensors.keys()) weights.set(name, await tensorOf(open, file, name));
    } finally {
      await open.close();
    }
  }
  return weights;
}

async function tensorOf(open: SafetensorsFile, file: string, name: string): Promise<HostArray | MappedArray> {
  if (open.tensors.has(name)) return open.map(name);
  throw new FormatError(
    `${index} says that ${file} holds "${name}", but it does not: download the model again`,
  );
}

/** Files, and the tensors of each: undefined for all. */
async function shardsOf(folder: string): Promise<Map<string, readonly string[] | undefined>> {
  if ((await fileSize(joinPath(folder, single))) !== undefined) return new Map([[single, undefined]]);
  const path = joinPath(folder, index);
  if ((await fileSize(path)) === undefined)
    throw new FileError(`"${folder}" holds neither ${single} nor ${index}: is it the folder of a model?`);
  const { weight_map: map } = ((await readJson(path)) ?? {}) as {
    weight_map?: unknown;
  };
  if (typeof map !== "object" || map === null) throw new FormatError(`"${path}" has no weight_map`);
  const shards = new Map<string, string[]>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[\w.-]+\.safetensors$/.test(file))
      throw new FormatError(
        `"${path}": "${name}" lies in ${JSON.stringify(file)}, which is no name of a shard`,
      );
    shards.set(file, [...(shards.get(file) ?? []), name]);
  }
  return shards;
}
