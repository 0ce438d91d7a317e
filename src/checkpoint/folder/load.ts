/** Reading model folders. */
import { joinPath } from "#platform";
import { ArgumentError, FormatError } from "../../base/errors.ts";
import type { HostArray } from "../../base/host-array.ts";
import { checkOptions } from "../../base/options.ts";
import { readSafetensors } from "../../formats/index.ts";
import type { Module } from "../../nn/index.ts";
import { type FittedPipeline, parsePipeline, type RawRows } from "../../tabular/index.ts";
import { compile, type Tensor } from "../../tensor/index.ts";
import { loadTokenizer, type Tokenizer, Vocabulary } from "../../text/index.ts";
import { loadPartial, type PartialReport, wholeReport } from "../partial.ts";
import { modelOf } from "./architecture.ts";
import { type FolderConfig, files, keyName, readChecked, readConfig } from "./format.ts";

export interface LoadModelOptions {
  /** Default false: every name and shape must fit. True loads what fits, and `report` says what did not. */
  readonly partial?: boolean;
}

/** One prediction of a classifier. */
export interface Classification {
  /** The index of the largest output. */
  readonly index: number;
  readonly label: string;
  /** Of that label, by the softmax of the outputs. */
  readonly probability: number;
}

/** What a folder holds. */
export class LoadedModel<M extends Module = Module> {
  readonly model: M;
  /** What `saveModel` was given as `config`. */
  readonly config: unknown;
  readonly labels: readonly string[] | undefined;
  readonly metrics: Readonly<Record<string, number>> | undefined;
  readonly pipeline: FittedPipeline | undefined;
  readonly vocabulary: Vocabulary | undefined;
  readonly tokenizer: Tokenizer | undefined;
  /** What became of each name of the weights. */
  readonly report: PartialReport;
  readonly #folder: string;
  #forward: ((features: HostArray) => Tensor) | undefined;

  constructor(folder: string, parts: Parts<M>) {
    this.#folder = folder;
    this.model = parts.model;
    this.config = parts.config;
    this.labels = parts.labels;
    this.metrics = parts.metrics;
    this.pipeline = parts.pipeline;
    this.vocabulary = parts.vocabulary;
    this.tokenizer = parts.tokenizer;
    this.report = parts.report;
  }

  /**
   * The model's outputs for raw rows, which the saved pipeline turns into features; in evaluation mode, nothing is changed.
   *
   * @throws ArgumentError when the folder has no pipeline; what the pipeline throws for rows that do not fit
   * @example
   * const rows = table({ size: [1, 2, 3, 4], sold: ["no", "no", "yes", "yes"] });
   * const prepare = pipeline(columns({ size: standardize() })).fit(rows, { target: "sold" });
   * await saveModel("sales", new Sequential(new Linear(1, 2)), { preprocessing: prepare });
   * const sales = await loadModel("sales");
   * (await sales.predict([{ size: 2.5 }])).shape; // [1, 2]
   */
  async predict(rows: RawRows): Promise<HostArray> {
    if (this.pipeline === undefined) {
      const kind = this.tokenizer ? "a tokenizer" : this.vocabulary ? "a vocabulary" : "no preprocessing";
      throw new ArgumentError(
        `predict: "${this.#folder}" was saved with ${kind}; raw rows need a pipeline. Call model.forward with tensors instead`,
      );
    }
    const { model } = this;
    const wasTraining = model.training;
    model.eval();
    try {
      this.#forward ??= compile((features: Tensor) => (model as any).forward(features) as Tensor) as never;
      return await this.#forward!(this.pipeline.features(rows)).toHost();
    } finally {
      if (wasTraining) model.train();
    }
  }

  /**
   * The class of each raw row, for models whose outputs are logits of classes.
   *
   * @throws ArgumentError when neither labels nor classes of the pipeline are there, or their number is not that of the outputs
   * @example
   * const rows = table({ size: [1, 2, 3, 4], sold: ["no", "no", "yes", "yes"] });
   * const prepare = pipeline(columns({ size: standardize() })).fit(rows, { target: "sold" });
   * await saveModel("sales", new Sequential(new Linear(1, 2)), { preprocessing: prepare });
   * const [first] = await (await loadModel("sales")).classify([{ size: 2.5 }]);
   * ["no", "yes"].includes(first!.label); // true
   */
  async classify(rows: RawRows): Promise<Classification[]> {
    const labels = this.labels ?? this.pipeline?.classes;
    if (labels === undefined)
      throw new ArgumentError(`classify: "${this.#folder}" has no labels; save it with { labels }`);
    const { shape, data } = await this.predict(rows);
    const [count = 0, width = 0] = shape;
    if (shape.length !== 2 || width !== labels.length)
      throw new ArgumentError(
        `classify: the outputs have shape (${shape.join(", ")}), there are ${labels.length} labels: ${labels.join(", ")}`,
      );
    return Array.from({ length: count }, (_, row) => {
      const logits = Array.from((data as Float32Array).subarray(row * width, (row + 1) * width));
      const index = logits.indexOf(Math.max(...logits));
      const sum = logits.reduce((total, logit) => total + Math.exp(logit - logits[index]!), 0);
      return { index, label: labels[index]!, probability: 1 / sum };
    });
  }
}

type Parts<M extends Module> = Pick<
  LoadedModel<M>,
  "model" | "config" | "labels" | "metrics" | "pipeline" | "vocabulary" | "tokenizer" | "report"
>;

/**
 * The model in a folder that `saveModel` wrote, with its preprocessing, labels and scores: to predict from raw input, or to train on.
 *
 * @param make a model to set, or a function that makes one from the saved `config`; not needed for chains of common layers
 * @throws FileError when a file is missing; FormatError when one is damaged, of a later version, or from another saving;
 * ArgumentError and ShapeError for weights that do not fit the model, unless `partial` is set
 * @example
 * await saveModel("flowers", new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2)), { labels: ["rose", "tulip"] });
 * const { model, labels } = await loadModel("flowers");
 * labels; // ["rose", "tulip"]
 */
export async function loadModel<M extends Module = Module>(
  folder: string,
  make?: M | ((config: any) => M),
  options: LoadModelOptions = {},
): Promise<LoadedModel<M>> {
  checkOptions("loadModel", options, ["partial"]);
  const saved = await readConfig(folder);
  const model = modelFor(folder, saved, make);
  const path = joinPath(folder, files.weights);
  const { tensors, metadata } = await readSafetensors(path);
  if (metadata.get(keyName) !== saved.key)
    throw new FormatError(
      `"${path}" does not belong to ${files.config} beside it: saving was cut off, or a file was replaced; save the model again`,
    );
  if (options.partial !== true) model.loadStateDict(tensors);
  const report = options.partial === true ? loadPartial(model, tensors) : wholeReport(tensors.keys());
  const text = async (name: string): Promise<string | undefined> =>
    Object.hasOwn(saved.digests, name) ? readChecked(folder, name, saved) : undefined;
  const metrics = await text(files.metrics);
  return new LoadedModel<M>(folder, {
    ...{ model, report, config: saved.config },
    ...(await preprocessingOf(folder, saved, await text(files.preprocessing))),
    labels: saved.labels ?? undefined,
    metrics: metrics === undefined ? undefined : JSON.parse(metrics),
  });
}

function modelFor<M extends Module>(
  folder: string,
  { architecture, config, model }: FolderConfig,
  make: M | ((config: any) => M) | undefined,
): M {
  if (typeof make === "function") return make(config);
  if (make !== undefined) return make;
  if (architecture !== null) return modelOf(joinPath(folder, files.config), architecture) as M;
  throw new ArgumentError(
    `loadModel: "${folder}" holds a ${model}, which is no chain of common layers; say how it is made: ` +
      `loadModel(folder, (config) => new ${model}(config))`,
  );
}

type Preprocessing = Pick<Parts<Module>, "pipeline" | "vocabulary" | "tokenizer">;

async function preprocessingOf(
  folder: string,
  { preprocessing }: FolderConfig,
  text: string | undefined,
): Promise<Preprocessing> {
  const none = { pipeline: undefined, vocabulary: undefined, tokenizer: undefined };
  if (preprocessing === null || text === undefined) return none;
  const what = joinPath(folder, files.preprocessing);
  if (preprocessing === "pipeline") return { ...none, pipeline: parsePipeline(text, what) };
  if (preprocessing === "vocabulary") return { ...none, vocabulary: Vocabulary.fromJSON(JSON.parse(text)) };
  return { ...none, tokenizer: await loadTokenizer(JSON.parse(text)) };
}
