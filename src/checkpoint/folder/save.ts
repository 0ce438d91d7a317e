/** Writing model folders. */
import { joinPath, makeFolder } from "#platform";
import { ArgumentError } from "../../base/errors.ts";
import { countElements } from "../../base/host-array.ts";
import { checkOptions } from "../../base/options.ts";
import type { Module } from "../../nn/index.ts";
import { FittedPipeline } from "../../tabular/index.ts";
import { type TokenizerFile, Vocabulary } from "../../text/index.ts";
import { weightsSha256 } from "../digest.ts";
import { save } from "../save.ts";
import { describeModel } from "./architecture.ts";
import { type CardOptions, cardText } from "./card.ts";
import {
  digestOf,
  type FolderConfig,
  files,
  formatName,
  formatVersion,
  keyName,
  type PreprocessingKind,
  writeText,
} from "./format.ts";

export interface SaveModelOptions {
  /** What a function needs to make the model again, as JSON: `loadModel(folder, (config) => new Classifier(config))`. */
  readonly config?: unknown;
  /** What turns raw input into the model's: a fitted pipeline, a vocabulary, or the content of a `tokenizer.json`. */
  readonly preprocessing?: FittedPipeline | Vocabulary | TokenizerFile;
  /** Names of the classes, in the order of the model's outputs. */
  readonly labels?: readonly string[];
  /** Scores, for the card and for who compares. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** What the model card says beside that. */
  readonly card?: CardOptions;
}

/**
 * Saves a model with everything that its predictions need into a folder: weights (safetensors), configuration, preprocessing,
 * scores, a model card. `loadModel` takes it back.
 *
 * A chain of common layers is described in the configuration, so that the folder is enough; another model is made again by a
 * function from `config`. Each file is replaced when it is complete, the configuration last: a folder that was cut off while
 * it was written is refused, never read as something else.
 *
 * @throws FileError when the folder cannot be written; ArgumentError for a `config` or metrics that JSON cannot hold
 * @example
 * const model = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2));
 * await saveModel("flowers", model, { labels: ["rose", "tulip"], metrics: { accuracy: 0.93 } });
 */
export async function saveModel(
  folder: string,
  model: Module,
  options: SaveModelOptions = {},
): Promise<void> {
  checkOptions("saveModel", options, ["config", "preprocessing", "labels", "metrics", "card"]);
  const { preprocessing, labels, metrics, card = {} } = options;
  const given = jsonValue("config", options.config);
  const texts: Record<string, string> = {};
  if (preprocessing !== undefined) texts[files.preprocessing] = `${JSON.stringify(preprocessing)}\n`;
  if (metrics !== undefined)
    texts[files.metrics] = `${JSON.stringify(jsonValue("metrics", metrics), undefined, 2)}\n`;
  const digests = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, digestOf(text)]));
  const facts = {
    format: formatName,
    version: formatVersion,
    model: model.constructor.name,
    parameters: model
      .parameters()
      .reduce((sum, { shape }) => sum + countElements(shape as readonly number[]), 0),
    architecture: describeModel(model) ?? null,
    config: given,
    labels: labels === undefined ? null : [...labels],
    preprocessing: preprocessing === undefined ? null : kindOf(preprocessing),
    digests,
  } as const;
  const key = digestOf(JSON.stringify(facts) + (await weightsSha256(model)));
  const config: FolderConfig = { ...facts, key };
  await makeFolder(folder);
  await save(model, joinPath(folder, files.weights), { metadata: { [keyName]: key } });
  for (const [name, text] of Object.entries(texts)) await writeText(folder, name, text);
  await writeText(folder, files.card, cardText(model, config, metrics, card));
  await writeText(folder, files.config, `${JSON.stringify(config, undefined, 2)}\n`);
}

function kindOf(preprocessing: NonNullable<SaveModelOptions["preprocessing"]>): PreprocessingKind {
  if (preprocessing instanceof FittedPipeline) return "pipeline";
  if (preprocessing instanceof Vocabulary) return "vocabulary";
  if (typeof preprocessing === "object" && "model" in preprocessing) return "tokenizer";
  throw new ArgumentError(
    "saveModel: preprocessing must be a fitted pipeline, a Vocabulary, or the content of a tokenizer.json",
  );
}

/** The value as it will come back: numbers that are not finite, functions and cycles are refused here, not found missing later. */
function jsonValue(what: string, value: unknown): unknown {
  if (value === undefined) return null;
  const seen = new Set<object>();
  const check = (inner: unknown, path: string): void => {
    const isPlain = inner === null || ["string", "boolean"].includes(typeof inner) || Number.isFinite(inner);
    if (isPlain) return;
    if (typeof inner !== "object" || seen.has(inner as object))
      throw new ArgumentError(`saveModel: ${path} is ${String(inner)}, which JSON cannot hold`);
    seen.add(inner as object);
    for (const [name, part] of Object.entries(inner as object))
      if (part !== undefined) check(part, `${path}.${name}`);
    seen.delete(inner as object);
  };
  check(value, what);
  return JSON.parse(JSON.stringify(value));
}
