/** Answers of a given form: in each place only those tokens may come that the form allows. */
import type { Tokenizer } from "../../text/tokenizer.ts";
import { Automaton, type State } from "./automaton.ts";
import type { Grammar } from "./expression.ts";
import { anyJson } from "./json.ts";
import { expressionOfSchema } from "./json-schema.ts";
import { expressionOfPattern } from "./pattern.ts";
import { TokenTrie } from "./token-trie.ts";

/** Masks that are kept, the last used ones. */
const keptMasks = 256;

/**
 * What an answer may be, for one tokenizer: made once, used for any number of answers (`GenerateOptions.grammar`).
 *
 * A grammar becomes an automaton over bytes; the tokens that may come in a state are found by walking all tokens' bytes together through
 * it, once for each state that is met. Willard and Louf, "Efficient guided generation for large language models", 2023.
 *
 * @example
 * const tokenizer = await loadTokenizer(await trainBpe(["a cat, a dog"], { vocabularySize: 260 }));
 * const run = OutputGrammar.pattern("(cat|dog)s?", tokenizer).start();
 * run.accept(tokenizer.idOf("d")!);
 * run.mayEnd; // false
 */
export class OutputGrammar {
  private readonly automaton: Automaton;
  private readonly trie: TokenTrie;
  private readonly masks = new Map<State, Uint32Array>();

  private constructor(grammar: Grammar, tokenizer: Tokenizer) {
    this.automaton = new Automaton(grammar);
    this.trie = TokenTrie.of(tokenizer);
  }

  /**
   * Values of JSON that a schema describes, with its properties in their order and at most one space or line between parts.
   *
   * Known are `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `prefixItems`, `minItems`, `maxItems`,
   * `minLength`, `maxLength`, `pattern`, `minimum` and `maximum` (also exclusive) of integers, `anyOf`, `oneOf`, `$ref` within the schema. What is written
   * is valid, though not all that is valid can be: properties that are not named come only where none are.
   *
   * @throws ArgumentError for other keywords, with their place, and for schemas that are too large
   */
  static jsonSchema(schema: unknown, tokenizer: Tokenizer): OutputGrammar {
    return new OutputGrammar(expressionOfSchema(schema), tokenizer);
  }

  /** Any object of JSON. */
  static json(tokenizer: Tokenizer): OutputGrammar {
    return new OutputGrammar(anyJson("object"), tokenizer);
  }

  /**
   * Texts that a regular expression matches as a whole: letters, `.`, classes, `\d \w \s`, groups, `|`, `? * + {m,n}`.
   *
   * @throws ArgumentError for anything else in it
   */
  static pattern(pattern: string, tokenizer: Tokenizer): OutputGrammar {
    return new OutputGrammar({ rules: new Map(), root: expressionOfPattern(pattern) }, tokenizer);
  }

  /** For a new answer. */
  start(): GrammarRun {
    return new GrammarRun(this, this.automaton.start);
  }

  /** The tokens that may come in a state, a bit each. */
  maskOf(state: State): Uint32Array {
    const known = this.masks.get(state) ?? this.trie.allowed(this.automaton, state);
    this.masks.delete(state);
    this.masks.set(state, known);
    if (this.masks.size > keptMasks) this.masks.delete(this.masks.keys().next().value!);
    return known;
  }

  /** Where a token leads. */
  after(state: State, token: number): State {
    return this.trie.after(this.automaton, state, token);
  }
}

/** One answer that is being written. */
export class GrammarRun {
  private readonly grammar: OutputGrammar;
  private state: State;

  constructor(grammar: OutputGrammar, state: State) {
    this.grammar = grammar;
    this.state = state;
  }

  /** Whether the answer may end here. */
  get mayEnd(): boolean {
    return this.state.mayEnd;
  }
  /** Whether nothing can follow. */
  get isOver(): boolean {
    return this.state.places.length === 0;
  }

  /** −Infinity for tokens that may not come; those of `endTokens` come where the answer may end. */
  restrict(logits: Float32Array, endTokens: readonly number[]): void {
    const bits = this.grammar.maskOf(this.state);
    const ends = endTokens.map((token) => [token, logits[token]!] as const);
    for (let token = 0; token < logits.length; token++)
      if (((bits[token >> 5] ?? 0) & (1 << (token & 31))) === 0) logits[token] = -Infinity;
    if (this.mayEnd) for (const [token, logit] of ends) logits[token] = logit;
  }

  /**
   * A token that was chosen.
   *
   * @throws ArgumentError for one that may not come
   */
  accept(token: number): void {
    this.state = this.grammar.after(this.state, token);
  }
}
