/** Texts as counts of their terms, plain and weighted by how rare a term is. Figures are those of scikit-learn. */
import { ArgumentError, FormatError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { Vocabulary } from "./vocabulary.ts";
import { ngrams, words } from "./words.ts";

export interface TermOptions {
  /** The terms of a text; default its words in lower case. It is not saved: give it again when loading. */
  readonly tokenize?: (text: string) => readonly string[];
  /** Runs of words that count as terms, from and to; default [1, 1]. */
  readonly ngramRange?: readonly [from: number, to: number];
  /** Terms of fewer texts are left out; default 1. */
  readonly minTexts?: number;
  /** Terms of more than this share of the texts are left out; default 1. */
  readonly maxShare?: number;
  /** Most terms, the most frequent ones; default no limit. */
  readonly maxTerms?: number;
}

export interface TfIdfOptions extends TermOptions {
  /** Default false: true takes 1 + ln(count) for a count. */
  readonly sublinear?: boolean;
  /** Default "l2": rows of length 1. "l1": rows whose absolute values add up to 1. Null: as they are. */
  readonly norm?: "l1" | "l2" | null;
  /** Default true: as if one more text had all terms, so that no term has weight 0. */
  readonly smooth?: boolean;
}

/** The columns of a row that are not 0. */
export interface SparseRow {
  readonly columns: Uint32Array;
  readonly values: Float64Array;
}

const defaultTerms = (text: string): string[] => words(text.toLowerCase());

/**
 * Counts of terms, weighted by their inverse frequency among texts: tf·(ln((1 + n) / (1 + texts with the term)) + 1), then rows of
 * length 1. Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988; the formula is scikit-learn's.
 *
 * @example
 * const weights = new TfIdf({ norm: null }).fit(["a cat", "a dog"]);
 * weights.terms; // ["a", "cat", "dog"]
 * [...weights.transform(["a cat"]).data]; // f32 [1, 1.4055, 0]: ln(3/2) + 1
 */
export class TfIdf {
  private readonly options: TfIdfOptions;
  private fitted: { readonly vocabulary: Vocabulary; readonly weights: Float64Array } | undefined;

  constructor(options: TfIdfOptions = {}) {
    checkOptions("TfIdf", options, [
      ...(["tokenize", "ngramRange", "minTexts", "maxShare", "maxTerms"] as const),
      ...(["sublinear", "norm", "smooth"] as const),
    ]);
    const { maxShare = 1, norm = "l2" } = options;
    if (!(maxShare > 0 && maxShare <= 1))
      throw new ArgumentError(`TfIdf: maxShare must be above 0 and at most 1, got ${maxShare}`);
    if (norm !== null && norm !== "l1" && norm !== "l2")
      throw new ArgumentError(`TfIdf: norm "${norm as string}" is unknown; use "l1", "l2" or null`);
    this.options = options;
  }

  /** Terms in alphabetic order (code units): the columns. */
  get terms(): readonly string[] {
    return this.state().vocabulary.tokens;
  }
  /** What a count of each term is multiplied by. */
  get weights(): Float64Array {
    return this.state().weights;
  }

  /** Learns terms and weights from texts. @throws ArgumentError when no term is left */
  fit(texts: readonly string[]): this {
    const { minTexts = 1, maxShare = 1, maxTerms = Infinity, smooth = true } = this.options;
    const inTexts = new Map<string, number>();
    const total = new Map<string, number>();
    for (const text of texts) {
      const terms = this.termsOf(text);
      for (const term of new Set(terms)) inTexts.set(term, (inTexts.get(term) ?? 0) + 1);
      for (const term of terms) total.set(term, (total.get(term) ?? 0) + 1);
    }
    const byName = (a: string, b: string): number => (a < b ? -1 : 1);
    const kept = [...inTexts]
      .filter(([, count]) => count >= minTexts && count <= maxShare * texts.length)
      .map(([term]) => term)
      .sort((a, b) => total.get(b)! - total.get(a)! || byName(a, b))
      .slice(0, maxTerms)
      .sort(byName);
    if (kept.length === 0)
      throw new ArgumentError(
        `TfIdf: no term is left of ${inTexts.size} in ${texts.length} texts; loosen minTexts or maxShare`,
      );
    const extra = smooth ? 1 : 0;
    const weights = Float64Array.from(
      kept,
      (term) => Math.log((texts.length + extra) / (inTexts.get(term)! + extra)) + 1,
    );
    this.fitted = { vocabulary: new Vocabulary(kept), weights };
    return this;
  }

  /** One row for each text, f32 (texts, terms). Terms that were not fitted count nothing. */
  transform(texts: readonly string[]): HostArray<[number, number], "f32"> {
    const width = this.terms.length;
    const data = new Float32Array(texts.length * width);
    for (const [row, text] of texts.entries()) {
      const { columns, values } = this.transformSparse(text);
      columns.forEach((column, i) => {
        data[row * width + column] = values[i]!;
      });
    }
    return { dtype: "f32", shape: [texts.length, width], data };
  }

  /** One text, the columns that are not 0 in rising order. */
  transformSparse(text: string): SparseRow {
    const { vocabulary, weights } = this.state();
    const { sublinear = false, norm = "l2" } = this.options;
    const counts = new Map<number, number>();
    for (const term of this.termsOf(text)) {
      if (!vocabulary.has(term)) continue;
      const column = vocabulary.indexOf(term);
      counts.set(column, (counts.get(column) ?? 0) + 1);
    }
    const columns = Uint32Array.from([...counts.keys()].sort((a, b) => a - b));
    const values = Float64Array.from(columns, (column) => {
      const count = counts.get(column)!;
      return (sublinear ? 1 + Math.log(count) : count) * weights[column]!;
    });
    const length =
      norm === null
        ? 1
        : norm === "l1"
          ? values.reduce((sum, v) => sum + Math.abs(v), 0)
          : Math.hypot(...values);
    return { columns, values: length > 0 ? values.map((value) => value / length) : values };
  }

  /** What was learnt, and the options that are no function. */
  toJSON(): object {
    const { tokenize: _, ...options } = this.options;
    const { vocabulary, weights } = this.state();
    const format = { format: "netwright.tf-idf", version: 1 };
    return { ...format, options, terms: vocabulary.tokens, weights: [...weights] };
  }

  /** @param tokenize where another one than the default was used @throws FormatError for anything but what `toJSON` gives */
  static fromJSON(value: unknown, { tokenize }: Pick<TermOptions, "tokenize"> = {}): TfIdf {
    const { format, version, options, terms, weights } = (value ?? {}) as Record<string, unknown>;
    const isTexts = Array.isArray(terms) && terms.every((term) => typeof term === "string");
    const isNumbers =
      Array.isArray(weights) &&
      weights.every((weight) => Number.isFinite(weight)) &&
      weights.length === (terms as unknown[])?.length;
    if (
      format !== "netwright.tf-idf" ||
      version !== 1 ||
      !isTexts ||
      !isNumbers ||
      typeof options !== "object"
    )
      throw new FormatError(
        `TfIdf: expected format "netwright.tf-idf" version 1 with terms and as many weights, got ${JSON.stringify(format)} version ${JSON.stringify(version)}`,
      );
    const made = new TfIdf({ ...(options as TfIdfOptions), ...(tokenize && { tokenize }) });
    made.fitted = {
      vocabulary: new Vocabulary(terms as string[]),
      weights: Float64Array.from(weights as number[]),
    };
    return made;
  }

  private termsOf(text: string): string[] {
    const { tokenize = defaultTerms, ngramRange: [from, to] = [1, 1] } = this.options;
    return ngrams(tokenize(text), from, to);
  }

  private state(): { readonly vocabulary: Vocabulary; readonly weights: Float64Array } {
    if (this.fitted !== undefined) return this.fitted;
    throw new ArgumentError("TfIdf: fit it to texts first");
  }
}
