import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { hostArray } from "../../base/host-array.ts";
import { readSafetensors } from "../../formats/index.ts";
import { arrayDataset } from "../array-dataset.ts";
import { floatColumn } from "../column.ts";
import { lazyDataset } from "../lazy-dataset.ts";
import { loader } from "../loader.ts";
import { cachedShards, shards } from "./read.ts";
import { writeShards } from "./write.ts";

const root = mkdtempSync(join(tmpdir(), "netwright-shards-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => join(root, String(folders++));

/** Samples of about 8 kB, whose bytes tell which they are. */
const count = 700;
const size = 8192;
const bytes = Uint8Array.from({ length: count * size }, (_, i) => (i >> 13) * 7 + i);
const photos = arrayDataset({
  images: floatColumn(hostArray("u8", [count, size], bytes), { divideBy: 255 }),
  labels: Int32Array.from({ length: count }, (_, i) => i),
});

describe("a folder of shards", () => {
  test("has the same samples, in the same dtypes, readable as safetensors", async () => {
    const folder = newFolder();
    await writeShards(folder, photos, { shardBytes: 2 ** 21 });
    expect(readdirSync(folder).sort()).toEqual([
      "index.json",
      "shard-00000.safetensors",
      "shard-00001.safetensors",
      "shard-00002.safetensors",
    ]);
    const { tensors } = await readSafetensors(join(folder, "shard-00002.safetensors"));
    expect(tensors.get("images")).toMatchObject({ dtype: "u8", shape: [count - 508, size] });
    const read = await shards(folder);
    expect(read.columns).toEqual(photos.columns);
    expect(await read.load([0, 511, 3, 699])).toEqual(photos.batch([0, 511, 3, 699]));
    const stored: number[] = [];
    for await (const { images, labels } of loader(read, { stored: true, batchSize: 300 })) {
      expect(images!.dtype).toBe("u8");
      labels!.data.forEach(
        (label, i) => void (images!.data[i * size + 5] === bytes[label * size + 5] && stored.push(label)),
      );
    }
    expect(stored).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  test("shuffled epochs have each sample once, in an order of seed and epoch, whatever is read ahead", async () => {
    const folder = newFolder();
    await writeShards(folder, photos, { shardBytes: 2 ** 21 });
    const orderOf = async (options: object, memoryBytes: number): Promise<number[]> => {
      const order: number[] = [];
      const read = await shards(folder, { memoryBytes });
      for await (const { images, labels } of loader(read, { batchSize: 48, stored: true, ...options })) {
        for (const [i, label] of labels!.data.entries())
          expect(images!.data[i * size]).toBe(bytes[label * size]);
        order.push(...labels!.data);
      }
      return order;
    };
    const shuffle = { seed: 3 };
    // Memory for two blocks of 127 samples: few are needed at a time.
    const order = await orderOf({ shuffle }, 2 ** 22);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
    expect(new Set(order.slice(0, 150).map((i) => Math.floor(i / 127))).size).toBeLessThanOrEqual(2);
    expect(await orderOf({ shuffle, prefetch: 5 }, 2 ** 22)).toEqual(order);
    expect(await orderOf({ shuffle, epoch: 1 }, 2 ** 22)).not.toEqual(order);
    // Enough memory for all: as any dataset.
    const whole = await orderOf({ shuffle }, 2 ** 30);
    const inMemory: number[] = [];
    for (const { labels } of loader(photos, { batchSize: 48, shuffle })) inMemory.push(...labels.data);
    expect(whole).toEqual(inMemory);
  });

  test("a loop that is left goes on where it was; other memory is another order, which is refused", async () => {
    const folder = newFolder();
    await writeShards(folder, photos);
    const options = { batchSize: 64, shuffle: { seed: 1 } };
    const open = async (memoryBytes: number) => loader(await shards(folder, { memoryBytes }), options);
    const seen: number[] = [];
    for await (const { labels } of await open(2 ** 22)) seen.push(...labels!.data);
    const stopped = await open(2 ** 22);
    for await (const _ of stopped) if (stopped.position.step === 7) break;
    const resumed = await open(2 ** 22);
    resumed.restore(JSON.parse(JSON.stringify(stopped.state())));
    const rest: number[] = [];
    for await (const { labels } of resumed) rest.push(...labels!.data);
    expect(rest).toEqual(seen.slice(7 * 64));
    const other = await open(2 ** 25);
    expect(() => other.restore(stopped.state())).toThrow("blocksTogether 2, this loader has 16");
  });

  test("parts and joins keep their blocks", async () => {
    const folder = newFolder();
    await writeShards(folder, photos.take(300));
    const read = await shards(folder, { memoryBytes: 2 ** 21 });
    const even = read.subset(Array.from({ length: 150 }, (_, i) => 2 * i)).concat(read.slice(250));
    expect(even.source.blocks).toEqual({ starts: [0, 64, 127, 150, 154], together: 1 });
    const seen: number[] = [];
    for await (const { labels } of loader(even, { batchSize: 32, shuffle: true })) seen.push(...labels!.data);
    const ascending = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);
    expect(ascending(seen)).toEqual(ascending((await even.load()).labels!.data));
    expect(read.subset([5, 4]).source.blocks).toBeUndefined();
  });
});

describe("damage", () => {
  test("a shard that is missing or cut short is told when the folder is opened", async () => {
    const folder = newFolder();
    await writeShards(folder, photos.take(100));
    truncateSync(join(folder, "shard-00000.safetensors"), 1000);
    await expect(shards(folder)).rejects.toThrow(/has 1000 bytes, \d+ were written: the folder is damaged/);
    rmSync(join(folder, "shard-00000.safetensors"));
    await expect(shards(folder)).rejects.toThrow("is missing");
    await expect(shards(newFolder())).rejects.toThrow("index.json");
  });

  test("one that is cut short while it is read ends the loop with its name, or is skipped; batches before it were handed out", async () => {
    const folder = newFolder();
    await writeShards(folder, photos, { shardBytes: 2 ** 21 });
    const read = await shards(folder, { memoryBytes: 2 ** 22 });
    const shard = join(folder, "shard-00001.safetensors");
    const seen: number[] = [];
    const load = loader(read, { batchSize: 50, prefetch: 1 });
    const loop = async (): Promise<void> => {
      for await (const { labels } of load) {
        seen.push(...labels!.data);
        if (seen.length === 50) truncateSync(shard, 10_000);
      }
    };
    await expect(loop()).rejects.toThrow(
      /^sample \d+ \(".*shard-00001\.safetensors, row \d+"\) cannot be delivered: .*(ends|bytes|short)/,
    );
    expect(seen).toEqual(Array.from({ length: load.position.step * 50 }, (_, i) => i));
    const skipping = loader(read, { batchSize: 50, corrupt: "skip" });
    let samples = 0;
    for await (const { labels } of skipping) samples += labels!.data.length;
    expect(samples + skipping.skippedCount).toBe(count);
    expect(skipping.skippedCount).toBeGreaterThan(100);
  });

  test("an index that is none is refused", async () => {
    const folder = newFolder();
    await writeShards(folder, photos.take(20));
    const path = join(folder, "index.json");
    const index = JSON.parse(readFileSync(path, "utf8"));
    const columns = { images: { dtype: "f33", shape: [2] } };
    const shard = index.shards[0];
    for (const [change, message] of [
      [{ format: "x" }, 'its format is "x"'],
      [{ version: 2 }, "its version is 2; this Netwright reads version 1"],
      [{ samples: 21 }, "its shards have 20 samples together, it says 21"],
      [{ samples: -1 }, "samples is -1"],
      [{ blockSamples: 0 }, "blockSamples is 0"],
      [{ columns }, 'column "images" is {"dtype":"f33"'],
      [{ columns: {} }, "it names no columns"],
      [{ shards: [] }, "it names no shards"],
      [{ shards: [{ ...shard, file: "../../etc/passwd" }] }, "shard 0 is"],
      [{ columns: { ...index.columns, more: { dtype: "f32", shape: [] } } }, 'column "more" is missing'],
    ] as const) {
      writeFileSync(path, JSON.stringify({ ...index, ...change }));
      await expect(shards(folder).then((read) => read.load([0]))).rejects.toThrow(message);
    }
    writeFileSync(path, "{");
    await expect(shards(folder)).rejects.toThrow("is not JSON");
  });

  test("shards are not written over others, nor for samples that do not come", async () => {
    const folder = newFolder();
    await writeShards(folder, photos.take(10));
    await expect(writeShards(folder, photos)).rejects.toThrow("holds shards already");
    const broken = photos.take(10).map(({ labels }) => {
      if (labels === 4) throw new Error("torn");
      return { labels };
    });
    const other = newFolder();
    await expect(writeShards(other, broken)).rejects.toThrow("sample 4 cannot be delivered: torn");
    await expect(shards(other)).rejects.toThrow("index.json");
    await writeShards(other, broken, { corrupt: "skip" });
    expect((await shards(other)).length).toBe(9);
  });
});

describe("caches", () => {
  /** Counts how often a sample is made. */
  function counted(length = 20) {
    const reads = new Map<number, number>();
    const dataset = lazyDataset({
      length,
      columns: { x: { shape: [4], dtype: "f32", stored: { dtype: "u8", divideBy: 2 } } },
      read: async (index) => {
        reads.set(index, (reads.get(index) ?? 0) + 1);
        return { x: Uint8Array.of(index, 1, 2, 3) };
      },
    });
    return { dataset, reads };
  }

  test("in memory: the first samples that fit are made once", async () => {
    const { dataset, reads } = counted();
    const cached = dataset.cached({ maxBytes: 8 * 4 + 3 });
    const expected = (await dataset.load()).x.data;
    reads.clear();
    for (let epoch = 0; epoch < 3; epoch++) expect((await cached.load()).x.data).toEqual(expected);
    expect(Array.from({ length: 20 }, (_, i) => reads.get(i))).toEqual(
      Array.from({ length: 20 }, (_, i) => (i < 8 ? 1 : 3)),
    );
    for await (const { x } of loader(cached, { stored: true, batchSize: 20 }))
      expect([x.dtype, x.data[4]]).toEqual(["u8", 1]);
    const kept = arrayDataset({ n: Int32Array.of(1, 2, 3) }).cached({ maxBytes: 100 });
    expect([...kept.batch([2, 0]).n.data, ...kept.batch([2, 1]).n.data]).toEqual([3, 1, 3, 2]);
    expect(() => dataset.cached({ maxBytes: 0 })).toThrow("maxBytes must be a positive number");
  });

  test("on a disk: made once for all runs; others' shards are refused", async () => {
    const { dataset, reads } = counted();
    const folder = newFolder();
    for (let run = 0; run < 2; run++) {
      const cached = await cachedShards(dataset, folder, { tag: "twenty" });
      expect((await cached.load([19])).x.data).toEqual(Float32Array.of(9.5, 0.5, 1, 1.5));
    }
    expect([...reads.values()].every((times) => times === 1)).toBe(true);
    await expect(cachedShards(dataset, folder)).rejects.toThrow('their tag is "twenty", not ""');
    await expect(cachedShards(dataset.take(3), folder, { tag: "twenty" })).rejects.toThrow(
      "there are 20, the dataset has 3",
    );
    const other = dataset.map(({ x }) => ({ x }), { columns: { x: { shape: [4], dtype: "f32" } } });
    await expect(cachedShards(other, folder, { tag: "twenty" })).rejects.toThrow(
      "their columns are x f32 (4,) stored as u8 / 2; the dataset has x f32 (4,)",
    );
  });
});
