import { describe, expect, expectTypeOf, test } from "vitest";
import { ArgumentError } from "../base/errors.ts";
import { type HostArray, hostArray } from "../base/host-array.ts";
import { arrayDataset } from "./array-dataset.ts";
import { floatColumn } from "./column.ts";
import { type LoaderOptions, type LoaderState, loader } from "./loader.ts";

const numbers = arrayDataset({ n: Int32Array.from({ length: 10 }, (_, i) => i) });
const batches = (iterable: Iterable<{ n: HostArray }>): number[][] =>
  Array.from(iterable, ({ n }) => Array.from(n.data));

describe("one epoch", () => {
  test("in the dataset's order, the last batch with what is left", () => {
    const load = loader(numbers, { batchSize: 4 });
    expect(load.length).toBe(3);
    expect(batches(load)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(batches(loader(numbers, { batchSize: 4, dropLast: true }))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    expect(batches(loader(numbers))).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]);
    expect(batches(loader(numbers, { batchSize: 5 }))).toHaveLength(2);
  });

  test("typed and shaped batches, for `for` and for `for await`", async () => {
    const images = floatColumn(
      hostArray(
        "u8",
        [5, 2, 2],
        Uint8Array.from({ length: 20 }, (_, i) => i),
      ),
    );
    const load = loader(arrayDataset({ images, labels: new Int32Array(5) }), { batchSize: 2 });
    const shapes: (readonly number[])[] = [];
    for await (const { images, labels } of load) {
      expectTypeOf(images.data).toEqualTypeOf<Float32Array>();
      expectTypeOf(labels).toEqualTypeOf<HostArray<[number], "i32">>();
      expect(labels.shape).toEqual([images.shape[0]]);
      shapes.push(images.shape);
    }
    expect(shapes).toEqual([
      [2, 2, 2],
      [2, 2, 2],
      [1, 2, 2],
    ]);
  });

  test("columns stored in bytes can come as these bytes, to be divided where they are used", () => {
    const bytes = Uint8Array.from({ length: 40 }, (_, i) => 6 * i);
    const column = floatColumn(hostArray("u8", [10, 4], bytes), { divideBy: 255, sampleShape: [2, 2] });
    const labels = new Int32Array(10);
    const dataset = arrayDataset({ images: column, labels }).subset([3, 1, 4, 1, 5]);
    const stored = loader(dataset, { batchSize: 2, stored: true });
    expect(stored.columns).toEqual({
      images: { shape: [2, 2], dtype: "u8" },
      labels: { shape: [], dtype: "i32" },
    });
    const divided: number[] = [];
    for (const { images } of stored) {
      expect([images.dtype, images.shape.slice(1)]).toEqual(["u8", [2, 2]]);
      divided.push(
        ...Array.from(images.data, (byte) => Math.fround(byte / dataset.columns.images.stored!.divideBy)),
      );
    }
    expect(divided).toEqual(Array.from(dataset.batch().images.data));

    const other = arrayDataset({
      images: floatColumn(hostArray("u8", [1, 2, 2])),
      labels: new Int32Array(1),
    });
    expect(dataset.concat(dataset).columns.images.stored).toEqual({ dtype: "u8", divideBy: 255 });
    const mixed = dataset.concat(other);
    expect(mixed.columns.images.stored).toBeUndefined();
    for (const { images } of loader(mixed, { stored: true })) expect(images.dtype).toBe("f32");
  });

  test("arrays are used again: no memory is made for a full batch", () => {
    const seen = new Set<unknown>();
    for (const batch of loader(numbers, { batchSize: 2 })) seen.add(batch).add(batch.n.data.buffer);
    expect(seen.size).toBe(2);
  });
});

describe("shuffling", () => {
  test("each epoch has every sample once, in an order drawn from seed and epoch", () => {
    const load = loader(numbers, { batchSize: 3, shuffle: { seed: 5 } });
    const epochs = [batches(load), batches(load), batches(load)];
    for (const epoch of epochs) expect(epoch.flat().sort()).toEqual(batches(loader(numbers)).flat());
    expect(new Set(epochs.map(String)).size).toBe(3);
    expect(batches(loader(numbers, { batchSize: 3, shuffle: { seed: 5 }, epoch: 2 }))).toEqual(epochs[2]);
    expect(batches(loader(numbers, { batchSize: 3, shuffle: { seed: 6 } }))).not.toEqual(epochs[0]);
    const one = (shuffle: LoaderOptions["shuffle"]) => batches(loader(numbers, { shuffle }));
    expect(one(true)).toEqual(one({ seed: 0 }));
    expect(one(false)).toEqual(one(undefined));
  });

  test("positions are spread evenly over many epochs", () => {
    const load = loader(numbers, { batchSize: 10, shuffle: { seed: 1 } });
    const first = new Float64Array(10);
    for (let epoch = 0; epoch < 5000; epoch++) for (const { n } of load) first[n.data[0]!]! += 1;
    const chiSquare = first.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
    // 9 degrees of freedom: 99.9 % below 27.9.
    expect(chiSquare).toBeLessThan(27.9);
  });
});

describe("positions", () => {
  const options: LoaderOptions = { batchSize: 3, shuffle: { seed: 2 } };

  test("count the batches handed out", () => {
    const load = loader(numbers, options);
    expect(load.position).toEqual({ epoch: 0, step: 0 });
    const seen = Array.from(load, () => load.position);
    expect(seen).toEqual([
      { epoch: 0, step: 1 },
      { epoch: 0, step: 2 },
      { epoch: 0, step: 3 },
      { epoch: 1, step: 0 },
    ]);
  });

  test("a run resumed anywhere has the batches of one that never stopped", () => {
    const whole = loader(numbers, options);
    const expected = Array.from({ length: 3 }, () => batches(whole)).flat();
    for (let stop = 0; stop <= 11; stop++) {
      const stopped = loader(numbers, options);
      const got: number[][] = [];
      let state: LoaderState = stopped.state();
      while (got.length < stop) {
        for (const { n } of stopped) {
          got.push(Array.from(n.data));
          state = stopped.state();
          if (got.length === stop) break;
        }
      }
      const resumed = loader(numbers, options);
      resumed.restore(JSON.parse(JSON.stringify(state)));
      while (got.length < expected.length) got.push(...batches(resumed));
      expect(got).toEqual(expected);
    }
  });

  test("after a break the next loop is the next epoch, and the position tells where it stopped", () => {
    const load = loader(numbers, options);
    for (const _ of load) break;
    expect(load.position).toEqual({ epoch: 0, step: 1 });
    const next = loader(numbers, { ...options, epoch: 1 });
    expect(batches(load)).toEqual(batches(next));
    const [first] = loader(numbers, { batchSize: 3 });
    expect(first!.n.shape).toEqual([3]);
  });

  test("seek", () => {
    const load = loader(numbers, { batchSize: 3 });
    load.seek({ epoch: 7, step: 2 });
    expect(batches(load)).toEqual([[6, 7, 8], [9]]);
    expect(load.position).toEqual({ epoch: 8, step: 0 });
    expect(() => load.seek({ epoch: 0, step: 4 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: loader: an epoch has steps 0 to 3, got step 4]`,
    );
    expect(() => load.seek({ epoch: -1, step: 0 })).toThrow(ArgumentError);
  });

  test("a state of other batches is refused", () => {
    const state = loader(numbers, options).state();
    expect(() =>
      loader(numbers, { ...options, batchSize: 4 }).restore(state),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: loader: the saved position was taken with batchSize 3, this loader has 4: its batches would be others; make it with batchSize 3, or seek({ epoch, step }) to start somewhere on purpose]`,
    );
    expect(() => loader(numbers, { ...options, shuffle: false }).restore(state)).toThrow(
      "seed 2, this loader has null",
    );
    expect(() => loader(numbers.take(9), options).restore(state)).toThrow("sampleCount 10");
    expect(() => loader(numbers, { ...options, dropLast: true }).restore(state)).toThrow("dropLast false");
  });

  test("two loops over one loader would overwrite each other's arrays", async () => {
    const load = loader(numbers, options);
    const first = load[Symbol.iterator]();
    first.next();
    const second = load[Symbol.asyncIterator]();
    expect(() => first.next()).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: loader: another loop over it, or a seek, has begun since; make one loader for each loop]`,
    );
    expect((await second.next()).done).toBe(false);
    await second.return!();
    expect((await second.next()).done).toBe(true);
  });
});

test("mistakes", () => {
  expect(() => loader(numbers.take(0))).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: loader: the dataset is empty (0 samples); check the files or the filter it came from]`,
  );
  expect(() => loader(numbers, { batchSize: 0 })).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: loader: batchSize must be an integer of 1 or more, got 0]`,
  );
  expect(() => loader(numbers, { batchSize: 2.5 })).toThrow(ArgumentError);
  expect(() => loader(numbers, { batchSize: 11, dropLast: true })).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: loader: with dropLast, 10 samples in batches of 11 give no batch at all; lower batchSize]`,
  );
  expect(() => loader(numbers, { batchsize: 3 } as never)).toThrow('did you mean "batchSize"');
  expect(() => loader(numbers, { shuffle: { seed: -1 } })).toThrow("seed");
  expect(() => loader(numbers, { epoch: 0.5 })).toThrow(ArgumentError);
});
