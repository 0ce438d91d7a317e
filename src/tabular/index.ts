/** Tables: reading them, cleaning them, and turning their columns into features for a network. */
export type { AggregatedSchema, Aggregation, Aggregations } from "./aggregate.ts";
export { classWeights, oversample, type SmoteOptions, smote, undersample } from "./balance.ts";
export { dropDuplicates, dropMissing, dropMissingColumns, dropOutliers, fillFrom } from "./clean.ts";
export {
  type BooleanColumn,
  type Cell,
  type CellOfKind,
  type ColumnKind,
  type ColumnOfKind,
  type ColumnValues,
  countMissing,
  type DateColumn,
  isMissing,
  type NumberColumn,
  type Schema,
  type StringColumn,
  type TableColumn,
} from "./column.ts";
export type { CsvOptions } from "./csv/dialect.ts";
export { type CsvStreamOptions, parseCsv, type ReadTable, readCsv, streamCsv } from "./csv/read.ts";
export { type CsvWriteOptions, formatCsv, writeCsv } from "./csv/write.ts";
export { parseDate } from "./dates.ts";
export { type ArrowTable, readArrow, tableFromArrow, writeArrow } from "./foreign/arrow.ts";
export {
  type ParquetOptions,
  type ParquetStreamOptions,
  readParquet,
  streamParquet,
  writeParquet,
} from "./foreign/parquet.ts";
export { readDuckDb, readSqlite } from "./foreign/sql.ts";
export type { JoinOptions } from "./join.ts";
export { type JsonlOptions, parseJsonl, readJsonl, streamJsonl, writeJsonl } from "./jsonl.ts";
export { bin, hashing } from "./pipeline/bins.ts";
export { clipOutliers, type OutlierMethod, type OutlierOptions } from "./pipeline/clip.ts";
export { type DatePart, dateParts } from "./pipeline/date-parts.ts";
export { oneHot, ordinal, type Unknown } from "./pipeline/encode.ts";
export { type FeatureDataset, type FittedParts, FittedPipeline, type RawRows } from "./pipeline/fitted.ts";
export { imputeMissing } from "./pipeline/impute.ts";
export { loadPipeline, parsePipeline } from "./pipeline/load.ts";
export type { ColumnStep } from "./pipeline/operation.ts";
export { drop, keep } from "./pipeline/operations.ts";
export {
  columns,
  kinds,
  type PerColumnStep,
  Pipeline,
  type PipelineFitOptions,
  type PipelineStep,
  pipeline,
} from "./pipeline/pipeline.ts";
export { power, quantile } from "./pipeline/power.ts";
export { log, maxAbs, minMax, robust, standardize } from "./pipeline/scale.ts";
export { knnImpute, polynomial, type TableStep } from "./pipeline/several.ts";
export { targetEncode } from "./pipeline/target-encoding.ts";
export { medianFilter, movingAverage, type SavitzkyGolayOptions, savitzkyGolay } from "./smooth.ts";
export { type Row, type SchemaOf, Table, table, tableFromRows } from "./table.ts";
