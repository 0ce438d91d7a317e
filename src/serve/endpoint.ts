/** What conversations and texts have in common: prompts become answers, whole or as they come. */
import { fold, toRandomKey } from "../base/random.ts";
import type { OutputGrammar } from "../generate/index.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { Answer, type AnswerPiece, type FinishReason } from "./answer.ts";
import { ApiError } from "./api-error.ts";
import type { Metrics } from "./metrics.ts";
import type { Sampling } from "./sampling-fields.ts";
import type { ServedModel } from "./served-model.ts";

/** A request for answers, its fields checked. */
export interface Asked {
  readonly prompts: readonly (readonly number[])[];
  readonly maxTokens: number | undefined;
  readonly sampling: Sampling;
  readonly logProbabilities: number | undefined;
  /** What form answers have. */
  readonly grammar: OutputGrammar | undefined;
  readonly shape: Shape;
}

/** How answers look in JSON. */
export interface Shape {
  /** Of identifiers. */
  readonly prefix: string;
  readonly object: string;
  readonly chunkObject: string;
  choice(index: number, pieces: readonly AnswerPiece[], reason: FinishReason, tokenizer: Tokenizer): object;
  /** Chunks of a stream: what comes before an answer, its pieces, its end. */
  readonly first: ((index: number) => object) | undefined;
  piece(index: number, piece: AnswerPiece, tokenizer: Tokenizer): object;
  last(index: number, reason: FinishReason): object;
}

export interface AnswerLimits {
  /** Requests that may wait for a slot. */
  readonly maxWaiting: number;
  /** The most tokens of an answer. */
  readonly maxNewTokens: number;
}

/** Answers that are on their way. */
export class Answering {
  private readonly asked: Asked;
  private readonly served: ServedModel;
  private readonly answers: readonly Answer[];
  private readonly head: { readonly id: string; readonly created: number; readonly model: string };

  /** @throws ApiError when a prompt is too long, or too many requests wait */
  constructor(asked: Asked, served: ServedModel, limits: AnswerLimits, signal: AbortSignal) {
    this.asked = asked;
    this.served = served;
    const { batching, pretrained, tokenizer } = served;
    const { prompts, sampling, logProbabilities, grammar } = asked;
    this.head = {
      id: `${asked.shape.prefix}-${randomName()}`,
      created: Math.floor(Date.now() / 1000),
      model: served.name,
    };
    for (const { length } of prompts) requireRoom(length, batching.maxLength);
    const { waiting, running } = batching.statistics();
    const count = prompts.length * sampling.count;
    if (waiting + running + count > batching.slots + limits.maxWaiting)
      throw new ApiError(429, `${waiting} requests wait already; try again later`, { code: "queue_full" });
    const root = toRandomKey(sampling.seed ?? Math.floor(Math.random() * 2 ** 32));
    this.answers = prompts.flatMap((prompt) =>
      Array.from({ length: sampling.count }, (_, i) => {
        const request = {
          ...sampling.options,
          ...(grammar && { grammar }),
          ...{ prompt, signal, logProbabilities, key: fold(root, i), endTokens: pretrained.endTokens },
          maxNewTokens: Math.min(asked.maxTokens ?? limits.maxNewTokens, limits.maxNewTokens),
        };
        return new Answer(batching, tokenizer, request, sampling.stop);
      }),
    );
  }

  /** The whole answer. */
  async whole(metrics: Metrics): Promise<object> {
    const { shape } = this.asked;
    const choices = await Promise.all(
      this.answers.map(async (answer, index) => {
        const pieces: AnswerPiece[] = [];
        for await (const piece of answer.pieces()) pieces.push(piece);
        return shape.choice(index, pieces, answer.finishReason, this.served.tokenizer);
      }),
    );
    return { ...this.head, object: shape.object, choices, usage: this.usage(metrics) };
  }

  /** Chunks of a stream, in the order in which they come. */
  async stream(metrics: Metrics, send: (chunk: object) => Promise<void>): Promise<void> {
    const { shape, sampling } = this.asked;
    const head = { ...this.head, object: shape.chunkObject };
    const extra = sampling.includeUsage ? { usage: null } : {};
    const give = (choice: object): Promise<void> => send({ ...head, choices: [choice], ...extra });
    await Promise.all(
      this.answers.map(async (answer, index) => {
        if (shape.first !== undefined) await give(shape.first(index));
        for await (const piece of answer.pieces())
          await give(shape.piece(index, piece, this.served.tokenizer));
        await give(shape.last(index, answer.finishReason));
      }),
    );
    const usage = this.usage(metrics);
    if (sampling.includeUsage) await send({ ...head, choices: [], usage });
  }

  private usage(metrics: Metrics): object {
    const prompt = this.asked.prompts.reduce((sum, { length }) => sum + length, 0);
    const answer = this.answers.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
    metrics.promptTokens += prompt;
    metrics.answerTokens += answer;
    return { prompt_tokens: prompt, completion_tokens: answer, total_tokens: prompt + answer };
  }
}

function requireRoom(length: number, maxLength: number): void {
  if (length < 1) throw new ApiError(400, "the prompt has no token");
  if (length >= maxLength)
    throw new ApiError(
      400,
      `the prompt has ${length} tokens, and the model reads ${maxLength} with the answer: shorten it`,
      { code: "context_length_exceeded" },
    );
}

const randomName = (): string =>
  Array.from({ length: 3 }, () => Math.random().toString(36).slice(2, 10).padEnd(8, "0")).join("");
