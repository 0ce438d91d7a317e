/** Going on with a published model on pairs of answers, of which one is better. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { arrayDataset, type Dataset } from "../data/index.ts";
import { dpo, orpo, sequenceLogProbability } from "../losses/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { Module } from "../nn/index.ts";
import type { Pretrained } from "../pretrained/index.ts";
import { compile, type Tensor, tensor } from "../tensor/index.ts";
import { fit, type History } from "../train/index.ts";
import { type BottleneckAdapters, bottleneckOptionNames } from "./bottleneck.ts";
import { chatTokens } from "./chat-tokens.ts";
import type { Preference } from "./conversations.ts";
import type { FinetuneOptions, FinetunePlan } from "./finetune.ts";
import { heldOut, padTokenOf, placesText } from "./held-out.ts";
import { type LoraAdapters, loraOptionNames } from "./lora.ts";
import { ignoredLabel } from "./packing.ts";
import {
  countOf,
  defaultRate,
  estimate,
  handedOn,
  optimizerOf,
  plannedBytes,
  sizeOf,
  whileTrained,
} from "./plan.ts";

export interface FinetunePreferencesOptions
  extends Omit<FinetuneOptions, "validation" | "patience" | "distillation"> {
  /**
   * "dpo", the default, compares with the model as it was (Rafailov and others, 2023), "ipo" with a squared loss (Azar and others,
   * 2023); "orpo" learns the better answers too, and needs no reference (Hong and others, 2024).
   */
  readonly objective?: "dpo" | "ipo" | "orpo";
  /** Of the objective, default 0.1. */
  readonly beta?: number;
  /** Pairs to score on; by default a tenth of those given, from 20 on. */
  readonly validation?: readonly Preference[];
}

const optionNames = [
  ...[...loraOptionNames, ...bottleneckOptionNames].filter((name) => name !== "useDora"),
  ...["method", "objective", "beta", "maxLength", "batchSize", "gradientAccumulationSteps", "epochs"],
  ...["learningRate", "weightDecay", "validation", "validationSplit", "seed", "checkpoint", "resume"],
  ...["progress", "callbacks", "onPlan", "rematerialize"],
];

export interface FinetunedPreferences {
  /** Of methods "lora" and "dora". */
  readonly adapters: LoraAdapters | undefined;
  /** Of method "adapter". */
  readonly bottleneck: BottleneckAdapters | undefined;
  readonly history: History;
  /** Of the pairs held out, the share whose better answer the model finds likelier, per token; undefined without any. */
  readonly agreement: { readonly before: number; readonly after: number } | undefined;
}

/** log π of both answers of pairs: (batch, 2, T) → (batch, 2). */
class PairModel extends Module {
  readonly model: LanguageModel;
  private readonly average: boolean;
  constructor(model: LanguageModel, average: boolean) {
    super();
    this.model = model;
    this.average = average;
  }
  forward(tokens: Tensor, labels: Tensor): Tensor {
    const [pairs, two, length] = tokens.shape as [number, number, number];
    const flat = (x: Tensor): Tensor => x.reshape([pairs * two, length]) as Tensor;
    const logits = this.model.forward(flat(tokens));
    const values = sequenceLogProbability(logits, flat(labels), { average: this.average });
    return values.reshape([pairs, two]) as Tensor;
  }
}

/**
 * Trains a model to prefer the better of two answers. What the model as it was thinks of each pair is worked out once, before it changes:
 * no second copy is kept. Adapters, memory and rates are as in `finetune`; the default rate is a tenth of its.
 *
 * @throws ArgumentError for options that mean nothing, for a model without tokenizer or template, and where no pair is left
 * @example
 * const pretrained = await loadPretrained("llama.gguf");
 * const pairs = await readPreferences("pairs.jsonl");
 * const { history } = await finetunePreferences(pretrained, pairs, { rank: 2, maxLength: 32, epochs: 1, progress: "none" });
 * history.epochs.length; // 1
 */
export async function finetunePreferences(
  pretrained: Pretrained,
  pairs: readonly Preference[],
  options: FinetunePreferencesOptions = {},
): Promise<FinetunedPreferences> {
  checkOptions("finetunePreferences", options, optionNames);
  if (options.method === "prompt")
    throw new ArgumentError('finetunePreferences: method "prompt" learns from conversations (finetune)');
  const { objective = "dpo", beta = 0.1, batchSize = 1, gradientAccumulationSteps = 8 } = options;
  const { epochs = 3, seed = 0, weightDecay = 0 } = options;
  if (!["dpo", "ipo", "orpo"].includes(objective))
    throw new ArgumentError(
      `finetunePreferences: objective must be "dpo", "ipo" or "orpo", got "${objective}"`,
    );
  const data = await dataOf(pretrained, pairs, options);
  const { model } = pretrained;
  const parameterCount = countOf(model);
  // "ipo" is defined of averages (TRL does so), "orpo" too.
  const network = new PairModel(model, objective !== "dpo");
  const reference = objective === "orpo" ? undefined : await likelihoods(network, data.train, batchSize);
  const before = data.validation && (await agreementOf(model, data.validation, batchSize));
  const { learningRate = 0.1 * defaultRate(parameterCount, options.method) } = options;
  const steps = epochs * Math.ceil(data.train.count / (batchSize * gradientAccumulationSteps));
  const loss = (found: Tensor, expected: Tensor): Tensor => {
    const [chosen, rejected] = [found.at("...", 0), found.at("...", 1)] as [Tensor, Tensor];
    if (objective === "orpo") return orpo(chosen, rejected, { beta });
    const [first, second] = [expected.at("...", 0), expected.at("...", 1)] as [Tensor, Tensor];
    return dpo(chosen, rejected, first, second, { beta, kind: objective === "ipo" ? "ipo" : "sigmoid" });
  };
  const { length, count } = data.train;
  return whileTrained(model, options, async ({ adapters, bottleneck }) => {
    if (options.onPlan !== undefined) {
      const shape = [batchSize, 2, length];
      const ofPair = (tokens: Tensor, labels: Tensor): Tensor => {
        const found = network.forward(tokens, labels);
        return loss(found, found.zerosLike() as Tensor);
      };
      options.onPlan({
        ...{ parameters: parameterCount, trainableParameters: sizeOf(model.parameters({ trainable: true })) },
        ...{ conversations: count, validationConversations: data.validation?.count ?? 0, rows: 2 * count },
        ...{ tokens: data.train.tokens, learntTokens: data.train.learntTokens, steps, learningRate },
        estimatedSeconds: await estimate(parameterCount, epochs * count * 2 * length, options.method),
        peakBytes: plannedBytes(ofPair as never, [shape, shape], model),
        warnings: data.warnings,
      } satisfies FinetunePlan);
    }
    const history = await fit(network, datasetOf(data.train, reference), {
      ...{ inputs: ["tokens", "labels"], labels: "reference", loss },
      optimizer: optimizerOf(model, { steps, learningRate, weightDecay }),
      ...{ batchSize, gradientAccumulationSteps, epochs, seed, clipNorm: 1, checks: false },
      ...(options.callbacks && { callbacks: options.callbacks }),
      ...handedOn(options),
    });
    model.eval();
    const after = data.validation && (await agreementOf(model, data.validation, batchSize));
    const agreement = before === undefined ? undefined : { before, after: after! };
    return { adapters, bottleneck, history, agreement };
  });
}

/** Pairs as arrays (pairs, 2, length). */
interface Pairs {
  readonly count: number;
  readonly length: number;
  readonly tokensArray: Int32Array;
  readonly labelsArray: Int32Array;
  readonly tokens: number;
  readonly learntTokens: number;
}

function datasetOf({ count, length, tokensArray, labelsArray }: Pairs, reference?: Float32Array): Dataset {
  return arrayDataset({
    tokens: { dtype: "i32", shape: [count, 2, length], data: tokensArray },
    labels: { dtype: "i32", shape: [count, 2, length], data: labelsArray },
    reference: { dtype: "f32", shape: [count, 2], data: reference ?? new Float32Array(2 * count) },
  } as never) as Dataset;
}

/** log π of all answers, as the model is now. */
async function likelihoods(network: PairModel, pairs: Pairs, batchSize: number): Promise<Float32Array> {
  const { count, length, tokensArray, labelsArray } = pairs;
  const found = new Float32Array(2 * count);
  const run = compile((tokens: Tensor, labels: Tensor) => network.forward(tokens, labels));
  network.model.eval();
  for (let from = 0; from < count; from += batchSize) {
    const rows = Math.min(batchSize, count - from);
    const part = (array: Int32Array): Tensor =>
      tensor(array.slice(from * 2 * length, (from + rows) * 2 * length), {
        shape: [rows, 2, length],
      }) as Tensor;
    found.set(await run(part(tokensArray), part(labelsArray)).data(), 2 * from);
  }
  run.dispose();
  return found;
}

async function agreementOf(model: LanguageModel, pairs: Pairs, batchSize: number): Promise<number> {
  const found = await likelihoods(new PairModel(model, true), pairs, batchSize);
  let agreeing = 0;
  for (let i = 0; i < pairs.count; i++) agreeing += Number(found[2 * i]! > found[2 * i + 1]!);
  return agreeing / pairs.count;
}

interface PreferenceData {
  readonly train: Pairs;
  readonly validation: Pairs | undefined;
  readonly warnings: readonly string[];
}

async function dataOf(
  pretrained: Pretrained,
  pairs: readonly Preference[],
  options: FinetunePreferencesOptions,
): Promise<PreferenceData> {
  const { maxLength = 512, seed = 0, validation, validationSplit } = options;
  const warnings: string[] = [];
  const keyOf = ({ chosen, rejected }: Preference): string => JSON.stringify([chosen, rejected]);
  const names = { caller: "finetunePreferences", what: "pair" };
  const { train, held } = heldOut(pairs, { ...names, keyOf, validation, validationSplit, seed }, warnings);
  const made = async (part: readonly Preference[]): Promise<Pairs> =>
    pairsOf(pretrained, part, maxLength, warnings);
  return {
    train: await made(train),
    validation: held.length > 0 ? await made(held) : undefined,
    warnings,
  };
}

/** Answers of one length, that of the longest: whatever comes behind an answer is not seen by it. */
async function pairsOf(
  pretrained: Pretrained,
  pairs: readonly Preference[],
  maxLength: number,
  warnings: string[],
): Promise<Pairs> {
  const padToken = padTokenOf(pretrained);
  const [cut, dropped]: [string[], string[]] = [[], []];
  const texts: { ids: readonly number[]; isLearnt: readonly boolean[] }[] = [];
  for (const { chosen, rejected, place } of pairs) {
    const both = [await chatTokens(pretrained, chosen), await chatTokens(pretrained, rejected)];
    const learns = both.every(({ isLearnt }) => isLearnt.slice(0, maxLength).includes(true, 1));
    if (!learns) {
      dropped.push(place);
      continue;
    }
    if (both.some(({ ids }) => ids.length > maxLength)) cut.push(place);
    texts.push(
      ...both.map(({ ids, isLearnt }) => ({
        ids: ids.slice(0, maxLength),
        isLearnt: isLearnt.slice(0, maxLength),
      })),
    );
  }
  if (cut.length > 0) warnings.push(`longer than ${maxLength} tokens, cut off there: ${placesText(cut)}`);
  if (dropped.length > 0)
    warnings.push(
      `left out, as nothing of an answer is in the first ${maxLength} tokens: ${placesText(dropped)}`,
    );
  if (texts.length === 0) throw new ArgumentError("finetunePreferences: no pair is left to learn from");
  const longest = Math.max(...texts.map(({ ids }) => ids.length));
  const length = Math.min(maxLength, Math.ceil(longest / 16) * 16);
  const tokensArray = new Int32Array(texts.length * length).fill(padToken);
  const labelsArray = new Int32Array(texts.length * length).fill(ignoredLabel);
  texts.forEach(({ ids, isLearnt }, row) => {
    tokensArray.set(ids, row * length);
    for (let i = 1; i < ids.length; i++) if (isLearnt[i]) labelsArray[row * length + i - 1] = ids[i]!;
  });
  return {
    ...{ count: texts.length / 2, length, tokensArray, labelsArray },
    tokens: texts.reduce((sum, { ids }) => sum + ids.length, 0),
    learntTokens: labelsArray.reduce((sum, label) => sum + Number(label !== ignoredLabel), 0),
  };
}
