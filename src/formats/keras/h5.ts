/** Groups and arrays of HDF5 files, through the package `h5wasm`: loaded when it is used. */
import { FormatError } from "../../base/errors.ts";
import type { HostArray } from "../../base/host-array.ts";
import { optionalPackage } from "../../base/optional.ts";

/** A group: what is in it, by name, in the file's order of names. */
export interface H5Group {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly groups: ReadonlyMap<string, H5Group>;
  readonly arrays: ReadonlyMap<string, HostArray>;
}

const maxElements = 2 ** 31;
const maxDepth = 32;
let files = 0;

/**
 * The whole content of a file.
 *
 * @throws PlatformError when `h5wasm` is not installed, FormatError when it is no HDF5 file, or holds what weights do not
 */
export async function readH5(bytes: Uint8Array, what: string): Promise<H5Group> {
  // Of its two builds the one whose files are in memory: it runs everywhere.
  const h5: any = await optionalPackage("h5wasm", "reading HDF5 files", () => import("h5wasm"));
  const { FS } = await h5.ready;
  const place = `/netwright-${files++}.h5`;
  FS.writeFile(place, bytes);
  try {
    const file = new h5.File(place, "r");
    try {
      return groupOf(h5, file, what, 0);
    } finally {
      file.close();
    }
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`"${what}" is no HDF5 file that can be read: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    FS.unlink(place);
  }
}

function groupOf(h5: any, group: any, what: string, depth: number): H5Group {
  if (depth > maxDepth) throw new FormatError(`"${what}": groups are nested more than ${maxDepth} deep`);
  const groups = new Map<string, H5Group>();
  const arrays = new Map<string, HostArray>();
  for (const name of group.keys() as string[]) {
    const child = group.get(name);
    if (child instanceof h5.Group) groups.set(name, groupOf(h5, child, what, depth + 1));
    else if (child instanceof h5.Dataset) {
      const array = arrayOf(child, `"${what}": ${child.path}`);
      if (array) arrays.set(name, array);
    }
  }
  const attributes = Object.fromEntries(
    Object.entries(group.attrs as Record<string, { value: unknown }>).map(([name, { value }]) => [
      name,
      value,
    ]),
  );
  return { attributes, groups, arrays };
}

/** Numbers as f32, f64 or i32; arrays of anything else are left out. */
function arrayOf(dataset: any, what: string): HostArray | undefined {
  const shape = Array.from((dataset.shape ?? []) as Iterable<number | bigint>, Number);
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count) || count > maxElements)
    throw new FormatError(`${what} has ${count} elements`);
  const value: unknown = shape.length === 0 ? [dataset.value] : dataset.value;
  if (value instanceof Float32Array) return { dtype: "f32", shape, data: value };
  if (value instanceof Float64Array) return { dtype: "f64", shape, data: value };
  if (value instanceof Int32Array) return { dtype: "i32", shape, data: value };
  if (Array.isArray(value) && value.every((x) => typeof x === "number"))
    return { dtype: "f32", shape, data: Float32Array.from(value as number[]) };
  return undefined;
}
