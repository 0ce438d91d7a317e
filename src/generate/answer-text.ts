/** Texts of tokens as they come: whole letters only, and nothing of a text that ends the answer. */
import type { Tokenizer } from "../text/tokenizer.ts";

/**
 * The text of tokens that come one by one. A piece is held back while it ends in the middle of a letter, or in what may become a stop
 * text.
 *
 * @example
 * const tokenizer = await loadTokenizer(await trainBpe(["a cat, a dog"], { vocabularySize: 260 }));
 * const text = new AnswerText(tokenizer, [","]);
 * tokenizer.encode("a cat, a dog").ids.map((token) => text.add(token)).join("") + text.end(); // "a cat"
 */
export class AnswerText {
  /** Whether a stop text came: nothing follows. */
  isStopped = false;
  private readonly tokenizer: Tokenizer;
  private readonly stop: readonly string[];
  /** Characters that may be the beginning of a stop text, at most. */
  private readonly longest: number;
  /** Tokens whose letters are not whole; before them one that is given. */
  private tokens: number[] = [];
  private given = "";
  /** Letters that may be a stop text's. */
  private held = "";

  constructor(tokenizer: Tokenizer, stop: readonly string[] = []) {
    this.tokenizer = tokenizer;
    this.stop = stop.filter((text) => text !== "");
    this.longest = Math.max(1, ...this.stop.map((text) => text.length)) - 1;
  }

  /** What is sure to be of the text now; maybe nothing. */
  add(token: number): string {
    if (this.isStopped) return "";
    this.tokens.push(token);
    const text = this.tokenizer.decode(this.tokens);
    if (text.endsWith("\ufffd")) return "";
    const piece = text.slice(this.given.length);
    // The last token stays, since some tokenizers drop a space at a text's beginning.
    this.tokens = this.tokens.slice(-1);
    this.given = this.tokenizer.decode(this.tokens);
    return this.untilStop(piece);
  }

  /** What was held back, when no more tokens come. */
  end(): string {
    if (this.isStopped) return "";
    const sure = this.untilStop(this.tokenizer.decode(this.tokens).slice(this.given.length));
    const rest = this.isStopped ? "" : this.held;
    this.held = "";
    this.tokens = [];
    this.given = "";
    return sure + rest;
  }

  private untilStop(piece: string): string {
    this.held += piece;
    const ends = this.stop.map((text) => this.held.indexOf(text)).filter((at) => at >= 0);
    this.isStopped = ends.length > 0;
    const sure = this.isStopped ? Math.min(...ends) : Math.max(0, this.held.length - this.longest);
    const text = this.held.slice(0, sure);
    this.held = this.held.slice(sure);
    return text;
  }
}
