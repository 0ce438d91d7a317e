/** Every operation by its name: what a file may call for. */
import type { TableColumn } from "../column.ts";
import { binOperation, hashOperation } from "./bins.ts";
import { clipOperation } from "./clip.ts";
import { datePartsOperation } from "./date-parts.ts";
import { oneHotOperation, ordinalOperation } from "./encode.ts";
import { imputeOperation } from "./impute.ts";
import { type ColumnStep, columnStep, type Operation } from "./operation.ts";
import { powerOperation, quantileOperation } from "./power.ts";
import {
  logOperation,
  maxAbsOperation,
  minMaxOperation,
  robustOperation,
  standardizeOperation,
} from "./scale.ts";
import { knnOperation, polynomialOperation, type TableOperation } from "./several.ts";
import { targetOperation } from "./target-encoding.ts";

const allKinds = ["number", "string", "boolean", "date"] as const;

const keepOperation: Operation<object, Record<string, never>> = {
  name: "keep",
  kinds: allKinds,
  state: {},
  fit: () => ({}),
  apply: (column) => [column],
  invert: ([column]) => column as TableColumn,
};

const dropOperation: Operation<object, Record<string, never>> = {
  name: "drop",
  kinds: allKinds,
  state: {},
  fit: () => ({}),
  outputs: () => [],
  apply: () => [],
};

/**
 * Leaves a column as it is: for `columns(…, { others: "drop" })`.
 *
 * @example pipeline(columns({ age: keep() }, { others: "drop" })).fit(table({ age: [20], id: [7] })).featureNames // ["age"]
 */
export const keep = (): ColumnStep => columnStep(keepOperation, undefined, {});

/**
 * Leaves a column out.
 *
 * @example pipeline(columns({ id: drop() })).fit(table({ age: [20], id: [7] })).featureNames // ["age"]
 */
export const drop = (): ColumnStep => columnStep(dropOperation, undefined, {});

export const operations: ReadonlyMap<string, Operation<any, any>> = new Map(
  [
    ...[keepOperation, dropOperation, imputeOperation, clipOperation],
    ...[standardizeOperation, minMaxOperation, robustOperation, maxAbsOperation, logOperation],
    ...[powerOperation, quantileOperation, binOperation, hashOperation],
    ...[oneHotOperation, ordinalOperation, targetOperation, datePartsOperation],
  ].map((operation): [string, Operation<any, any>] => [operation.name, operation as Operation<any, any>]),
);

export const tableOperations: ReadonlyMap<string, TableOperation<any, any>> = new Map(
  [knnOperation, polynomialOperation].map((operation): [string, TableOperation<any, any>] => [
    operation.name,
    operation as TableOperation<any, any>,
  ]),
);
