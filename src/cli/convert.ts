/** `netwright convert`: the same content in another file format. */
import { write } from "#platform";
import { type DType, decode, encode, isDType, isFloat } from "../base/dtype.ts";
import { ArgumentError, nearestName } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { type NamedTensors, readSafetensors, writeSafetensors } from "../formats/index.ts";
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

export const convert: Command = {
  summary: "a table or weights in another file format",
  usage: `netwright convert FROM TO [--dtype DTYPE]

  FROM, TO       tables: .csv, .tsv, .jsonl, .parquet, .arrow; weights: .safetensors
  --dtype DTYPE  of the floats among the weights: f32, f16, bf16 or f64

  Numbers that a smaller dtype cannot hold are rounded to the nearest it can.

  netwright convert patients.csv patients.parquet
  netwright convert model.safetensors half.safetensors --dtype f16`,
  flags: { dtype: { type: "string" } },
  async run({ values, positionals }) {
    const [from, to, extra] = positionals;
    if (from === undefined || to === undefined || extra !== undefined)
      throw new ArgumentError(`convert takes two files, got ${positionals.length}`);
    const { dtype } = values;
    if (isWeights(from) || isWeights(to)) await convertWeights(from, to, dtype);
    else if (dtype !== undefined) throw new ArgumentError("--dtype is for weights (.safetensors)");
    else await formatOf(to).write(await formatOf(from).read(from), to);
    write("stdout", `${to}\n`);
    return 0;
  },
};

interface TableFormat {
  read(path: string): Promise<Table<any>>;
  write(table: Table<any>, path: string): Promise<void>;
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

const isWeights = (path: string): boolean => /\.safetensors$/i.test(path);

async function convertWeights(from: string, to: string, dtype: unknown): Promise<void> {
  for (const path of [from, to])
    if (!isWeights(path))
      throw new ArgumentError(`convert: weights go from .safetensors to .safetensors, got "${path}"`);
  if (dtype !== undefined && !(typeof dtype === "string" && isDType(dtype) && isFloat(dtype)))
    throw new ArgumentError(`--dtype must be f32, f16, bf16 or f64, got "${dtype}"`);
  const { tensors, metadata } = await readSafetensors(from);
  const cast: NamedTensors = new Map(
    [...tensors].map(([name, array]) => [name, castTo(array, dtype as DType | undefined)]),
  );
  await writeSafetensors(to, cast, { metadata });
}

function castTo(array: HostArray, dtype: DType | undefined): HostArray {
  if (dtype === undefined || dtype === array.dtype || !isFloat(array.dtype)) return array;
  const data = encode(dtype, decode(array.dtype, array.data));
  return { dtype, shape: array.shape, data: data as HostArray["data"] };
}
