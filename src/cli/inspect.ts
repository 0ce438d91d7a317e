/** `netwright inspect`: what is in a file. */
import { fileSize, joinPath, listFolder, readFile, write } from "#platform";
import { bytesOf } from "../base/dtype.ts";
import { ArgumentError, FileError, FormatError } from "../base/errors.ts";
import { countElements } from "../base/host-array.ts";
import { shapeText } from "../base/shape.ts";
import { files as modelFiles } from "../checkpoint/folder/format.ts";
import { keys } from "../checkpoint/layout.ts";
import { openGguf, openSafetensors, readIdx, readKeras, readOnnx, readTorch } from "../formats/index.ts";
import { layersOf, nameOf } from "../formats/keras/reader.ts";
import { elementTypes } from "../formats/onnx/types.ts";
import { compareRuns, readRun } from "../runs/index.ts";
import { files } from "../runs/layout.ts";
import { readArrow, readParquet, streamCsv, streamJsonl, type Table } from "../tabular/index.ts";
import type { Command } from "./command.ts";
import { numberText, tableText, valueText } from "./text.ts";

export const inspect: Command = {
  summary: "what is in a file: weights, checkpoints, tables, runs",
  usage: `netwright inspect FILE [--json]

  FILE    .safetensors (weights, checkpoints), .gguf, .onnx; of PyTorch .pt, .pth; of Keras .keras, .h5; model.json of TensorFlow.js;
          .csv, .tsv, .jsonl, .parquet, .arrow; an IDX file; or the folder of a run or a model
  --json  one JSON object instead of text

  Of weights names, dtypes, shapes and the header's metadata are shown, nothing is loaded; of tables columns and first rows.

  netwright inspect model.safetensors
  netwright inspect resnet18.pth
  netwright inspect runs/2026-11-24-103012`,
  flags: { json: { type: "boolean" } },
  async run({ values, positionals }) {
    const [path, extra] = positionals;
    if (path === undefined || extra !== undefined)
      throw new ArgumentError(`inspect takes one file, got ${positionals.length}`);
    const { facts, text } = await inspected(path);
    write("stdout", values["json"] === true ? `${JSON.stringify(facts)}\n` : text);
    return 0;
  },
};

interface Inspected {
  readonly facts: object;
  readonly text: string;
}

async function inspected(path: string): Promise<Inspected> {
  const entries = await listFolder(path);
  const has = (own: string): boolean => entries?.some(({ name }) => name === own) === true;
  if (has(files.config) && has(files.environment)) return inspectRun(path);
  if (has(modelFiles.config) && has(modelFiles.weights)) return inspectModel(path);
  if (entries !== undefined)
    throw new FileError(
      `"${path}" is a folder that holds no run and no model; name a file in it: ${entries
        .slice(0, 10)
        .map(({ name }) => name)
        .join(", ")}`,
    );
  if (/\.safetensors$/i.test(path)) return inspectWeights(path);
  if (/\.gguf$/i.test(path)) return inspectGguf(path);
  if (/\.onnx$/i.test(path)) return inspectOnnx(path);
  if (/\.(pt|pth)$/i.test(path)) return inspectTorch(path);
  if (/\.(keras|h5)$|model\.json$/i.test(path)) return inspectKeras(path);
  if (/\.(csv|tsv|txt)$/i.test(path))
    return inspectTable(path, await first(streamCsv(path, { batchRows: shownRows })));
  if (/\.(jsonl|ndjson)$/i.test(path))
    return inspectTable(path, await first(streamJsonl(path, { batchRows: shownRows })));
  if (/\.parquet$/i.test(path)) return inspectTable(path, await readParquet(path), true);
  if (/\.(arrow|feather)$/i.test(path)) return inspectTable(path, await readArrow(path), true);
  if (/-idx\d+-|\.idx/i.test(path)) return inspectIdx(path);
  if ((await fileSize(path)) === undefined)
    throw new FileError(`cannot read "${path}": there is no such file; check the path`);
  throw new ArgumentError(
    `"${path}": its name says no format that inspect knows; these are .safetensors, .gguf, .onnx, .pt, .pth, .keras, .h5, model.json, .csv, .tsv, .jsonl, .parquet, .arrow, IDX, ` +
      "and folders of runs and models",
  );
}

const shownRows = 5;

async function first<Item>(items: AsyncIterable<Item>): Promise<Item | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** @param isWhole whether these are all rows */
async function inspectTable(path: string, table: Table | undefined, isWhole = false): Promise<Inspected> {
  const columns = (table?.names ?? []).map((name) => ({ name, kind: table!.column(name).kind }));
  const rows = isWhole ? table?.length : undefined;
  const bytes = await fileSize(path);
  const size = `${numberText(bytes ?? 0)} bytes${rows === undefined ? "" : `, ${numberText(rows)} rows`}`;
  const shown = table === undefined ? "no rows\n" : `${table.head(shownRows)}\n`;
  const text = `${path}: ${columns.length} columns, ${size}\n\n${tableText(
    ["column", "kind"],
    columns.map(({ name, kind }) => [name, kind]),
  )}\n${shown}`;
  return { facts: { path, bytes, columns, ...(rows === undefined ? {} : { rows }) }, text };
}

async function inspectIdx(path: string): Promise<Inspected> {
  const { dtype, shape } = await readIdx(path);
  return { facts: { path, dtype, shape }, text: `${path}: ${dtype} ${shapeText(shape)}\n` };
}

async function inspectWeights(path: string): Promise<Inspected> {
  const file = await openSafetensors(path);
  await file.close();
  const tensors = [...file.tensors].map(([name, { dtype, shape }]) => ({
    name,
    dtype,
    shape,
    elements: countElements(shape),
  }));
  const metadata = Object.fromEntries(file.metadata);
  const elements = tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
  const bytes = tensors.reduce((sum, { dtype, elements: count }) => sum + bytesOf(dtype) * count, 0);
  const kind = keys.progress in metadata || keys.loader in metadata ? "a training state" : "weights";
  const head = `${path}: ${kind}, ${tensors.length} tensors, ${numberText(elements)} numbers, ${numberText(bytes)} bytes\n`;
  const rows = tensors.map((tensor) => [
    tensor.name,
    tensor.dtype,
    shapeText(tensor.shape),
    String(tensor.elements),
  ]);
  const about = Object.entries(metadata).map(([key, value]) => [
    key,
    value.length > 100 ? `${value.slice(0, 99)}…` : value,
  ]);
  const tail = about.length === 0 ? "" : `\n${tableText(["metadata", ""], about)}`;
  const facts = { path, kind, tensors, elements, bytes, metadata };
  return { facts, text: `${head}\n${tableText(["tensor", "dtype", "shape", "numbers"], rows)}${tail}` };
}

async function inspectGguf(path: string): Promise<Inspected> {
  const file = await openGguf(path);
  await file.close();
  const tensors = [...file.tensors].map(([name, { type, shape }]) => ({ name, type, shape }));
  const elements = tensors.reduce((sum, { shape }) => sum + countElements(shape), 0);
  const short = (value: unknown): string => {
    if (typeof value === "object") return `${(value as readonly unknown[]).length} values`;
    const text = String(value).replaceAll("\n", " ");
    return text.length > 60 ? `${text.slice(0, 59)}…` : text;
  };
  const about = [...file.metadata].map(([key, value]) => [key, short(value)]);
  const head = `${path}: GGUF ${file.version}, ${tensors.length} tensors, ${numberText(elements)} numbers, ${numberText((await fileSize(path)) ?? 0)} bytes\n`;
  const rows = tensors.map(({ name, type, shape }) => [name, type, shapeText(shape)]);
  const facts = { path, kind: "a GGUF file", tensors, elements, metadata: Object.fromEntries(about) };
  return {
    facts,
    text: `${head}\n${tableText(["tensor", "type", "shape"], rows)}\n${tableText(["metadata", ""], about)}`,
  };
}

async function inspectOnnx(path: string): Promise<Inspected> {
  const { graph, opsets, producer, irVersion } = await readOnnx(path);
  const counts = new Map<string, number>();
  for (const { op } of graph.nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  const operators = Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  const arrays = [...graph.initializers.values()];
  const elements = arrays.reduce((sum, { shape }) => sum + countElements(shape), 0);
  const own = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  const side = (values: typeof graph.inputs): string[][] =>
    values.map(({ name, shape, elementType }) => [
      name,
      elementTypes.get(elementType)?.name ?? "?",
      shape === undefined ? "any" : `(${shape.join(", ")})`,
    ]);
  const facts = {
    ...{ path, kind: "an ONNX model", producer, irVersion, opsets: Object.fromEntries(opsets) },
    ...{ inputs: own, outputs: graph.outputs, operators, arrays: arrays.length, elements },
  };
  const version = [...opsets].map(([domain, number]) => `${domain || "ai.onnx"} ${number}`).join(", ");
  const head = `${path}: ONNX, operators of ${version}, by ${producer || "nobody who says so"}; ${graph.nodes.length} nodes, ${arrays.length} arrays, ${numberText(elements)} numbers\n`;
  const tables = [
    tableText(["input", "type", "shape"], side(own)),
    tableText(["output", "type", "shape"], side(graph.outputs)),
    tableText(
      ["operator", "nodes"],
      Object.entries(operators).map(([op, count]) => [op, String(count)]),
    ),
  ];
  return { facts, text: `${head}\n${tables.join("\n")}` };
}

const sizeOf = (arrays: Iterable<{ readonly shape: readonly number[] }>): number =>
  [...arrays].reduce((sum, { shape }) => sum + countElements(shape), 0);

async function inspectTorch(path: string): Promise<Inspected> {
  const content = await readTorch(path);
  const tensors = [...content.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const elements = sizeOf(tensors);
  const values = Object.fromEntries([...content.values].map(([name, value]) => [name, valueText(value)]));
  const head = `${path}: a file of PyTorch, ${tensors.length} tensors, ${numberText(elements)} numbers\n`;
  const rows = tensors.map(({ name, dtype, shape }) => [name, dtype, shapeText(shape)]);
  const about = Object.entries(values);
  const tail = about.length === 0 ? "" : `\n${tableText(["what else", ""], about)}`;
  return {
    facts: { path, kind: "a file of PyTorch", tensors, elements, values },
    text: `${head}\n${tableText(["tensor", "dtype", "shape"], rows)}${tail}`,
  };
}

async function inspectKeras(path: string): Promise<Inspected> {
  const { config, weights } = await readKeras(path);
  const layers = layersOf(config).map((layer) => ({
    name: nameOf(layer),
    class: layer.class_name,
    arrays: (weights.get(nameOf(layer)) ?? []).map(({ shape }) => shape),
  }));
  const elements = sizeOf([...weights.values()].flat());
  const head = `${path}: a ${config.class_name} of Keras, ${layers.length} layers, ${numberText(elements)} numbers\n`;
  const rows = layers.map(({ name, class: kind, arrays }) => [name, kind, arrays.map(shapeText).join(" ")]);
  return {
    facts: { path, kind: "a model of Keras", class: config.class_name, layers, elements },
    text: `${head}\n${tableText(["layer", "class", "arrays"], rows)}`,
  };
}

/** A folder of `saveModel`, or one of Hugging Face: what its configuration says, then its weights. */
async function inspectModel(path: string): Promise<Inspected> {
  const weights = await inspectWeights(joinPath(path, modelFiles.weights));
  const text = new TextDecoder().decode(await readFile(joinPath(path, modelFiles.config)));
  const { digests: _, key: __, ...config } = parsedConfig(path, text);
  const rows = Object.entries(config).map(([name, value]) => [name, valueText(value)]);
  return {
    facts: { path, kind: "a model", config, weights: weights.facts },
    text: `${tableText(["config", ""], rows)}\n${weights.text}`,
  };
}

function parsedConfig(path: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new FormatError(`"${joinPath(path, modelFiles.config)}" is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
}

async function inspectRun(path: string): Promise<Inspected> {
  const run = await readRun(path);
  const [row] = compareRuns([run]);
  const { config, environment } = run;
  const there = ((await listFolder(path)) ?? []).map(({ name }) => name);
  const facts = { ...row!, options: config.options, model: config.model, environment, files: there };
  const rows = [
    ["run", config.name],
    ["status", row!.status],
    ["began", config.startedAt],
    ["steps", String(row!.steps)],
    ...Object.entries(row!.best).map(([name, value]) => [`best ${name}`, numberText(value)]),
    ...Object.entries(config.options).map(([name, value]) => [name, valueText(value)]),
    ...(config.model ? [["model", `${config.model.name}, ${config.model.parameters} parameters`]] : []),
    [
      "machine",
      `${environment?.target}, ${environment?.threads} threads, arithmetic ${environment?.arithmetic}`,
    ],
    ["commit", environment?.code?.commit ?? "none"],
    ["files", there.map((name) => joinPath("", name)).join(", ")],
  ];
  return { facts, text: tableText(["what", ""], rows) };
}
