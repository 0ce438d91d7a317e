/** Datasets made on other threads. Those run the built package, as a user's do. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { ArgumentError } from "../base/errors.ts";
import { bytesView } from "../base/host-array.ts";
import type { Columns } from "./column.ts";
import type { Dataset } from "./dataset.ts";
import { loader } from "./loader.ts";
import { workerDataset } from "./worker-dataset.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-workers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const built = new URL("../../dist/data/index.js", import.meta.url).href;
const module = pathToFileURL(join(folder, "noisy.mjs"));
writeFileSync(
  module,
  `import { arrayDataset, draws, lazyDataset } from ${JSON.stringify(built)};
   import { threadId } from "node:worker_threads";
   const indices = (n) => Int32Array.from({ length: n }, (_, i) => i);
   export const noisy = (n) => arrayDataset({ i: indices(n) }).map(({ i }, _, key) => {
     const random = draws(key);
     return { i, x: Float32Array.from({ length: 5 }, () => random.normal()) };
   });
   export const onThreads = async (n, shared) => lazyDataset({
     length: n,
     columns: { thread: { shape: [], dtype: "i32" }, taken: { shape: [], dtype: "i32" } },
     read: async () => {
       const taken = Atomics.add(shared, 0, 1);
       await new Promise((resolve) => setTimeout(resolve, 20));
       return { thread: threadId, taken };
     },
   });
   export const broken = (n) => arrayDataset({ i: indices(n) }).map(function augment({ i }) {
     if (i === 5) throw new TypeError("this photo is upside down");
     return { i };
   });
   export const dying = (n) => arrayDataset({ i: indices(n) }).map(({ i }) => {
     if (i === 5) process.exit(3);
     return { i };
   });
   export const nothing = () => 42;
   export const refused = () => { throw new RangeError("no such folder"); };`,
);

const noisy = (workers: number): Promise<Dataset<Columns>> =>
  workerDataset(module, "noisy", { arguments: [23], workers });

describe("any number of threads", () => {
  test("gives the same batches, bit for bit, and goes on in the middle of an epoch", async () => {
    const options = { batchSize: 4, shuffle: { seed: 7 } };
    let expected: string[] | undefined;
    for (const workers of [0, 1, 4]) {
      const dataset = await noisy(workers);
      expect(String(dataset)).toBe("Dataset of 23 samples: i i32 (), x f32 (5,)");
      const seen: string[] = [];
      const load = loader(dataset, options);
      const take = (batch: Readonly<Record<string, { readonly data: ArrayBufferView }>>): void => {
        seen.push(
          Object.values(batch)
            .map(({ data }) => Buffer.from(bytesView(data)).toString("hex"))
            .join(" "),
        );
      };
      for await (const batch of load) if ((take(batch), seen.length === 4)) break;
      const resumed = loader(dataset, options);
      resumed.restore(load.state());
      for await (const batch of resumed) take(batch);
      for await (const batch of resumed) take(batch);
      expect(seen).toHaveLength(12);
      expected ??= seen;
      expect(seen).toEqual(expected);
    }
  });

  test("selections and loads are of the same samples", async () => {
    const [here, there] = [await noisy(0), await noisy(2)];
    const select = (dataset: Dataset<Columns>) => dataset.subset([9, 3, 3]).concat(dataset.slice(20)).load();
    expect(await select(there)).toEqual(await select(here));
  });

  test("batches are made at the same time, on threads of their own, in memory that is shared", async () => {
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const dataset = await workerDataset(module, "onThreads", { arguments: [8, shared], workers: 4 });
    const threads = new Set<number>();
    for await (const { thread } of loader(dataset, { batchSize: 1 })) {
      expect(thread!.data.buffer).toBeInstanceOf(SharedArrayBuffer);
      threads.add(thread!.data[0]!);
    }
    expect(threads.size).toBeGreaterThan(1);
    expect(shared[0]).toBe(8);
  });
});

describe("errors", () => {
  const run = async (name: string): Promise<number[]> => {
    const dataset = await workerDataset(module, name, { arguments: [12], workers: 2 });
    const seen: number[] = [];
    for await (const { i } of loader(dataset, { batchSize: 2 })) seen.push(...i!.data);
    return seen;
  };

  test("a sample that fails is named, with the stack of the thread", async () => {
    const error = (await run("broken").catch((error: unknown) => error)) as Error;
    expect(error).toMatchObject({ name: "SampleError", index: 5 });
    expect(error.message).toBe("sample 5 cannot be delivered: this photo is upside down");
    expect(error.stack).toMatch(/augment .*noisy\.mjs/);
  });

  test("or is left out", async () => {
    const dataset = await workerDataset(module, "broken", { arguments: [12], workers: 2 });
    const load = loader(dataset, { batchSize: 4, corrupt: "skip" });
    const seen: number[] = [];
    for await (const { i } of load) seen.push(...i!.data);
    expect(seen).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
    expect(load.skipped[0]!.message).toBe("sample 5 cannot be delivered: this photo is upside down");
  });

  test("a thread that dies ends the loop at once; the dataset can be used again", async () => {
    const dataset = await workerDataset(module, "dying", { arguments: [12], workers: 2 });
    const started = performance.now();
    const loop = async (): Promise<void> => {
      for await (const _ of loader(dataset, { batchSize: 2 }));
    };
    await expect(loop()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[PlatformError: a loading thread died: worker "loader 0" stopped unexpectedly with exit code 3]`,
    );
    expect(performance.now() - started).toBeLessThan(5000);
    expect((await dataset.load([1, 2])).i!.data).toEqual(Int32Array.of(1, 2));
  });

  test("what cannot be a dataset", async () => {
    for (const workers of [0, 1]) {
      const open = (name: string) => workerDataset(module, name, { workers });
      await expect(open("noisi")).rejects.toThrow('exports no function "noisi"; it exports ');
      await expect(open("noisi")).rejects.toBeInstanceOf(ArgumentError);
      await expect(open("nothing")).rejects.toThrow("nothing gave 42; it must give a Dataset");
      const refused = (await open("refused").catch((error: unknown) => error)) as Error;
      expect([refused.name, refused.message]).toEqual(["RangeError", "no such folder"]);
      expect(refused.stack).toContain("noisy.mjs");
    }
    await expect(workerDataset("./noisy.mjs", "noisy")).rejects.toThrow("is no address of a module");
    await expect(workerDataset(module, "noisy", { workers: -1 })).rejects.toThrow(
      "workers must be an integer",
    );
  });
});
