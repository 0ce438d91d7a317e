/** What a data set is, so that two runs can tell whether they saw the same. */
import { sha256 } from "#platform";
import { bytesOf } from "../base/dtype.ts";
import { SampleError } from "../base/errors.ts";
import { bytesView, countElements } from "../base/host-array.ts";
import type { Columns, Dataset } from "../data/index.ts";
import { isLater } from "../data/source.ts";
import { columnText } from "./describe.ts";
import type { DatasetFacts } from "./layout.ts";

/** Data up to this size is digested whole: a fifth of a second. */
const wholeBytes = 128 * 2 ** 20;
const sampledCount = 1024;
/** Of samples that are read when they are delivered: each may be a file. */
const readCount = 64;
const batchBytes = 4 * 2 ** 20;

/**
 * Samples, columns and a digest: of everything, or of 1,024 samples spread evenly where there is more than 128 MB, of 64 where each must
 * be read. A sample that cannot be read counts as its error.
 */
export async function datasetFacts(dataset: Dataset): Promise<DatasetFacts> {
  const columns = Object.entries(dataset.columns as Columns);
  const sampleBytes = columns.reduce(
    (sum, [, { dtype, shape }]) => sum + bytesOf(dtype) * countElements(shape),
    0,
  );
  const mustRead = isLater(dataset.source);
  const indices = mustRead ? spread(dataset.length, readCount) : indicesOf(dataset.length, sampleBytes);
  const hash = sha256();
  const batch = mustRead ? 1 : Math.max(1, Math.floor(batchBytes / Math.max(1, sampleBytes)));
  for (let at = 0; at < indices.length; at += batch) {
    const arrays = await loaded(dataset, indices.subarray(at, at + batch));
    for (const [name] of columns)
      hash.update(
        arrays instanceof SampleError
          ? new TextEncoder().encode(arrays.message)
          : bytesView(arrays[name]!.data as never),
      );
  }
  return {
    samples: dataset.length,
    columns: Object.fromEntries(columns.map(([name, column]) => [name, columnText(column)])),
    sha256: hash.hex(),
    digestedSamples: indices.length,
  };
}

function loaded(
  dataset: Dataset,
  indices: Uint32Array,
): Promise<Readonly<Record<string, { data: ArrayBufferView }>> | SampleError> {
  return (dataset.load(indices) as Promise<never>).catch((error) => {
    if (error instanceof SampleError) return error;
    throw error;
  });
}

function indicesOf(length: number, sampleBytes: number): Uint32Array {
  const isSmall = length * sampleBytes <= wholeBytes;
  return spread(length, isSmall ? length : sampledCount);
}

/** At most so many, evenly. */
function spread(length: number, most: number): Uint32Array {
  const count = Math.min(length, most);
  return Uint32Array.from({ length: count }, (_, i) => Math.floor((i * length) / count));
}
