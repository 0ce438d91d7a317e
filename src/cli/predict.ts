/** `netwright predict`: what a trained run answers. */
import { write, writeFileAtomic } from "#platform";
import { decode } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { Setup } from "../config/resolve.ts";
import { openRun, partOf } from "../config/train.ts";
import { arrayDataset, type Dataset } from "../data/index.ts";
import { readCsv, readJsonl, readParquet, type Schema, type Table } from "../tabular/index.ts";
import { predict } from "../train/index.ts";
import type { Command } from "./command.ts";
import { runPath } from "./runs.ts";

export const predictRun: Command = {
  summary: "what a trained run answers",
  usage: `netwright predict RUN [FILE] [--part PART] [--take N] [--json] [--out FILE]

  RUN          a run's folder, or its name in the folder runs, made by netwright train
  FILE         raw rows (.csv, .tsv, .jsonl, .parquet), where the run's data is made of rows; an image or a folder of them, where it is
               made of images
  --part PART  a part of the config's data instead (default: test, else validation)
  --take N     its first N samples
  --json       one JSON array instead of a line for each
  --out FILE   where answers go (default: standard output)

  A JSON object a line: "prediction", and the "probabilities" of classes where there are some.

  netwright predict best new-patients.csv --out answers.jsonl
  netwright predict flowers photo.jpg
  netwright predict best --part test --take 5`,
  flags: {
    part: { type: "string" },
    take: { type: "string" },
    json: { type: "boolean" },
    out: { type: "string" },
  },
  async run({ values, positionals }) {
    const [run, file, extra] = positionals;
    if (run === undefined || extra !== undefined)
      throw new ArgumentError(`predict takes a run and a file, got ${positionals.length}`);
    const opened = await openRun(runPath(run));
    const { part = opened.data.test ? "test" : "validation", take, out } = values;
    const whole = file === undefined ? partOf(opened.data, String(part)) : await rowsOf(opened, file);
    const dataset = take === undefined ? whole : whole.take(Number(take));
    const { inputs } = opened.options;
    const answers = await predict(opened.model, dataset, inputs === undefined ? {} : { inputs });
    const lines = answerLines(opened, answers);
    const text = values["json"] === true ? `${JSON.stringify(lines)}\n` : lines.map(jsonLine).join("");
    if (typeof out === "string") await writeFileAtomic(out, new TextEncoder().encode(text));
    else write("stdout", text);
    return 0;
  },
};

const jsonLine = (answer: AnswerLine): string => `${JSON.stringify(answer)}\n`;

/** By the ends of files' names. */
const readers: Readonly<Record<string, (file: string, schema: Schema) => Promise<Table>>> = {
  csv: (file, schema) => readCsv(file, { schema }),
  tsv: (file, schema) => readCsv(file, { schema }),
  tab: (file, schema) => readCsv(file, { schema }),
  txt: (file, schema) => readCsv(file, { schema }),
  jsonl: (file, schema) => readJsonl(file, { schema }),
  ndjson: (file, schema) => readJsonl(file, { schema }),
  parquet: (file) => readParquet(file),
};

/** Rows of a file, prepared as the training's were. */
async function rowsOf({ data: { pipeline, prepare } }: Setup, file: string): Promise<Dataset> {
  if (prepare !== undefined) return prepare(file);
  if (pipeline === undefined)
    throw new ArgumentError(
      `the data of this run is made of neither rows nor images: "${file}" cannot be prepared; ask for a part of its own data (--part test)`,
    );
  const { schema } = pipeline;
  const [, ending = ""] = /\.(\w+)$/.exec(file.toLowerCase()) ?? [];
  const read = readers[ending];
  if (read === undefined)
    throw new ArgumentError(
      `"${file}" is no file of rows that predict reads: its name must end in ${Object.keys(readers)
        .map((known) => `.${known}`)
        .join(", ")}`,
    );
  const table = await read(file, schema);
  if (table.length === 0) throw new ArgumentError(`"${file}" has no rows to predict`);
  return arrayDataset({ features: pipeline.features(table) }) as Dataset;
}

interface AnswerLine {
  readonly prediction: unknown;
  readonly probabilities?: Readonly<Record<string, number>>;
}

/** Classes where the data names them or the rows are logits of several; the numbers themselves otherwise. */
function answerLines({ data: { classes, pipeline }, options }: Setup, answers: HostArray): AnswerLine[] {
  const values = decode(answers.dtype, answers.data as never);
  const [count = 0, width = 1] = answers.shape;
  const row = (i: number): Float64Array =>
    values.subarray((i * values.length) / count, ((i + 1) * values.length) / count);
  const isClass =
    answers.shape.length === 2 &&
    width > 1 &&
    (classes !== undefined || /cross|nll/i.test(String(options.loss.name)));
  return Array.from({ length: count }, (_, i) => {
    const own = row(i);
    if (isClass) return classLine(own, classes);
    if (own.length > 1) return { prediction: Array.from(own) };
    return { prediction: pipeline && !pipeline.classes ? pipeline.decode([own[0]!])[0] : own[0] };
  });
}

function classLine(logits: Float64Array, classes: readonly string[] | undefined): AnswerLine {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = logits.map((value) => Math.exp(value - largest));
  const sum = weights.reduce((a, b) => a + b, 0);
  const name = (i: number): string => classes?.[i] ?? String(i);
  const shares = Array.from(
    weights,
    (weight, i) => [name(i), Math.round((1e6 * weight) / sum) / 1e6] as const,
  );
  return { prediction: name(logits.indexOf(largest)), probabilities: Object.fromEntries(shares) };
}
