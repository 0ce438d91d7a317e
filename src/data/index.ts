/** Datasets and loading: named columns of samples in, batches out. */
export type { HostArray } from "../base/host-array.ts";
export type { RandomKey } from "../base/random.ts";
export { arrayDataset, type ColumnInput } from "./array-dataset.ts";
export {
  type Batch,
  type Column,
  type Columns,
  floatColumn,
  type Sample,
  type StoredColumn,
} from "./column.ts";
export { Dataset } from "./dataset.ts";
export { type Draws, draws } from "./draws.ts";
export {
  type Fold,
  type FoldOptions,
  groupKFold,
  kFold,
  type Labels,
  stratifiedKFold,
  type TimeSeriesOptions,
  timeSeriesSplit,
} from "./folds.ts";
export { type LazyOptions, lazyDataset } from "./lazy-dataset.ts";
export { type Loader, type LoaderOptions, type LoaderPosition, type LoaderState, loader } from "./loader.ts";
export type { DescribedFunction, MapOptions } from "./map.ts";
export { fashionMnist, fashionMnistClasses, type Mnist, type MnistOptions, mnist } from "./mnist.ts";
export { cachedShards, type ShardsOptions, shards } from "./shards/read.ts";
export { type WriteShardsOptions, writeShards } from "./shards/write.ts";
export {
  type Splittable,
  type TrainTestIndices,
  type TrainTestOptions,
  trainTestIndices,
  trainTestSplit,
} from "./train-test.ts";
export { type WorkerDatasetOptions, workerDataset } from "./worker-dataset.ts";
