/** What is worth knowing of data before the first step: labels, ranges of inputs, rows in two sets. */
import { decode } from "../base/dtype.ts";
import { countElements, type HostArray } from "../base/host-array.ts";
import { type Columns, storedColumns } from "../data/column.ts";
import type { Dataset } from "../data/index.ts";
import { allocate, isLater } from "../data/source.ts";

/** One thing that was looked at. */
export interface Finding {
  readonly about: "labels" | "inputs" | "firstLoss" | "memory" | "gradients" | "sharedRows";
  readonly isOk: boolean;
  /** A few words where it is well, a sentence with what to do where it is not. */
  readonly text: string;
}

/** Whether samples lie in memory: those that are read or computed at each delivery cost too much to look at all of them. */
const isStored = ({ source }: Dataset, columns: readonly string[]): boolean =>
  source.mapDepth === 0 && !isLater(source, columns);

/** Labels up to this many are counted. */
const countedLabels = 5_000_000;

/** Whether classes are about equally frequent; undefined where labels are no classes. */
export function labelFinding(dataset: Dataset, name: string, batch: HostArray): Finding | undefined {
  const column = dataset.columns[name]!;
  if (column.shape.length > 0 || !/^[iu]/.test(column.dtype)) return undefined;
  const isWhole = isStored(dataset, [name]) && dataset.length <= countedLabels;
  const labels: ArrayLike<number> = isWhole ? (dataset.column(name).data as ArrayLike<number>) : batch.data;
  const counts = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) counts.set(labels[i]!, (counts.get(labels[i]!) ?? 0) + 1);
  if (counts.size < 2) {
    const text = `every label${isWhole ? "" : " of the first batch"} is ${labels[0]}: there is nothing to tell apart`;
    return { about: "labels", isOk: false, text };
  }
  if (!isWhole || counts.size > 1000) return undefined;
  const byCount = [...counts].sort((a, b) => b[1] - a[1]);
  const [[most, mostCount], [least, leastCount]] = [byCount[0]!, byCount[byCount.length - 1]!];
  if (mostCount <= 3 * leastCount) return { about: "labels", isOk: true, text: "labels balanced" };
  const share = (count: number): string => `${((100 * count) / labels.length).toPrecision(2)} %`;
  const text = `labels are not balanced: ${share(mostCount)} are ${most}, ${share(leastCount)} are ${least}; consider classWeights, and look at more than the accuracy`;
  return { about: "labels", isOk: false, text };
}

/** Values of this size slow most networks down. */
const large = 50;
const lookedAtRows = 1000;

/** The range of the inputs that are real numbers; undefined where none are. */
export function inputFinding(
  dataset: Dataset,
  inputs: readonly string[],
  batch: ReadonlyMap<string, HostArray>,
): Finding | undefined {
  let [low, high] = [Infinity, -Infinity];
  for (const name of inputs) {
    const column = dataset.columns[name]!;
    if (!/f(16|32|64)$/.test(column.dtype)) continue;
    const array = isStored(dataset, [name]) ? someRows(dataset, name) : batch.get(name)!;
    const scale = array.dtype === column.dtype ? 1 : (column.stored?.divideBy ?? 1);
    for (const value of decode(array.dtype, array.data)) {
      if (!Number.isFinite(value)) {
        const text = `column "${name}" holds ${value}: replace or leave out such rows, or the loss will be ${value}`;
        return { about: "inputs", isOk: false, text };
      }
      low = Math.min(low, value / scale);
      high = Math.max(high, value / scale);
    }
  }
  if (low > high) return undefined;
  const range = `inputs in [${short(low)}, ${short(high)}]`;
  if (low === high)
    return { about: "inputs", isOk: false, text: `${range}: all values looked at are the same` };
  if (Math.max(-low, high) <= large) return { about: "inputs", isOk: true, text: range };
  return {
    about: "inputs",
    isOk: false,
    text: `${range}: that is large; scale them, to [0, 1] or to mean 0 and deviation 1`,
  };
}

/** Rows over the whole length, as the loader delivers them. */
function someRows(dataset: Dataset, name: string): HostArray {
  const count = Math.min(lookedAtRows, dataset.length);
  const indices = Uint32Array.from({ length: count }, (_, i) => Math.floor((i * dataset.length) / count));
  const columns = { [name]: dataset.columns[name]! };
  const buffers = allocate(columns, count);
  dataset.source.gather(indices, 0, count, buffers);
  return {
    dtype: columns[name].dtype,
    shape: [count, ...columns[name].shape],
    data: buffers[name]!,
  } as HostArray;
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

/** More bytes than this are not compared. */
const comparedBytes = 256 * 2 ** 20;
const chunkRows = 1024;
/** Elements of a row that its key is made of. */
const keyElements = 64;

/** Rows that are in both sets: what was learnt by heart would count as understood. */
export function sharedRowsFinding(
  train: Dataset,
  validation: Dataset,
  inputs: readonly string[],
): Finding | undefined {
  const columns = storedColumns(Object.fromEntries(inputs.map((name) => [name, train.columns[name]!])));
  const isSame = inputs.every(
    (name) => JSON.stringify(validation.columns[name]) === JSON.stringify(train.columns[name]),
  );
  const rowBytes = inputs.reduce((sum, name) => sum + 4 * countElements(columns[name]!.shape), 0);
  const isSmall = (train.length + validation.length) * rowBytes <= comparedBytes;
  if (!isSame || !isSmall || !isStored(train, inputs) || !isStored(validation, inputs)) return undefined;
  const byKey = new Map<number, number[]>();
  eachKey(validation, columns, (key, row) => {
    const rows = byKey.get(key);
    if (rows === undefined) byKey.set(key, [row]);
    else if (rows.length < 8) rows.push(row);
  });
  const shared = new Set<number>();
  let example: readonly [number, number] | undefined;
  eachKey(train, columns, (key, row) => {
    for (const other of byKey.get(key) ?? []) {
      if (shared.has(other) || !areEqual(train, row, validation, other, columns)) continue;
      shared.add(other);
      example ??= [row, other];
    }
  });
  if (example === undefined) return { about: "sharedRows", isOk: true, text: "no rows in both sets" };
  const text = `${shared.size} of ${validation.length} validation rows are trained on too (row ${example[1]} is row ${example[0]} of the training set): their scores say little`;
  return { about: "sharedRows", isOk: false, text };
}

/** A number for each row, made of some of its elements. */
function eachKey(dataset: Dataset, columns: Columns, visit: (key: number, row: number) => void): void {
  const buffers = allocate(columns, Math.min(chunkRows, dataset.length));
  const parts = Object.entries(columns).map(([name, { shape }]) => {
    const size = countElements(shape);
    return { data: buffers[name]!, size, stride: Math.max(1, Math.ceil(size / keyElements)) };
  });
  const order = Uint32Array.from({ length: dataset.length }, (_, i) => i);
  const bits = new Float64Array(1);
  const words = new Uint32Array(bits.buffer);
  for (let start = 0; start < dataset.length; start += chunkRows) {
    const count = Math.min(chunkRows, dataset.length - start);
    dataset.source.gather(order, start, count, buffers);
    for (let row = 0; row < count; row++) {
      let key = 0x811c9dc5;
      for (const { data, size, stride } of parts) {
        for (let i = row * size; i < (row + 1) * size; i += stride) {
          bits[0] = data[i]!;
          key = Math.imul(key ^ words[0]! ^ Math.imul(words[1]!, 31), 0x01000193);
        }
      }
      visit(key, start + row);
    }
  }
}

function areEqual(a: Dataset, rowOfA: number, b: Dataset, rowOfB: number, columns: Columns): boolean {
  const [x, y] = [allocate(columns, 1), allocate(columns, 1)];
  a.source.gather(Uint32Array.of(rowOfA), 0, 1, x);
  b.source.gather(Uint32Array.of(rowOfB), 0, 1, y);
  return Object.keys(columns).every((name) => x[name]!.every((value, i) => value === y[name]![i]));
}
