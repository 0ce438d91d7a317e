/** What a data set is, so that two runs can tell whether they saw the same. */
import { sha256 } from "#platform";
import { bytesOf } from "../base/dtype.ts";
import { bytesView, countElements } from "../base/host-array.ts";
import type { Dataset } from "../data/index.ts";
import { columnText } from "./describe.ts";
import type { DatasetFacts } from "./layout.ts";

/** Data up to this size is digested whole: a fifth of a second. */
const wholeBytes = 128 * 2 ** 20;
const sampledCount = 1024;
const batchBytes = 4 * 2 ** 20;

/** Samples, columns and a digest: of everything, or of 1,024 samples spread evenly where there is more than 128 MB. */
export function datasetFacts(dataset: Dataset<any>): DatasetFacts {
  const columns = Object.entries(dataset.columns as Dataset["columns"]);
  const sampleBytes = columns.reduce(
    (sum, [, { dtype, shape }]) => sum + bytesOf(dtype) * countElements(shape),
    0,
  );
  const indices = indicesOf(dataset.length, sampleBytes);
  const hash = sha256();
  const batch = Math.max(1, Math.floor(batchBytes / Math.max(1, sampleBytes)));
  for (let at = 0; at < indices.length; at += batch) {
    const arrays = dataset.batch(indices.subarray(at, at + batch)) as Record<
      string,
      { data: ArrayBufferView }
    >;
    for (const [name] of columns) hash.update(bytesView(arrays[name]!.data as never));
  }
  return {
    samples: dataset.length,
    columns: Object.fromEntries(columns.map(([name, column]) => [name, columnText(column)])),
    sha256: hash.hex(),
    digestedSamples: indices.length,
  };
}

function indicesOf(length: number, sampleBytes: number): Uint32Array {
  const isSmall = length * sampleBytes <= wholeBytes || length <= sampledCount;
  const count = isSmall ? length : sampledCount;
  return Uint32Array.from({ length: count }, (_, i) => Math.floor((i * length) / count));
}
