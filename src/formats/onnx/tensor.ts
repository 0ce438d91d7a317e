/** Arrays in ONNX files: raw bytes, numbers one by one, or bytes in a file beside. */
import { arrayTypeOf, encode } from "../../base/dtype.ts";
import { FormatError } from "../../base/errors.ts";
import { countElements, type HostArray } from "../../base/host-array.ts";
import type { Message } from "./protobuf.ts";
import { elementTypes, type OnnxArray } from "./types.ts";

/** Reads a stretch of a file in the model's folder; undefined where there is no folder (bytes in memory). */
export type ExternalReader = (place: ExternalPlace) => Uint8Array;

export interface ExternalPlace {
  readonly location: string;
  readonly offset: number;
  /** undefined: to the end of the file. */
  readonly length: number | undefined;
}

const [least, most] = [-(2n ** 31n), 2n ** 31n - 1n];

/** 64-bit integers as 32-bit ones. ONNX writes "to the end" as the largest number there is: the ends stand for what is beyond. */
export const narrowed = (value: bigint): number =>
  Number(value < least ? least : value > most ? most : value);

/** @throws FormatError naming the tensor when its bytes are not what its type and shape say */
export function parseTensor(message: Message, external: ExternalReader): OnnxArray {
  const shape = message.integers(1).map(Number);
  const number = Number(message.integer(2));
  const type = elementTypes.get(number);
  if (type?.dtype === undefined)
    throw message.fail(`its element type ${type?.name ?? number} is not read; cast it to float or int32`);
  const { dtype } = type;
  const count = countOf(message, shape);
  const ArrayType = arrayTypeOf(dtype);
  const raw = rawBytes(message, external);
  if (raw === undefined) {
    const values = listed(message, type.name, count);
    // 16-bit floats stand there as their bits.
    const isBits = dtype === "f16" || dtype === "bf16";
    const data = isBits ? Uint16Array.from(values) : encode(dtype, Float64Array.from(values));
    return { dtype, shape, data: data as HostArray["data"], ...(type.name === "int64" && { isInt64: true }) };
  }
  if (raw.length !== count * type.bytes)
    throw message.fail(
      `${type.name} of shape [${shape.join(", ")}] takes ${count * type.bytes} bytes, there are ${raw.length}`,
    );
  // A copy of its own, also of a Buffer, whose slices are views.
  const own = new Uint8Array(raw);
  if (type.bytes === 8 && dtype === "i32")
    return { dtype, shape, data: from64(own, type.name === "uint64"), isInt64: true };
  if (type.bytes === 2 && dtype === "i32") {
    const values = type.name === "int16" ? new Int16Array(own.buffer) : new Uint16Array(own.buffer);
    return { dtype, shape, data: Int32Array.from(values) };
  }
  const data = new ArrayType(own.buffer) as HostArray["data"];
  if (dtype === "bool") for (let i = 0; i < data.length; i++) data[i] = data[i] === 0 ? 0 : 1;
  return { dtype, shape, data };
}

function countOf(message: Message, shape: readonly number[]): number {
  try {
    return countElements(shape);
  } catch (error) {
    throw message.fail((error as Error).message);
  }
}

function from64(bytes: Uint8Array, isUnsigned: boolean): Int32Array {
  const values = isUnsigned ? new BigUint64Array(bytes.buffer) : new BigInt64Array(bytes.buffer);
  return Int32Array.from(values as BigInt64Array, narrowed as never);
}

function rawBytes(message: Message, external: ExternalReader): Uint8Array | undefined {
  const place = externalPlace(message);
  if (place !== undefined) return external(place);
  return message.has(9) ? message.bytes(9).at(-1) : undefined;
}

/** Where a tensor's bytes are; undefined: in the model's file itself. */
export function externalPlace(message: Message): ExternalPlace | undefined {
  if (message.integer(14) !== 1n) return undefined;
  const entries = new Map(
    message.messages(13, "a place of external data").map((entry) => [entry.string(1), entry.string(2)]),
  );
  const size = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text !== "" && Number.isSafeInteger(value) && value >= 0) return value;
    throw message.fail(`${key} of its external data is ${JSON.stringify(text.slice(0, 40))}, no size`);
  };
  const location = entries.get("location") ?? "";
  if (location === "" || /[/\\]|^\.\.?$/.test(location))
    throw message.fail(
      `its external data is at ${JSON.stringify(location.slice(0, 100))}; only files in the model's own folder are read`,
    );
  return { location, offset: size("offset") ?? 0, length: size("length") };
}

/** Numbers of the typed fields. */
function listed(message: Message, type: string, count: number): readonly number[] {
  const values: readonly number[] =
    type === "float"
      ? [...message.floats(4, 4)]
      : type === "double"
        ? [...message.floats(10, 8)]
        : type === "int64"
          ? message.integers(7).map(narrowed)
          : type === "uint32" || type === "uint64"
            ? message.integers(11).map((value) => (type === "uint32" ? Number(value) : narrowed(value)))
            : message.integers(5).map(Number);
  if (values.length === count) return values;
  throw message.fail(`its shape asks for ${count} elements, there are ${values.length}`);
}

export const noExternal =
  (file: string): ExternalReader =>
  ({ location }) => {
    throw new FormatError(`"${file}" keeps arrays in "${location}", which was not read: use readOnnx(path)`);
  };
