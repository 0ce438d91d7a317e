/**
 * Vectors of words from the words around them. Mikolov, Chen, Corrado and Dean, "Efficient estimation of word representations in
 * vector space", 2013; Mikolov and others, "Distributed representations of words and phrases", 2013 (negative sampling, subsampling).
 */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fillUniform, fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { Embedding, initializers, Module } from "../nn/index.ts";
import { type Tensor, where } from "../tensor/index.ts";

export interface Word2VecOptions {
  readonly vocabularySize: number;
  /** Default 100. */
  readonly embeddingSize?: number;
}

/** Two vectors a word: as the one that is looked at, and as one around it. */
abstract class WordVectors extends Module {
  readonly inputs: Embedding;
  readonly outputs: Embedding;

  constructor(options: Word2VecOptions) {
    super();
    checkOptions(this.constructor.name, options, ["vocabularySize", "embeddingSize"]);
    const { vocabularySize, embeddingSize = 100 } = options;
    const weightInit = initializers.uniform(-0.5 / embeddingSize, 0.5 / embeddingSize);
    this.inputs = new Embedding(vocabularySize, embeddingSize, { weightInit });
    this.outputs = new Embedding(vocabularySize, embeddingSize, { weightInit: initializers.zeros() });
  }

  /** −ln σ(v·u) − Σ ln σ(−v·u′) over words u′ that are not there, a mean over the batch. */
  protected contrast(seen: Tensor, word: Tensor, negatives: Tensor): Tensor {
    const scores = this.outputs.forward(word).mul(seen).sum(-1) as Tensor; // (N)
    const others = this.outputs.forward(negatives).mul(seen.expandDims(1)).sum(-1) as Tensor; // (N, K)
    return scores.neg().softplus().add(others.softplus().sum(-1)).mean() as Tensor;
  }

  /** The `count` words whose vectors have the largest cosine with that of `word`, itself left out. */
  async nearest(word: number, count = 10): Promise<{ readonly word: number; readonly cosine: number }[]> {
    return this.nearestTo([{ word, sign: 1 }], count);
  }

  /** What is to `c` as `b` is to `a`: the words nearest to b − a + c (of vectors of length 1), the three left out. */
  async analogy(
    a: number,
    b: number,
    c: number,
    count = 1,
  ): Promise<{ readonly word: number; readonly cosine: number }[]> {
    const terms = [
      { word: b, sign: 1 },
      { word: a, sign: -1 },
      { word: c, sign: 1 },
    ];
    return this.nearestTo(terms, count);
  }

  private async nearestTo(
    terms: readonly { readonly word: number; readonly sign: number }[],
    count: number,
  ): Promise<{ word: number; cosine: number }[]> {
    const { numEmbeddings, embeddingDim: size } = this.inputs;
    for (const { word } of terms) {
      if (!(Number.isInteger(word) && word >= 0 && word < numEmbeddings))
        throw new ArgumentError(`nearest: word ${word} is outside of ${numEmbeddings} words`);
    }
    const table = (await this.inputs.weight.data()) as Float32Array;
    const unit = unitRows(table, size);
    const wanted = new Float64Array(size);
    for (const { word, sign } of terms)
      for (let i = 0; i < size; i++) wanted[i]! += sign * unit[word * size + i]!;
    const length = Math.hypot(...wanted) || 1;
    const cosines = Array.from({ length: numEmbeddings }, (_, word) => {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += wanted[i]! * unit[word * size + i]!;
      return { word, cosine: sum / length };
    });
    const given = new Set(terms.map(({ word }) => word));
    return cosines
      .filter(({ word }) => !given.has(word))
      .sort((x, y) => y.cosine - x.cosine || x.word - y.word)
      .slice(0, count);
  }
}

/** Rows of length 1; rows of zeros stay. */
function unitRows(table: Float32Array, size: number): Float64Array {
  const unit = Float64Array.from(table);
  for (let at = 0; at < unit.length; at += size) {
    let squares = 0;
    for (let i = 0; i < size; i++) squares += unit[at + i]! ** 2;
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let i = 0; i < size; i++) unit[at + i]! *= scale;
  }
  return unit;
}

/**
 * Skip-gram with negative sampling: a word foretells each word around it.
 *
 * Shapes: words (N), words around them (N), words that are not there (N, K), all i32 → the loss, a scalar.
 *
 * @example
 * const model = new SkipGram({ vocabularySize: 20, embeddingSize: 4 });
 * const i32 = { dtype: "i32" } as const;
 * const loss = model.forward(tensor([1, 2], i32), tensor([3, 4], i32), tensor([[5, 6], [7, 8]], i32));
 * await loss.item(); // 3·ln 2 = 2.0794: it knows nothing yet
 */
export class SkipGram extends WordVectors {
  forward(words: Tensor, contexts: Tensor, negatives: Tensor): Tensor {
    return this.contrast(this.inputs.forward(words), contexts, negatives);
  }
}

/**
 * Continuous bag of words with negative sampling: the words around foretell the one between, by the mean of their vectors.
 *
 * Shapes: words around (N, C), padded with −1; the word (N); words that are not there (N, K), all i32 → the loss, a scalar.
 *
 * @example
 * const model = new CBOW({ vocabularySize: 20, embeddingSize: 4 });
 * const i32 = { dtype: "i32" } as const;
 * model.forward(tensor([[1, 2], [3, -1]], i32), tensor([4, 5], i32), tensor([[6], [7]], i32)).shape; // []
 */
export class CBOW extends WordVectors {
  forward(contexts: Tensor, words: Tensor, negatives: Tensor): Tensor {
    const isWord = contexts.greaterEqual(0) as Tensor; // (N, C)
    const vectors = this.inputs.forward(contexts.maximum(0) as Tensor); // (N, C, embedding)
    const sum = where(isWord.expandDims(2), vectors, 0).sum(1) as Tensor;
    const count = isWord.cast("f32").sum(1, { keepDims: true }).maximum(1) as Tensor; // (N, 1)
    return this.contrast(sum.div(count) as Tensor, words, negatives);
  }
}

export interface PairOptions {
  /** Words on each side, at most; each word draws its own from 1 … window, so near words come more often. Default 5. */
  readonly window?: number;
  /** A key or a seed. */
  readonly key: RandomKey | number;
}

/**
 * Pairs for `SkipGram`: each word with each one around it.
 *
 * @example skipGramPairs([7, 8, 9], { window: 1, key: 0 }).words // Int32Array [7, 8, 8, 9]
 */
export function skipGramPairs(
  tokens: ArrayLike<number>,
  { window = 5, key }: PairOptions,
): { words: Int32Array; contexts: Int32Array } {
  if (!Number.isInteger(window) || window < 1)
    throw new ArgumentError(`skipGramPairs: window must be a positive integer, got ${window}`);
  const draws = new Float32Array(tokens.length);
  fillUniform(toRandomKey(key), draws);
  const [words, contexts]: [number[], number[]] = [[], []];
  for (let at = 0; at < tokens.length; at++) {
    const reach = 1 + Math.floor(draws[at]! * window);
    for (let other = Math.max(0, at - reach); other <= Math.min(tokens.length - 1, at + reach); other++) {
      if (other === at) continue;
      words.push(tokens[at]!);
      contexts.push(tokens[other]!);
    }
  }
  return { words: Int32Array.from(words), contexts: Int32Array.from(contexts) };
}

/**
 * Tokens without many of the frequent ones: a word of frequency f stays with probability √(t/f) + t/f, at most 1 (as word2vec's own
 * program has it).
 *
 * @param counts how often each word of the vocabulary comes
 * @example subsample([0, 1, 2], [1, 1, 1], { threshold: 1, key: 0 }) // Int32Array [0, 1, 2]: all are rare enough
 */
export function subsample(
  tokens: ArrayLike<number>,
  counts: ArrayLike<number>,
  { threshold = 1e-3, key }: { readonly threshold?: number; readonly key: RandomKey | number },
): Int32Array {
  const total = Array.from(counts).reduce((sum, n) => sum + n, 0);
  const draws = new Float32Array(tokens.length);
  fillUniform(toRandomKey(key), draws);
  const kept = Array.from(tokens).filter((word, at) => {
    const share = threshold / (counts[word]! / total);
    return draws[at]! < Math.sqrt(share) + share;
  });
  return Int32Array.from(kept);
}

/**
 * Draws words that are not there: word w with probability ∝ count(w)^power, in constant time a word (Walker's alias method).
 *
 * @example
 * const sampler = new NegativeSampler([5, 3, 2], { key: 1 });
 * sampler.draw(0, 4).length; // 4 words, the same for the same step
 */
export class NegativeSampler {
  private readonly shares: Float64Array;
  private readonly aliases: Int32Array;
  private readonly key: RandomKey;

  /** @throws ArgumentError unless counts are at least 0 and not all 0 */
  constructor(
    counts: ArrayLike<number>,
    { power = 0.75, key }: { readonly power?: number; readonly key: RandomKey | number },
  ) {
    const weights = Array.from(counts, (n) => n ** power);
    const total = weights.reduce((sum, w) => sum + w, 0);
    if (!(total > 0) || !weights.every((w) => w >= 0))
      throw new ArgumentError("NegativeSampler: counts must be numbers of at least 0, one of them above");
    this.key = toRandomKey(key);
    ({ shares: this.shares, aliases: this.aliases } = aliasTable(
      weights.map((w) => (w / total) * weights.length),
    ));
  }

  /** `count` words for a step: the same step gives the same words. */
  draw(step: number, count: number): Int32Array {
    const draws = new Float32Array(2 * count);
    fillUniform(fold(this.key, step), draws);
    return Int32Array.from({ length: count }, (_, i) => {
      const column = Math.min(this.shares.length - 1, Math.floor(draws[2 * i]! * this.shares.length));
      return draws[2 * i + 1]! < this.shares[column]! ? column : this.aliases[column]!;
    });
  }
}

/** Columns of height 1, each of a word and at most one other: what is too high gives to what is too low. */
function aliasTable(heights: readonly number[]): { shares: Float64Array; aliases: Int32Array } {
  const shares = Float64Array.from(heights);
  const aliases = Int32Array.from(heights, (_, word) => word);
  const low = [...shares.keys()].filter((word) => shares[word]! < 1);
  const high = [...shares.keys()].filter((word) => shares[word]! >= 1);
  while (low.length > 0 && high.length > 0) {
    const [poor, rich] = [low.pop()!, high[high.length - 1]!];
    aliases[poor] = rich;
    shares[rich]! -= 1 - shares[poor]!;
    if (shares[rich]! < 1) low.push(high.pop()!);
  }
  for (const word of [...low, ...high]) shares[word] = 1;
  return { shares, aliases };
}
