/** Datasets in folders of shards: any size, in bounded memory. */
import { fileSize, joinPath } from "#platform";
import type { TypedArray } from "../../base/dtype.ts";
import { ArgumentError, FileError, FormatError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import { openSafetensors } from "../../formats/index.ts";
import { type Columns, storedColumns } from "../column.ts";
import { Dataset } from "../dataset.ts";
import { sampleBytes, sampleCopier } from "../deliver.ts";
import { sampleError } from "../sample-error.ts";
import { allDone, type Buffers, type Delivery, plainDelivery, type Source } from "../source.ts";
import { columnText, readDescription, type ShardEntry, type ShardsDescription } from "./description.ts";
import { type WriteShardsOptions, writeShards } from "./write.ts";

export interface ShardsOptions {
  /**
   * Bytes of samples held in memory: 128 MiB. Half of it is shuffled together, the other half is read meanwhile. The order of
   * shuffled epochs depends on it.
   */
  readonly memoryBytes?: number;
}

/**
 * The dataset in a folder that `writeShards` has written. Samples are read in blocks of about a megabyte when they are needed;
 * of data of any size, `memoryBytes` are in memory.
 *
 * Shuffled loaders take blocks in random order, as many at a time as half of that memory holds, and shuffle their samples
 * among each other. What is asked for in an order that jumps (a shuffled `split`) is right, but reads a block for a sample: sort
 * the positions of a subset where there are many.
 *
 * @throws FileError when the folder or a shard is not there or was cut short, FormatError when the index is not one
 * @example
 * await writeShards("thousand-digits", digits.take(1000));
 * const thousand = await shards("thousand-digits");
 * for await (const { images } of loader(thousand, { batchSize: 100, shuffle: { seed: 1 } })) break;
 */
export async function shards<C extends Columns = Columns>(
  folder: string,
  options: ShardsOptions = {},
): Promise<Dataset<C>> {
  checkOptions("shards", options, ["memoryBytes"]);
  const { memoryBytes = 2 ** 27 } = options;
  if (!(memoryBytes > 0)) throw new ArgumentError(`shards: memoryBytes must be positive, got ${memoryBytes}`);
  const description = await readDescription(folder);
  for (const entry of description.shards) await checkSize(folder, entry);
  return new Dataset(shardSource(folder, description, memoryBytes));
}

async function checkSize(folder: string, { file, bytes }: ShardEntry): Promise<void> {
  const size = await fileSize(joinPath(folder, file));
  if (size === bytes) return;
  const found = size === undefined ? "is missing" : `has ${size} bytes, ${bytes} were written`;
  throw new FileError(
    `shard "${joinPath(folder, file)}" ${found}: the folder is damaged or was copied in part; copy or write it again`,
  );
}

/**
 * The dataset's shards in `folder` where they are there already, else written there first: samples that are costly to make
 * (decoded images) are made once, for all epochs and all later runs.
 *
 * Shards that were made of other columns, another number of samples, or under another `tag` are refused. Say as tag what
 * decides about the samples: the folder they come from, the size they are scaled to.
 *
 * @throws ArgumentError for shards of something else; what `writeShards` and `shards` throw
 * @example
 * const small = await cachedShards(digits.take(100), "small-digits", { tag: "mnist, first 100" });
 * small.length; // 100
 */
export async function cachedShards<C extends Columns>(
  dataset: Dataset<C>,
  folder: string,
  options: WriteShardsOptions & ShardsOptions = {},
): Promise<Dataset<C>> {
  const { memoryBytes, ...writing } = options;
  const reading = memoryBytes === undefined ? {} : { memoryBytes };
  if ((await fileSize(joinPath(folder, "index.json"))) === undefined)
    await writeShards(folder, dataset, writing);
  const found = await readDescription(folder);
  const differs = difference(dataset, found, writing);
  if (differs === undefined) return shards(folder, reading);
  throw new ArgumentError(
    `cachedShards: "${folder}" was written for other samples: ${differs}; remove the folder, or name another`,
  );
}

function difference(
  dataset: Dataset,
  { samples, columns, tag }: ShardsDescription,
  { tag: ours = "", corrupt }: WriteShardsOptions,
): string | undefined {
  if (tag !== ours) return `their tag is "${tag}", not "${ours}"`;
  const isFewer = corrupt === "skip" && samples < dataset.length;
  if (samples !== dataset.length && !isFewer)
    return `there are ${samples}, the dataset has ${dataset.length}`;
  const texts = (all: Columns): string[] =>
    Object.entries(all).map(([name, column]) => `${name} ${columnText(column)}`);
  const [theirs, wanted] = [texts(columns).join(", "), texts(dataset.columns).join(", ")];
  return theirs === wanted ? undefined : `their columns are ${theirs}; the dataset has ${wanted}`;
}

/** Samples of a shard that lie behind each other. */
interface Block {
  readonly entry: ShardEntry;
  /** In the shard. */
  readonly first: number;
  readonly samples: number;
}

function shardSource(folder: string, description: ShardsDescription, memoryBytes: number): Source {
  const { columns, samples, blockSamples } = description;
  const blocks = blocksOf(description);
  const starts = blocks.map((_, i) => i * blockSamples);
  const blockBytes = blockSamples * Math.max(1, sampleBytes(columns));
  const together = Math.max(1, Math.floor(memoryBytes / blockBytes / 2));
  const cache = new BlockCache(2 * together, (block) => readBlock(folder, columns, blocks[block]!));
  const copiers = Object.entries(columns).map(([name, column]) => ({ name, copy: sampleCopier(column) }));

  /** Delivers the samples of one block that are asked for. */
  const deliver = async (
    block: number,
    wanted: Wanted,
    into: Buffers,
    { failed }: Delivery,
  ): Promise<void> => {
    let arrays: Buffers;
    try {
      arrays = await cache.get(block);
    } catch (error) {
      const { entry, first } = blocks[block]!;
      wanted.rows.forEach((row, i) => {
        const name = `${joinPath(folder, entry.file)}, row ${first + row}`;
        const named = sampleError(error, starts[block]! + row, name);
        if (failed === undefined) throw named;
        failed(wanted.places[i]!, named);
      });
      return;
    }
    for (const { name, copy } of copiers) {
      const array = into[name];
      if (array) wanted.rows.forEach((row, i) => void copy(arrays[name]!, row, array, wanted.places[i]!));
    }
  };
  return {
    length: samples,
    columns,
    mapDepth: 0,
    later: new Set(Object.keys(columns)),
    inFlight: 2,
    blocks: { starts, together },
    async gather(indices, start, count, into, delivery = plainDelivery) {
      const byBlock = new Map<number, Wanted>();
      for (let place = 0; place < count; place++) {
        const index = indices[start + place]!;
        const block = Math.floor(index / blockSamples);
        let wanted = byBlock.get(block);
        if (wanted === undefined) byBlock.set(block, (wanted = { rows: [], places: [] }));
        wanted.rows.push(index - block * blockSamples);
        wanted.places.push(place);
      }
      const all = [...byBlock];
      // No more at once than are held.
      for (let i = 0; i < all.length; i += together)
        await allDone(
          all.slice(i, i + together).map(([block, wanted]) => deliver(block, wanted, into, delivery)),
        );
    },
  };
}

interface Wanted {
  readonly rows: number[];
  readonly places: number[];
}

const blocksOf = ({ shards, blockSamples }: ShardsDescription): Block[] =>
  shards.flatMap((entry) =>
    Array.from({ length: Math.ceil(entry.samples / blockSamples) }, (_, i) => {
      const first = i * blockSamples;
      return { entry, first, samples: Math.min(blockSamples, entry.samples - first) };
    }),
  );

async function readBlock(
  folder: string,
  columns: Columns,
  { entry, first, samples }: Block,
): Promise<Buffers> {
  const file = await openSafetensors(joinPath(folder, entry.file));
  try {
    const arrays: [string, TypedArray][] = [];
    for (const [name, { dtype, shape }] of Object.entries(storedColumns(columns))) {
      const expected = [entry.samples, ...shape].join(", ");
      const found = file.tensors.get(name);
      if (found?.dtype !== dtype || found.shape.join(", ") !== expected) {
        const is = found === undefined ? "is missing" : `is ${found.dtype} [${found.shape.join(", ")}]`;
        throw new FormatError(`column "${name}" ${is}, the index says ${dtype} [${expected}]`);
      }
      arrays.push([name, (await file.readRows(name, first, samples)).data]);
    }
    return Object.fromEntries(arrays);
  } finally {
    await file.close();
  }
}

/** The blocks that were used last, and those on their way. */
class BlockCache {
  readonly #blocks = new Map<number, Promise<Buffers>>();
  readonly #capacity: number;
  readonly #read: (block: number) => Promise<Buffers>;

  constructor(capacity: number, read: (block: number) => Promise<Buffers>) {
    this.#capacity = capacity;
    this.#read = read;
  }

  get(block: number): Promise<Buffers> {
    const found = this.#blocks.get(block) ?? this.#started(block);
    // The last used stands last.
    this.#blocks.delete(block);
    this.#blocks.set(block, found);
    for (const [oldest] of this.#blocks) {
      if (this.#blocks.size <= this.#capacity) break;
      this.#blocks.delete(oldest);
    }
    return found;
  }

  #started(block: number): Promise<Buffers> {
    const reading = this.#read(block);
    // What failed is tried again by who asks next.
    reading.catch(() => void (this.#blocks.get(block) === reading && this.#blocks.delete(block)));
    return reading;
  }
}
