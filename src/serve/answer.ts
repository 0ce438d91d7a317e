/** One answer: tokens of the batch as text, with what ended it and what it cost. */
import { AnswerText, type Batching, type BatchRequest, type MadeToken } from "../generate/index.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** The next of an answer: its text, and the tokens since the last one, where they were asked for. */
export interface AnswerPiece {
  readonly text: string;
  readonly tokens: readonly MadeToken[];
}

export type FinishReason = "stop" | "length";

export class Answer {
  finishReason: FinishReason = "stop";
  /** Tokens of the answer so far. */
  tokenCount = 0;
  private readonly request: BatchRequest;
  private readonly limit: number;
  private readonly tokens: AsyncGenerator<MadeToken>;
  private readonly text: AnswerText;

  constructor(batching: Batching, tokenizer: Tokenizer, request: BatchRequest, stop: readonly string[]) {
    this.request = request;
    this.limit = Math.min(request.maxNewTokens ?? Infinity, batching.maxLength - request.prompt.length);
    this.tokens = batching.generate(request);
    this.text = new AnswerText(tokenizer, stop);
  }

  async *pieces(): AsyncGenerator<AnswerPiece, void, undefined> {
    const keepsTokens = this.request.logProbabilities !== undefined;
    let tokens: MadeToken[] = [];
    for await (const made of this.tokens) {
      this.tokenCount++;
      if (keepsTokens) tokens.push(made);
      const text = this.text.add(made.token);
      if (text !== "") {
        yield { text, tokens };
        tokens = [];
      }
      if (this.text.isStopped) return;
    }
    const rest = this.text.end();
    if (!this.text.isStopped && this.tokenCount >= this.limit) this.finishReason = "length";
    if (rest !== "" || tokens.length > 0) yield { text: rest, tokens };
  }
}
