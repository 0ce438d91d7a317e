/** Tables: reading them, cleaning them, and turning their columns into features for a network. */
export type { AggregatedSchema, Aggregation, Aggregations } from "./aggregate.ts";
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
export type { JoinOptions } from "./join.ts";
export { type JsonlOptions, parseJsonl, readJsonl, streamJsonl, writeJsonl } from "./jsonl.ts";
export { type Row, type SchemaOf, Table, table, tableFromRows } from "./table.ts";
