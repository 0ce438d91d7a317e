/** Many texts that are gone on with at once: as one ends, another takes its place. */
import { yieldToEventLoop } from "#platform";
import { nextKey } from "../base/default-key.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type RandomKey, toRandomKey } from "../base/random.ts";
import type { TokenReader } from "../models/index.ts";
import { type GenerateOptions, optionNames } from "./generate.ts";
import type { GrammarRun } from "./grammar/index.ts";
import { PagePool } from "./page-pool.ts";
import { PagedDecoding, type PagedToken } from "./paged-decoding.ts";
import { checkSampling, keyAt, likeliestOf, logProbabilities, sampleToken } from "./sampling.ts";

export interface BatchingOptions {
  /** Texts that are gone on with at once; default 16. */
  readonly slots?: number;
  /** The most tokens of a text, prompt and answer; default what the model reads, 2048 at most. */
  readonly maxLength?: number;
  /** Tokens that the cache has room for, all texts together; default 4 texts of the greatest length, or as many as there are slots. */
  readonly cacheTokens?: number;
  /** Tokens that a step reads at most, of texts that go on and of prompts; default 64, or as many as there are slots. */
  readonly stepTokens?: number;
  /** Tokens of a page of the cache; default 32. */
  readonly pageSize?: number;
}

/** What a text is gone on with; the same options as `generateTokens`, without beams and guesses. */
export interface BatchRequest
  extends Pick<
    GenerateOptions,
    | ("maxNewTokens" | "endTokens" | "key" | "temperature" | "topK" | "topP" | "minP")
    | (
        | "grammar"
        | "repetitionPenalty"
        | "noRepeatNgramSize"
        | "presencePenalty"
        | "frequencyPenalty"
        | "logitBias"
      )
  > {
  readonly prompt: ArrayLike<number>;
  /** How many of the likeliest tokens come with each token, with their probabilities and its own; by default none do. */
  readonly logProbabilities?: number | undefined;
  /** Ends the text: what waits for its next token gets the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A token of an answer. */
export interface MadeToken {
  readonly token: number;
  /** With `logProbabilities`: the logarithm of its probability, before options change any. */
  readonly logProbability?: number;
  /** The likeliest tokens, the first first. */
  readonly likeliest?: readonly { readonly token: number; readonly logProbability: number }[];
}

/** What a batch has done and does. */
export interface BatchStatistics {
  readonly running: number;
  readonly waiting: number;
  readonly pages: number;
  readonly freePages: number;
  readonly steps: number;
  /** Tokens of prompts that were read, and those that needed not be, since another text began alike. */
  readonly promptTokens: number;
  readonly reusedTokens: number;
  readonly madeTokens: number;
  /** Texts that had to give their pages to older ones, and were read again later. */
  readonly preemptions: number;
}

interface Text {
  readonly request: BatchRequest;
  readonly key: RandomKey;
  /** Prompt and answer. */
  readonly tokens: number[];
  /** Where the answer ends at the latest. */
  readonly end: number;
  readonly made: TokenQueue;
  readonly grammar: GrammarRun | undefined;
  pages: number[];
  /** How many tokens were read. */
  read: number;
}

/**
 * Goes on with many texts at once, as requests come and end. Each step reads the next token of every text and, with what room there is,
 * parts of new prompts. The cache of keys and values is paged, so texts need memory for the tokens they have; when it is full, the
 * youngest waits and is read again. A text's tokens are those it would have alone, bit for bit, whatever runs beside it; beginnings
 * that texts share are read once.
 *
 * Yu and others, "Orca", 2022; Kwon and others, "PagedAttention", 2023.
 *
 * @throws ArgumentError for sizes that mean nothing
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const batching = new Batching(model, { slots: 4, maxLength: 64 });
 * const answer = async (prompt: number[]) => {
 *   const tokens: number[] = [];
 *   for await (const { token } of batching.generate({ prompt, maxNewTokens: 5, temperature: 0 })) tokens.push(token);
 *   return tokens.length;
 * };
 * await Promise.all([answer([1, 2, 3]), answer([4, 5])]); // [5, 5]
 */
export class Batching {
  readonly slots: number;
  /** The most tokens of a text, without those of a learnt prompt that stand before it. */
  readonly maxLength: number;
  private readonly before: readonly number[];
  private readonly decoding: PagedDecoding;
  private readonly pool: PagePool;
  private readonly stepTokens: number;
  private readonly waiting: Text[] = [];
  /** The oldest first. */
  private running: Text[] = [];
  private isRunning = false;
  private readonly counts = { steps: 0, promptTokens: 0, reusedTokens: 0, madeTokens: 0, preemptions: 0 };

  constructor(model: TokenReader, options: BatchingOptions = {}) {
    checkOptions("Batching", options, ["slots", "maxLength", "cacheTokens", "stepTokens", "pageSize"]);
    const { slots = 16, pageSize = 32, maxLength = Math.min(2048, model.maxTokens ?? 2048) } = options;
    const { stepTokens = Math.max(64, slots) } = options;
    const { cacheTokens = Math.min(slots, 4) * maxLength } = options;
    for (const [name, value] of Object.entries({ slots, pageSize, maxLength, stepTokens, cacheTokens }))
      if (!Number.isInteger(value) || value < 1)
        throw new ArgumentError(`Batching: ${name} must be a positive integer, got ${value}`);
    if (stepTokens < slots)
      throw new ArgumentError(`Batching: a step of ${stepTokens} tokens has no room for ${slots} slots`);
    if (cacheTokens < maxLength)
      throw new ArgumentError(
        `Batching: a cache of ${cacheTokens} tokens has no room for one text of maxLength ${maxLength}`,
      );
    this.slots = slots;
    this.before = model.virtualTokens ?? [];
    this.maxLength = maxLength - this.before.length;
    this.stepTokens = stepTokens;
    const pages = Math.ceil(cacheTokens / pageSize);
    const sizes = { pages, pageSize, maxLength, maxRows: stepTokens, maxWanted: slots };
    this.decoding = new PagedDecoding(model, sizes);
    this.pool = new PagePool({ from: this.decoding.firstPage, count: pages, pageSize });
  }

  /** Compiles the programs now, so that the first request does not wait for them. */
  prepare(): Promise<void> {
    return this.decoding.prepare();
  }

  statistics(): BatchStatistics {
    const { pages } = this.decoding.options;
    const now = { running: this.running.length, waiting: this.waiting.length };
    return { ...now, pages, freePages: this.pool.available, ...this.counts };
  }

  /**
   * Tokens that follow a prompt, as they are chosen: those of `generateTokens`. Who stops listening ends the text.
   *
   * @throws ArgumentError for an empty prompt, one that leaves no room, and options that mean nothing
   */
  generate(request: BatchRequest): AsyncGenerator<MadeToken, void, undefined> {
    const text = this.textOf(request);
    this.waiting.push(text);
    if (!this.isRunning) void this.run();
    return text.made.values(() => text.made.end());
  }

  private textOf(request: BatchRequest): Text {
    const { prompt, signal: _, logProbabilities = 0, ...options } = request;
    checkOptions("Batching.generate", options, optionNames);
    checkSampling(options);
    const { maxNewTokens = 256 } = options;
    const { before, maxLength } = this;
    if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
      throw new ArgumentError(`Batching: maxNewTokens must be a positive integer, got ${maxNewTokens}`);
    if (!Number.isInteger(logProbabilities) || logProbabilities < 0)
      throw new ArgumentError(`Batching: logProbabilities must be 0 or more, got ${logProbabilities}`);
    if (prompt.length === 0) throw new ArgumentError("Batching: there must be a token to read");
    if (prompt.length >= this.maxLength)
      throw new ArgumentError(
        `Batching: a prompt of ${prompt.length} tokens leaves no room for an answer in ${this.maxLength}`,
      );
    const all = [...before, ...Array.from(prompt)];
    return {
      request: { ...request, prompt: all },
      key: toRandomKey(request.key ?? nextKey()),
      tokens: [...all],
      end: before.length + Math.min(prompt.length + maxNewTokens, maxLength),
      made: new TokenQueue(),
      grammar: request.grammar?.start(),
      pages: [],
      read: 0,
    };
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    try {
      for (;;) {
        this.dropEnded();
        this.admit();
        if (this.running.length === 0) break;
        await this.step();
        this.dropEnded();
        // Small models compute at once: requests and those who leave must be heard all the same.
        await yieldToEventLoop();
      }
    } catch (error) {
      for (const text of [...this.running, ...this.waiting.splice(0)]) text.made.fail(error);
      this.dropEnded();
    } finally {
      this.isRunning = false;
    }
  }

  /** Texts that are done, or that nobody waits for. */
  private dropEnded(): void {
    const goesOn = (text: Text): boolean => {
      const { signal } = text.request;
      if (signal?.aborted) text.made.fail(signal.reason);
      if (!text.made.isOver) return true;
      this.releasePages(text);
      return false;
    };
    this.running = this.running.filter(goesOn);
    const still = this.waiting.filter(goesOn);
    this.waiting.splice(0, this.waiting.length, ...still);
  }

  /** New texts while there are slots, and pages for all that is known of them. */
  private admit(): void {
    while (this.waiting.length > 0 && this.running.length < this.slots) {
      const [text] = this.waiting as [Text];
      text.pages = this.pool.takeBeginning(text.tokens);
      text.read = text.pages.length * this.pool.pageSize;
      const missing = this.pagesFor(text.tokens.length + 1) - text.pages.length;
      if (missing > this.pool.available && this.running.length > 0) {
        this.releasePages(text);
        return;
      }
      this.counts.reusedTokens += text.read;
      this.waiting.shift();
      this.running.push(text);
    }
  }

  private async step(): Promise<void> {
    const parts = this.plan();
    const rows = parts.flatMap(({ text, count }) =>
      Array.from({ length: count }, (_, i): PagedToken => {
        const position = text.read + i;
        const isWanted = position === text.tokens.length - 1;
        return { token: text.tokens[position]!, position, pages: text.pages, isWanted };
      }),
    );
    const logits = await this.decoding.read(rows);
    this.counts.steps++;
    let next = 0;
    for (const { text, count } of parts) {
      const before = text.read;
      text.read += count;
      if (before < text.request.prompt.length) this.counts.promptTokens += count;
      this.keepFullPages(text, before);
      if (text.read === text.tokens.length) this.choose(text, logits[next++]!);
    }
  }

  /** How many tokens of each text are read: one of those that go on, of prompts as many as there is room for. */
  private plan(): { text: Text; count: number }[] {
    const isAnswering = ({ tokens, read }: Text): boolean => tokens.length - read === 1;
    let room = this.stepTokens - this.running.filter(isAnswering).length;
    const parts: { text: Text; count: number }[] = [];
    for (const text of [...this.running]) {
      if (!this.running.includes(text)) continue;
      const count = isAnswering(text) ? 1 : Math.min(text.tokens.length - text.read, room);
      if (count === 0 || !this.takePages(text, text.read + count)) continue;
      if (!isAnswering(text)) room -= count;
      parts.push({ text, count });
    }
    return parts;
  }

  /** Pages for so many tokens, if need be those of younger texts; false when the text itself is the youngest and gives its own. */
  private takePages(text: Text, length: number): boolean {
    while (text.pages.length < this.pagesFor(length)) {
      const page = this.pool.take();
      if (page !== undefined) text.pages.push(page);
      else {
        const youngest = this.running.pop()!;
        this.releasePages(youngest);
        this.waiting.unshift(youngest);
        this.counts.preemptions++;
        if (youngest === text) return false;
      }
    }
    return true;
  }

  private pagesFor(length: number): number {
    return Math.ceil(length / this.pool.pageSize);
  }

  private releasePages(text: Text): void {
    for (const page of text.pages) this.pool.release(page);
    text.pages = [];
    text.read = 0;
  }

  private keepFullPages({ pages, tokens, read }: Text, before: number): void {
    const { pageSize } = this.pool;
    for (let end = (Math.floor(before / pageSize) + 1) * pageSize; end <= read; end += pageSize)
      this.pool.keep(pages, tokens, end);
  }

  private choose({ request, key, tokens, end, made, grammar }: Text, logits: Float32Array): void {
    try {
      const own = logits.slice();
      grammar?.restrict(own, request.endTokens ?? []);
      const token = sampleToken(own, request, tokens, keyAt(key, tokens.length), request.prompt.length);
      if (request.endTokens?.includes(token)) return made.end();
      grammar?.accept(token);
      this.counts.madeTokens++;
      tokens.push(token);
      made.push({
        token,
        ...(request.logProbabilities !== undefined && chances(logits, token, request.logProbabilities)),
      });
      if (tokens.length === end || grammar?.isOver) made.end();
    } catch (error) {
      // What is asked of one text alone, such as a bias that leaves no token, fails it alone.
      made.fail(error);
    }
  }
}

/** Logarithms of probabilities: of a token, and of the likeliest. */
function chances(logits: Float32Array, token: number, count: number): Required<Omit<MadeToken, "token">> {
  const all = logProbabilities(logits);
  const likeliest = likeliestOf(all, count).map((i) => ({ token: i, logProbability: all[i]! }));
  return { logProbability: all[token]!, likeliest };
}

/** Tokens between who makes them and who waits for them. */
class TokenQueue {
  isOver = false;
  private readonly ready: MadeToken[] = [];
  private failure: { readonly error: unknown } | undefined;
  private wake: (() => void) | undefined;

  push(token: MadeToken): void {
    this.ready.push(token);
    this.wake?.();
  }
  end(): void {
    this.isOver = true;
    this.wake?.();
  }
  fail(error: unknown): void {
    if (!this.isOver) this.failure = { error };
    this.end();
  }

  /** @param onLeave called when nobody listens any more */
  async *values(onLeave: () => void): AsyncGenerator<MadeToken, void, undefined> {
    try {
      for (;;) {
        while (this.ready.length > 0) yield this.ready.shift()!;
        if (this.failure !== undefined) throw this.failure.error;
        if (this.isOver) return;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      onLeave();
    }
  }
}
