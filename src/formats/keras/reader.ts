/**
 * Keras's files (`.keras`, and `.h5` as TensorFlow wrote them) and TensorFlow.js's layers models, as what they have in common: the
 * configuration, and each layer's arrays in Keras's order.
 *
 *     .keras      ZIP: config.json, model.weights.h5 with layers/NAME/vars/0, 1 …
 *     .h5         HDF5: attribute model_config, model_weights/LAYER with attribute weight_names
 *     model.json  modelTopology, weightsManifest, beside it the files of weights
 */

import { joinPath, openFile, readFile } from "#platform";
import { FormatError } from "../../base/errors.ts";
import { countElements, type HostArray } from "../../base/host-array.ts";
import { joinBytes } from "../../base/join-bytes.ts";
import { openZip, readerOfBytes } from "../zip.ts";
import { type H5Group, readH5 } from "./h5.ts";

export interface KerasLayerConfig {
  readonly class_name: string;
  readonly config: Readonly<Record<string, any>>;
  readonly name?: string;
  readonly inbound_nodes?: readonly unknown[];
}

export interface KerasContent {
  /** `Sequential`, `Functional` … with the layers' own configurations. */
  readonly config: KerasLayerConfig;
  /** By the name of the layer: kernel, bias … in Keras's order. */
  readonly weights: ReadonlyMap<string, readonly HostArray[]>;
}

const maxFileBytes = 2 ** 31;
const maxConfigBytes = 2 ** 26;

/**
 * Reads a model of Keras or TensorFlow.js: configuration and weights, nothing is executed. `loadKeras` makes a model of it.
 *
 * @param path of a `.keras` or `.h5` file (the package `h5wasm` is needed), or of a `model.json` of TensorFlow.js
 * @throws FileError when it cannot be read, FormatError when it is damaged or none of these, PlatformError without `h5wasm`
 * @example
 * // not run: it needs a file of Keras
 * const { config, weights } = await readKeras("model.keras");
 * weights.get("dense")![0].shape; // [784, 10]
 */
export async function readKeras(path: string): Promise<KerasContent> {
  if (/\.json$/.test(path)) return readLayersModel(path);
  const file = await openFile(path);
  await file.close();
  if (file.sizeBytes > maxFileBytes)
    throw new FormatError(`"${path}" has ${file.sizeBytes} bytes; at most ${maxFileBytes} are read`);
  const bytes = await readFile(path);
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return readArchive(path, bytes);
  if (bytes[0] === 0x89 && bytes[1] === 0x48) return readOld(path, bytes);
  throw new FormatError(`"${path}" is neither a .keras archive nor an HDF5 file`);
}

async function readArchive(path: string, bytes: Uint8Array): Promise<KerasContent> {
  const archive = await openZip(readerOfBytes(bytes, path));
  if (!archive.entries.has("config.json"))
    throw new FormatError(`"${path}" is a ZIP archive without config.json: Keras did not write it`);
  const config = configOf(path, new TextDecoder().decode(await archive.read("config.json", maxConfigBytes)));
  const file = await readH5(await archive.read("model.weights.h5"), path);
  const weights = new Map<string, readonly HostArray[]>();
  const groups =
    file.groups.get("layers")?.groups ?? file.groups.get("_layer_checkpoint_dependencies")?.groups;
  const byClass = new Map<string, number>();
  for (const layer of layersOf(config)) {
    // Groups are named by class and count, whatever the layer's own name is; older versions say no other.
    const base = snakeCase(layer.class_name);
    const count = byClass.get(base) ?? 0;
    byClass.set(base, count + 1);
    const named = [...(groups?.values() ?? [])].find(
      (group) => group.groups.get("vars")?.attributes["name"] === nameOf(layer),
    );
    const group = named ?? groups?.get(count === 0 ? base : `${base}_${count}`);
    weights.set(nameOf(layer), group ? arraysIn(group) : []);
  }
  return { config, weights };
}

/** `vars/0`, `vars/1` …, and those of cells within. */
function arraysIn(group: H5Group): HostArray[] {
  const own = group.groups.get("vars");
  const list = [...(own?.arrays ?? [])].sort(([a], [b]) => Number(a) - Number(b)).map(([, array]) => array);
  const inner = [...group.groups].filter(([name]) => name !== "vars").flatMap(([, child]) => arraysIn(child));
  return [...list, ...inner];
}

/** Conv2D → conv2d, BatchNormalization → batch_normalization: as Keras names groups. */
const snakeCase = (name: string): string =>
  name
    .replaceAll(/\W+/g, "")
    .replaceAll(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replaceAll(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();

async function readOld(path: string, bytes: Uint8Array): Promise<KerasContent> {
  const file = await readH5(bytes, path);
  const text = file.attributes["model_config"];
  if (typeof text !== "string")
    throw new FormatError(
      `"${path}" holds no model_config: it was saved by save_weights; save the model itself`,
    );
  const config = configOf(path, text);
  const weights = new Map<string, readonly HostArray[]>();
  for (const [name, group] of file.groups.get("model_weights")?.groups ?? []) {
    const names = group.attributes["weight_names"];
    weights.set(
      name,
      names === undefined || !Array.isArray(names)
        ? []
        : names.map((weight) => arrayAt(path, group, String(weight))),
    );
  }
  return { config, weights };
}

function arrayAt(path: string, group: H5Group, name: string): HostArray {
  const parts = name.split("/");
  const last = parts.pop()!;
  const holder = parts.reduce<H5Group | undefined>((inner, part) => inner?.groups.get(part), group);
  const array = holder?.arrays.get(last);
  if (array === undefined) throw new FormatError(`"${path}": the weights "${name}" are missing`);
  return array;
}

/** Checked as far as reading needs. */
function configOf(path: string, source: string | object): KerasLayerConfig {
  let config: any = source;
  try {
    if (typeof source === "string") config = JSON.parse(source);
  } catch (cause) {
    throw new FormatError(`"${path}": its configuration is not JSON: ${(cause as Error).message}`, { cause });
  }
  const found = config as Partial<KerasLayerConfig> | null;
  if (typeof found?.class_name !== "string" || typeof found.config !== "object")
    throw new FormatError(`"${path}": its configuration names no model`);
  // Keras 2.0 wrote the layers of a Sequential alone.
  return Array.isArray(found.config)
    ? ({ ...found, config: { layers: found.config } } as KerasLayerConfig)
    : (found as KerasLayerConfig);
}

export const layersOf = ({ config }: KerasLayerConfig): readonly KerasLayerConfig[] => {
  const layers = config["layers"] as unknown;
  const isList =
    Array.isArray(layers) &&
    layers.every((layer) => typeof layer?.class_name === "string" && typeof layer.config === "object");
  return isList ? (layers as KerasLayerConfig[]) : [];
};
export const nameOf = (layer: KerasLayerConfig): string =>
  String(layer.config?.["name"] ?? layer.name ?? layer.class_name);

interface ManifestWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: { readonly dtype: string; readonly scale: number; readonly min: number };
}

/** Every weight of TensorFlow.js stands behind the one before, in the files of its group joined. */
async function readLayersModel(path: string): Promise<KerasContent> {
  const text = new TextDecoder().decode(await readFile(path));
  let json: any;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`"${path}" is not JSON: ${(cause as Error).message}`, { cause });
  }
  const topology = json?.modelTopology?.model_config ?? json?.modelTopology;
  if (json?.format === "graph-model" || topology?.node)
    throw new FormatError(`"${path}" is a graph model of TensorFlow.js; layers models are read`);
  const config = configOf(path, topology);
  const groups: unknown = json.weightsManifest;
  if (!Array.isArray(groups)) throw new FormatError(`"${path}" has no weightsManifest`);
  const byName = new Map<string, HostArray>();
  const folder = path.replace(/[^/\\]*$/, "") || ".";
  for (const group of groups as { paths: string[]; weights: ManifestWeight[] }[]) {
    const parts: Uint8Array[] = [];
    for (const part of group.paths) {
      if (!/^[\w.-]+$/.test(part))
        throw new FormatError(`"${path}" names a file ${JSON.stringify(part)} outside its folder`);
      parts.push(await readFile(joinPath(folder, part)));
    }
    readGroup(path, parts, group.weights, byName);
  }
  return {
    config,
    weights: new Map(layersOf(config).map((layer) => [nameOf(layer), arraysOf(nameOf(layer), byName)])),
  };
}

/** `dense_1/kernel` belongs to `dense_1`; the manifest has Keras's order. */
const arraysOf = (layer: string, byName: ReadonlyMap<string, HostArray>): HostArray[] =>
  [...byName].filter(([name]) => name.split("/").includes(layer)).map(([, array]) => array);

function readGroup(
  path: string,
  parts: readonly Uint8Array[],
  weights: readonly ManifestWeight[],
  into: Map<string, HostArray>,
): void {
  const whole = joinBytes(parts);
  let at = 0;
  for (const { name, shape, dtype, quantization } of weights) {
    const stored = quantization?.dtype ?? dtype;
    const width = widths[stored];
    if (width === undefined || (quantization && !["uint8", "uint16"].includes(stored)))
      throw new FormatError(
        `"${path}": weights "${name}" of ${stored} are not read; float32, int32, uint8 and uint16 are`,
      );
    const length = countElements(shape) * width;
    if (at + length > whole.length)
      throw new FormatError(
        `"${path}": weights "${name}" end after the ${whole.length} bytes of their files`,
      );
    const { buffer } = whole.slice(at, at + length);
    at += length;
    const numbers =
      stored === "float32"
        ? new Float32Array(buffer)
        : stored === "int32"
          ? new Int32Array(buffer)
          : stored === "uint16"
            ? new Uint16Array(buffer)
            : new Uint8Array(buffer);
    if (stored === "int32") into.set(name, { dtype: "i32", shape, data: numbers as Int32Array });
    else {
      const { scale = 1, min = 0 } = quantization ?? {};
      const data = quantization
        ? Float32Array.from(numbers, (value) => value * scale + min)
        : Float32Array.from(numbers);
      into.set(name, { dtype: "f32", shape, data });
    }
  }
}

const widths: Readonly<Record<string, number | undefined>> = {
  float32: 4,
  int32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
};
