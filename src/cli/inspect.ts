/** `netwright inspect`: what is in a file. */
import { fileSize, joinPath, listFolder, write } from "#platform";
import { bytesOf } from "../base/dtype.ts";
import { ArgumentError, FileError } from "../base/errors.ts";
import { countElements } from "../base/host-array.ts";
import { shapeText } from "../base/shape.ts";
import { keys } from "../checkpoint/layout.ts";
import { openGguf, openSafetensors, readIdx, readOnnx } from "../formats/index.ts";
import { elementTypes } from "../formats/onnx/types.ts";
import { compareRuns, readRun } from "../runs/index.ts";
import { files } from "../runs/layout.ts";
import { readArrow, readParquet, streamCsv, streamJsonl, type Table } from "../tabular/index.ts";
import type { Command } from "./command.ts";
import { numberText, tableText, valueText } from "./text.ts";

export const inspect: Command = {
  summary: "what is in a file: weights, checkpoints, tables, runs",
  usage: `netwright inspect FILE [--json]

  FILE    .safetensors (weights, checkpoints), .gguf, .onnx, .csv, .tsv, .jsonl, .parquet, .arrow, an IDX file, or a run's folder
  --json  one JSON object instead of text

  Of weights names, dtypes, shapes and the header's metadata are shown, nothing is loaded; of tables columns and first rows.

  netwright inspect model.safetensors
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
  if (entries?.some(({ name }) => name === files.config)) return inspectRun(path);
  if (entries !== undefined)
    throw new FileError(
      `"${path}" is a folder that holds no run; name a file in it: ${entries
        .slice(0, 10)
        .map(({ name }) => name)
        .join(", ")}`,
    );
  if (/\.safetensors$/i.test(path)) return inspectWeights(path);
  if (/\.gguf$/i.test(path)) return inspectGguf(path);
  if (/\.onnx$/i.test(path)) return inspectOnnx(path);
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
    `"${path}": its name says no format that inspect knows; these are .safetensors, .gguf, .onnx, .csv, .tsv, .jsonl, .parquet, .arrow, IDX, ` +
      "and folders of runs",
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
