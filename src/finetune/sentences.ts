/** Training encoders of sentences: texts that belong together come near each other. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { arrayDataset, type Dataset } from "../data/index.ts";
import { infoNce, mse, tripletMargin } from "../losses/index.ts";
import { cosineSimilarity, Module } from "../nn/index.ts";
import type { SentenceEncoder } from "../pretrained/index.ts";
import { concat, type Tensor } from "../tensor/index.ts";
import { padSequences } from "../text/padding.ts";
import {
  type Callback,
  type CheckpointOptions,
  fit,
  type History,
  type ProgressStyle,
} from "../train/index.ts";
import { handedOn, optimizerOf } from "./plan.ts";

/** Texts of one example: two that belong together and, for some losses, further ones that do not; or two and how alike they are. */
export interface SentenceExample {
  readonly texts: readonly string[];
  /** For the loss "cosine": what their cosine should be. */
  readonly score?: number;
}

/** How examples are learnt from. */
export type SentenceLoss = "ranking" | "triplet" | "cosine";

export interface SentenceLossOptions {
  /**
   * "ranking", the default: a text finds its partner among the partners, and negatives, of the whole batch (sentence-transformers'
   * `MultipleNegativesRankingLoss`; Henderson and others, 2017). "triplet": nearer to the second text than to the third by a margin. "cosine": the
   * squared distance of the cosine from a score.
   */
  readonly loss?: SentenceLoss;
  /** Of "ranking": what cosines are divided by, default 0.05. */
  readonly temperature?: number;
  /** Of "triplet", default 5. */
  readonly margin?: number;
}

/**
 * The loss of vectors of examples.
 *
 * @param vectors (examples, texts, features)
 * @param scores (examples): for "cosine"
 * @throws ArgumentError for a loss that is not known, and for fewer texts than it takes
 * @example
 * const vectors = tensor([[[1, 0], [1, 0]], [[0, 1], [0, 1]]]);
 * (await sentenceLoss(vectors, undefined, { temperature: 1 }).item()).toFixed(4); // "0.3133"
 */
export function sentenceLoss(
  vectors: Tensor,
  scores: Tensor | undefined,
  { loss = "ranking", temperature = 0.05, margin = 5 }: SentenceLossOptions = {},
): Tensor {
  const [own, partner, ...others] = vectors.unstack(1) as Tensor[];
  if (own === undefined || partner === undefined)
    throw new ArgumentError("sentenceLoss: an example needs two texts at least");
  if (loss === "cosine") {
    if (scores === undefined) throw new ArgumentError('sentenceLoss: "cosine" needs scores');
    return mse(cosineSimilarity(own, partner, { axis: -1 }), scores);
  }
  if (loss === "triplet") {
    const [negative] = others;
    if (negative === undefined) throw new ArgumentError('sentenceLoss: "triplet" needs three texts');
    return tripletMargin(own, partner, negative, { margin, epsilon: 0 });
  }
  if (loss !== "ranking")
    throw new ArgumentError(`sentenceLoss: loss must be "ranking", "triplet" or "cosine", got "${loss}"`);
  const negatives = others.length > 0 && (concat(others, 0) as Tensor);
  return infoNce(own, partner, { temperature, ...(negatives && { negatives }) });
}

export interface FinetuneSentencesOptions extends SentenceLossOptions {
  /** Examples of a step, default 16: with "ranking" the others of a batch are the negatives, so that more are better. */
  readonly batchSize?: number;
  /** Default 1. */
  readonly epochs?: number;
  /** The highest, default 2e-5; it rises over 3 % of the steps and falls in a cosine. */
  readonly learningRate?: number;
  /** Default 0.01. */
  readonly weightDecay?: number;
  /** Of the order; default 0. */
  readonly seed?: number;
  /** As in `fit`; files hold what is trained alone, and the digests of the frozen rest. */
  readonly checkpoint?: string | CheckpointOptions;
  readonly resume?: boolean;
  readonly progress?: ProgressStyle;
  readonly callbacks?: readonly Callback[];
}

const optionNames = [
  ...["loss", "temperature", "margin", "batchSize", "epochs", "learningRate", "weightDecay", "seed"],
  ...["checkpoint", "resume", "progress", "callbacks"],
];

/** What `fit` trains: vectors of all texts of a batch's examples, (examples, texts, features). */
class SentenceVectors extends Module {
  readonly model: SentenceEncoder["model"];
  readonly encoder: () => SentenceEncoder;
  constructor(encoder: SentenceEncoder) {
    super();
    this.model = encoder.model;
    this.encoder = () => encoder;
  }
  forward(tokens: Tensor, attentionMask: Tensor): Tensor {
    const [examples, texts, length] = tokens.shape as readonly [number, number, number];
    const flat = (x: Tensor): Tensor => x.reshape([examples * texts, length]) as Tensor;
    const vectors = this.encoder().vectors(flat(tokens), { attentionMask: flat(attentionMask) });
    return vectors.reshape([examples, texts, -1]) as Tensor;
  }
}

/**
 * Trains an encoder of sentences on examples of texts that belong together. Its model changes in place; `savePretrained` saves it.
 *
 * The same seed, encoder and examples give the same weights, bit for bit; so does going on from a checkpoint.
 *
 * @throws ArgumentError for options that mean nothing, and for examples of different numbers of texts or without scores, with their place
 * @example
 * const model = new Bert({ vocabSize: 280, hiddenSize: 32, numLayers: 1, numHeads: 4 });
 * const tokenizer = await loadTokenizer(await trainBpe(["a cat sleeps, a dog runs"], { vocabularySize: 280 }));
 * const examples = [{ texts: ["a cat", "cat"] }, { texts: ["a dog", "dog"] }];
 * const history = await finetuneSentences(new SentenceEncoder(model, tokenizer), examples, { progress: "none" });
 * history.epochs.length; // 1
 */
export async function finetuneSentences(
  encoder: SentenceEncoder,
  examples: readonly SentenceExample[],
  options: FinetuneSentencesOptions = {},
): Promise<History> {
  checkOptions("finetuneSentences", options, optionNames);
  const { batchSize = 16, epochs = 1, learningRate = 2e-5, weightDecay = 0.01, seed = 0 } = options;
  checkExamples(examples, options.loss);
  const steps = epochs * Math.ceil(examples.length / batchSize);
  // Vectors are pooled from all tokens: the pooler of the first takes no part.
  const idle = [...encoder.model.namedParameters()]
    .filter(([name, { trainable }]) => name.startsWith("pooler.") && trainable)
    .map(([, parameter]) => parameter);
  for (const parameter of idle) parameter.trainable = false;
  try {
    return await fit(new SentenceVectors(encoder), datasetOf(encoder, examples), {
      ...{ inputs: ["tokens", "mask"], labels: "scores", checks: false },
      loss: (vectors: Tensor, scores: Tensor) => sentenceLoss(vectors, scores, options),
      optimizer: optimizerOf(encoder.model, { steps, learningRate, weightDecay }),
      ...{ batchSize, epochs, seed, clipNorm: 1 },
      ...(options.callbacks && { callbacks: options.callbacks }),
      ...handedOn(options),
    });
  } finally {
    for (const parameter of idle) parameter.trainable = true;
    encoder.model.eval();
  }
}

function checkExamples(examples: readonly SentenceExample[], loss: SentenceLoss | undefined): void {
  const [first] = examples;
  if (first === undefined) throw new ArgumentError("finetuneSentences: there are no examples");
  for (const [i, { texts, score }] of examples.entries()) {
    if (texts.length < 2 || texts.length !== first.texts.length)
      throw new ArgumentError(
        `finetuneSentences: example ${i} has ${texts.length} texts; all need as many, two at least (the first has ${first.texts.length})`,
      );
    if (loss === "cosine" && !(score !== undefined && Math.abs(score) <= 1))
      throw new ArgumentError(`finetuneSentences: example ${i} needs a score from −1 to 1, got ${score}`);
  }
}

function datasetOf(encoder: SentenceEncoder, examples: readonly SentenceExample[]): Dataset {
  const ids = examples.flatMap(({ texts }) => texts.map((text) => encoder.tokensOf(text)));
  const { tokens, mask } = padSequences(ids, { multipleOf: 8, value: encoder.padToken });
  const texts = ids.length / examples.length;
  const shape = [examples.length, texts, tokens.shape[1]];
  return arrayDataset({
    tokens: { ...tokens, shape },
    mask: { ...mask, shape },
    scores: {
      dtype: "f32",
      shape: [examples.length],
      data: Float32Array.from(examples, ({ score = 0 }) => score),
    },
  } as never) as Dataset;
}
