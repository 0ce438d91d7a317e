/** Loading ahead, samples that come later, samples that do not come. */
import { describe, expect, expectTypeOf, test } from "vitest";
import type { SampleError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { arrayDataset } from "./array-dataset.ts";
import { draws } from "./draws.ts";
import { lazyDataset } from "./lazy-dataset.ts";
import { type LoaderOptions, loader } from "./loader.ts";

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Samples that come in another order than they are asked for; `damaged` ones do not come. */
function files(length = 10, damaged: readonly number[] = []) {
  const facts = { open: 0, most: 0, reads: 0 };
  const dataset = lazyDataset({
    length,
    columns: { x: { shape: [2], dtype: "f32" } },
    known: { labels: Int32Array.from({ length }, (_, i) => i) },
    name: (index) => `photos/${index}.png`,
    async read(index, key) {
      facts.reads++;
      facts.most = Math.max(facts.most, ++facts.open);
      await later((7 * index) % 3);
      facts.open--;
      if (damaged.includes(index)) throw new RangeError("no such chunk");
      return { x: Float32Array.of(index, draws(key).uniform()) };
    },
  });
  return { dataset, facts };
}

const epoch = async (options: LoaderOptions, { dataset } = files()): Promise<number[][]> => {
  const seen: number[][] = [];
  for await (const { x, labels } of loader(dataset, options)) seen.push([...x.data, ...labels.data]);
  return seen;
};

describe("samples that are read when they are delivered", () => {
  test("come in the order of the epoch, the same however far ahead they are read", async () => {
    const options = { batchSize: 3, shuffle: { seed: 1 } };
    const expected = await epoch({ ...options, prefetch: 0 });
    expect(expected.map((batch) => batch.length)).toEqual([9, 9, 9, 3]);
    const order = expected.flatMap((batch) => batch.slice((2 * batch.length) / 3));
    expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const prefetch of [1, 2, 9]) expect(await epoch({ ...options, prefetch })).toEqual(expected);
  });

  test("are the same when they are written where the batch is, or come from elsewhere", async () => {
    const pixels = { shape: [2], dtype: "f32", stored: { dtype: "u8", divideBy: 5 } } as const;
    const dataset = lazyDataset({
      length: 9,
      columns: { x: { shape: [2], dtype: "f32" }, bytes: pixels, single: { shape: [], dtype: "i32" } },
      async read(index, _key, into) {
        await later(index % 3);
        const x = (into["x"] ?? new Float32Array(2)) as Float32Array;
        expect(x).toHaveLength(2);
        x.fill(index);
        const bytes = into["bytes"] ?? new Uint8Array(2);
        // There where they are wanted as bytes, else divided by who delivers them.
        expect(bytes).toBeInstanceOf(Uint8Array);
        bytes.fill(10 * index);
        const single = into["single"] ?? new Int32Array(1);
        single[0] = index;
        return { x: index % 2 === 0 ? x : x.slice(), bytes: bytes as Uint8Array, single };
      },
    });
    for (const stored of [true, false]) {
      const seen: number[][] = [];
      for await (const { x, bytes, single } of loader(dataset, { batchSize: 4, stored: stored as true }))
        seen.push([...x.data], [...bytes.data], [...single.data]);
      const numbers = [[0, 1, 2, 3], [4, 5, 6, 7], [8]];
      const factor = stored ? 10 : 2;
      expect(seen).toEqual(
        numbers.flatMap((batch) => {
          const twice = batch.flatMap((i) => [i, i]);
          return [twice, twice.map((i) => factor * i), batch];
        }),
      );
    }
    expect((await dataset.load([7, 2])).x.data).toEqual(Float32Array.of(7, 7, 2, 2));
  });

  test("are read for as many batches as are asked for, no more", async () => {
    for (const prefetch of [0, 1, 3]) {
      const { dataset, facts } = files(40);
      const batches = loader(dataset, { batchSize: 4, prefetch })[Symbol.asyncIterator]();
      await batches.next();
      await later(10);
      expect(facts.reads).toBe(4 * (prefetch + 1));
      expect(facts.most).toBeLessThanOrEqual(4 * (prefetch + 1));
      await batches.return!();
      await later(10);
      expect(facts.reads).toBe(4 * (prefetch + 1));
    }
  });

  test("a loop that is left and resumed goes on with the batches that would have come", async () => {
    const options = { batchSize: 2, shuffle: { seed: 3 }, prefetch: 3 };
    const whole = await epoch(options);
    const stopped = loader(files().dataset, options);
    let taken = 0;
    for await (const _ of stopped) if (++taken === 2) break;
    expect(stopped.position).toEqual({ epoch: 0, step: 2 });
    const resumed = loader(files().dataset, options);
    resumed.restore(stopped.state());
    const rest: number[][] = [];
    for await (const { x, labels } of resumed) rest.push([...x.data, ...labels.data]);
    expect(rest).toEqual(whole.slice(2));
  });

  test("known columns are had at once; others must be waited for", async () => {
    const { dataset } = files();
    expectTypeOf(dataset.columns.x.dtype).toEqualTypeOf<"f32">();
    expect(dataset.column("labels").data[4]).toBe(4);
    const [train] = dataset.split(0.5, { stratify: "labels" });
    expect(train.length).toBe(5);
    expect((await dataset.load([7, 1])).x.data.filter((_, i) => i % 2 === 0)).toEqual(Float32Array.of(7, 1));
    const joined = dataset.slice(8).concat(dataset.take(1));
    expect((await joined.load()).labels.data).toEqual(Int32Array.of(8, 9, 0));
    for (const ask of [() => dataset.batch(), () => dataset.sample(0), () => dataset.column("x")])
      expect(ask).toThrow('samples of column "x" are read when they are delivered');
    expect(() => Array.from(loader(dataset) as Iterable<unknown>)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: loader: samples of column "x" are read when they are delivered, so they must be waited for: await dataset.load([0, 1]), or for await (const batch of loader(dataset))]`,
    );
  });

  test("functions upon them: columns stated, brought along, or learnt from the first sample", async () => {
    const { dataset } = files();
    const double = ({ x, labels }: { x: Float32Array; labels: number }) => ({
      x: x.map((v) => 2 * v),
      labels,
    });
    expect(() => dataset.map(double)).toThrow("use mapAsync");
    const stated = dataset.map(double, { columns: dataset.columns });
    const brought = dataset.map(Object.assign(double.bind(null), { columns: () => dataset.columns }));
    const learnt = await dataset.mapAsync(async (sample) => {
      await later(sample.labels % 2);
      return double(sample);
    });
    const expected = (await dataset.load()).x.data.map((v) => 2 * v);
    for (const mapped of [stated, brought, learnt]) {
      expect((await mapped.load()).x.data).toEqual(expected);
      expect(mapped.columns).toEqual(dataset.columns);
    }
    const immediate = arrayDataset({ n: Int32Array.of(1, 2) });
    const slow = await immediate.mapAsync(async ({ n }) => ({ n: n + 1 }));
    expect((await slow.load()).n).toEqual({ dtype: "i32", shape: [2], data: Int32Array.of(2, 3) });
  });

  test("columns stored in bytes come divided, or as bytes", async () => {
    const dataset = lazyDataset({
      length: 3,
      columns: { image: { shape: [2], dtype: "f32", stored: { dtype: "u8", divideBy: 255 } } },
      read: (index) => ({ image: Uint8Array.of(index, 255) }),
    });
    const seen: HostArray[] = [];
    for await (const { image } of loader(dataset, { stored: true })) seen.push(image);
    for await (const { image } of loader(dataset)) seen.push(image);
    expect(seen[0]).toEqual({ dtype: "u8", shape: [3, 2], data: Uint8Array.of(0, 255, 1, 255, 2, 255) });
    expect(seen[1]!.data).toEqual(Float32Array.of(0, 1, 1 / 255, 1, 2 / 255, 1));
  });
});

describe("samples that cannot be delivered", () => {
  test("are named, with the stack of what threw", async () => {
    const failing = epoch({ batchSize: 4 }, files(10, [5]));
    await expect(failing).rejects.toThrowErrorMatchingInlineSnapshot(
      `[SampleError: sample 5 ("photos/5.png") cannot be delivered: no such chunk]`,
    );
    const error = await failing.catch((error: SampleError) => error);
    expect(error).toMatchObject({ index: 5, cause: expect.any(RangeError) });
    expect((error as Error).stack).toContain("ahead.test.ts");
  });

  test("an error comes in its turn, after the batches before it, and the position stays before it", async () => {
    const load = loader(files(12, [9]).dataset, { batchSize: 2, prefetch: 5 });
    const seen: number[] = [];
    const run = async (): Promise<void> => {
      for await (const { labels } of load) seen.push(...labels.data);
    };
    await expect(run()).rejects.toThrow("photos/9.png");
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(load.position).toEqual({ epoch: 0, step: 4 });
  });

  test("are left out and noted, if so wished", async () => {
    const load = loader(files(10, [1, 4, 5, 9]).dataset, { batchSize: 2, corrupt: "skip" });
    const seen: number[][] = [];
    for await (const { x, labels } of load) {
      seen.push([...labels.data]);
      expect(x.data.filter((_, i) => i % 2 === 0)).toEqual(Float32Array.from(labels.data));
      expect(x.shape).toEqual([labels.data.length, 2]);
    }
    expect(seen).toEqual([[0], [2, 3], [6, 7], [8]]);
    expect(load.position).toEqual({ epoch: 1, step: 0 });
    expect([load.skippedCount, ...load.skipped.map(({ index }) => index)]).toEqual([4, 1, 4, 5, 9]);
  });

  test("of samples that are had at once, too; maps upon lost ones are not called", async () => {
    const numbers = arrayDataset({ n: Int32Array.from({ length: 6 }, (_, i) => i) });
    const odd = numbers.map(({ n }) => {
      if (n % 2 === 1) throw new Error("odd");
      return { n };
    });
    const skipping = loader(odd.concat(odd), { batchSize: 5, corrupt: "skip" });
    expect(Array.from(skipping, ({ n }) => [...n.data])).toEqual([[0, 2, 4], [0, 2], [4]]);
    expect(() => Array.from(loader(odd))).toThrow("sample 1 cannot be delivered: odd");
    const called: number[] = [];
    const { dataset } = files(4, [2]);
    const mapped = dataset.map(
      ({ x, labels }) => {
        called.push(labels);
        return { x, labels };
      },
      { columns: dataset.columns },
    );
    for await (const { labels } of loader(mapped, { corrupt: "skip" }))
      expect([...labels.data]).toEqual([0, 1, 3]);
    expect(called).toEqual([0, 1, 3]);
  });

  test("an epoch of nothing else ends", async () => {
    const load = loader(files(4, [0, 1, 2, 3]).dataset, { batchSize: 3, corrupt: "skip" });
    for await (const _ of load) throw new Error("no batch was expected");
    expect([load.skippedCount, load.position.epoch]).toEqual([4, 1]);
  });
});

test("waiting is measured", async () => {
  const slow = lazyDataset({
    length: 4,
    columns: { x: { shape: [], dtype: "f32" } },
    read: async (index) => later(30).then(() => ({ x: index })),
  });
  const starved = loader(slow, { batchSize: 1, prefetch: 0 });
  for await (const _ of starved);
  expect(starved.waitedMs).toBeGreaterThan(100);
  const fed = loader(slow, { batchSize: 1, prefetch: 2 });
  for await (const _ of fed) await later(60);
  // All but the first batch are there when they are asked for.
  expect(fed.waitedMs).toBeLessThan(90);
});

test("gathering on this thread is done while the loop waits for something else", async () => {
  let calls = 0;
  const numbers = arrayDataset({ n: Int32Array.from({ length: 8 }, (_, i) => i) });
  const slow = numbers.map(({ n }) => {
    calls++;
    for (const end = performance.now() + 1; performance.now() < end; );
    return { n };
  });
  const seen: number[] = [];
  for await (const { n } of loader(slow, { batchSize: 2 })) {
    seen.push(...n.data);
    await later(5);
    expect(calls).toBe(1 + Math.min(8, seen.length + 2));
  }
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("mistakes", () => {
  const { dataset } = files();
  expect(() => loader(dataset, { prefetch: -1 })).toThrow("prefetch must be an integer of 0 or more, got -1");
  expect(() => loader(dataset, { corrupt: "ignore" as never })).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: loader: corrupt must be "fail" or "skip", got "ignore"]`,
  );
  const columns = { x: { shape: [], dtype: "f32" } } as const;
  const read = () => ({ x: 1 });
  expect(() => lazyDataset({ length: -1, columns, read })).toThrow("the length must be an integer");
  expect(() =>
    lazyDataset({ length: 2, columns, known: { labels: new Int32Array(3) }, read }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: lazyDataset: the known columns have 3 samples, the length is 2; they must be equal]`,
  );
});
