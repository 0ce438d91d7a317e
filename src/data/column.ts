/**
 * Columns: what every sample of a dataset has under one name.
 *
 * A column is stored compactly and delivered in a dtype of its own: images stay bytes in memory and become f32 from 0 to 1
 * batch by batch.
 */
import { bf16ToNumber, type DType, f16ToNumber, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { type ArrayOf, bytesView, countElements, type HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";

/** The shape of one sample and the dtype it is delivered in. */
export interface Column<S extends readonly number[] = readonly number[], D extends DType = DType> {
  readonly shape: S;
  readonly dtype: D;
  /**
   * Where it is stored in bytes: what they are. A delivered element is `byte / divideBy`, rounded once to f32. Arrays of the
   * stored dtype may be gathered instead, a quarter of the memory to move, and divided where they are used.
   */
  readonly stored?: { readonly dtype: "u8" | "i8" | "bool"; readonly divideBy: number };
}

export type Columns = Readonly<Record<string, Column>>;

/** Several samples: each column with a leading axis of samples. */
export type Batch<C extends Columns> = {
  readonly [N in keyof C]: HostArray<[number, ...C[N]["shape"]], C[N]["dtype"]>;
};

/**
 * One sample: a number where the column's shape is `[]`, else the elements (storage bits) in row-major order. Of unknown columns
 * anything, so that any function of samples can be given to `map`.
 */
export type Sample<C extends Columns> = 0 extends 1 & C
  ? any
  : { readonly [N in keyof C]: SampleOf<C[N]["shape"], ArrayOf<C[N]["dtype"]>> };
type SampleOf<S extends readonly number[], A> = [] extends S
  ? S extends readonly []
    ? number
    : number | A
  : A;

/** The columns with their stored dtype where they have one. */
export type StoredColumns<C extends Columns> = {
  readonly [N in keyof C]: Column<C[N]["shape"], C[N]["dtype"] | "u8" | "i8" | "bool">;
};

export const storedColumns = (columns: Columns): Columns =>
  Object.fromEntries(
    Object.entries(columns).map(([name, { shape, dtype, stored }]) => [
      name,
      { shape, dtype: stored?.dtype ?? dtype },
    ]),
  );

/** A column and where its samples come from. */
export interface StoredColumn<S extends readonly number[] = readonly number[], D extends DType = DType>
  extends Column<S, D> {
  readonly length: number;
  /** Writes samples `indices[start … start + count)` to the beginning of `into`; the indices are in range. */
  gather(indices: Uint32Array, start: number, count: number, into: TypedArray): void;
}

/** A column delivered as it is stored; the first axis counts samples. */
export function plainColumn(name: string, array: HostArray): StoredColumn {
  const { length, shape, sampleSize } = samplesOf(name, array);
  const { data } = array;
  return {
    shape,
    dtype: array.dtype,
    length,
    gather: sampleSize === 1 ? gatherOnes(data) : gatherRows(data, sampleSize),
  };
}

interface FloatOptions {
  /** What stored values are divided by: 255 for bytes of an image. */
  readonly divideBy?: number;
  /** The delivered shape of one sample, with as many elements as the stored one. */
  readonly sampleShape?: readonly number[];
}

/**
 * A column of numbers stored in any dtype and delivered as f32, each the quotient `value / divideBy`, correctly rounded.
 *
 * @throws ShapeError when `sampleShape` has another number of elements, ArgumentError when `divideBy` is not a positive number
 * @example arrayDataset({ images: floatColumn(bytes, { divideBy: 255, sampleShape: [784] }), labels })
 */
export function floatColumn<A extends HostArray>(
  array: A,
  options?: { readonly divideBy?: number; readonly sampleShape?: undefined },
): StoredColumn<SampleShape<A>, "f32">;
export function floatColumn<const S extends readonly number[]>(
  array: HostArray,
  options: FloatOptions & { readonly sampleShape: S },
): StoredColumn<Mutable<S>, "f32">;
export function floatColumn(
  array: HostArray,
  options: FloatOptions = {},
): StoredColumn<readonly number[], "f32"> {
  checkOptions("floatColumn", options, ["divideBy", "sampleShape"]);
  const { divideBy = 1, sampleShape } = options;
  const { length, shape, sampleSize } = samplesOf("floatColumn", array);
  if (!(divideBy > 0 && Number.isFinite(divideBy))) {
    throw new ArgumentError(`floatColumn: divideBy must be a positive number, got ${divideBy}`);
  }
  const delivered = sampleShape ?? shape;
  if (countElements(delivered) !== sampleSize) {
    throw new ShapeError(
      `floatColumn: samples of shape ${shapeText(shape)} have ${sampleSize} elements, sampleShape ${shapeText(delivered)} ` +
        `has ${countElements(delivered)}; give a shape with as many`,
    );
  }
  const column = { shape: [...delivered], dtype: "f32", length } as const;
  const { dtype } = array;
  if (dtype !== "u8" && dtype !== "i8" && dtype !== "bool") {
    return { ...column, gather: gatherQuotients(array, sampleSize, divideBy) };
  }
  return { ...column, stored: { dtype, divideBy }, gather: gatherByTable(array, sampleSize, divideBy) };
}

type SampleShape<A> =
  A extends HostArray<readonly [number, ...infer S extends readonly number[]]> ? S : readonly number[];
type Mutable<S extends readonly number[]> = { -readonly [K in keyof S]: S[K] };

function samplesOf(
  name: string,
  { shape, data }: HostArray,
): { length: number; shape: number[]; sampleSize: number } {
  const [length, ...sample] = shape;
  if (length === undefined) {
    throw new ShapeError(`column "${name}": shape () has no axis of samples; give it one, for example (1,)`);
  }
  if (countElements(shape) !== data.length) {
    throw new ShapeError(
      `column "${name}": shape ${shapeText(shape)} does not fit its ${data.length} elements`,
    );
  }
  return { length, shape: sample, sampleSize: countElements(sample) };
}

type Gather = StoredColumn["gather"];

const gatherOnes =
  (data: TypedArray): Gather =>
  (indices, start, count, into) => {
    for (let i = 0; i < count; i++) into[i] = data[indices[start + i]!]!;
  };

const gatherRows =
  (data: TypedArray, size: number): Gather =>
  (indices, start, count, into) => {
    for (let i = 0; i < count; i++) {
      const from = indices[start + i]! * size;
      into.set(data.subarray(from, from + size), i * size);
    }
  };

function gatherQuotients({ dtype, data }: HostArray, size: number, divideBy: number): Gather {
  const read = dtype === "f16" ? f16ToNumber : dtype === "bf16" ? bf16ToNumber : (x: number) => x;
  return (indices, start, count, into) => {
    for (let i = 0; i < count; i++) {
      const from = indices[start + i]! * size;
      for (let j = 0; j < size; j++) into[i * size + j] = read(data[from + j]!) / divideBy;
    }
  };
}

/**
 * For elements of one byte: the quotients of all 256 come from a table. Rows are first copied together (memory waits
 * overlap), then looked up two at a time: a table of 65,536 pairs, each moved as one 64-bit number. Such a number is never
 * NaN, whose bits a move may change, because no quotient is.
 */
function gatherByTable({ dtype, data }: HostArray, size: number, divideBy: number): Gather {
  const table = Float32Array.from(
    { length: 256 },
    (_, byte) => (dtype === "i8" ? (byte << 24) >> 24 : byte) / divideBy,
  );
  let pairs: Float64Array | undefined;
  const gatherBytes = gatherRows(bytesView(data), size);
  let staged = new Uint8Array(0);
  return (indices, start, count, into) => {
    if (into.BYTES_PER_ELEMENT === 1)
      return gatherBytes(indices, start, count, bytesView(into) as Uint8Array);
    const total = count * size;
    if (staged.length < total) staged = new Uint8Array(Math.ceil(total / 4) * 4);
    gatherBytes(indices, start, count, staged);
    pairs ??= pairsOf(table);
    const done = into.byteOffset % 8 === 0 ? lookUpPairs(pairs, staged, total, into) : 0;
    for (let i = done; i < total; i++) into[i] = table[staged[i]!]!;
  };
}

function pairsOf(table: Float32Array): Float64Array {
  const pairs = new Float32Array(2 * 65536);
  for (let second = 0, at = 0; second < 256; second++) {
    const value = table[second]!;
    for (let first = 0; first < 256; first++, at += 2) {
      pairs[at] = table[first]!;
      pairs[at + 1] = value;
    }
  }
  return new Float64Array(pairs.buffer);
}

/** Looks up whole groups of 8 bytes; returns how many bytes that were. */
function lookUpPairs(pairs: Float64Array, bytes: Uint8Array, total: number, into: TypedArray): number {
  const words = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
  const out = new Float64Array(into.buffer, into.byteOffset, into.length >> 1);
  const end = (total >> 3) * 2;
  for (let i = 0, o = 0; i < end; i += 2, o += 4) {
    const a = words[i]!;
    const b = words[i + 1]!;
    out[o] = pairs[a & 0xffff]!;
    out[o + 1] = pairs[a >>> 16]!;
    out[o + 2] = pairs[b & 0xffff]!;
    out[o + 3] = pairs[b >>> 16]!;
  }
  return end * 4;
}
