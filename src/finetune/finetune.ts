/** Going on with a published model on conversations. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { crossEntropy } from "../losses/index.ts";
import type { LanguageModel, PromptEmbeddings } from "../models/index.ts";
import { Module } from "../nn/index.ts";
import type { Pretrained } from "../pretrained/index.ts";
import type { Tensor } from "../tensor/index.ts";
import {
  type Callback,
  type CheckpointOptions,
  earlyStopping,
  evaluate,
  fit,
  type History,
  type ProgressStyle,
} from "../train/index.ts";
import { type BottleneckAdapters, type BottleneckOptions, bottleneckOptionNames } from "./bottleneck.ts";
import { type ChatTokens, chatTokens } from "./chat-tokens.ts";
import type { Conversation } from "./conversations.ts";
import { heldOut, padTokenOf, placesText } from "./held-out.ts";
import { type LoraAdapters, type LoraOptions, loraOptionNames } from "./lora.ts";
import { ignoredLabel, type PackedTokens, packTokens } from "./packing.ts";
import {
  countOf,
  defaultRate,
  estimate,
  handedOn,
  optimizerOf,
  plannedBytes,
  sizeOf,
  type Trained,
  whileTrained,
} from "./plan.ts";
import {
  type DistillationSettings,
  type Taught,
  type Teaching,
  taughtLoss,
  teachingOf,
  whileTeaching,
} from "./teacher.ts";

export interface FinetuneOptions extends Omit<LoraOptions, "useDora">, BottleneckOptions {
  /**
   * "lora", the default, and "dora" train adapters beside a frozen model (QLoRA, where its weights are quantized), "adapter" small networks
   * behind the parts of its layers (`bottleneckAdapters`), "prompt" vectors that stand before each text (`promptTuning`); "full" trains
   * all of it but what is frozen already.
   */
  readonly method?: "lora" | "dora" | "adapter" | "prompt" | "full";
  /** Of method "prompt": how many vectors, default 20; they count as tokens of a row. */
  readonly virtualTokens?: number;
  /** Of method "prompt": a text whose tokens' embeddings they begin with, over and over; default random ones. */
  readonly promptText?: string;
  /** A larger model whose opinion of each next token is learnt too. Hinton and others, "Distilling the knowledge in a neural network", 2015. */
  readonly distillation?: DistillationSettings;
  /** Tokens of a row, default 512; longer conversations lose their ends. */
  readonly maxLength?: number;
  /** Rows of a step, default 1. */
  readonly batchSize?: number;
  /** Batches whose gradients make one step, default 8. */
  readonly gradientAccumulationSteps?: number;
  /** Passes over the conversations, default 3. */
  readonly epochs?: number;
  /** The highest; default by method and size: adapters 1e-3 below 500 million parameters, else 2e-4, all weights a tenth of it, a prompt 0.03. */
  readonly learningRate?: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** Conversations to score on; by default a part of those given. */
  readonly validation?: readonly Conversation[];
  /** That part, default 0.1 of at least 20 distinct conversations; 0 for none. */
  readonly validationSplit?: number;
  /** Epochs without a better score before it ends, with the best weights; default 2, where there is validation. */
  readonly patience?: number;
  /** Of first values, order and validation; default 0. */
  readonly seed?: number;
  /** Default false. True: layers are computed again for the gradient, which takes a third more time and far less memory. */
  readonly rematerialize?: boolean;
  /** As in `fit`; files hold what is trained alone, and the digests of the frozen rest, which must be the same when it goes on. */
  readonly checkpoint?: string | CheckpointOptions;
  readonly resume?: boolean;
  readonly progress?: ProgressStyle;
  readonly callbacks?: readonly Callback[];
  /** Is told what will happen, before it does. */
  readonly onPlan?: (plan: FinetunePlan) => void;
}

const optionNames = [
  ...[...loraOptionNames, ...bottleneckOptionNames].filter((name) => name !== "useDora"),
  ...[
    "method",
    "maxLength",
    "batchSize",
    "gradientAccumulationSteps",
    "epochs",
    "learningRate",
    "weightDecay",
  ],
  ...["validation", "validationSplit", "patience", "seed", "checkpoint", "resume", "progress", "callbacks"],
  ...["onPlan", "rematerialize", "virtualTokens", "promptText", "distillation"],
];

/** What a fine-tuning will do, and what was found in its data. */
export interface FinetunePlan {
  readonly parameters: number;
  readonly trainableParameters: number;
  readonly conversations: number;
  readonly validationConversations: number;
  readonly rows: number;
  readonly tokens: number;
  readonly learntTokens: number;
  readonly steps: number;
  readonly learningRate: number;
  /** From the arithmetic of the model and how fast this machine multiplies just now. */
  readonly estimatedSeconds: number;
  /** At the peak of a step, as the compiler plans it. */
  readonly peakBytes: number;
  /** Conversations whose ends were cut off, whose learnt parts were cut off altogether, that stand there twice. */
  readonly warnings: readonly string[];
}

export interface Finetuned {
  /** Of methods "lora" and "dora". */
  readonly adapters: LoraAdapters | undefined;
  /** Of method "adapter". */
  readonly bottleneck: BottleneckAdapters | undefined;
  /** Of method "prompt". */
  readonly prompt: PromptEmbeddings | undefined;
  readonly history: History;
  /** e to the cross-entropy per learnt token on what was held out, and that of the teacher; undefined without it. */
  readonly perplexity:
    | { readonly before: number; readonly after: number; readonly teacher: number | undefined }
    | undefined;
}

/** Logits of rows that hold several texts. */
class PackedModel extends Module {
  readonly model: LanguageModel;
  constructor(model: LanguageModel) {
    super();
    this.model = model;
  }
  forward(tokens: Tensor, documents: Tensor, positions: Tensor): Tensor {
    return this.model.forward(tokens, { documents, positions });
  }
}

/** These, and what a teacher says. */
class TaughtModel extends Module {
  readonly model: LanguageModel;
  readonly teacher: LanguageModel;
  constructor(model: LanguageModel, teacher: LanguageModel) {
    super();
    this.model = model;
    this.teacher = teacher;
  }
  forward(tokens: Tensor, documents: Tensor, positions: Tensor): Taught {
    const options = { documents, positions };
    return {
      logits: this.model.forward(tokens, options),
      teacher: this.teacher.forward(tokens, options),
    };
  }
}

const objective = {
  inputs: ["tokens", "documents", "positions"],
  labels: "labels",
  loss: (logits: Tensor, labels: Tensor) => crossEntropy(logits, labels, { ignoreIndex: ignoredLabel }),
  lossCount: (labels: Tensor) => labels.notEqual(ignoredLabel).sum() as Tensor,
} as const;

/** What `fit` trains, and by what. */
function trainingOf(model: LanguageModel, teaching: Teaching | undefined) {
  if (teaching === undefined) return { network: new PackedModel(model), goal: objective, callbacks: [] };
  const loss = (taught: Taught, labels: Tensor): Tensor => taughtLoss(taught, labels, teaching);
  // `fit` puts all of a network in training mode.
  const still: Callback = { onTrainBegin: () => void teaching.model.eval() };
  return {
    network: new TaughtModel(model, teaching.model),
    goal: { ...objective, loss },
    callbacks: [still],
  };
}

/**
 * Trains a model on conversations: the assistant's turns are learnt, the rest is read. Conversations are packed into rows and do not
 * see each other; the rate rises over 3 % of the steps and falls in a cosine. Afterwards the adapters are on the model: save them
 * (`saveAdapters`, `saveBottleneckAdapters`, `savePrompt`) or put low-rank ones into its weights (`merge`).
 *
 * The same seed, model and conversations give the same weights, bit for bit; so does going on from a checkpoint.
 *
 * @throws ArgumentError for options that mean nothing, for a model without tokenizer or template, and where nothing is to be learnt
 * @example
 * const pretrained = await loadPretrained("llama.gguf");
 * const messages = [{ role: "user", content: "a dog" }, { role: "assistant", content: "the dog" }];
 * const options = { rank: 2, maxLength: 32, epochs: 1, progress: "none" } as const;
 * const { adapters } = await finetune(pretrained, [{ messages, place: "line 1" }], options);
 * adapters!.layers.size; // 14
 */
export async function finetune(
  pretrained: Pretrained,
  conversations: readonly Conversation[],
  options: FinetuneOptions = {},
): Promise<Finetuned> {
  checkOptions("finetune", options, optionNames);
  const { batchSize = 1, gradientAccumulationSteps = 8, epochs = 3, seed = 0, weightDecay = 0 } = options;
  const teaching =
    options.distillation && teachingOf(pretrained, options.distillation, options.method ?? "lora");
  const data = await dataOf(pretrained, conversations, options);
  const { model } = pretrained;
  const parameterCount = countOf(model);
  const { train, validation } = data;
  const steps = epochs * Math.ceil(train.rows / (batchSize * gradientAccumulationSteps));
  const { learningRate = defaultRate(parameterCount, options.method) } = options;
  const { network, goal, callbacks } = trainingOf(model, teaching);
  const maxLength = options.maxLength ?? 512;
  const perplexityOf = async (of: LanguageModel): Promise<number> => {
    const scores = await evaluate(new PackedModel(of), validation!.dataset, { ...objective, batchSize });
    return Math.exp(scores.loss as number);
  };
  const promptTokens = promptTokensOf(pretrained, options);
  const run = async ({ adapters, bottleneck, prompt }: Trained): Promise<Finetuned> => {
    if (options.onPlan !== undefined) {
      const tokens = epochs * train.rows * maxLength;
      const row = [batchSize, maxLength];
      const loss = (ids: Tensor, documents: Tensor, positions: Tensor, labels: Tensor): Tensor =>
        goal.loss(network.forward(ids, documents, positions) as never, labels);
      options.onPlan({
        ...{ parameters: parameterCount, trainableParameters: sizeOf(model.parameters({ trainable: true })) },
        ...{ conversations: data.conversations, validationConversations: data.validationConversations },
        ...{ rows: train.rows, tokens: train.tokens, learntTokens: train.learntTokens, steps, learningRate },
        estimatedSeconds: await estimate(parameterCount, tokens, options.method, teaching?.model),
        peakBytes: plannedBytes(loss as never, [row, row, row, row], model),
        warnings: data.warnings,
      });
    }
    const before = validation && (await perplexityOf(model));
    const history = await fit(network, train.dataset, {
      ...(goal as typeof objective),
      optimizer: optimizerOf(model, { steps, learningRate, weightDecay }),
      ...{ batchSize, gradientAccumulationSteps, epochs, seed, clipNorm: 1 },
      ...(validation && { validation: validation.dataset }),
      callbacks: [
        ...callbacks,
        ...(validation
          ? [earlyStopping({ monitor: "validationLoss", patience: options.patience ?? 2 })]
          : []),
        ...(options.callbacks ?? []),
      ],
      // Labels of −100 are meant.
      checks: false,
      ...handedOn(options),
    });
    const perplexity = before !== undefined && {
      before,
      after: await perplexityOf(model),
      teacher: teaching && (await perplexityOf(teaching.model)),
    };
    return { ...{ adapters, bottleneck, prompt, history }, perplexity: perplexity || undefined };
  };
  return whileTeaching(teaching, () => whileTrained(model, { ...options, promptTokens }, run));
}

// ---- data -----------------------------------------------------------------------------------------------------

/** What stands before each text: a prompt that is there already, or the one that is to be learnt. */
function virtualTokensOf(model: LanguageModel, { method, virtualTokens = 20 }: FinetuneOptions): number[] {
  if (method !== "prompt") return [...(model.virtualTokens ?? [])];
  const { numEmbeddings } = model.wordEmbeddings().table;
  return Array.from({ length: virtualTokens }, (_, i) => numEmbeddings + i);
}

function promptTokensOf(
  { tokenizer }: Pretrained,
  { method, promptText }: FinetuneOptions,
): number[] | undefined {
  if (promptText === undefined) return undefined;
  if (method !== "prompt") throw new ArgumentError('finetune: promptText goes with method "prompt"');
  if (tokenizer === undefined)
    throw new ArgumentError("finetune: the model comes without a tokenizer: promptText cannot be read");
  return [...tokenizer.encode(promptText).ids];
}

interface FinetuneData {
  readonly train: PackedTokens;
  readonly validation: PackedTokens | undefined;
  readonly conversations: number;
  readonly validationConversations: number;
  readonly warnings: readonly string[];
}

async function dataOf(
  pretrained: Pretrained,
  conversations: readonly Conversation[],
  options: FinetuneOptions,
): Promise<FinetuneData> {
  const { maxLength = 512, seed = 0, validation, validationSplit } = options;
  const warnings: string[] = [];
  const keyOf = ({ messages }: Conversation): string => JSON.stringify(messages);
  const names = { caller: "finetune", what: "conversation" };
  const { train, held } = heldOut(
    conversations,
    { ...names, keyOf, validation, validationSplit, seed },
    warnings,
  );
  const padToken = padTokenOf(pretrained);
  const before = virtualTokensOf(pretrained.model, options);
  const pack = async (part: readonly Conversation[]): Promise<PackedTokens> => {
    const texts: ChatTokens[] = [];
    for (const { messages } of part) {
      const { ids, isLearnt } = await chatTokens(pretrained, messages);
      texts.push({ ids: [...before, ...ids], isLearnt: [...before.map(() => false), ...isLearnt] });
    }
    const packed = packTokens(texts, { maxLength, padToken });
    const name = (places: readonly number[]): string => placesText(places.map((i) => part[i]!.place));
    if (packed.truncated.length > 0)
      warnings.push(`longer than ${maxLength} tokens, cut off there: ${name(packed.truncated)}`);
    if (packed.dropped.length > 0)
      warnings.push(
        `left out, as nothing to learn is in the first ${maxLength} tokens: ${name(packed.dropped)}`,
      );
    return packed;
  };
  return {
    train: await pack(train),
    validation: held.length > 0 ? await pack(held) : undefined,
    ...{ conversations: train.length, validationConversations: held.length, warnings },
  };
}
