/**
 * PyTorch's files of tensors (`torch.save`), the ZIP archives of today and the plain files of before 1.6: read, never executed.
 *
 * An archive holds `data.pkl`, a pickle in which storages are named by keys, and an entry `data/KEY` of raw elements for each.
 * An old file holds five pickles behind each other (magic number, version, machine, the object, the keys), then the storages.
 */
import { openFile } from "#platform";
import { arrayTypeOf, type DType } from "../../base/dtype.ts";
import { ArgumentError, FormatError, nearestName } from "../../base/errors.ts";
import { countElements, type HostArray, type NamedTensors } from "../../base/host-array.ts";
import { checkOptions } from "../../base/options.ts";
import { type ByteReader, openZip, readerOfBytes } from "../zip.ts";
import { type Pickled, type PickleGlobal, unpickle } from "./pickle.ts";

export interface TorchContent {
  /** Tensors by path, with dots between the keys of nested dictionaries. */
  readonly tensors: NamedTensors;
  /** Everything else by path: epochs, options, names. */
  readonly values: ReadonlyMap<string, unknown>;
}

export interface TorchOptions {
  /** The key of the dictionary to read, such as `"state_dict"`, where the file holds more than that. */
  readonly key?: string;
}

/** How PyTorch's storages hold their elements; `read` is what they become. */
const storages: Readonly<Record<string, { readonly dtype: DType; readonly bytes: number }>> = {
  FloatStorage: { dtype: "f32", bytes: 4 },
  DoubleStorage: { dtype: "f64", bytes: 8 },
  HalfStorage: { dtype: "f16", bytes: 2 },
  BFloat16Storage: { dtype: "bf16", bytes: 2 },
  LongStorage: { dtype: "i32", bytes: 8 },
  IntStorage: { dtype: "i32", bytes: 4 },
  ShortStorage: { dtype: "i32", bytes: 2 },
  CharStorage: { dtype: "i8", bytes: 1 },
  ByteStorage: { dtype: "u8", bytes: 1 },
  BoolStorage: { dtype: "bool", bytes: 1 },
};

const maxPickleBytes = 2 ** 28;

/** Elements of a tensor in a storage that is yet to be read. */
class TensorPlace {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

interface Storage {
  readonly key: string;
  /** `FloatStorage` … */
  readonly type: string;
  readonly elementCount: number;
}

/**
 * Reads the tensors of a file that `torch.save` wrote: a state dictionary, or dictionaries of such.
 *
 * Pickles are programs; this reads them as data. What they may name are tensors, ordered dictionaries and sizes: any other class
 * is an error that names it. I64 becomes i32, with an error where a value does not fit, I16 becomes i32; strides are resolved.
 *
 * @param source the file's path, or its bytes
 * @throws FileError when it cannot be read; FormatError when it is damaged, or holds more than tensors and plain values; ArgumentError
 * for a key that is not there
 * @example
 * // not run: it needs a file of PyTorch
 * const { tensors } = await readTorch("resnet18.pt");
 * model.loadStateDict(tensors);
 */
export async function readTorch(
  source: string | Uint8Array,
  options: TorchOptions = {},
): Promise<TorchContent> {
  checkOptions("readTorch", options, ["key"]);
  if (typeof source !== "string") return readFrom(readerOfBytes(source, "the given bytes"), options);
  const file = await openFile(source);
  try {
    return await readFrom(file, options);
  } finally {
    await file.close();
  }
}

type ReadStorage = (storage: Storage) => Promise<Uint8Array>;

async function readFrom(reader: ByteReader, options: TorchOptions): Promise<TorchContent> {
  const start = new Uint8Array(Math.min(4, reader.sizeBytes));
  await reader.readAt(0, start);
  const isArchive = start[0] === 0x50 && start[1] === 0x4b;
  const { value, read } = isArchive ? await openArchive(reader) : await openOld(reader);
  const content = { tensors: new Map() as NamedTensors, values: new Map<string, unknown>() };
  const places = new Map<string, TensorPlace>();
  flatten(reader.path, partOf(reader.path, value, options), "", places, content.values);
  const bytes = new Map<string, Uint8Array>();
  for (const [name, place] of places) {
    const { key } = place.storage;
    const stored = bytes.get(key) ?? (await read(place.storage));
    bytes.set(key, stored);
    content.tensors.set(name, arrayAt(`${reader.path}: "${name}"`, place, stored));
  }
  return content;
}

/** The dictionary that was asked for. */
function partOf(path: string, value: Pickled, { key }: TorchOptions): Pickled {
  if (key === undefined) return value;
  const keys = value instanceof Map ? [...value.keys()].map(String) : [];
  if (value instanceof Map && value.has(key)) return value.get(key);
  const near = nearestName(key, keys);
  throw new ArgumentError(
    `"${path}" has no key "${key}"; it has ${keys.slice(0, 10).join(", ") || "none"}${near ? `. Did you mean "${near}"?` : ""}`,
  );
}

function flatten(
  path: string,
  value: Pickled,
  name: string,
  tensors: Map<string, TensorPlace>,
  values: Map<string, unknown>,
  depth = 0,
): void {
  if (depth > 64) throw new FormatError(`"${path}": dictionaries are nested more than 64 deep`);
  if (value instanceof TensorPlace) tensors.set(name, value);
  else if (value instanceof Map || (Array.isArray(value) && value.some(holdsTensors))) {
    const entries = value instanceof Map ? value.entries() : (value as Pickled[]).entries();
    for (const [key, inner] of entries)
      flatten(path, inner, name === "" ? String(key) : `${name}.${String(key)}`, tensors, values, depth + 1);
  } else values.set(name, value);
}

const holdsTensors = (value: Pickled): boolean => value instanceof TensorPlace || value instanceof Map;

interface Opened {
  readonly value: Pickled;
  readonly read: ReadStorage;
}

async function openArchive(reader: ByteReader): Promise<Opened> {
  const archive = await openZip(reader);
  const pickle = [...archive.entries.keys()].find((name) => /(^|\/)data\.pkl$/.test(name));
  if (pickle === undefined)
    throw new FormatError(`"${reader.path}" is a ZIP archive without data.pkl: torch.save did not write it`);
  const folder = pickle.slice(0, -"data.pkl".length);
  if (archive.entries.has(`${folder}byteorder`)) {
    const order = new TextDecoder().decode(await archive.read(`${folder}byteorder`, 16));
    if (order !== "little")
      throw new FormatError(`"${reader.path}" holds ${order}-endian numbers; little-endian ones are read`);
  }
  const bytes = await archive.read(pickle, maxPickleBytes);
  const { value } = unpickle(bytes, {
    what: reader.path,
    global: globals(reader.path),
    persistent: storageOf(reader.path),
  });
  return { value, read: (storage) => readEntry(storage) };

  async function readEntry(storage: Storage): Promise<Uint8Array> {
    const stored = await archive.read(`${folder}data/${storage.key}`);
    checkLength(reader.path, storage, stored.length);
    return stored;
  }
}

const oldMagic = "119547037146038801333356";

async function openOld(reader: ByteReader): Promise<Opened> {
  if (reader.sizeBytes > 2 ** 31)
    throw new FormatError(
      `"${reader.path}" is no ZIP archive; files of before PyTorch 1.6 are read up to 2 GiB`,
    );
  const bytes = new Uint8Array(reader.sizeBytes);
  await reader.readAt(0, bytes);
  const options = { what: reader.path, global: globals(reader.path), persistent: storageOf(reader.path) };
  let at = 0;
  const next = (): Pickled => {
    const { value, end } = unpickle(bytes, options, at);
    at = end;
    return value;
  };
  if (bytes[0] !== 0x80 || String(next()) !== oldMagic)
    throw new FormatError(
      `"${reader.path}" was not written by torch.save: it is neither a ZIP archive nor an old file`,
    );
  next();
  next();
  const value = next();
  const keys = next();
  if (!Array.isArray(keys)) throw new FormatError(`"${reader.path}" is damaged: it lists no storages`);
  const places = new Map<string, number>();
  const view = new DataView(bytes.buffer);
  for (const key of keys) {
    const storage = options.persistent.seen.get(String(key));
    if (storage === undefined || at + 8 > bytes.length)
      throw new FormatError(`"${reader.path}" is damaged or cut short`);
    const length = Number(view.getBigUint64(at, true)) * storages[storage.type]!.bytes;
    places.set(String(key), at + 8);
    at += 8 + length;
  }
  return {
    value,
    read: async (storage) => {
      const from = places.get(storage.key) ?? bytes.length;
      const length = storage.elementCount * storages[storage.type]!.bytes;
      const stored = bytes.slice(from, from + length);
      checkLength(reader.path, storage, stored.length);
      return stored;
    },
  };
}

function checkLength(path: string, { key, type, elementCount }: Storage, length: number): void {
  const expected = elementCount * storages[type]!.bytes;
  if (length < expected)
    throw new FormatError(
      `"${path}": storage ${key} has ${length} bytes, ${expected} were announced; it is damaged or cut short`,
    );
}

/** `('storage', FloatStorage, key, device, elements)`. */
function storageOf(path: string): ((id: Pickled) => Storage) & { readonly seen: Map<string, Storage> } {
  const seen = new Map<string, Storage>();
  const read = (id: Pickled): Storage => {
    const [kind, global, key, , elementCount] = Array.isArray(id) ? (id as Pickled[]) : [];
    const type = (global as Partial<PickleGlobal> | undefined)?.name?.split(".").pop() ?? "";
    if (kind !== "storage" || storages[type] === undefined || !isSize(elementCount))
      throw new FormatError(`"${path}" holds a storage ${JSON.stringify(type)} that is not read`);
    const storage = { key: String(key), type, elementCount };
    seen.set(storage.key, storage);
    return storage;
  };
  return Object.assign(read, { seen });
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** All that a pickle may name. */
function globals(path: string): (name: string) => PickleGlobal | undefined {
  const tensor = (values: readonly Pickled[]): TensorPlace => tensorOf(path, values);
  const known: Readonly<Record<string, PickleGlobal["call"]>> = {
    "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_tensor": tensor,
    "torch._utils._rebuild_parameter": ([data]) => data,
    "collections.OrderedDict": ([items]) => new Map((items ?? []) as [Pickled, Pickled][]),
    "torch.Size": ([sizes]) => sizes,
    "builtins.set": ([items]) => items ?? [],
    "__builtin__.set": ([items]) => items ?? [],
  };
  return (name) => {
    const call = Object.hasOwn(known, name) ? known[name] : undefined;
    if (call !== undefined) return { name, call };
    const isStorage = name.startsWith("torch.") && Object.hasOwn(storages, name.slice(6));
    const isDType = /^torch\.(float\d+|bfloat16|u?int\d+|bool)$/.test(name);
    return isStorage || isDType ? { name } : undefined;
  };
}

function tensorOf(path: string, [storage, offset, shape, strides]: readonly Pickled[]): TensorPlace {
  const sizes = (value: Pickled): value is number[] => Array.isArray(value) && value.every(isSize);
  const { type, elementCount } = (storage ?? {}) as Storage;
  if (
    storages[type] === undefined ||
    !isSize(offset) ||
    !sizes(shape) ||
    !sizes(strides) ||
    shape.length !== strides.length
  )
    throw new FormatError(
      `"${path}" holds a tensor that is not read: complex, quantised or sparse ones are not`,
    );
  const count = countElements(shape);
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, offset);
  // A broadcast tensor repeats elements; a hostile one could repeat them without end.
  if (count > 0 && (last >= elementCount || count > Math.max(elementCount, 2 ** 24)))
    throw new FormatError(
      `"${path}": a tensor of shape [${shape.join(", ")}] does not fit its storage of ${elementCount} elements`,
    );
  return new TensorPlace(storage as Storage, offset, shape, strides);
}

/** The elements of a tensor, in row-major order, in an array of its own. */
function arrayAt(
  what: string,
  { storage, offset, shape, strides }: TensorPlace,
  bytes: Uint8Array,
): HostArray {
  const { dtype, bytes: width } = storages[storage.type]!;
  const count = countElements(shape);
  const packed = new Uint8Array(count * width);
  if (isRowMajor(shape, strides)) packed.set(bytes.subarray(offset * width, (offset + count) * width));
  else copyStrided(bytes, packed, width, { offset, shape, strides });
  return { dtype, shape, data: elementsOf(what, storage.type, packed) };
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

function copyStrided(
  from: Uint8Array,
  into: Uint8Array,
  width: number,
  { offset, shape, strides }: { offset: number; shape: readonly number[]; strides: readonly number[] },
): void {
  const index = shape.map(() => 0);
  let element = offset;
  for (let at = 0; at < into.length; at += width) {
    for (let byte = 0; byte < width; byte++) into[at + byte] = from[element * width + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      element += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      element -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
}

function elementsOf(what: string, type: string, { buffer }: Uint8Array<ArrayBuffer>): HostArray["data"] {
  if (type === "ShortStorage") return Int32Array.from(new Int16Array(buffer));
  if (type === "BoolStorage") return new Uint8Array(buffer).map((byte) => Number(byte !== 0));
  if (type !== "LongStorage") return new (arrayTypeOf(storages[type]!.dtype))(buffer) as HostArray["data"];
  const wide = new BigInt64Array(buffer);
  const bad = wide.findIndex((value) => value !== BigInt.asIntN(32, value));
  if (bad >= 0)
    throw new FormatError(
      `${what}: element ${bad} is ${wide[bad]}, which does not fit into i32 (-2^31 to 2^31 - 1)`,
    );
  return Int32Array.from(wide, Number);
}
