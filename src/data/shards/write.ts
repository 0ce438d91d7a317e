/** Writing a dataset as shards. */
import { fileSize, joinPath, makeFolder, writeFileAtomic } from "#platform";
import { ArgumentError } from "../../base/errors.ts";
import { countElements, hostArray } from "../../base/host-array.ts";
import { checkOptions } from "../../base/options.ts";
import { writeSafetensors } from "../../formats/index.ts";
import { type Columns, storedColumns } from "../column.ts";
import type { Dataset } from "../dataset.ts";
import { sampleBytes } from "../deliver.ts";
import { type LoaderOptions, loader } from "../loader.ts";
import { allocate, type Buffers } from "../source.ts";
import { formatName, indexFile, type ShardEntry, type ShardsDescription } from "./description.ts";

/** What is read at once should be large enough for a disk, and small enough for many of them to be in memory. */
const blockBytes = 2 ** 20;

export interface WriteShardsOptions {
  /** Of each file, about: 64 MiB. So much memory is needed. */
  readonly shardBytes?: number;
  /** Anything that tells where the samples come from: `cachedShards` compares it. */
  readonly tag?: string;
  /** What becomes of samples that cannot be delivered, as for `loader`: `"fail"`, or they are left out. */
  readonly corrupt?: LoaderOptions["corrupt"];
}

/**
 * Writes all samples of a dataset, in its order, into a folder that `shards` reads: some megabytes a file, in memory for one
 * of them. Bytes stay bytes. What functions of `map` make is written as they make it for seed 0, epoch 0.
 *
 * Files are safetensors, a tensor for each column; `index.json` is written last, so that a folder is complete or none.
 *
 * @throws ArgumentError when the folder holds shards already, FileError when it cannot be written, SampleError for a sample that
 * cannot be delivered
 * @example
 * await writeShards("digits", train.take(64));
 * const digits = await shards("digits");
 * digits.length; // 64
 */
export async function writeShards(
  folder: string,
  dataset: Dataset,
  options: WriteShardsOptions = {},
): Promise<void> {
  checkOptions("writeShards", options, ["shardBytes", "tag", "corrupt"]);
  const { shardBytes = 2 ** 26, tag = "", corrupt = "fail" } = options;
  if (!(shardBytes > 0))
    throw new ArgumentError(`writeShards: shardBytes must be positive, got ${shardBytes}`);
  if ((await fileSize(joinPath(folder, indexFile))) !== undefined)
    throw new ArgumentError(
      `writeShards: "${folder}" holds shards already; remove it, or name another folder`,
    );
  await makeFolder(folder);
  const columns: Columns = dataset.columns;
  const bytes = Math.max(1, sampleBytes(columns));
  const blockSamples = Math.max(1, Math.min(2 ** 16, Math.floor(blockBytes / bytes)));
  const blocksInShard = Math.max(1, Math.round(shardBytes / bytes / blockSamples));
  const writer = new ShardWriter(folder, columns, blockSamples * blocksInShard);
  const batchSize = Math.min(blockSamples, 256);
  for await (const batch of loader(dataset, { batchSize, stored: true, corrupt })) await writer.add(batch);
  await writer.end();
  const { entries } = writer;
  const samples = entries.reduce((sum, entry) => sum + entry.samples, 0);
  if (samples === 0) throw new ArgumentError("writeShards: no sample of the dataset could be delivered");
  const index: ShardsDescription = {
    ...{ format: formatName, version: 1, samples, blockSamples, tag },
    columns,
    shards: entries,
  };
  const text = `${JSON.stringify(index, undefined, 1)}\n`;
  await writeFileAtomic(joinPath(folder, indexFile), new TextEncoder().encode(text));
}

/** Gathers samples until a file is full. */
class ShardWriter {
  readonly entries: ShardEntry[] = [];
  readonly #folder: string;
  readonly #columns: Columns;
  readonly #capacity: number;
  readonly #buffers: Buffers;
  #count = 0;

  constructor(folder: string, columns: Columns, capacity: number) {
    this.#folder = folder;
    this.#columns = storedColumns(columns);
    this.#capacity = capacity;
    this.#buffers = allocate(this.#columns, capacity);
  }

  async add(
    batch: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: any }>>,
  ): Promise<void> {
    const total = Object.values(batch)[0]!.shape[0]!;
    for (let done = 0; done < total; ) {
      const count = Math.min(total - done, this.#capacity - this.#count);
      for (const [name, { shape }] of Object.entries(this.#columns)) {
        const size = countElements(shape);
        const part = batch[name]!.data.subarray(done * size, (done + count) * size);
        this.#buffers[name]!.set(part, this.#count * size);
      }
      done += count;
      this.#count += count;
      if (this.#count === this.#capacity) await this.end();
    }
  }

  /** Writes what is there. */
  async end(): Promise<void> {
    const samples = this.#count;
    if (samples === 0) return;
    const tensors = Object.entries(this.#columns).map(([name, { dtype, shape }]) => {
      const data = this.#buffers[name]!.subarray(0, samples * countElements(shape));
      return [name, hostArray(dtype, [samples, ...shape], data as never)] as const;
    });
    const file = `shard-${String(this.entries.length).padStart(5, "0")}.safetensors`;
    const path = joinPath(this.#folder, file);
    await writeSafetensors(path, new Map(tensors));
    this.entries.push({ file, samples, bytes: (await fileSize(path))! });
    this.#count = 0;
  }
}
