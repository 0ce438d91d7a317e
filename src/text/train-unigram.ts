/**
 * Training of a Unigram tokenizer: tokens with probabilities, a text is cut where the product is largest. Kudo, "Subword regularization",
 * 2018; Kudo and Richardson, "SentencePiece", 2018.
 */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { countPieces, emptyFile, specialTokensOf, type TokenizerFile } from "./tokenizer.ts";

export interface TrainUnigramOptions {
  /** Tokens in the end, at most; default 8,000. Fewer where no more are of use. */
  readonly vocabularySize?: number;
  /** Tokens that come first; default ["<unk>"]. */
  readonly specialTokens?: readonly string[];
  /** What stands for characters that no token has, one of `specialTokens`; default "<unk>". */
  readonly unknown?: string;
  /** Characters of a token at most; default 16. */
  readonly maxPieceLength?: number;
  /** Candidates that training begins with; default 1,000,000. */
  readonly seedSize?: number;
}

/** A piece of text with what falls to it. */
interface Word {
  readonly characters: readonly string[];
  readonly count: number;
}

/** Candidates with logarithms of their probabilities. */
type Scores = Map<string, number>;

/** How often the probabilities are learnt anew between two cuts. */
const rounds = 2;
/** What is left of the candidates at each cut. */
const shrink = 0.75;
/** Candidates that are expected less often go. */
const leastExpected = 0.5;

/**
 * A Unigram tokenizer, as T5's and ALBERT's: a word begins with ▁, texts are
 * normalised by NFKC, and how much white space stands between words is forgotten.
 *
 * @returns what `tokenizer.json` holds
 * @throws ArgumentError for options out of range, PlatformError without `@huggingface/tokenizers`
 * @example
 * const file = await trainUnigram(["a cat and a catalogue", "the cat"], { vocabularySize: 24 });
 * (await loadTokenizer(file)).encode("a cat").tokens; // ["▁a", "▁cat"]
 */
export async function trainUnigram(
  texts: Iterable<string>,
  options: TrainUnigramOptions = {},
): Promise<TokenizerFile> {
  checkOptions("trainUnigram", options, [
    ...(["vocabularySize", "specialTokens", "unknown", "maxPieceLength", "seedSize"] as const),
  ]);
  const { vocabularySize = 8000, specialTokens = ["<unk>"], unknown = "<unk>" } = options;
  const { maxPieceLength = 16, seedSize = 1_000_000 } = options;
  for (const [name, value] of Object.entries({ vocabularySize, maxPieceLength, seedSize }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`trainUnigram: ${name} must be a positive integer, got ${value}`);
  if (!specialTokens.includes(unknown))
    throw new ArgumentError(`trainUnigram: unknown "${unknown}" is none of the special tokens`);
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
  const pretokenizers = [{ type: "WhitespaceSplit" }, metaspace];
  const rules = { normalizer: { type: "NFKC" }, pre_tokenizer: { type: "Sequence", pretokenizers } };
  const counts = await countPieces(texts, rules);
  const words = [...counts].map(([text, count]) => ({ characters: [...text], count }));
  const wanted = Math.max(0, vocabularySize - specialTokens.length);
  const pieces = learn(words, { wanted, maxPieceLength, seedSize });
  const vocab = [...specialTokens.map((token): [string, number] => [token, 0]), ...pieces];
  return {
    ...emptyFile,
    ...rules,
    added_tokens: specialTokensOf(specialTokens),
    decoder: metaspace,
    model: { type: "Unigram", unk_id: specialTokens.indexOf(unknown), vocab, byte_fallback: false },
  };
}

interface Limits {
  readonly wanted: number;
  readonly maxPieceLength: number;
  readonly seedSize: number;
}

/** Begins with many candidates; learns their probabilities; takes those away that are missed least; again. */
function learn(words: readonly Word[], limits: Limits): [piece: string, score: number][] {
  const { wanted, maxPieceLength } = limits;
  let scores = seeds(words, limits);
  const single = new Set(words.flatMap(({ characters }) => characters));
  for (;;) {
    for (let round = 0; round < rounds; round++)
      scores = maximize(expected(words, scores, maxPieceLength), single);
    // A little too many are kept until the last cut, as SentencePiece does.
    if (scores.size <= Math.max(wanted * 1.1, single.size)) break;
    const most = Math.max(Math.floor(wanted * 1.1), Math.floor(shrink * scores.size), single.size);
    const cut = withoutLeastMissed(words, scores, { single, most, maxPieceLength });
    if (cut.size === scores.size) break;
    scores = cut;
  }
  return [...scores]
    .sort(([a, x], [b, y]) => Number(single.has(b)) - Number(single.has(a)) || y - x || (a < b ? -1 : 1))
    .slice(0, Math.max(wanted, single.size))
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

/** All characters, and the parts of words that come more than once, those first that cover most text. */
function seeds(words: readonly Word[], { maxPieceLength, seedSize }: Limits): Scores {
  const characters = new Map<string, number>();
  const parts = new Map<string, number>();
  for (const { characters: word, count } of words)
    for (let start = 0; start < word.length; start++) {
      characters.set(word[start]!, (characters.get(word[start]!) ?? 0) + count);
      let part = word[start]!;
      for (let end = start + 1; end < Math.min(word.length, start + maxPieceLength); end++) {
        part += word[end]!;
        parts.set(part, (parts.get(part) ?? 0) + count);
      }
    }
  const worth = (part: string, count: number): number => count * [...part].length;
  const kept = [...parts]
    .filter(([, count]) => count > 1)
    .sort(([a, n], [b, m]) => worth(b, m) - worth(a, n) || (a < b ? -1 : 1))
    .slice(0, seedSize)
    .map(([part, count]): [string, number] => [part, worth(part, count)]);
  return normalized(new Map([...characters, ...kept]));
}

/** Logarithms of shares. */
function normalized(counts: ReadonlyMap<string, number>): Scores {
  let total = 0;
  for (const count of counts.values()) total += count;
  return new Map([...counts].map(([piece, count]) => [piece, Math.log(count) - Math.log(total)]));
}

const logSum = (a: number, b: number): number => {
  const most = Math.max(a, b);
  return most === -Infinity ? most : most + Math.log1p(Math.exp(Math.min(a, b) - most));
};

/** The candidates that a word can be cut into: where each begins and ends. */
function edgesOf(
  { characters }: Word,
  scores: Scores,
  maxPieceLength: number,
): { readonly piece: string; readonly start: number; readonly end: number; readonly score: number }[] {
  const edges = [];
  for (let start = 0; start < characters.length; start++) {
    let piece = "";
    for (let end = start + 1; end <= Math.min(characters.length, start + maxPieceLength); end++) {
      piece += characters[end - 1]!;
      const score = scores.get(piece);
      if (score !== undefined) edges.push({ piece, start, end, score });
    }
  }
  return edges;
}

/** How often each candidate is expected, over all ways to cut all words. */
function expected(words: readonly Word[], scores: Scores, maxPieceLength: number): Map<string, number> {
  const sums = new Map<string, number>();
  for (const word of words) {
    const length = word.characters.length;
    const edges = edgesOf(word, scores, maxPieceLength);
    const forward = new Float64Array(length + 1).fill(-Infinity);
    const backward = new Float64Array(length + 1).fill(-Infinity);
    forward[0] = 0;
    backward[length] = 0;
    for (const { start, end, score } of edges) forward[end] = logSum(forward[end]!, forward[start]! + score);
    for (const { start, end, score } of [...edges].reverse())
      backward[start] = logSum(backward[start]!, backward[end]! + score);
    const whole = forward[length]!;
    for (const { piece, start, end, score } of edges) {
      const share = Math.exp(forward[start]! + score + backward[end]! - whole);
      sums.set(piece, (sums.get(piece) ?? 0) + word.count * share);
    }
  }
  return sums;
}

/** Probabilities from expected counts; what is hardly expected goes, characters stay. A sparse prior: ψ in place of the logarithm. */
function maximize(counts: ReadonlyMap<string, number>, single: ReadonlySet<string>): Scores {
  const kept = [...counts].filter(([piece, count]) => count >= leastExpected || single.has(piece));
  const total = kept.reduce((sum, [, count]) => sum + count, 0);
  return new Map(
    kept.map(([piece, count]) => [piece, digamma(Math.max(count, leastExpected)) - digamma(total)]),
  );
}

/** ψ(x) for x > 0, by its recurrence up to 6 and the asymptotic series. */
function digamma(x: number): number {
  let result = 0;
  let at = x;
  for (; at < 6; at++) result -= 1 / at;
  const square = 1 / (at * at);
  return (
    result +
    Math.log(at) -
    0.5 / at -
    square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
  );
}

/** The most likely way to cut a word, without `banned` where it is given. */
function bestCut(word: Word, scores: Scores, maxPieceLength: number, banned?: string): string[] | undefined {
  const length = word.characters.length;
  const best = new Float64Array(length + 1).fill(-Infinity);
  const last: ({ readonly piece: string; readonly start: number } | undefined)[] = [];
  best[0] = 0;
  for (const { piece, start, end, score } of edgesOf(word, scores, maxPieceLength)) {
    if (piece === banned || best[start]! + score <= best[end]!) continue;
    best[end] = best[start]! + score;
    last[end] = { piece, start };
  }
  const pieces: string[] = [];
  for (let at = length; at > 0; ) {
    const step = last[at];
    if (step === undefined) return undefined;
    pieces.unshift(step.piece);
    at = step.start;
  }
  return pieces;
}

/** Takes away the candidates whose loss changes the likelihood least, as what stands in their place is likely too. */
function withoutLeastMissed(
  words: readonly Word[],
  scores: Scores,
  { single, most, maxPieceLength }: { single: ReadonlySet<string>; most: number; maxPieceLength: number },
): Scores {
  const used = new Map<string, number>();
  let total = 0;
  for (const word of words)
    for (const piece of bestCut(word, scores, maxPieceLength) ?? []) {
      used.set(piece, (used.get(piece) ?? 0) + word.count);
      total += word.count;
    }
  const missed = (piece: string): number => {
    if (single.has(piece)) return Infinity;
    const count = used.get(piece) ?? 0;
    if (count === 0) return 0;
    const instead = bestCut({ characters: [...piece], count }, scores, maxPieceLength, piece);
    if (instead === undefined) return Infinity;
    const after = total + count * (instead.length - 1);
    const likelihood = instead.reduce((sum, part) => sum + Math.log((used.get(part) ?? 0) + count), 0);
    return (
      (count / total) * (Math.log(count) - Math.log(total) - (likelihood - instead.length * Math.log(after)))
    );
  };
  const ranked = [...scores.keys()]
    .map((piece) => ({ piece, loss: missed(piece) }))
    .sort((a, b) => b.loss - a.loss || (a.piece < b.piece ? -1 : 1))
    .slice(0, most);
  return new Map(ranked.map(({ piece }) => [piece, scores.get(piece)!]));
}
