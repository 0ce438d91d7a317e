/** Tokens and their numbers. */
import { ArgumentError, FormatError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";

export interface VocabularyOptions {
  /** Tokens that come first, in this order; default ["<pad>", "<unk>"]. The first is padding. */
  readonly special?: readonly string[];
  /** What stands for tokens that are not known; default "<unk>" where it is special, else unknown tokens are errors. */
  readonly unknown?: string | null;
  /** Tokens that come less often are left out; default 1. */
  readonly minCount?: number;
  /** Most tokens, the special ones included; default no limit. */
  readonly maxSize?: number;
}

/** What `toJSON` gives and `fromJSON` takes. */
export interface VocabularyFile {
  readonly format: "netwright.vocabulary";
  readonly version: 1;
  readonly tokens: readonly string[];
  readonly unknown: string | null;
}

/**
 * A list of tokens: each has its number. Immutable.
 *
 * @example
 * const vocabulary = Vocabulary.from([["to", "be", "or", "not", "to", "be"]]);
 * vocabulary.encode(["to", "be", "here"]); // Int32Array [3, 2, 1]: the most frequent first, of equal ones by the alphabet
 * vocabulary.decode([3, 2]); // ["to", "be"]
 */
export class Vocabulary {
  readonly tokens: readonly string[];
  readonly unknown: string | null;
  private readonly numbers: ReadonlyMap<string, number>;

  /** @throws ArgumentError when a token stands twice, or `unknown` is none of them */
  constructor(tokens: readonly string[], { unknown = null }: { readonly unknown?: string | null } = {}) {
    this.tokens = [...tokens];
    this.numbers = new Map(this.tokens.map((token, i) => [token, i]));
    if (this.numbers.size < this.tokens.length) {
      const twice = this.tokens.find((token, i) => this.tokens.indexOf(token) !== i)!;
      throw new ArgumentError(`Vocabulary: "${twice}" stands twice`);
    }
    if (unknown !== null && !this.numbers.has(unknown))
      throw new ArgumentError(`Vocabulary: unknown token "${unknown}" is none of the tokens`);
    this.unknown = unknown;
  }

  /** The tokens of texts: special ones, then the most frequent first; of equally frequent ones by code units. */
  static from(texts: Iterable<readonly string[]>, options: VocabularyOptions = {}): Vocabulary {
    checkOptions("Vocabulary", options, ["special", "unknown", "minCount", "maxSize"]);
    const { special = ["<pad>", "<unk>"], minCount = 1, maxSize = Infinity } = options;
    const { unknown = special.includes("<unk>") ? "<unk>" : null } = options;
    if (maxSize < special.length)
      throw new ArgumentError(
        `Vocabulary: maxSize ${maxSize} has no room for ${special.length} special tokens`,
      );
    const counts = new Map<string, number>();
    for (const text of texts) for (const token of text) counts.set(token, (counts.get(token) ?? 0) + 1);
    for (const token of special) counts.delete(token);
    const kept = [...counts]
      .filter(([, count]) => count >= minCount)
      .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
      .slice(0, maxSize - special.length);
    return new Vocabulary([...special, ...kept.map(([token]) => token)], { unknown });
  }

  get size(): number {
    return this.tokens.length;
  }
  has(token: string): boolean {
    return this.numbers.has(token);
  }

  /** A token's number, or that of the unknown one. @throws ArgumentError for an unknown token where none stands for it */
  indexOf(token: string): number {
    const found =
      this.numbers.get(token) ?? (this.unknown === null ? undefined : this.numbers.get(this.unknown));
    if (found !== undefined) return found;
    throw new ArgumentError(
      `Vocabulary: "${token}" is not one of ${this.size} tokens, and none stands for unknown ones`,
    );
  }

  encode(tokens: readonly string[]): Int32Array {
    return Int32Array.from(tokens, (token) => this.indexOf(token));
  }

  /** @throws ArgumentError for a number that no token has */
  decode(indices: ArrayLike<number>): string[] {
    return Array.from(indices, (index) => {
      const token = this.tokens[index];
      if (token === undefined)
        throw new ArgumentError(`Vocabulary: no token has number ${index}; there are ${this.size}`);
      return token;
    });
  }

  toJSON(): VocabularyFile {
    return { format: "netwright.vocabulary", version: 1, tokens: this.tokens, unknown: this.unknown };
  }

  /** @throws FormatError for anything but what `toJSON` gives */
  static fromJSON(value: unknown): Vocabulary {
    const { format, version, tokens, unknown } = (value ?? {}) as Partial<
      Record<keyof VocabularyFile, unknown>
    >;
    if (format !== "netwright.vocabulary" || version !== 1)
      throw new FormatError(
        `Vocabulary: expected format "netwright.vocabulary" version 1, got ${JSON.stringify(format)} version ${JSON.stringify(version)}`,
      );
    const isTexts = Array.isArray(tokens) && tokens.every((token) => typeof token === "string");
    if (!isTexts || !(unknown === null || typeof unknown === "string"))
      throw new FormatError("Vocabulary: tokens must be a list of strings, unknown a string or null");
    try {
      return new Vocabulary(tokens as string[], { unknown: unknown as string | null });
    } catch (error) {
      throw new FormatError((error as Error).message);
    }
  }
}
