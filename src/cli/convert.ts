/** `netwright convert`: the same content in another file format. */
import { write } from "#platform";
import { type DType, decode, encode, isDType, isFloat } from "../base/dtype.ts";
import { ArgumentError, nearestName } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { describeModel } from "../checkpoint/folder/architecture.ts";
import { loadKeras, saveModel } from "../checkpoint/index.ts";
import {
  type NamedTensors,
  readOnnx,
  readSafetensors,
  readTorch,
  writeSafetensors,
} from "../formats/index.ts";
import { loadPretrained, saveGguf, savePretrained } from "../pretrained/index.ts";
import {
  readArrow,
  readCsv,
  readJsonl,
  readParquet,
  type Table,
  writeArrow,
  writeCsv,
  writeJsonl,
  writeParquet,
} from "../tabular/index.ts";
import type { Command } from "./command.ts";
import { numberText } from "./text.ts";

export const convert: Command = {
  summary: "a table, weights or a model in another file format",
  usage: `netwright convert FROM TO [--dtype DTYPE]

  FROM, TO       tables: .csv, .tsv, .jsonl, .parquet, .arrow
                 weights: .safetensors, .onnx, .pt, .pth to .safetensors
                 models of Keras and TensorFlow.js (.keras, .h5, model.json) to a folder that loadModel opens
                 language models: a folder of Hugging Face to .gguf, .gguf to a folder
  --dtype DTYPE  of the floats among the weights: f32, f16, bf16 or f64; of a .gguf file: F32, F16, Q8_0 …

  Numbers that a smaller dtype cannot hold are rounded to the nearest it can.

  netwright convert patients.csv patients.parquet
  netwright convert model.safetensors half.safetensors --dtype f16
  netwright convert resnet18.pth resnet18.safetensors
  netwright convert mnist.keras mnist
  netwright convert SmolLM2-135M-Instruct smollm2.gguf --dtype Q8_0`,
  flags: { dtype: { type: "string" } },
  async run({ values, positionals }) {
    const [from, to, extra] = positionals;
    if (from === undefined || to === undefined || extra !== undefined)
      throw new ArgumentError(`convert takes two files, got ${positionals.length}`);
    const { dtype } = values;
    if (isGguf(to)) return convertToGguf(from, to, dtype);
    if (isGguf(from)) return convertToFolder(from, to, dtype);
    if (isKeras(from)) return convertKeras(from, to, dtype);
    if (isWeights(from) || isTorch(from) || isWeights(to)) await convertWeights(from, to, dtype);
    else if (dtype !== undefined) throw new ArgumentError("--dtype is for weights (.safetensors)");
    else await formatOf(to).write(await formatOf(from).read(from), to);
    write("stdout", `${to}\n`);
    return 0;
  },
};

interface TableFormat {
  read(path: string): Promise<Table>;
  write(table: Table, path: string): Promise<void>;
}

const formats: Readonly<Record<string, TableFormat>> = {
  csv: { read: (path) => readCsv(path), write: (table, path) => writeCsv(table, path) },
  tsv: { read: (path) => readCsv(path), write: (table, path) => writeCsv(table, path, { delimiter: "\t" }) },
  jsonl: { read: (path) => readJsonl(path), write: writeJsonl },
  parquet: { read: (path) => readParquet(path), write: writeParquet },
  arrow: { read: readArrow, write: writeArrow },
};

function formatOf(path: string): TableFormat {
  const ending = /\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  if (Object.hasOwn(formats, ending)) return formats[ending]!;
  const known = [...Object.keys(formats), "safetensors"];
  const near = nearestName(ending, known);
  throw new ArgumentError(
    `convert: "${path}" must end in one of ${known.map((name) => `.${name}`).join(", ")}${near && ending !== "" ? `; did you mean ".${near}"?` : ""}`,
  );
}

const isGguf = (path: string): boolean => /\.gguf$/i.test(path);

/** Says how far the logits of what was written are from those of what was read. */
async function convertToGguf(from: string, to: string, dtype: unknown): Promise<number> {
  const { logitsError } = await saveGguf(await loadPretrained(from), to, {
    ...(dtype !== undefined && { type: dtype as never }),
  });
  write("stdout", `${to}: read back, its logits differ by ${numberText(logitsError)} of the largest\n`);
  return 0;
}

async function convertToFolder(from: string, to: string, dtype: unknown): Promise<number> {
  await savePretrained(await loadPretrained(from), to, {
    ...(dtype !== undefined && { dtype: dtype as never }),
  });
  write("stdout", `${to}\n`);
  return 0;
}

const isKeras = (path: string): boolean => /\.(keras|h5)$|model\.json$/i.test(path);

/** Into a folder with what `loadModel` needs to make it again. */
async function convertKeras(from: string, to: string, dtype: unknown): Promise<number> {
  if (/\.[a-z0-9]+$/i.test(to))
    throw new ArgumentError(`convert: a model of Keras goes to a folder, "${to}" looks like a file`);
  if (dtype !== undefined) throw new ArgumentError("--dtype is for weights (.safetensors)");
  const model = await loadKeras(from);
  if (describeModel(model) === undefined)
    throw new ArgumentError(
      `convert: "${from}" is a graph of layers or has one that a model folder cannot describe; read it with loadKeras of netwright/checkpoint`,
    );
  await saveModel(to, model);
  write("stdout", `${to}\n`);
  return 0;
}

const isTorch = (path: string): boolean => /\.(pt|pth)$/i.test(path);
const isOnnx = (path: string): boolean => /\.onnx$/i.test(path);
const isWeights = (path: string): boolean => /\.safetensors$/i.test(path);

async function convertWeights(from: string, to: string, dtype: unknown): Promise<void> {
  if (!(isWeights(from) || isOnnx(from) || isTorch(from)) || !isWeights(to))
    throw new ArgumentError(
      `convert: weights go from .safetensors, .onnx, .pt or .pth to .safetensors, got "${from}" to "${to}"`,
    );
  if (dtype !== undefined && !(typeof dtype === "string" && isDType(dtype) && isFloat(dtype)))
    throw new ArgumentError(`--dtype must be f32, f16, bf16 or f64, got "${dtype}"`);
  const { tensors, metadata } = await weightsOf(from);
  const cast: NamedTensors = new Map(
    [...tensors].map(([name, array]) => [name, castTo(array, dtype as DType | undefined)]),
  );
  await writeSafetensors(to, cast, { ...(metadata && { metadata }) });
}

async function weightsOf(path: string): Promise<{
  readonly tensors: ReadonlyMap<string, HostArray>;
  readonly metadata?: ReadonlyMap<string, string>;
}> {
  if (isOnnx(path)) return { tensors: (await readOnnx(path)).graph.initializers };
  if (isTorch(path)) return { tensors: (await readTorch(path)).tensors };
  return readSafetensors(path);
}

function castTo(array: HostArray, dtype: DType | undefined): HostArray {
  if (dtype === undefined || dtype === array.dtype || !isFloat(array.dtype)) return array;
  const data = encode(dtype, decode(array.dtype, array.data));
  return { dtype, shape: array.shape, data: data as HostArray["data"] };
}
